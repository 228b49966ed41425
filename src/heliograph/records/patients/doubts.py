"""Identity that a person must look at. Only identifiers decide automatically, and never against name and birth date together.

- `told_differs`: a message names a known patient, but its family name and its birth date both differ. It is refused and kept; what it says
  of the patient is kept here, and taken when a person says that it is the same human.
- `two_patients`: the identifiers that a message lists name two patients. Nothing is merged; a person may.
- `merged_differ`: a site merged two patients whose family name and birth date both differ. It is done, as the site says, and may be undone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from heliograph.kit.db.session import ROW_LOCK, ActorSession
from heliograph.kit.errors import Conflict, NotFound
from heliograph.kit.work import Work
from heliograph.records.patients.events import IdentityDoubted, IdentitySettled, PatientChanged
from heliograph.records.patients.identify import Told, update_demographics
from heliograph.records.patients.model import Doubt
from heliograph.records.patients.queries import going_on

Kind = Literal["told_differs", "two_patients", "merged_differ"]
Decision = Literal["same", "other"]


class IdentityInDoubt(Conflict):
    """This identifier is known here under another name and birth date; a person must say whether it is the same patient."""

    def __init__(
        self,
        organization_id: UUID,
        patient_id: UUID,
        *,
        told: Told | None = None,
        other_id: UUID | None = None,
        detail: str | None = None,
    ) -> None:
        self.organization_id, self.patient_id, self.told, self.other_id = organization_id, patient_id, told, other_id
        self.location: object = None
        """Where the door that read it found it."""
        super().__init__(detail)


class DoubtSettled(Conflict):
    """Somebody settled this already."""


@dataclass(frozen=True, slots=True)
class DoubtFacts:
    """A doubt; see the module. `told` is empty but for `told_differs`."""

    id: UUID
    organization_id: UUID
    patient_id: UUID
    kind: Kind
    other_patient_id: UUID | None
    merge_id: UUID | None
    told: dict[str, Any]
    raised_at: datetime
    settled_at: datetime | None
    decision: Decision | None


def keep(work: Work, error: IdentityInDoubt) -> None:
    """Keeps what a refused message left in doubt; in the transaction that keeps the message."""
    if error.told is not None:
        raise_doubt(work, error.organization_id, error.patient_id, "told_differs", told=error.told)
    elif error.other_id is not None:
        raise_doubt(work, error.organization_id, error.patient_id, "two_patients", other_id=error.other_id)


def raise_doubt(
    work: Work,
    organization_id: UUID,
    patient_id: UUID,
    kind: Kind,
    *,
    told: Told | None = None,
    other_id: UUID | None = None,
    merge_id: UUID | None = None,
) -> None:
    """Opens a doubt, or takes the newest words into the open one. One that a person settled as `other` is not raised again."""
    if other_id is not None and kind == "two_patients":  # a pair, whichever message named it first
        patient_id, other_id = sorted((patient_id, other_id))
    said = _said(told) if told is not None else {}
    same = (Doubt.patient_id == patient_id, Doubt.kind == kind, Doubt.other_patient_id.is_not_distinct_from(other_id))
    open_ = work.session.scalar(select(Doubt).where(*same, Doubt.settled_at.is_(None)).with_for_update(key_share=True))
    if open_ is not None:
        if open_.told == said:
            return
        open_.told = said
        work.session.flush()
        doubt_id = open_.id
    else:
        settled = select(Doubt.id).where(*same, Doubt.decision == "other", Doubt.told == said).limit(1)
        if work.session.scalar(settled) is not None:
            return
        made = work.session.scalar(
            insert(Doubt)
            .values(
                organization_id=organization_id, patient_id=patient_id, kind=kind, other_patient_id=other_id,
                merge_id=merge_id, told=said, raised_at=work.now,
            )
            .on_conflict_do_nothing()
            .returning(Doubt.id)
        )  # fmt: skip
        if made is None:  # another message raised it, and committed, meanwhile
            return
        doubt_id = made
    work.record(
        "patient.identity_doubted",
        organization_id=organization_id,
        patient_id=patient_id,
        subject_kind="doubt",
        subject_id=doubt_id,
        detail={"kind": kind},
    )
    work.announce(IdentityDoubted(organization_id, doubt_id, patient_id, kind))


def settle(work: Work, doubt_id: UUID, decision: Decision, reason: str) -> DoubtFacts:
    """A person has decided; of `told_differs` what was told is taken now. What follows of merges is the caller's.

    Raises: NotFound, DoubtSettled.
    """
    row = work.session.get(Doubt, doubt_id, with_for_update=ROW_LOCK)
    if row is None:
        raise NotFound
    if row.settled_at is not None:
        raise DoubtSettled
    _settle(work, row, decision, reason)
    if row.kind == "told_differs" and decision == "same":
        told, goes_on = row.told, going_on(work.session, row.patient_id)
        patient_id = goes_on.id if goes_on else row.patient_id
        changed = update_demographics(
            work,
            patient_id,
            names=(told["family_name"], told["given_name"]),
            birth_date=date.fromisoformat(told["birth_date"]),
            sex=told["sex"],
        )
        if changed:
            work.announce(PatientChanged(row.organization_id, patient_id, tuple(changed)))
    return _facts(row)


def settle_pair(work: Work, one_id: UUID, other_id: UUID, reason: str) -> None:
    """Two patients were merged: whether they are one is asked no more."""
    first, second = sorted((one_id, other_id))
    row = work.session.scalar(
        select(Doubt)
        .where(
            Doubt.kind == "two_patients",
            Doubt.patient_id == first,
            Doubt.other_patient_id == second,
            Doubt.settled_at.is_(None),
        )
        .with_for_update(key_share=True)
    )
    if row is not None:
        _settle(work, row, "same", reason)


def _settle(work: Work, row: Doubt, decision: Decision, reason: str) -> None:
    row.settled_at, row.settled_by, row.decision, row.reason = work.now, work.actor.id, decision, reason
    work.session.flush()
    work.record(
        "patient.identity_settled",
        organization_id=row.organization_id,
        patient_id=row.patient_id,
        subject_kind="doubt",
        subject_id=row.id,
        reason=reason,
        detail={"kind": row.kind, "decision": decision},
    )
    work.announce(IdentitySettled(row.organization_id, row.id))


def doubt(session: ActorSession, doubt_id: UUID) -> DoubtFacts | None:
    """One doubt, or None: absent and forbidden look the same."""
    row = session.get(Doubt, doubt_id)
    return _facts(row) if row is not None else None


def open_doubts(session: ActorSession, limit: int = 200) -> list[DoubtFacts]:
    """What waits for a person, oldest first; the database filters."""
    rows = session.scalars(select(Doubt).where(Doubt.settled_at.is_(None)).order_by(Doubt.raised_at).limit(limit))
    return [_facts(row) for row in rows]


def _said(told: Told) -> dict[str, Any]:
    family, given = told.names or ("", "")
    return {
        "family_name": family,
        "given_name": given,
        "birth_date": told.birth_date.isoformat() if told.birth_date else None,
        "sex": told.sex,
    }


def _facts(row: Doubt) -> DoubtFacts:
    return DoubtFacts(
        row.id, row.organization_id, row.patient_id, cast("Kind", row.kind), row.other_patient_id, row.merge_id, row.told,
        row.raised_at, row.settled_at, cast("Decision | None", row.decision),
    )  # fmt: skip
