"""Images that disagree with their order: told on the case and among the checks, and nobody signs past them without saying why."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import pydicom
import pytest

from heliograph.app.context import Context
from heliograph.care.orders import mend
from heliograph.care.orders.incoming import IncomingPatient, IncomingProcedure
from heliograph.care.reading.drafts import check_draft
from heliograph.care.reading.errors import ImagesDisagree
from heliograph.care.worklist.detail import case_detail
from heliograph.governance.audit.model import AuditEvent
from heliograph.kit.actor import system
from heliograph.records.archive.complete import complete_study
from heliograph.records.archive.queries import study_by_uid
from tests.care.orders.help import message, receive
from tests.care.reading.help import Made, actions, made, open_, sign, with_session
from tests.cast import Cast
from tests.records.archive.files import ct, drop, index

KNEE = "2.25.77"


def image(**changes: Any) -> bytes:
    """A slice of Kari's right knee, with changes by keyword."""
    ds = pydicom.dcmread(io.BytesIO(ct(KNEE, f"{KNEE}.1", sop=f"{KNEE}.1.1", accession="A7")))
    ds.BodyPartExamined, ds.StudyDescription, ds.SeriesDescription, ds.Laterality = "KNEE", "CT knee", "Axial", "R"
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def a_read(context: Context, cast: Cast, **changes: Any) -> Made:
    """An order for a CT of Kari Larsen's right knee, and its images as they came; assigned to Imogen."""
    patient = IncomingPatient("NF-1", names=("Larsen", "Kari"), birth_date=date(1948, 3, 12), sex="F")
    procedures = (IncomingProcedure("CT hoyre kne", code="CTKNEE", modality="CT"),)
    receive(context, cast, message(patient=patient, priority="STAT", accession_number="A7", procedures=procedures))
    index(context.works, context.objects, [drop(context.settings.spool_dir, cast, image(**changes))])
    with context.works.begin(system("t", cast.norfjord)) as work:
        study = study_by_uid(work.session, cast.norfjord, KNEE)
        assert study is not None
        assert study.match_state == "matched"
        complete_study(work, study.id, by="technologist")
    return made(context, cast, study.id)


def told(context: Context, cast: Cast, read: Made) -> tuple[list[tuple[str, str, str]], list[str]]:
    """What the case says to the site and to the reader, and what is among the reader's checks."""
    imogen = with_session(context, cast.imogen)
    open_(context, imogen, read.read_id)
    with context.works.read(imogen) as work:
        checks = [p.text for p in check_draft(work, read.read_id) if p.id.startswith("images-disagree")]
        on_case = [(d.field, d.in_order, d.in_images) for d in case_detail(work, read.case_id).disagreements]
    with context.works.read(cast.eirik) as work:
        assert [(d.field, d.in_order, d.in_images) for d in case_detail(work, read.case_id).disagreements] == on_case
    return on_case, checks


CONTENT = {
    "sections": {"indication": "Fall", "findings": "Nothing else.", "impression": "1. No fracture."},
    "fields": {},
}


def test_images_that_agree_are_signed_without_a_word(context: Context, cast: Cast) -> None:
    read = a_read(context, cast)
    assert told(context, cast, read) == ([], [])
    assert sign(context, with_session(context, cast.imogen), read.read_id, CONTENT).number == 1


@pytest.mark.parametrize(
    ("changes", "field", "in_order", "in_images", "text"),
    [
        ({"Laterality": "L"}, "laterality", "right", "left", "The images show the left side, the order asks for the right side."),
        ({"ImageLaterality": "L"}, "laterality", "right", "left", "The images show the left side, the order asks for the right side."),
        ({"PatientBirthDate": "19481203"}, "birth_date", "1948-03-12", "1948-12-03",
         "The images say born 1948-12-03, the order says 1948-03-12."),
        ({"PatientSex": "M"}, "sex", "F", "M", "The images say sex M, the order says F."),
        ({"PatientName": "NILSEN^Nora"}, "name", "LARSEN, Kari", "NILSEN Nora",
         "The images name NILSEN Nora, the order is for LARSEN, Kari."),
    ],
)  # fmt: skip
def test_a_wrong_person_or_side_needs_a_reason(
    context: Context, cast: Cast, changes: dict[str, str], field: str, in_order: str, in_images: str, text: str
) -> None:
    read = a_read(context, cast, **changes)
    assert told(context, cast, read) == ([(field, in_order, in_images)], [text])
    imogen = with_session(context, cast.imogen)
    for without in ((), [("images-disagree", " ")], [("new-images", "Seen")]):
        with pytest.raises(ImagesDisagree) as refused:
            sign(context, imogen, read.read_id, CONTENT, overrides=without)
        assert refused.value.extra == {"fields": [field]}  # never what they say
        assert in_images not in str(refused.value)
    assert actions(context, cast, "report.signed") == []
    signed = sign(
        context, imogen, read.read_id, CONTENT, overrides=[("images-disagree", "The site confirmed by phone")]
    )
    with context.works.read(system("t", cast.norfjord)) as work:
        reason = work.session.query(AuditEvent.reason).filter(AuditEvent.subject_id == signed.id).scalar()
    assert reason == "images-disagree: The site confirmed by phone"


def test_a_body_part_asks_and_stops_nobody(context: Context, cast: Cast) -> None:
    read = a_read(context, cast, BodyPartExamined="CHEST")
    on_case, checks = told(context, cast, read)
    assert on_case == [("body_part", "CT hoyre kne", "CHEST")]
    assert checks == ["The images say that they show CHEST, the order asks for CT hoyre kne."]
    assert sign(context, with_session(context, cast.imogen), read.read_id, CONTENT).number == 1


def test_what_is_put_right_is_flagged_no_more(context: Context, cast: Cast) -> None:
    read = a_read(context, cast, PatientBirthDate="19481203")
    with context.works.begin(cast.eirik) as work:
        mend.put_right(work, read.study_id, {"00100030": "19480312"}, "Typed wrongly at the scanner")
    assert told(context, cast, read) == ([], [])
