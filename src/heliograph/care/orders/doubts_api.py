"""Routes for what is in doubt about who a patient is."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from heliograph.care.orders.doubts import settle_doubt, waiting_doubts
from heliograph.governance.access.door import WorkDep, require_roles
from heliograph.governance.tenancy.queries import organizations
from heliograph.records.patients.doubts import Decision, Kind
from heliograph.records.patients.queries import PatientBanner, banners

router = APIRouter(prefix="/api", tags=["patients"], dependencies=[Depends(require_roles("site_staff", "coordinator"))])


class Said(BaseModel):
    """What a refused message said of the patient."""

    family_name: str
    given_name: str
    birth_date: date | None
    sex: str | None


class DoubtOut(BaseModel):
    """Two who may be one. `told_differs`: the patient and what a message said; else two patients, of whom the second may be merged."""

    id: UUID
    kind: Kind
    organization_name: str
    raised_at: datetime
    patient: PatientBanner
    other: PatientBanner | None
    told: Said | None


class SettleIn(BaseModel):
    """Your decision. `survivor_id`: who goes on, where two patients are the same."""

    decision: Decision
    reason: Annotated[str, Field(max_length=500)]
    survivor_id: UUID | None = None


@router.get("/patient-doubts")
def doubts(work: WorkDep) -> list[DoubtOut]:
    """What waits for you, oldest first. That you saw it is recorded."""
    found = waiting_doubts(work)
    ids = {i for d in found for i in (d.patient_id, d.other_patient_id) if i is not None}
    shown = banners(work.session, dict.fromkeys(ids, "UTC"))
    names = organizations(work.session, {d.organization_id for d in found})
    return [
        DoubtOut(
            id=d.id,
            kind=d.kind,
            organization_name=names[d.organization_id].name,
            raised_at=d.raised_at,
            patient=shown[d.patient_id],
            other=shown.get(d.other_patient_id) if d.other_patient_id else None,
            told=Said(**d.told) if d.told else None,
        )
        for d in found
    ]


@router.post("/patient-doubts/{doubt_id}/settle", status_code=204)
def settle(work: WorkDep, doubt_id: UUID, body: SettleIn) -> None:
    """Says whether both are the same human; what follows of it is done at once."""
    settle_doubt(work, doubt_id, body.decision, body.reason, survivor_id=body.survivor_id)
