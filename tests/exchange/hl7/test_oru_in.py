"""ORU^R01 in: each version of a site's report is kept, the right one counts, and what differs from ours is told."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import datetime

import pytest

from heliograph.app.context import Context
from heliograph.care.reading.withdraw import withdraw_report
from heliograph.care.results import compare, queries, receive
from heliograph.care.results.attachments import keep_attachment, read_attachment
from heliograph.care.results.errors import AlreadyClosed, NotHeld, ReasonNeeded
from heliograph.care.results.schemas import CaseSiteReports
from heliograph.kit.actor import Actor, system
from heliograph.kit.errors import NotFound
from tests.care.reading.help import Made, make_read, sign, with_session
from tests.cast import Cast
from tests.exchange.hl7.wire import Wire, sample, wired

ROWS = (
    "select status, result_code, order_id is not null, held_reason, is_critical from results.site_reports order by id"
)
DISCREPANCIES = "select kind, side_differs, outcome from results.discrepancies order by opened_at, id"
ALARMS = "select kind from worklist.alarms where cleared_at is null and kind not in ('promise_broken', 'delivery_failed') order by kind"
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
_numbers = iter(range(1, 1000))


@pytest.fixture
def wire(context: Context, cast: Cast, owner_url: str) -> Iterator[Wire]:
    with wired(context, cast, owner_url) as running:
        yield running


@pytest.fixture
def made(context: Context, cast: Cast) -> Made:
    """A case of Kari Larsen, NF-1, accession A1, that Imogen reads."""
    return make_read(context, cast)


def oru(
    *observations: str,
    status: str = "F",
    at: str = "20261125024500",
    pid: str = "NF-1^^^NORFJORD^MR||Larsen^Kari||19480312|F",
    placer: str = "P-A1",
    filler: str = "F-A1",
    accession: str = "A1",
) -> bytes:
    """A report as Norfjord's RIS writes it, on the order that is read by us."""
    number = next(_numbers)
    return (
        "\r".join(
            (
                rf"MSH|^~\&|NFRIS|NORFJORD|HELIO|HUB|20261125025000+0100||ORU^R01|R{number}|P|2.5.1",
                f"PID|1||{pid}",
                f"ORC|RE|{placer}^CPOE|{filler}^NFRIS",
                f"OBR|1|{placer}^CPOE|{filler}^NFRIS|CTHEAD^CT hode^NF|||20261125020000|||||||||||{accession}||||{at}||CT|{status}"
                "|||||||7719&Varga&Ilona&&&Dr",
                *observations,
            )
        ).encode()
        + b"\r"
    )


def obx(text: str, suffix: str = "IMP", status: str = "F", kind: str = "TX", number: int = 1) -> str:
    return f"OBX|{number}|{kind}|CTHEAD&{suffix}^CT^NF||{text}||||||{status}"


def ed(data: str, header: str = "RISX^Application^PDF^Base64", number: int = 2) -> str:
    return f"OBX|{number}|ED|PDF^Signed report^NF||{header}^{data}||||||F"


def seen(context: Context, who: Actor, made: Made) -> CaseSiteReports:
    with context.works.begin(who) as work:
        return queries.reports_of_case(work, made.case_id)


