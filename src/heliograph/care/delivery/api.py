"""Routes of delivery."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from heliograph.care.delivery import by_hand
from heliograph.care.delivery.acknowledge import acknowledge_by_site
from heliograph.care.delivery.queries import DeliveryBrief
from heliograph.governance.access.door import WorkDep

router = APIRouter(prefix="/api", tags=["delivery"])


class Reason(BaseModel):
    """Why; kept in the record."""

    reason: str = Field(max_length=500)


class DeliveryOut(BaseModel):
    """A delivery. `next_step`: what happened and what comes next, in words."""

    id: UUID
    version_id: UUID
    version_number: int
    channel: str
    destination: str
    state: str
    attempts: int
    next_attempt_at: datetime | None
    sent_at: datetime | None
    acknowledged_at: datetime | None
    acknowledgement_code: str | None
    last_error: str | None
    hold_reason: str | None
    next_step: str


def delivery_out(brief: DeliveryBrief) -> DeliveryOut:
    """A delivery for the web."""
    return DeliveryOut.model_validate(brief, from_attributes=True)


@router.post("/deliveries/{delivery_id}/retry")
def post_retry(delivery_id: UUID, body: Reason, work: WorkDep) -> DeliveryOut:
    """Tries it now."""
    return delivery_out(by_hand.retry(work, delivery_id, body.reason))


@router.post("/deliveries/{delivery_id}/hold")
def post_hold(delivery_id: UUID, body: Reason, work: WorkDep) -> DeliveryOut:
    """Holds it."""
    return delivery_out(by_hand.hold(work, delivery_id, body.reason))


@router.post("/reports/{version_id}/acknowledge")
def post_acknowledge(version_id: UUID, work: WorkDep) -> DeliveryOut:
    """The site confirms that it has seen the report."""
    return delivery_out(acknowledge_by_site(work, version_id))
