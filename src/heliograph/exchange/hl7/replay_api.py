"""The route by which a person has a message processed again."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from heliograph.exchange.hl7.replay import replay
from heliograph.governance.access.door import CurrentUser, require_roles
from heliograph.kit.http import WorksDep
from heliograph.records.sites.messages import Fate

router = APIRouter(prefix="/api", tags=["messages"])
MayReplay = Depends(require_roles("coordinator", "administrator"))


class Why(BaseModel):
    """Why it is processed again; kept in the record."""

    reason: str = Field(min_length=1, max_length=500)


class ReplayOut(BaseModel):
    """The new line of the log, and what became of it."""

    id: UUID
    fate: Fate
    fault: str | None


@router.post("/messages/{message_id}/replay", dependencies=[MayReplay])
def post_replay(works: WorksDep, actor: CurrentUser, message_id: UUID, why: Why) -> ReplayOut:
    """Processes a message that came in again, as a new message of the log that points to this one."""
    return ReplayOut.model_validate(replay(works, actor, message_id, why.reason), from_attributes=True)