def test_the_life_of_a_report(wire: Wire) -> None:
    """Preliminary, final, corrected, addendum with its PDF, the preliminary once more, withdrawn: all are kept, in the order of events."""
    wire.takes(sample("06"))
    for number in ("13", "14", "15", "16", "27", "28"):
        wire.takes(sample(number))
    assert wire.rows(ROWS) == [
        ("preliminary", "P", True, None, True),
        ("final", "F", True, None, False),
        ("corrected", "C", True, None, False),
        ("appended", "F", True, None, False),
        ("preliminary", "P", True, None, False),
        ("withdrawn", "C", True, None, False),
    ]
    assert wire.rows("select sections from results.site_reports where status = 'final'") == [
        (
            [
                {
                    "id": "findings",
                    "title": "Findings",
                    "text": "Subdural collection along the left convexity, 7 mm.\nNo midline shift.",
                },
                {
                    "id": "impression",
                    "title": "Impression",
                    "text": "1. Acute left subdural haematoma, 7 mm.\n2. No herniation.",
                },
            ],
        )
    ]
    assert wire.rows("select distinct author, accession_number, report_key from results.site_reports") == [
        ("Dr Ilona Varga", "A2603120045", "filler:FL-88120")
    ]
    assert wire.rows("select reported_at at time zone 'UTC' from results.site_reports where status = 'final'") == [
        (datetime(2026, 3, 12, 16, 15),)  # noqa: DTZ001 (the statement says that it is UTC)
    ]
    ((data, digest, length),) = wire.rows("select data, sha256, length from results.site_attachments")
    assert digest.hex() == "a011f390391bc802d1cfb6f58c61ba814fbb3995655cb65c332a6d9c1cdfddff"
    assert hashlib.sha256(data).digest() == digest
    assert len(data) == length


def test_the_same_report_again_is_no_new_version(wire: Wire) -> None:
    wire.takes(sample("14"))
    wire.takes(sample("14").replace(b"NB-R01-2002", b"NB-R01-9999"))
    assert wire.rows(ROWS) == [("final", "F", False, None, False)]
    assert wire.rows("select fault from sites.messages order by id") == [(None,), ("This very report came before.",)]


def test_without_an_order_it_is_a_prior_of_its_patient(wire: Wire, context: Context, cast: Cast, made: Made) -> None:
    wire.takes(oru(obx("Old infarct."), filler="F-OLD", placer="", accession="A0", at="20250101120000"))
    nadia = with_session(context, cast.nadia)
    shown = seen(context, nadia, made)
    assert shown.own == []
    (prior,) = shown.priors
    assert prior.base is not None
    assert (prior.base.status, prior.base.sections[0].text, prior.accession) == ("final", "Old infarct.", "A0")
    imogen = with_session(context, cast.imogen)
    assert [r.id for r in seen(context, imogen, made).priors] == [prior.id]
    seen(context, imogen, made)
    assert wire.rows("select actor_name, count(*) from audit.events where action = 'site_report.viewed' group by 1 order by 1") == [
        (cast.imogen.name, 1), (cast.nadia.name, 1)
    ]  # fmt: skip
    for outsider in (cast.harper, cast.otto, cast.olga, cast.astrid):
        with pytest.raises(NotFound), context.works.begin(outsider) as work:
            queries.reports_of_case(work, made.case_id)
        with pytest.raises(NotFound), context.works.begin(outsider) as work:
            queries.one_version(work, prior.id)


def test_what_differs_from_ours_opens_a_discrepancy(wire: Wire, context: Context, cast: Cast, made: Made) -> None:
    sign(context, with_session(context, cast.imogen), made.read_id)
    wire.takes(oru(obx("Acute left subdural haematoma."), status="P", at="20261125023000"))
    assert wire.rows(DISCREPANCIES) == [], "a preliminary text of theirs is not their word"
    wire.takes(oru(obx("Acute left subdural haematoma.")))
    assert wire.rows(DISCREPANCIES) == [("impression", False, None)]
    assert ("discrepancy",) in wire.rows(ALARMS)
    shown = seen(context, cast.nadia, made)
    (found,) = shown.discrepancies
    assert shown.may_close
    assert (found.theirs, found.ours) == (
        "Acute left subdural haematoma.",
        "1. No acute abnormality.\n2. Æsj, Ødegård.",
    )
    assert not seen(context, cast.imogen, made).may_close
    # Their correction says what we say, in other marks: nothing differs any more.
    wire.takes(oru(obx("No acute abnormality~Æsj, Ødegård"), status="C", at="20261125024800"))
    assert wire.rows(DISCREPANCIES) == [("impression", False, "superseded")]
    assert wire.rows(ALARMS) == []
    assert [v.status for v in seen(context, cast.nadia, made).own[0].versions] == ["corrected", "final", "preliminary"]


