"""Routes of STOW-RS (PS3.18 10.5)."""

from __future__ import annotations

from typing import Annotated, Final, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from starlette.requests import ClientDisconnect

from heliograph.exchange.dicomweb import stow
from heliograph.exchange.dicomweb.asked import Asked, AskedDep
from heliograph.exchange.dicomweb.door import JSON, PREFIX, Door, DoorDep, dumps
from heliograph.exchange.dicomweb.multipart import BadMultipart
from heliograph.exchange.dicomweb.negotiate import Offer, choose
from heliograph.exchange.dicomweb.stow_outcome import Destination, Keeper, in_study, response_json
from heliograph.exchange.dicomweb.visible import organization_of
from heliograph.governance.access.sessions import Known
from heliograph.kit.errors import Invalid, NotAllowed, NotFound
from heliograph.kit.work import Work
from heliograph.records.archive.arrivals import Arrivals
from heliograph.records.archive.quarantine import Quarantine
from heliograph.records.sites.queries import facilities_of

router = APIRouter(prefix=PREFIX, tags=["dicomweb"])

_OFFERS: Final = (Offer(JSON), Offer("application/json"))


def _keeper(request: Request, door: DoorDep) -> Keeper:
    """What this process keeps received objects with, for all callers."""
    state = request.app.state
    if not hasattr(state, "stow"):
        state.stow = Keeper(door.settings, Arrivals(door.works), Quarantine(door.works, door.settings))
    return cast(Keeper, state.stow)


def _destination(
    door: DoorDep, keeper: Annotated[Keeper, Depends(_keeper)], facility: UUID | None = None
) -> Destination:
    """Where what this caller stores goes. Runs in a thread: it asks the database.

    A key stores for its facility. A person of the site stores for the facility of their role, or the one that `facility` names.
    """
    known = door.known
    with door.works.read(known.actor) as work:
        organization_id = organization_of(work.session, door.slug)
        if known.actor.kind == "user":
            facility_id = _facility_of(work, known, organization_id, facility)
        else:
            if organization_id not in known.actor.organizations or known.facility_id is None:
                raise NotFound
            if not known.may_store:
                raise NotAllowed("This key may read images but not store them.", action="images.sent")
            facility_id = known.facility_id
    return Destination(keeper, organization_id, facility_id, known.actor.id)


def _facility_of(work: Work, known: Known, organization_id: UUID, wanted: UUID | None) -> UUID:
    roles = [r for r in known.actor.roles if r.role == "site_staff" and r.organization_id == organization_id]
    if not roles:
        raise NotFound(action="images.sent", organization_id=organization_id)
    narrowed = {r.facility_id for r in roles if r.facility_id is not None}
    everywhere = any(r.facility_id is None for r in roles)
    own = [f.id for f in facilities_of(work.session, [organization_id]) if everywhere or f.id in narrowed]
    if wanted is not None:
        own = [facility_id for facility_id in own if facility_id == wanted]
    if len(own) != 1:
        raise Invalid("Say which facility these images come from: add ?facility= and its id.")
    return own[0]


DestinationDep = Annotated[Destination, Depends(_destination)]


@router.post("/studies")
async def store(request: Request, door: DoorDep, asked: AskedDep, to: DestinationDep) -> Response:
    """Stores objects of any studies (PS3.18 10.5)."""
    return await _store(request, door, asked, to)


@router.post("/studies/{study}")
async def store_in_study(request: Request, door: DoorDep, asked: AskedDep, to: DestinationDep, study: str) -> Response:
    """Stores objects of one study; others are refused."""
    return await _store(request, door, asked, in_study(to, study))


async def _store(request: Request, door: Door, asked: Asked, to: Destination) -> Response:
    kind = choose(asked.types, _OFFERS).type
    try:
        outcome = await stow.receive(request.headers.get("content-type", ""), request.stream(), to)
    except ClientDisconnect:  # what came whole is kept, and nobody is told so
        return Response(status_code=400)
    if outcome.status == 400:
        raise BadMultipart("the body holds no object")
    return Response(dumps(response_json(outcome, door.root)), status_code=outcome.status, media_type=kind)
