"""Each receiver of HL7 messages gets reports as its settings say."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.care.delivery.api import router
from heliograph.care.delivery.ledger import sweep_ledger
from heliograph.kit.codecs.hl7 import Message
from heliograph.records.sites.administer import change_endpoint
from heliograph.records.sites.errors import BadSite
from tests.care.delivery.help import Receiver, rows, try_
from tests.care.delivery.test_deliver import add
from tests.care.reading.help import GOOD, Made, make_read, sign, with_session
from tests.cast import Cast
from tests.records.sites.web import browser


def wanted(context: Context, cast: Cast, charset: str | None = None, **settings: Any) -> None:
    with context.works.begin(cast.astrid) as work:
        change_endpoint(work, cast.hl7_out, {"settings": settings, **({"charset": charset} if charset else {})})


def sent(context: Context, cast: Cast, receiver: Receiver, **how: Any) -> Message:
    """A report of Norfjord's, signed and sent."""
    made = make_read(context, cast)
    sign(context, with_session(context, cast.imogen), made.read_id, **how)
    assert try_(context, cast, rows(context, cast)[-1].id).outcome == "acknowledged"
    return receiver.taken[-1]


def test_it_works_as_documents(context: Context, cast: Cast, receiver: Receiver) -> None:
    wanted(context, cast, message="MDM", preliminary=True)
    made, imogen = make_read(context, cast), with_session(context, cast.imogen)
    sign(context, imogen, made.read_id, kind="preliminary")
    sign(context, imogen, made.read_id)
    add(context, imogen, made)
    for row in rows(context, cast):
        assert try_(context, cast, row.id).outcome == "acknowledged"
    browser(context, imogen, router).post(
        f"/api/reports/{rows(context, cast)[-1].report_version_id}/withdraw", json={"because": "other", "reason": "x"}
    )
    assert try_(context, cast, rows(context, cast)[-1].id).outcome == "acknowledged"
    paths = ("MSH-9.2", "MSH-9.3", "TXA-17", "TXA-19", "OBR-25")
    assert [[m.text(p) for p in paths] for m in receiver.taken] == [
        ["T02", "MDM_T02", "PA", "AV", "P"],
        ["T10", "MDM_T02", "LA", "AV", "F"],
        ["T06", "MDM_T02", "LA", "AV", "C"],
        ["T11", "MDM_T01", "LA", "CA", "C"],
    ]
    numbers = [(m.text("TXA-12.1"), m.text("TXA-13.1")) for m in receiver.taken]
    one, two, three = (n for n, _ in numbers[:3])
    assert numbers == [(one, None), (two, one), (three, two), (three, three)]
    assert {m.text("TXA-15.1") for m in receiver.taken} == {"F-A1"}
    assert "1. No acute abnormality." in [o.text(5) for o in receiver.taken[2].segments("OBX")], "the whole text"
    with context.works.read(cast.nadia) as work:
        kinds = list(
            work.session.scalars(
                text("select message_type from sites.messages where direction = 'out' order by received_at")
            )
        )
    assert kinds == ["MDM^T02", "MDM^T10", "MDM^T06", "MDM^T11"]


def test_a_final_that_follows_no_document_there_is_new(context: Context, cast: Cast, receiver: Receiver) -> None:
    wanted(context, cast, message="MDM")
    made, imogen = make_read(context, cast), with_session(context, cast.imogen)
    sign(context, imogen, made.read_id, kind="preliminary")
    sign(context, imogen, made.read_id)
    (row,) = rows(context, cast)
    assert row.version_number == 2, "nobody there wants preliminary reports"
    assert sweep_ledger(context.works) == (0, 0), "and the ledger does not miss one"
    try_(context, cast, row.id)
    assert (receiver.taken[0].text("MSH-9.2"), receiver.taken[0].text("TXA-13")) == ("T02", None)


def test_a_preliminary_report_where_it_is_wanted(context: Context, cast: Cast, receiver: Receiver) -> None:
    wanted(context, cast, preliminary=True)
    message = sent(context, cast, receiver, kind="preliminary")
    assert (message.text("OBR-25"), message.text("ORC-5")) == ("P", "IP")
    assert {o.text(11) for o in message.segments("OBX")} == {"P"}


