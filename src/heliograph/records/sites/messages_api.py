"""Routes of the message log: search, a message with its fields, its exact bytes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel

from heliograph.governance.access.administering import AdministeringDep
from heliograph.governance.access.door import require_roles
from heliograph.kit.errors import NotAllowed, NotFound
from heliograph.kit.work import Work
from heliograph.records.sites import messages as log
from heliograph.records.sites.masking import SegmentView, view
from heliograph.records.sites.message_search import LogQuery, Sight, feeds_of, search_messages, sight_of

router = APIRouter(prefix="/api", tags=["messages"])
LogReader = Depends(require_roles("coordinator", "site_staff", "administrator"))
Text = Annotated[str, Query(min_length=1, max_length=200)]


class MessageLine(BaseModel):
    """A line of the message log. `order_id` only where your role shows patient data."""

    id: UUID
    direction: log.Direction
    received_at: datetime
    endpoint: str | None
    message_type: str | None
    control_id: str | None
    fate: log.Fate
    acknowledgement: str | None
    fault: str | None
    order_id: UUID | None
    replay_of: UUID | None


class MessagePage(BaseModel):
    """A page of the log; `next` is where the following one begins, null at the end."""

    messages: list[MessageLine]
    next: str | None


class LogFeed(BaseModel):
    """A feed or destination, to look for its messages."""

    id: UUID
    name: str


class MessageText(MessageLine):
    """A message with its segments and the answer's. `is_masked`: patient data is shown as ***; `may_unmask`: your role may see it."""

    peer: str | None
    size: int
    segments: list[SegmentView]
    answer: list[SegmentView] | None
    replays: list[MessageLine]
    is_masked: bool
    may_unmask: bool


@router.get("/messages", dependencies=[LogReader])
def list_messages(
    work: AdministeringDep,
    endpoint_id: UUID | None = None,
    direction: log.Direction | None = None,
    type: Text | None = None,  # noqa: A002 (the field's own word)
    control_id: Text | None = None,
    fate: Annotated[list[log.Fate] | None, Query(max_length=20)] = None,
    since: datetime | None = None,
    until: datetime | None = None,
    order_id: UUID | None = None,
    after: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> MessagePage:
    """Messages that fit, newest first, without their content. `type` is ORM or ORM^O01, `control_id` its beginning, `after` the `next`
    of the page before."""
    query = LogQuery(endpoint_id, direction, type, control_id, tuple(fate or ()), since, until, order_id)
    sight = sight_of(work)
    found = search_messages(work.session, sight, query, limit=limit, after=after)
    return MessagePage(messages=[_line(brief, sight) for brief in found.messages], next=found.next)


@router.get("/messages/feeds", dependencies=[LogReader])
def list_feeds(work: AdministeringDep) -> list[LogFeed]:
    """Feeds and destinations whose messages you may find."""
    return [LogFeed(id=id_, name=name) for id_, name in feeds_of(work.session, sight_of(work))]


@router.get("/messages/{message_id}", dependencies=[LogReader])
def read_message(work: AdministeringDep, message_id: UUID, clear: bool = False) -> MessageText:
    """A message field by field; that you saw it is recorded. `clear`: with patient data, where your role may see it."""
    sight = sight_of(work)
    found = _found(work, sight, message_id)
    brief = found.brief
    may_unmask = sight.reads(brief.organization_id, brief.facility_id)
    if clear and not may_unmask:
        raise NotAllowed(
            "Your role does not show patient data.", action="message.unmasked", organization_id=brief.organization_id
        )
    _record(work, brief, "message.unmasked" if clear else "message.viewed")
    replays = search_messages(work.session, sight, LogQuery(replays_of=message_id), limit=50, after=None).messages
    return MessageText(
        **_line(brief, sight).model_dump(),
        peer=found.peer,
        size=len(found.payload),
        segments=view(found.payload, found.charset, masked=not clear),
        answer=view(found.answer, found.charset, masked=not clear) if found.answer is not None else None,
        replays=[_line(one, sight) for one in replays],
        is_masked=not clear,
        may_unmask=may_unmask,
    )


@router.get(
    "/messages/{message_id}/file",
    dependencies=[LogReader],
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def download_message(
    work: AdministeringDep, message_id: UUID, part: Literal["message", "answer"] = "message"
) -> Response:
    """Exactly the bytes that were on the wire; that you took them is recorded."""
    sight = sight_of(work)
    found = _found(work, sight, message_id)
    brief = found.brief
    if not sight.reads(brief.organization_id, brief.facility_id):
        raise NotAllowed(
            "Your role does not show patient data.", action="message.downloaded", organization_id=brief.organization_id
        )
    content = found.payload if part == "message" else found.answer
    if content is None:
        raise NotFound("There was no answer.")
    _record(work, brief, "message.downloaded", part=part)
    name = f"{'answer' if part == 'answer' else 'message'}-{message_id}.hl7"
    return Response(
        content,
        media_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


def _found(work: Work, sight: Sight, message_id: UUID) -> log.MessageDetail:
    found = log.message(work.session, message_id)
    if found is None or not sight.finds(found.brief.organization_id, found.brief.facility_id):
        raise NotFound
    return found


def _record(work: Work, brief: log.MessageBrief, action: str, **detail: str) -> None:
    work.record(
        action,
        organization_id=brief.organization_id,
        order_id=brief.order_id,
        subject_kind="message",
        subject_id=brief.id,
        detail=detail,
    )


def _line(brief: log.MessageBrief, sight: Sight) -> MessageLine:
    line = MessageLine.model_validate(brief, from_attributes=True)
    return line if sight.reads(brief.organization_id, brief.facility_id) else line.model_copy(update={"order_id": None})
