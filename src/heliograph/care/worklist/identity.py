"""Who a patient is, while cases are read: what is in doubt waits for a person, and an open report never changes its patient silently."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import select, text

from heliograph.care.worklist.access import locked_case
from heliograph.care.worklist.alarms import clear_alarm, raise_alarm
from heliograph.care.worklist.cases import reads_of
from heliograph.care.worklist.model import Case, Read
from heliograph.care.worklist.recording import record_case
from heliograph.kit.work import Work
from heliograph.records.patients.events import IdentityDoubted, PatientChanged

DOUBT, CHANGED = "identity_doubt", "identity_changed"
_WORDS: Final = {
    "told_differs": "A message names a known patient with another family name and birth date. It was refused and kept: say whether it is "
    "the same patient.",
    "two_patients": "The site's messages give identifiers of two patients to one. Nothing was merged: say whether they are one.",
    "merged_differ": "The site merged two patients whose family name and birth date both differ. Look at it, and undo it if it is wrong.",
}
_WHO: Final = frozenset({"family_name", "given_name", "birth_date", "sex"})
_SIGNED = text("select 1 from reading.report_versions where case_id = :case and state = 'signed' limit 1")


def raise_doubted(work: Work, event: IdentityDoubted) -> None:
    """Somebody must decide."""
    raise_alarm(work, event.organization_id, DOUBT, "doubt", event.doubt_id, _WORDS[event.kind])


def clear_doubted(work: Work, doubt_id: UUID) -> None:
    """Somebody did."""
    clear_alarm(work, DOUBT, doubt_id)


def patient_changed(work: Work, event: PatientChanged) -> None:
    """The site says something else of the patient: pages show it, and whoever reads a case of theirs is told."""
    if _WHO & set(event.fields):
        flag_open(
            work,
            event.patient_id,
            "The site changed the patient's name, birth date or sex while the case is being read",
        )


def flag_open(work: Work, patient_id: UUID, words: str) -> None:
    """Marks the patient's cases that somebody reads now."""
    being_read = select(Read.case_id).where(Read.state == "reading")
    found = select(Case.id).where(Case.patient_id == patient_id, Case.id.in_(being_read)).order_by(Case.id)
    for case_id in list(work.session.scalars(found)):
        flag_case(work, locked_case(work, case_id), words)


def flag_case(work: Work, case: Case, words: str) -> None:
    """Marks a case (locked) that somebody reads: on its page, before signing, and by an alarm. One that nobody reads is left alone."""
    if not any(r.state == "reading" for r in reads_of(work, case.id)):
        return
    case.identity_changed_at = work.now
    work.session.flush()
    record_case(work, "case.identity_changed", case, reason=words)
    raise_alarm(work, case.organization_id, CHANGED, "case", case.id, f"{words}.", case_id=case.id)


def is_signed(work: Work, case_id: UUID) -> bool:
    """Whether a report of the case was signed, be it a preliminary one while the read goes on. The table is of a room above: read only."""
    return work.session.scalar(_SIGNED, {"case": case_id}) is not None