def test_a_site_that_reported_before_us_is_compared_when_we_sign(
    wire: Wire, context: Context, cast: Cast, made: Made
) -> None:
    wire.takes(oru(obx("Acute left subdural haematoma.")))
    assert wire.rows(DISCREPANCIES) == []
    content = {
        "sections": {"indication": "Fall", "findings": "Blood.", "impression": "Acute right subdural haematoma."},
        "fields": {"haemorrhage": ["none"], "acute_ischaemia": "none", "midline_shift": 0},
    }
    sign(context, with_session(context, cast.imogen), made.read_id, content)
    assert wire.rows(DISCREPANCIES) == [("impression", True, None)]
    assert wire.rows("select text from worklist.alarms where kind = 'discrepancy'") == [
        ("The site's own report names the other side than ours: look at both at once.",)
    ]


def test_a_discrepancy_is_closed_by_a_coordinator_with_a_word(
    wire: Wire, context: Context, cast: Cast, made: Made
) -> None:
    sign(context, with_session(context, cast.imogen), made.read_id)
    wire.takes(oru(obx("Acute left subdural haematoma.")))
    (found,) = seen(context, cast.nadia, made).discrepancies
    for outsider in (cast.imogen, cast.harper, cast.olga, cast.eirik):
        with pytest.raises(NotFound), context.works.begin(outsider) as work:
            compare.close(work, found.id, "major", "Seen")
    with pytest.raises(ReasonNeeded), context.works.begin(cast.nadia) as work:
        compare.close(work, found.id, "major", " ")
    with context.works.begin(cast.nadia) as work:
        compare.close(work, found.id, "major", "Small subdural missed; the site was called.")
    assert wire.rows(DISCREPANCIES) == [("impression", False, "major")]
    assert wire.rows(ALARMS) == []
    with pytest.raises(AlreadyClosed), context.works.begin(cast.nadia) as work:
        compare.close(work, found.id, "agrees", "")
    # The same text sent once more does not open it again.
    wire.takes(oru(obx("Acute left subdural haematoma."), at="20261125024501"))
    assert [row[2] for row in wire.rows(DISCREPANCIES)].count("major") == 1


def test_when_we_take_our_report_back_nothing_differs_from_it_any_more(
    wire: Wire, context: Context, cast: Cast, made: Made
) -> None:
    version = sign(context, with_session(context, cast.imogen), made.read_id)
    wire.takes(oru(obx("Acute left subdural haematoma.")))
    assert wire.rows(DISCREPANCIES) == [("impression", False, None)]
    with context.works.begin(cast.nadia) as work:
        withdraw_report(work, version.id, "other", "Signed too early.")
    assert wire.rows(DISCREPANCIES) == [("impression", False, "superseded")]
    assert ("discrepancy",) not in wire.rows(ALARMS)


def test_a_withdrawn_report_is_hidden_and_kept(wire: Wire, context: Context, cast: Cast, made: Made) -> None:
    sign(context, with_session(context, cast.imogen), made.read_id)
    wire.takes(oru(obx("Fracture.")))
    wire.takes(oru(obx("Reported on wrong patient.", status="W"), status="C", at="20261125024900"))
    (own,) = seen(context, cast.imogen, made).own
    assert (own.is_withdrawn, own.base, own.additions) == (True, None, [])
    final = next(v.id for v in own.versions if v.status == "final")
    with context.works.begin(cast.imogen) as work:
        assert queries.one_version(work, final).sections == []
    with context.works.begin(cast.runa) as work:
        assert queries.one_version(work, final).sections[0].text == "Fracture."
    assert wire.rows(DISCREPANCIES) == [("impression", False, "superseded"), ("withdrawn", False, None)]
    # What the site reports afterwards counts again; what comes late from before does not.
    wire.takes(oru(obx("No acute abnormality. Æsj, Ødegård."), at="20261125025500"))
    wire.takes(oru(obx("Fracture, late copy."), at="20261125024600"))
    (own,) = seen(context, cast.imogen, made).own
    assert own.base is not None
    assert own.base.sections[0].text == "No acute abnormality. Æsj, Ødegård."


