"""Routes of the worklist: parse, call, answer."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from heliograph.care.worklist import holds, queries, schemas
from heliograph.care.worklist.access import steered_case
from heliograph.care.worklist.addendum import open_addendum
from heliograph.care.worklist.alarms import mark_seen
from heliograph.care.worklist.assign import assign_automatically, assign_read, hand_back
from heliograph.care.worklist.board import board
from heliograph.care.worklist.cases import read_provisionally, reads_of
from heliograph.care.worklist.detail import case_detail
from heliograph.care.worklist.site import site
from heliograph.care.worklist.timeline import timeline
from heliograph.governance.access.door import ReadDep, WorkDep, require_roles
from heliograph.kit.http import SettingsDep

router = APIRouter(prefix="/api", tags=["worklist"])
Reader = Depends(require_roles("reader"))
Coordinator = Depends(require_roles("coordinator"))
Staff = Depends(require_roles("site_staff"))
SeesPatients = Depends(require_roles("reader", "coordinator", "site_staff", "auditor"))


@router.get("/my-list", dependencies=[Reader])
def my_list(work: ReadDep, tab: schemas.Tab = "mine") -> schemas.MyList:
    """Your reads under one tab, and how many each tab holds."""
    return queries.my_list(work, tab)


@router.get("/next", dependencies=[Reader])
def next_read(work: ReadDep) -> schemas.ListItem | None:
    """What to read next."""
    return queries.next_read(work)


@router.get("/board", dependencies=[Coordinator])
def the_board(work: ReadDep, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> schemas.Board:
    """The coordinator's board."""
    return board(work, limit)


@router.get("/site", dependencies=[Staff])
def the_site(work: ReadDep, settings: SettingsDep) -> schemas.Site:
    """The site's page."""
    return site(work, settings)


@router.post("/search", dependencies=[SeesPatients])
def search(work: ReadDep, asked: schemas.Sought) -> list[schemas.Found]:
    """By patient or accession; without words the newest. A POST, since what is asked for is patient data, which is in no address."""
    return queries.search(work, asked.words)


@router.get("/cases/{case_id}", dependencies=[SeesPatients])
def one_case(work: ReadDep, case_id: UUID) -> schemas.CaseDetail:
    """A case with all that belongs to it."""
    return case_detail(work, case_id)


@router.get("/cases/{case_id}/timeline", dependencies=[SeesPatients])
def case_timeline(work: ReadDep, case_id: UUID) -> schemas.Timeline:
    """What happened, with the interval between every two steps."""
    return timeline(work, case_id)


@router.get("/cases/{case_id}/readers", dependencies=[SeesPatients])
def case_readers(
    work: ReadDep, case_id: UUID, at: Literal["assigned", "opened", "signed", "now"] = "assigned"
) -> schemas.Matrix:
    """Who could read it, and why not each other reader."""
    return queries.readers_for(work, case_id, at)


@router.get("/readers", dependencies=[Coordinator])
def readers_now(work: ReadDep, case_id: UUID) -> schemas.Matrix:
    """Who could read it now: for reassigning."""
    return queries.readers_for(work, case_id, "now")


@router.post("/cases/{case_id}/hold", dependencies=[Coordinator], status_code=204)
def hold(work: WorkDep, case_id: UUID, body: schemas.WithReason) -> None:
    """Holds a case; the clock goes on."""
    holds.hold(work, steered_case(work, case_id), body.reason)


@router.post("/cases/{case_id}/resume", dependencies=[Coordinator], status_code=204)
def resume(work: WorkDep, case_id: UUID) -> None:
    """Ends the hold; a read without a reader is offered at once."""
    case = steered_case(work, case_id)
    holds.resume(work, case)
    for read in reads_of(work, case.id):
        assign_automatically(work, case, read)


@router.post("/cases/{case_id}/addendum", dependencies=[SeesPatients], status_code=201)
def addendum(work: WorkDep, case_id: UUID, body: schemas.WithReason) -> schemas.Opened:
    """Opens an addendum."""
    return schemas.Opened(read_id=open_addendum(work, case_id, body.reason))


@router.post("/reads/{read_id}/assign", dependencies=[Coordinator])
def assign(work: WorkDep, read_id: UUID, body: schemas.AssignTo) -> schemas.Decided:
    """Gives a read to somebody else."""
    done = assign_read(work, read_id, body.reader_id, body.reason, body.override_reason)
    return schemas.Decided(reader_id=done.reader_id, reason=done.reason)


@router.post("/reads/{read_id}/hand-back", dependencies=[Reader])
def give_back(work: WorkDep, read_id: UUID, body: schemas.WithReason) -> schemas.Decided:
    """Gives your read back; it is offered to others at once."""
    done = hand_back(work, read_id, body.reason)
    return schemas.Decided(reader_id=done.reader_id, reason=done.reason)


@router.post("/studies/{study_id}/read-provisionally", dependencies=[Coordinator], status_code=201)
def provisional(work: WorkDep, study_id: UUID, body: schemas.Provisional) -> dict[str, UUID]:
    """Has an unmatched urgent study read now; the report is held until it is matched."""
    return {"case_id": read_provisionally(work, study_id, body.priority)}


@router.post("/alarms/{alarm_id}/seen", dependencies=[Coordinator], status_code=204)
def alarm_seen(work: WorkDep, alarm_id: UUID) -> None:
    """You have seen it."""
    mark_seen(work, alarm_id)
