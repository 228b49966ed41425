"""Reports on their way out: what each kind of observation, destination and document looks like on the wire."""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import replace

import pytest

from heliograph.kit.codecs.hl7 import (
    Code,
    Coded,
    Document,
    Endpoint,
    EntityId,
    Hd,
    Header,
    Interpreter,
    Lines,
    Mdm,
    Name,
    Number,
    Oru,
    Patient,
    PatientIdentifier,
    Pdf,
    Result,
    StudyUid,
    Unencodable,
    Visit,
    build_mdm,
    build_oru_r01,
    parse,
)

SIGNED = dt.datetime(2026, 3, 12, 13, 13, tzinfo=dt.timezone(dt.timedelta(hours=-5)))
READER = Interpreter("7719", Name("Varga", "Ilona", prefix="Dr"), SIGNED)
HEADER = Header(Endpoint(Hd("HELIOGRAPH"), Hd("HUB")), Endpoint(Hd("RISX"), Hd("NORTHBAY")), "H-1", SIGNED)
PATIENT = Patient((PatientIdentifier("104417", Hd("NORTHBAY")),), (Name("Okonkwo", "Tamsin"),))
IMP = Code("18748-4", "Diagnostic imaging study", "LN", "IMP")


def result(*observations: object, **changes: object) -> Result:
    first = Result(EntityId("PL-77"), EntityId("FL-88120"), Code("CTHEAD", "CT Head"), "F", observations, SIGNED)  # type: ignore[arg-type]
    return replace(first, **changes)  # type: ignore[arg-type]


def oru(*observations: object, header: Header = HEADER, **changes: object) -> Oru:
    return replace(Oru(header, PATIENT, (result(*observations),)), **changes)  # type: ignore[arg-type]


def mdm(event: str, document: Document, **changes: object) -> Mdm:
    return replace(Mdm(HEADER, event, PATIENT, (result(),), document), **changes)  # type: ignore[arg-type]


DOCUMENT = Document("ab12-V2", "LA", "AV", READER, SIGNED, (Lines(IMP, ("Signed.", " ", "Second line."), "F"),))


def test_it_works() -> None:
    observations = (
        Lines(IMP, ("None.",), "F"),
        Coded(Code("bleed", "Haemorrhage", "L"), (Code("none", "none", "L"), Code("a&b", "a^b", "L")), "F", SIGNED),
        Number(Code("shift", "Midline shift", "L"), 4.5, "F", Code("mm", "mm", "UCUM")),
        StudyUid("1.2.3", "F"),
    )
    lines = build_oru_r01(oru(*observations)).decode().split("\r")
    assert lines[4:-1] == [
        "OBX|1|TX|18748-4&IMP^Diagnostic imaging study^LN||None.||||||F",
        "OBX|2|CWE|bleed^Haemorrhage^L||none^none^L~a\\T\\b^a\\S\\b^L||||||F|||20260312131300-0500",
        "OBX|3|NM|shift^Midline shift^L||4.5|mm^mm^UCUM|||||F",
        "OBX|4|ST|110180^Study Instance UID^DCM||1.2.3||||||F",
    ]


def test_a_study_uid_in_zds_stands_at_the_end_of_its_order() -> None:
    told = oru(results=(result(Lines(IMP, ("x",), "F"), study_uids=("1.2.3", "1.2.4")),))
    message = parse(build_oru_r01(told), "ASCII")
    assert [s.name for s in message.all_segments][-3:] == ["OBX", "ZDS", "ZDS"]
    assert [s.text(1, 1) for s in message.segments("ZDS")] == ["1.2.3", "1.2.4"]


def test_long_lines_are_split_between_words_and_nothing_is_lost() -> None:
    words = "Acute left subdural haematoma " * 20 + "x" * 90
    message = parse(build_oru_r01(oru(Lines(IMP, (words, " "), "F"), line_length=60)), "ASCII")
    lines = [o.text(5) or "" for o in message.segments("OBX")]
    assert max(map(len, lines)) <= 60
    assert "".join(lines).replace(" ", "") == words.replace(" ", "")
    assert all(len(line) > 40 for line in lines[:-3])
    assert lines[-1] == " "