def test_without_pdf_and_codes_and_with_zds(context: Context, cast: Cast, receiver: Receiver) -> None:
    wanted(context, cast, pdf=False, coded=False, study_uid="zds", version_in="NTE")
    message = sent(context, cast, receiver)
    assert {o.text(2) for o in message.segments("OBX")} == {"TX"}
    assert [z.text(1, 1) for z in message.segments("ZDS")] == ["2.25.41"]
    assert (message.text("NTE-3"), message.text("OBX-4")) == ("V1", None)


def test_lines_no_longer_than_the_receiver_takes(context: Context, cast: Cast, receiver: Receiver) -> None:
    wanted(context, cast, line_length=40)
    long = "No acute intracranial haemorrhage, infarct or mass effect. " * 6
    content = {**GOOD, "sections": {**GOOD["sections"], "impression": long.strip()}}
    message = sent(context, cast, receiver, content=content)
    lines = [o.text(5) or "" for o in message.segments("OBX") if o.text(2) == "TX" and o.text(3, 1, 2) == "IMP"]
    assert max(len(line) for line in lines) <= 40
    assert " ".join(lines[1:]) == long.strip()


def test_what_the_receiver_can_not_read_is_spelt_otherwise_and_says_so(
    context: Context, cast: Cast, receiver: Receiver
) -> None:
    wanted(context, cast, charset="ASCII", unencodable="replace")
    message = sent(context, cast, receiver)
    assert "2. AEsj, OEdegaard." in [o.text(5) for o in message.segments("OBX")]
    assert "spelt otherwise" in (message.text("NTE-3") or "")
    assert receiver.payloads[0].isascii()


@pytest.mark.parametrize(
    "wrong",
    [
        {"message": "DFT"},
        {"line_length": 5},
        {"unencodable": "drop"},
        {"study_uid": 1},
        {"colour": "red"},
        {"pdf": "sometimes"},
    ],
)
def test_settings_that_can_not_be(context: Context, cast: Cast, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadSite) as refused:
        wanted(context, cast, **wrong)
    assert next(iter(wrong)) in refused.value.detail


def linked(owner_url: str, made: Made) -> None:
    """A second order of the same patient, read in the same case, with a study of its own."""
    engine = create_engine(owner_url)
    with engine.begin() as c:
        values = {"case": made.case_id}
        order = c.execute(
            text(
                "insert into orders.orders (organization_id, facility_id, patient_id, accession_number, filler_number, placer_number, "
                "priority, source, status, received_at) select o.organization_id, o.facility_id, o.patient_id, 'A2', 'F-A2', 'P-A2', "
                "o.priority, o.source, o.status, o.received_at + interval '1 second' from orders.orders o limit 1 returning id"
            )
        ).scalar_one()
        procedure = c.execute(
            text(
                "insert into orders.requested_procedures (organization_id, order_id, position, code, description, modality, exam_class) "
                "select organization_id, :order, 1, 'CTNECK', 'CT hals', 'CT', exam_class from orders.requested_procedures limit 1 "
                "returning id"
            ),
            {"order": order},
        ).scalar_one()
        c.execute(
            text(
                "insert into worklist.case_procedures (organization_id, case_id, requested_procedure_id) "
                "select organization_id, id, :p from worklist.cases where id = :case"
            ),
            {**values, "p": procedure},
        )
    engine.dispose()


def test_several_orders_share_a_report_each_in_its_own_group(
    context: Context, cast: Cast, receiver: Receiver, owner_url: str
) -> None:
    made = make_read(context, cast)
    linked(owner_url, made)
    sign(context, with_session(context, cast.imogen), made.read_id)
    try_(context, cast, rows(context, cast)[-1].id)
    groups = list(receiver.taken[0].groups())
    assert [(g.obr.text(1), g.obr.text(3), g.obr.text(18), g.obr.text(4, 2)) for g in groups if g.obr] == [
        ("1", "F-A1", "A1", "CT hode"),
        ("2", "F-A2", "A2", "CT hals"),
    ]
    first, second = ([(o.text(3), o.text(5)) for o in g.all("OBX")] for g in groups)
    assert first == second, "the whole report stands under each"
    assert first[0] == ("11329-0", "INDICATION")
