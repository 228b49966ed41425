"""Routes of delivery."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from heliograph.care.delivery import by_hand
from heliograph.care.delivery.acknowledge import acknowledge_by_site
from heliograph.care.delivery.queries import DeliveryBrief, deliveries_of_case, tellings_of_case, tries_of
from heliograph.care.reading.queries import versions_of_case
from heliograph.care.reading.withdraw import Because, withdraw_report
from heliograph.care.worklist.access import case_for, may_steer
from heliograph.governance.access.door import ReadDep, WorkDep

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
    is_withdrawal: bool
    cancelled_at: datetime | None
    cancel_reason: str | None
    next_step: str


class TryOut(BaseModel):
    """One try. `outcome`: acknowledged, refused_AE, no_answer ..."""

    at: datetime
    outcome: str
    detail: str | None


class DeliveryLine(DeliveryOut):
    """A delivery with its newest tries."""

    tries: list[TryOut]


class TellingOut(BaseModel):
    """A person told the site of a version."""

    id: UUID
    version_number: int
    way: by_hand.Way
    told_to: str
    told_at: datetime
    teller_name: str
    note: str | None


class CaseDeliveries(BaseModel):
    """All that a case's report went through on its way out. `may_steer`: hold, cancel, send anew; `may_tell`: note a call."""

    deliveries: list[DeliveryLine]
    tellings: list[TellingOut]
    may_steer: bool
    may_tell: bool


class NewTelling(BaseModel):
    """A version was told to the site by phone, fax or print. `instead_of`: a delivery that this ends."""

    way: by_hand.Way
    told_to: str = Field(min_length=1, max_length=200)
    told_at: datetime | None = None
    note: str | None = Field(None, max_length=1000)
    instead_of: UUID | None = None


class Made(BaseModel):
    """The id of what was made."""

    id: UUID


class NewWithdrawal(BaseModel):
    """Why a report is withdrawn. `reason` is kept in the record and never sent."""

    because: Because
    reason: str = Field(min_length=1, max_length=1000)


def delivery_out(brief: DeliveryBrief) -> DeliveryOut:
    """A delivery for the web."""
    return DeliveryOut.model_validate(brief, from_attributes=True)


@router.get("/cases/{case_id}/deliveries")
def get_deliveries(case_id: UUID, work: ReadDep) -> CaseDeliveries:
    """Where the case's report went, each try, and who was told by a person. Names no patient."""
    case = case_for(work, case_id)
    found = deliveries_of_case(work.session, case_id, work.now)
    tries = tries_of(work.session, [d.id for d in found])
    steers = may_steer(work.session, work.actor, case)
    signed_one = any(v.signed_by == work.actor.id for v in versions_of_case(work.session, case_id))
    return CaseDeliveries(
        deliveries=[
            DeliveryLine(
                **delivery_out(d).model_dump(),
                tries=[TryOut.model_validate(t, from_attributes=True) for t in tries.get(d.id, [])],
            )
            for d in found
        ],
        tellings=[TellingOut.model_validate(t, from_attributes=True) for t in tellings_of_case(work.session, case_id)],
        may_steer=steers,
        may_tell=steers or signed_one,
    )


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


@router.post("/deliveries/{delivery_id}/send-anew")
def post_send_anew(delivery_id: UUID, body: Reason, work: WorkDep) -> DeliveryOut:
    """Sends it once more, as a new message."""
    return delivery_out(by_hand.send_anew(work, delivery_id, body.reason))


@router.post("/deliveries/{delivery_id}/cancel")
def post_cancel(delivery_id: UUID, body: Reason, work: WorkDep) -> DeliveryOut:
    """Ends it: nothing is sent there any more."""
    return delivery_out(by_hand.cancel(work, delivery_id, body.reason))


@router.post("/reports/{version_id}/tellings", status_code=201)
def post_telling(version_id: UUID, body: NewTelling, work: WorkDep) -> Made:
    """Records that a person told the site: by phone, fax or print, to whom and when."""
    made = by_hand.tell(
        work,
        version_id,
        body.way,
        body.told_to,
        told_at=body.told_at,
        note=body.note,
        instead_of=body.instead_of,
    )
    return Made(id=made)


@router.post("/reports/{version_id}/withdraw", status_code=204)
def post_withdraw(version_id: UUID, body: NewWithdrawal, work: WorkDep) -> None:
    """Withdraws the report, whole; who has it is told."""
    withdraw_report(work, version_id, body.because, body.reason)