def test_what_the_charset_lacks_is_refused_or_spelt_otherwise_with_a_note() -> None:
    told = oru(Lines(IMP, ("Ødegård: ≥ 3 mm, naïve, “a≈b” 山\u0301", "plain é"), "F"))
    narrow = replace(HEADER, charset="ASCII")
    with pytest.raises(Unencodable):
        build_oru_r01(replace(told, header=narrow))
    spelt = replace(narrow, unencodable="replace", note="Characters were replaced: see the PDF.")
    message = parse(build_oru_r01(replace(told, header=spelt)), "ASCII")
    assert [o.text(5) for o in message.segments("OBX")] == ['OEdegaard: >= 3 mm, naive, "a~b" ?', "plain e"]
    assert [s.name for s in message.all_segments] == ["MSH", "PID", "ORC", "OBR", "NTE", "OBX", "OBX"]
    assert message.text("NTE-3") == "Characters were replaced: see the PDF."
    wide = parse(build_oru_r01(replace(told, header=replace(spelt, charset="UNICODE UTF-8"))), "ASCII")
    assert not wide.segments("NTE")
    assert wide.text("OBX-5") == "Ødegård: ≥ 3 mm, naïve, “a≈b” 山\u0301"
    latin = parse(build_oru_r01(replace(told, header=replace(spelt, charset="8859/1"))), "ASCII")
    assert latin.text("OBX-5") == 'Ødegård: >= 3 mm, naïve, "a~b" ?'


def test_a_document_is_new() -> None:
    lines = build_mdm(mdm("T02", DOCUMENT, visit=Visit("E"), version_marker="V2")).decode().split("\r")
    assert lines[:-1] == [
        "MSH|^~\\&|HELIOGRAPH|HUB|RISX|NORTHBAY|20260312131300-0500||MDM^T02^MDM_T02|H-1|P|2.5.1||||||UNICODE UTF-8",
        "EVN|T02|20260312131300-0500",
        "PID|1||104417^^^NORTHBAY^MR||Okonkwo^Tamsin^^^^^L",
        "PV1|1|E",
        "ORC|RE|PL-77|FL-88120",
        "OBR|1|PL-77|FL-88120|CTHEAD^CT Head|||||||||||||||||||||F",
        "TXA|1|DI|TX||||||7719^Varga^Ilona^^^Dr|||ab12-V2^HELIOGRAPH||PL-77|FL-88120||LA||AV"
        "|||7719^Varga^Ilona^^^Dr^^^^^^^^^20260312131300-0500",
        "OBX|1|TX|18748-4&IMP^Diagnostic imaging study^LN|V2|Signed.||||||F",
        "OBX|2|TX|18748-4&IMP^Diagnostic imaging study^LN|V2| ||||||F",
        "OBX|3|TX|18748-4&IMP^Diagnostic imaging study^LN|V2|Second line.||||||F",
    ]


@pytest.mark.parametrize("event", ["T06", "T10"])
def test_a_document_names_the_one_before_it(event: str) -> None:
    message = parse(build_mdm(mdm(event, replace(DOCUMENT, parent="ab12-V1"))), "ASCII")
    assert (message.text("MSH-9.2"), message.text("MSH-9.3")) == (event, "MDM_T02")
    assert (message.text("TXA-12.1"), message.text("TXA-13.1")) == ("ab12-V2", "ab12-V1")
    with pytest.raises(ValueError, match="before it"):
        build_mdm(mdm(event, DOCUMENT))


def test_a_cancelled_document_carries_nothing() -> None:
    message = parse(build_mdm(mdm("T11", replace(DOCUMENT, parent="ab12-V2", availability="CA"))), "ASCII")
    assert (message.text("MSH-9.3"), message.text("TXA-19")) == ("MDM_T01", "CA")
    assert not message.segments("OBX")


def test_a_document_holds_the_pdf_in_one_piece() -> None:
    pdf = b"%PDF-1.7\n" + b"\r\n\x00" * 100_000
    payload = build_mdm(mdm("T02", replace(DOCUMENT, observations=(Pdf(Code("PDF"), pdf, "F"),))))
    assert b"\n" not in payload
    assert base64.b64decode(parse(payload, "ASCII").require("OBX-5.5"), validate=True) == pdf


@pytest.mark.parametrize(
    "document",
    [
        replace(DOCUMENT, id=""),
        replace(DOCUMENT, completion="F"),
        replace(DOCUMENT, availability="XX"),
        replace(DOCUMENT, observations=()),
    ],
)
def test_what_is_no_document(document: Document) -> None:
    with pytest.raises(ValueError, match=r"."):
        build_mdm(mdm("T02", document))
