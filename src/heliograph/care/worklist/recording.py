"""One line of the record for a step of a case or a read, and the word to live pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from heliograph.care.worklist.model import Case, Read
from heliograph.kit.work import Work


def record_case(
    work: Work, action: str, case: Case, *, reason: str | None = None, order_id: UUID | None = None, **detail: Any
) -> None:
    """Records a step of a case and tells the pages."""
    work.record(
        action,
        organization_id=case.organization_id,
        case_id=case.id,
        order_id=order_id,
        patient_id=case.patient_id,
        reason=reason,
        detail={k: _plain(v) for k, v in detail.items() if v is not None},
    )
    work.touch("case", case.id, case.organization_id, case.group_organization_id)


def record_step(work: Work, action: str, case: Case, read: Read, *, reason: str | None = None, **detail: Any) -> None:
    """Records a step of a read and tells the pages."""
    work.record(
        action,
        organization_id=case.organization_id,
        case_id=case.id,
        patient_id=case.patient_id,
        subject_kind="read",
        subject_id=read.id,
        reason=reason,
        detail={k: _plain(v) for k, v in detail.items() if v is not None},
    )
    work.touch("case", case.id, case.organization_id, case.group_organization_id)


def _plain(value: Any) -> Any:
    """As JSON can hold it."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