def test_an_addendum_is_added_and_a_late_preliminary_downgrades_nothing(
    wire: Wire, context: Context, cast: Cast, made: Made
) -> None:
    wire.takes(oru(obx("Telephoned.", "ADT"), ed(base64.b64encode(PDF).decode()), at="20261125025200"))
    wire.takes(oru(obx("Fracture.")))
    wire.takes(oru(obx("Maybe a fracture."), status="P", at="20261125025900"))
    (own,) = seen(context, cast.nadia, made).own
    assert own.base is not None
    assert (own.base.status, own.base.sections[0].text) == ("final", "Fracture.")
    assert [a.sections[0].text for a in own.additions] == ["Telephoned."]
    assert [(a.name, a.media_type, a.length) for a in own.attachments] == [
        ("Signed report.pdf", "application/pdf", len(PDF))
    ]
    # A correction that leaves the addendum out does not lose it; one that contains it needs it no more.
    wire.takes(oru(obx("No fracture."), status="C", at="20261125025300"))
    assert len(seen(context, cast.nadia, made).own[0].additions) == 1
    wire.takes(oru(obx("No fracture."), obx("Telephoned.", "ADT", number=2), status="C", at="20261125025400"))
    assert seen(context, cast.nadia, made).own[0].additions == []


def test_attachments_become_objects_and_are_downloaded_on_record(
    wire: Wire, context: Context, cast: Cast, made: Made
) -> None:
    in_lines = base64.encodebytes(PDF * 40).decode().strip().replace("\n", "\\X0D0A\\")
    wire.takes(oru(obx("Fracture."), ed(in_lines)))
    ((attachment, report),) = wire.rows("select id, report_id from results.site_attachments")
    for _ in range(2):
        with context.works.begin(cast.imogen) as work:
            assert read_attachment(work, context.objects, report, attachment).data == PDF * 40
        keep_attachment(context.works, context.objects, cast.norfjord, attachment)
    ((key, data),) = wire.rows("select object_key, data from results.site_attachments")
    assert data is None
    assert bytes(context.objects.get(key)) == PDF * 40
    assert wire.rows("select count(*) from audit.events where action = 'document.viewed'") == [(2,)]
    for outsider in (cast.harper, cast.otto, cast.olga, cast.astrid):
        with pytest.raises(NotFound), context.works.begin(outsider) as work:
            read_attachment(work, context.objects, report, attachment)


@pytest.mark.parametrize(
    ("observation", "fault"),
    [
        (ed("", "RISX^^^"), "103"),
        (ed(base64.b64encode(PDF).decode(), "RISX^Application^PDF^Hex"), "103"),
        (ed(base64.b64encode(PDF).decode(), "RISX^Application^HTML^Base64"), "103"),
        (ed(base64.b64encode(PDF).decode(), "RISX^multipart^-hl7-cda-level-one^Base64"), "103"),
        (ed("JVBERi0x*LjQK"), "102"),
        (ed("JVBERi0xLjQ"), "102"),
        (ed(base64.b64encode(b"<html>").decode()), "102"),
    ],
)
def test_a_document_that_is_none_is_refused_at_obx_5(wire: Wire, made: Made, observation: str, fault: str) -> None:
    assert wire.refuses(oru(obx("Fracture."), observation)) == ("AE", fault, "OBX^2^5")
    assert wire.rows("select 1 from results.site_reports") == []


@pytest.mark.parametrize(
    ("message", "fault", "place"),
    [
        (oru(obx("x"), status=""), "101", "OBR^1^25"),
        (oru(obx("x"), status="Q"), "103", "OBR^1^25"),
        (oru(obx("x"), status="D"), "103", "OBR^1^25"),
        (oru(obx("x"), status="Y"), "204", "OBR^1^25"),
        (oru(), "101", "OBX^1"),
        (oru(obx("x"), pid="||Larsen^Kari||19480312|F"), "101", "PID^1^3"),
        (oru(obx("x"), pid="NF-1^^^NORFJORD^MR||Strand^Eva||19880203|F"), "205", "PID^1^3"),
    ],
)
def test_a_report_that_can_not_be_taken_tells_where(
    wire: Wire, made: Made, message: bytes, fault: str, place: str
) -> None:
    assert wire.refuses(message) == ("AE", fault, place)
    assert wire.rows("select 1 from results.site_reports") == []


