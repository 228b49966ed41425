"""Routes of feeds under administration: where values stand unless a feed says otherwise, and what a pasted message would become."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from heliograph.care.orders.rules import priorities
from heliograph.exchange.hl7.feed import Feed
from heliograph.exchange.hl7.kinds import KINDS
from heliograph.exchange.hl7.preview import MessagePreview, preview
from heliograph.governance.access.door import WorkDep, require_roles
from heliograph.kit.errors import Invalid, NotFound
from heliograph.kit.http import WorksDep
from heliograph.records.sites import mapping
from heliograph.records.sites.queries import endpoint, facility

router = APIRouter(prefix="/api/admin", tags=["sites"])
Administrator = Depends(require_roles("administrator"))
LARGEST = 1_000_000
"""Characters of a pasted message."""


class NotAFeed(Invalid):
    """Only a feed takes messages in; this endpoint sends reports out."""


class ValueDefault(BaseModel):
    """One value of an order and where it stands unless a feed says otherwise."""

    name: str
    label: str
    reads: str
    why: str
    paths: list[str]
    otherwise: list[str]
    agree: bool


class FeedDefaults(BaseModel):
    """What every feed begins with, and what its settings may be."""

    values: list[ValueDefault]
    identifier_types: list[str]
    priorities: dict[str, str]
    """Code -> name."""
    kinds: list[str]
    """Messages that are taken, as `ORM^O01`."""


class Pasted(BaseModel):
    """A message, one segment a line."""

    text: Annotated[str, Field(min_length=1, max_length=LARGEST)]


@router.get("/feed-defaults", dependencies=[Administrator])
def feed_defaults() -> FeedDefaults:
    """Where the values of an order stand unless a feed says otherwise."""
    known = mapping.defaults()
    return FeedDefaults(
        values=[
            ValueDefault(
                name=v.name,
                label=v.label,
                reads=v.reads,
                why=v.why,
                paths=[p.text for p in v.paths],
                otherwise=[p.text for p in v.otherwise],
                agree=v.agree,
            )
            for v in known.values.values()
        ],
        identifier_types=list(known.identifier_types),
        priorities={code: p.name for code, p in priorities().items()},
        kinds=sorted("^".join(kind) for kind in KINDS),
    )


@router.post("/endpoints/{endpoint_id}/preview", dependencies=[Administrator])
def preview_message(work: WorkDep, works: WorksDep, endpoint_id: UUID, pasted: Pasted) -> MessagePreview:
    """What a message would become if this feed sent it, value by value. Nothing of it is kept; that you looked is recorded."""
    found = endpoint(work.session, endpoint_id)
    if found is None or not work.actor.holds("administrator", found.organization_id):
        raise NotFound
    if found.kind != "hl7_in":
        raise NotAFeed
    place = facility(work.session, found.facility_id)
    if place is None:
        raise NotFound
    work.record(
        "feed.message_tried", organization_id=found.organization_id, subject_kind="endpoint", subject_id=endpoint_id
    )
    return preview(works, pasted.text, Feed(found, place), work.now)
