"""Giving and ending grants: who beside its owner may see a patient's data, for what, from, until.

Times here are the database's own (`now()`, the start of the transaction), since row-level security compares with it: a grant given in a
transaction holds in it already.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select, update

from heliograph.governance.tenancy.model import Grant
from heliograph.kit.work import Work


def give(
    work: Work,
    organization_id: UUID,
    grantee_organization_id: UUID,
    purpose: str,
    *,
    patient_id: UUID | None = None,
    case_id: UUID | None = None,
    agreement_id: UUID | None = None,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
) -> UUID:
    """Gives a grant, or returns the one that gives the same already.

    `patient_id` None means the whole organisation and goes only with the purpose `coordination`. Recorded.
    """
    found = work.session.scalar(
        select(Grant.id).where(
            Grant.organization_id == organization_id,
            Grant.grantee_organization_id == grantee_organization_id,
            Grant.purpose == purpose,
            Grant.patient_id == patient_id if patient_id else Grant.patient_id.is_(None),
            Grant.case_id == case_id if case_id else Grant.case_id.is_(None),
            Grant.valid_from <= (valid_from or func.now()),
            Grant.valid_until.is_(None) if valid_until is None else Grant.valid_until == valid_until,
        )
    )
    if found is not None:
        return found
    grant = Grant(
        organization_id=organization_id,
        grantee_organization_id=grantee_organization_id,
        purpose=purpose,
        patient_id=patient_id,
        case_id=case_id,
        agreement_id=agreement_id,
        valid_until=valid_until,
    )
    if valid_from is not None:
        grant.valid_from = valid_from
    work.session.add(grant)
    work.session.flush()
    work.record(
        "grant.given",
        organization_id=organization_id,
        case_id=case_id,
        patient_id=patient_id,
        subject_kind="organization",
        subject_id=grantee_organization_id,
        detail={"purpose": purpose},
    )
    return grant.id


def end(
    work: Work,
    organization_id: UUID,
    grantee_organization_id: UUID,
    purpose: str,
    *,
    case_id: UUID | None = None,
    agreement_id: UUID | None = None,
) -> int:
    """Ends the matching grants now. Returns how many; recorded if any."""
    query = select(Grant).where(
        Grant.organization_id == organization_id,
        Grant.grantee_organization_id == grantee_organization_id,
        Grant.purpose == purpose,
        or_(Grant.valid_until.is_(None), Grant.valid_until > func.now()),
    )
    if case_id is not None:
        query = query.where(Grant.case_id == case_id)
    if agreement_id is not None:
        query = query.where(Grant.agreement_id == agreement_id)
    grants = list(work.session.scalars(query))
    if grants:
        work.session.execute(update(Grant).where(Grant.id.in_([g.id for g in grants])).values(valid_until=func.now()))
        work.record(
            "grant.ended",
            organization_id=organization_id,
            case_id=case_id,
            subject_kind="organization",
            subject_id=grantee_organization_id,
            detail={"purpose": purpose, "grants": len(grants)},
        )
    return len(grants)