@pytest.mark.parametrize(
    ("status", "kept"),
    [
        ("P", "preliminary"), ("A", "preliminary"), ("R", "preliminary"), ("M", "preliminary"), ("F", "final"),
        ("C", "corrected"), ("X", "cancelled"), ("S", None), ("I", None),
    ],
)  # fmt: skip
def test_each_status(wire: Wire, made: Made, status: str, kept: str | None) -> None:
    wire.takes(oru(obx("Text."), status=status))
    assert wire.rows("select status from results.site_reports") == ([(kept,)] if kept else [])


def test_all_observations_deleted_withdraw_it(wire: Wire, made: Made) -> None:
    wire.takes(oru(obx("One.", status="D"), obx("Two.", "GDT", status="D", number=2), status="C"))
    wire.takes(oru(obx("One.", status="D"), obx("Two.", "GDT", number=2), status="C", at="20261125024700"))
    assert wire.rows("select status, text from results.site_reports order by reported_at") == [
        ("withdrawn", "IMPRESSION\nOne.\n\nFINDINGS\nTwo."), ("corrected", "FINDINGS\nTwo."),
    ]  # fmt: skip


def test_sections_by_suffix_code_and_words_values_and_units(wire: Wire, made: Made) -> None:
    wire.takes(
        oru(
            "OBX|1|TX|59776-5^X^LN||Line 1~Line 2||||||F",
            "OBX|2|FT|18782-3&GDT^X^LN||More\\.br\\still more||||||F",
            "OBX|3|ST|^Conclusion||All well & good^really||||||F",
            "OBX|4|TX|18783-1^X^LN||Again in 3 months||||||F",
            "OBX|5|NM|8867-4^Volume^LN||12.5|mL|||||F",
            "OBX|6|CWE|X^BI-RADS^L||2^Benign^BR||||||F",
        )
    )
    ((sections,),) = wire.rows("select sections from results.site_reports")
    assert [(s["id"], s["text"]) for s in sections] == [
        ("findings", "Line 1\nLine 2\nMore\nstill more"),
        ("impression", "All well & good^really"),
        ("recommendation", "Again in 3 months"),
        ("report", "Volume: 12.5 mL\nBI-RADS: Benign"),
    ]


def test_two_examinations_share_one_report(wire: Wire) -> None:
    second = b"OBR|2|P-2|F-2|CTCS^CT C-spine||||||||||||||A2||||20261125024500||CT|F\r"
    whole = oru(obx("Fracture.")).replace(b"\rOBX|", b"\r" + second + b"OBX|")
    wire.takes(whole)
    assert wire.rows("select accession_number, text from results.site_reports order by 1") == [
        ("A1", "IMPRESSION\nFracture."), ("A2", "IMPRESSION\nFracture."),
    ]  # fmt: skip


def test_a_number_of_another_patients_order_is_held(wire: Wire, context: Context, cast: Cast, made: Made) -> None:
    other = "NF-2^^^NORFJORD^MR||Strand^Eva||19880203|F"
    wire.takes(oru(obx("Fracture."), pid=other))
    assert wire.rows(ROWS) == [("final", "F", False, "The order with these numbers is another patient's.", False)]
    assert wire.rows(ALARMS) == [("held_report",)]
    assert seen(context, cast.nadia, made).priors == []
    with context.works.begin(cast.nadia) as work:
        (held,) = queries.held_reports(work)
    assert (held.patient_name, held.accession, held.orders) == ("STRAND, Eva", "A1", [])
    for outsider in (cast.harper, cast.olga, cast.imogen):
        with context.works.begin(outsider) as work:
            assert queries.held_reports(work) == []
        with pytest.raises(NotFound), context.works.begin(outsider) as work:
            receive.file_held(work, held.id, None, "x")
    with context.works.begin(cast.nadia) as work:
        receive.file_held(work, held.id, None, "An old examination of hers.")
    assert wire.rows(ALARMS) == []
    with pytest.raises(NotHeld), context.works.begin(cast.nadia) as work:
        receive.file_held(work, held.id, None, "again")


