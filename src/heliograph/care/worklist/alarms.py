"""Alarms: what needs a coordinator, in words without patient data. At most one is open per kind and subject."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, text

from heliograph.care.worklist.access import may_steer
from heliograph.care.worklist.model import Alarm, Case
from heliograph.governance.tenancy.queries import coordinated_clients
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work


def raise_alarm(
    work: Work,
    organization_id: UUID,
    kind: str,
    subject_kind: str,
    subject_id: UUID,
    words: str,
    *,
    case_id: UUID | None = None,
    study_id: UUID | None = None,
) -> bool:
    """Raises an alarm, or changes the words of the open one. Recorded; False when the same alarm is open already."""
    found = _open(work, kind, subject_id)
    if found is not None and found.text == words:
        return False
    if found is not None:
        found.text, found.seen_by = words, None
    else:
        found = Alarm(
            organization_id=organization_id,
            kind=kind,
            subject_kind=subject_kind,
            subject_id=subject_id,
            case_id=case_id,
            study_id=study_id,
            text=words,
            raised_at=work.now,
        )
        work.session.add(found)
    work.session.flush()
    work.record(
        "alarm.raised",
        organization_id=organization_id,
        case_id=case_id,
        study_id=study_id,
        subject_kind=subject_kind,
        subject_id=subject_id,
        reason=words,
        detail={"kind": kind},
    )
    _touch(work, found)
    return True


def clear_alarm(work: Work, kind: str, subject_id: UUID) -> bool:
    """Clears the open alarm, if there is one. Recorded."""
    found = _open(work, kind, subject_id)
    if found is None:
        return False
    found.cleared_at = work.now
    work.session.flush()
    work.record(
        "alarm.cleared",
        organization_id=found.organization_id,
        case_id=found.case_id,
        study_id=found.study_id,
        subject_kind=found.subject_kind,
        subject_id=subject_id,
        detail={"kind": kind},
    )
    _touch(work, found)
    return True


def mark_seen(work: Work, alarm_id: UUID) -> None:
    """The actor has seen it: it stays open until its cause is gone. Raises: NotFound."""
    alarm = work.session.get(Alarm, alarm_id)
    if alarm is None or not _may(work, alarm):
        raise NotFound()
    if alarm.seen_by == work.actor.id:
        return
    alarm.seen_by = work.actor.id
    work.session.flush()
    work.record(
        "alarm.seen",
        organization_id=alarm.organization_id,
        case_id=alarm.case_id,
        study_id=alarm.study_id,
        subject_kind=alarm.subject_kind,
        subject_id=alarm.subject_id,
        detail={"kind": alarm.kind},
    )
    _touch(work, alarm)


def _may(work: Work, alarm: Alarm) -> bool:
    case = work.session.get(Case, alarm.case_id) if alarm.case_id else None
    if case is not None:
        return may_steer(work.session, work.actor, case)
    groups = work.actor.organizations_with("coordinator")
    return alarm.organization_id in groups or alarm.organization_id in coordinated_clients(work.session, groups)


def _open(work: Work, kind: str, subject_id: UUID) -> Alarm | None:
    return work.session.scalar(
        select(Alarm)
        .where(Alarm.kind == kind, Alarm.subject_id == subject_id, Alarm.cleared_at.is_(None))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )


def _touch(work: Work, alarm: Alarm) -> None:
    groups = work.session.scalars(
        text(
            "select grantee_organization_id from tenancy.grants where organization_id = :org and purpose = 'coordination' "
            "and valid_from <= now() and (valid_until is null or valid_until > now())"
        ),
        {"org": alarm.organization_id},
    )
    work.touch("alarm", alarm.id, alarm.organization_id, *groups)
