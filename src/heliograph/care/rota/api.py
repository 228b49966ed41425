"""Routes of the rota."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel

from heliograph.care.rota.queries import ShiftFacts, shifts_of_groups
from heliograph.care.rota.shifts import add_shift, remove_shift
from heliograph.governance.access.door import ReadDep, WorkDep, require_roles

router = APIRouter(prefix="/api", tags=["rota"])
Keeper = Depends(require_roles("administrator", "coordinator"))


class NewShift(BaseModel):
    """A reader on for a group, at most a day."""

    organization_id: UUID
    reader_id: UUID
    starts_at: AwareDatetime
    ends_at: AwareDatetime


class Made(BaseModel):
    """The id of the shift."""

    id: UUID


@router.get("/admin/shifts", dependencies=[Keeper])
def list_shifts(
    work: ReadDep, since: AwareDatetime | None = None, until: AwareDatetime | None = None
) -> list[ShiftFacts]:
    """The shifts of your groups, by default from yesterday to two weeks ahead."""
    groups = work.actor.organizations_with("administrator", "coordinator")
    begin = since or work.now - timedelta(days=1)
    return shifts_of_groups(work.session, groups, begin, until or begin + timedelta(days=15))


@router.post("/admin/shifts", dependencies=[Keeper], status_code=201)
def make_shift(work: WorkDep, new: NewShift) -> Made:
    """Puts a reader on."""
    return Made(id=add_shift(work, new.organization_id, new.reader_id, new.starts_at, new.ends_at))


@router.delete("/admin/shifts/{shift_id}", dependencies=[Keeper], status_code=204)
def delete_shift(work: WorkDep, shift_id: UUID) -> None:
    """Takes a shift away."""
    remove_shift(work, shift_id)