def test_an_accession_number_that_two_orders_bear_is_held_unless_the_filler_number_tells(
    wire: Wire, context: Context, cast: Cast, made: Made
) -> None:
    wire.do(
        "insert into orders.orders (organization_id, facility_id, patient_id, source, accession_number, accession_issuer, filler_number) "
        "select organization_id, facility_id, patient_id, source, accession_number, accession_issuer, 'F-TWIN' from orders.orders"
    )
    wire.takes(oru(obx("Fracture."), filler="", placer=""))
    wire.takes(oru(obx("Fracture."), placer=""))
    assert wire.rows("select order_id is not null, held_reason from results.site_reports order by id") == [
        (False, "Several orders of the patient have these numbers."), (True, None),
    ]  # fmt: skip
    with context.works.begin(cast.nadia) as work:
        (held,) = queries.held_reports(work)
        assert len(held.orders) == 2
        receive.file_held(work, held.id, held.orders[0].id, "By its date.")
    assert wire.rows("select count(*) from results.site_reports where order_id is null") == [(0,)]


def test_an_accession_number_of_another_patients_images_is_held(wire: Wire, made: Made) -> None:
    wire.do("update orders.orders set accession_number = 'ELSE', filler_number = 'E', placer_number = 'E'")
    wire.takes(oru(obx("Fracture."), pid="NF-2^^^NORFJORD^MR||Strand^Eva||19880203|F"))
    assert wire.rows("select held_reason from results.site_reports") == [
        ("The images with this accession number are another patient's.",)
    ]


def test_reports_follow_their_patient_and_come_back(wire: Wire, context: Context, cast: Cast, made: Made) -> None:
    from heliograph.care.orders.merge import unmerge_patients

    wire.takes(
        oru(obx("Old."), pid="NF-9^^^NORFJORD^MR||Larsen^K||19480312|F", filler="F-9", placer="", accession="A9")
    )
    assert seen(context, cast.nadia, made).priors == []
    wire.takes(
        "\r".join(
            (
                r"MSH|^~\&|NFRIS|NORFJORD|HELIO|HUB|20261125025000+0100||ADT^A40|M1|P|2.5.1",
                "PID|1||NF-1^^^NORFJORD^MR||Larsen^Kari||19480312|F",
                "MRG|NF-9^^^NORFJORD^MR",
            )
        ).encode()
    )
    assert len(seen(context, cast.nadia, made).priors) == 1
    ((merge_id,),) = wire.rows("select id from patients.merges")
    with context.works.begin(cast.nadia) as work:
        unmerge_patients(work, merge_id, "Two people after all.")
    assert seen(context, cast.nadia, made).priors == []


def test_what_a_site_reported_is_immutable(wire: Wire, made: Made, context: Context, cast: Cast) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    wire.takes(oru(obx("Fracture.")))
    for change in ("update results.site_reports set text = 'x'", "delete from results.site_reports"):
        with pytest.raises(DBAPIError, match="immutable"), context.works.begin(system("t", cast.norfjord)) as work:
            work.session.execute(text(change))


def test_the_record_and_the_alarms_hold_no_words_of_a_report(
    wire: Wire, context: Context, cast: Cast, made: Made
) -> None:
    sign(context, with_session(context, cast.imogen), made.read_id)
    wire.takes(oru(obx("Fracturexyz.")))
    told = str(wire.rows("select action, reason, detail from audit.events")) + str(
        wire.rows("select text from worklist.alarms")
    )
    assert "site_report.received" in told
    for secret in ("Fracturexyz", "Larsen", "NF-1", "abnormality"):
        assert secret not in told
