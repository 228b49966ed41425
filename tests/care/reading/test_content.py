"""Templates, checks, text and PDF: pure."""

from __future__ import annotations

import re
import zlib
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
import typst

from heliograph.care.orders.exam_classes import exam_classes
from heliograph.care.reading.content import cleaned, compose, content_hash, to_text
from heliograph.care.reading.pdf import set_pdf
from heliograph.care.reading.queries import VersionFacts
from heliograph.care.reading.rules import check
from heliograph.care.reading.templates import template, template_for, templates, with_addendum
from heliograph.records.patients.queries import PatientBanner, PatientIdentifier
from heliograph.records.sites.queries import FacilityFacts

ID = UUID(int=7)
HEAD = template("ct_head")
GOOD = {
    "sections": {"findings": "Nothing else.", "impression": "No acute abnormality."},
    "fields": {"haemorrhage": ["none"], "acute_ischaemia": "none"},
}


def test_every_exam_class_has_its_template() -> None:
    known = {t.id for t in templates()}
    assert {c.template for c in exam_classes() if c.template} <= known
    assert template_for("mr_lspine_wo").id == "mr_spine"
    assert template_for("us_abdomen_limited").id == "us_abdomen"
    assert template_for("us_scrotum").id == template_for("no such class").id == "general"
    named = {template_for(c.id).id for c in exam_classes()}
    assert named == known, "a template that no exam class uses"


@pytest.mark.parametrize("t", templates(), ids=lambda t: t.id)
def test_templates_are_sound(t) -> None:
    assert len({f.id for f in t.fields}) == len(t.fields)
    for f in t.fields:
        assert t.section(f.section) is not None
        assert bool(f.options) == (f.type in ("enum", "multi"))
        if f.normal is not None:  # what accepting "normal" fills in must be taken as it is
            assert cleaned(t, {"fields": {f.id: f.normal}})["fields"] == {f.id: f.normal}
    assert [s.id for s in t.sections if s.required] == ["findings", "impression"]
    assert [s.id for s in with_addendum(t).sections if s.required] == ["addendum"]


def problems(sections=None, fields=None, t=HEAD) -> list[tuple[str, str, str | None]]:
    content = {"sections": {**GOOD["sections"], **(sections or {})}, "fields": {**GOOD["fields"], **(fields or {})}}
    return [(p.id, p.level, p.field) for p in check(t, cleaned(t, content))]


@pytest.mark.parametrize(
    ("sections", "fields", "found"),
    [
        ({}, {}, []),
        ({"findings": ""}, {}, []),  # the fields say it
        ({"impression": ""}, {}, [("required-section", "stop", "impression")]),
        ({}, {"haemorrhage": []}, [("required-field", "stop", "haemorrhage")]),
        ({}, {"midline_shift": 0}, []),
        ({}, {"midline_shift": 40}, [("implausible", "ask", "midline_shift")]),
        ({"findings": "Midline shift of [ ] mm"}, {}, [("placeholder", "stop", "findings")]),
        ({"findings": "[ fracture? ]"}, {}, [("placeholder", "stop", "findings")]),
        ({"findings": "Seen on image [12]. Node <5 mm, mass >3 cm."}, {}, []),
        ({"findings": "The *** lobe"}, {}, [("placeholder", "stop", "findings")]),
        ({"impression": "<location> haematoma"}, {}, [("placeholder", "stop", "impression")]),
        ({"impression": "TBD"}, {}, [("placeholder", "stop", "impression")]),
        ({}, {"sinuses_mastoids_orbits": "[ ]"}, [("placeholder", "stop", "sinuses_mastoids_orbits")]),
        ({"recommendation": "Follow-up recommended."}, {}, [("follow-up", "ask", "recommendation")]),
        ({"recommendation": "Follow-up CT in 3 months."}, {}, []),
        ({"findings": "No  change.", "impression": "No change."}, {}, [("impression-repeats", "stop", "impression")]),
    ],
)
def test_checks(sections, fields, found) -> None:
    assert problems(sections, fields) == found


def test_text_and_hash_are_always_the_same() -> None:
    content = cleaned(
        HEAD,
        {
            "sections": {"impression": "A\r\nB", "findings": "x"},
            "fields": {"midline_shift": 4.5, "haemorrhage": ["subdural", "epidural"]},
        },
    )
    sections = compose(HEAD, content)
    assert (
        to_text(sections) == "FINDINGS\nHaemorrhage: epidural, subdural\nMidline shift: 4.5 mm\n\nx\n\nIMPRESSION\nA\nB"
    )
    one, other = {"a": 1, "b": "æ"}, {"b": "æ", "a": 1}
    assert content_hash(one, 1, "final") == content_hash(other, 1, "final") != content_hash(one, 2, "final")


def paper(**changes) -> bytes:
    facts = {
        "sections": [
            {"id": "findings", "title": "Findings", "text": "Blåbær, Ødegård, Åse.\n\n#panic() $x$ *bold* <a>"}
        ],
        "kind": "final",
        "signer_name": "Dr Imogen Tarrant",
        **changes,
    }
    version = VersionFacts(
        ID, ID, ID, ID, ID, 1, facts["kind"], "signed", facts["sections"], "", ID, facts["signer_name"],
        {"licence": {"jurisdiction": "NO", "number": "NO-1"}, "place": {"name": "Sydney", "jurisdiction": "AU"}}, "author",
        datetime(2026, 11, 25, 1, 52, tzinfo=UTC), ["A1"], "ab" * 32,
    )  # fmt: skip
    site = FacilityFacts(
        ID, ID, "NF", "Norfjord", "Norfjord", "NO", "Europe/Oslo", ["en"], "NF", "NF", None, None, False, True
    )
    patient = PatientBanner(
        ID, "LARSEN, Kari", "LARSEN", "Kari", date(1948, 3, 12), 78, "F", (PatientIdentifier("NF", "NF-1"),)
    )
    return set_pdf(version, site, patient, exam="CT head", studied="25 Nov 2026")


def test_the_pdf_is_always_the_same_and_takes_words_as_words() -> None:
    made = paper()
    assert made.startswith(b"%PDF-")
    assert made == paper()
    assert made != paper(kind="preliminary")
    long = paper(sections=[{"id": "findings", "title": "Findings", "text": "\n".join(f"Line {n}" for n in range(200))}])
    assert len(re.findall(rb"/Type\s*/Page\b", long)) >= 3
    assert not re.search(rb"/JavaScript|/Launch|/EmbeddedFile", made)


def test_the_fonts_that_we_carry_hold_norwegian() -> None:
    fonts = typst.Fonts(include_system_fonts=False)
    assert "Libertinus Serif" in fonts.families()
    made = paper(sections=[{"id": "x", "title": "X", "text": "ÆØÅæøåÄÖß"}])
    maps = b"".join(_inflated(made))
    for letter in "ÆØÅæøåÄÖß":  # each is mapped back to its character: it was set with a real glyph
        assert f"<{ord(letter):04X}>".encode() in maps.upper()


def _inflated(pdf: bytes) -> list[bytes]:
    found = []
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            found.append(zlib.decompress(stream.rstrip(b"\r\n")))
        except zlib.error:
            continue
    return found
