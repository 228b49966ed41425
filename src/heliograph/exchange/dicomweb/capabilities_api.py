"""The route of Retrieve Capabilities (PS3.18 8.9)."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from heliograph.exchange.dicomweb.asked import AskedDep
from heliograph.exchange.dicomweb.capabilities import OPENAPI, WADL, openapi, wadl
from heliograph.exchange.dicomweb.door import PREFIX, DoorDep, dumps
from heliograph.exchange.dicomweb.negotiate import Offer, choose
from heliograph.exchange.dicomweb.visible import organization_of

router = APIRouter(prefix=PREFIX, tags=["dicomweb"])

_OFFERS: Final = (Offer(WADL), Offer(OPENAPI), Offer("application/xml"))


@router.options("")
def capabilities(request: Request, door: DoorDep, asked: AskedDep) -> Response:
    """What this root can do, as WADL or as OpenAPI. It tells of the program, never of what is stored."""
    with door.works.read(door.known.actor) as work:
        organization_of(work.session, door.slug)
    kind = choose(asked.types, _OFFERS).type
    document = openapi(request.app.openapi(), door.root)
    text = dumps(document) if kind == OPENAPI else wadl(document)
    headers = {"Content-Type": kind, "Allow": "OPTIONS", "Cache-Control": "no-store", "Vary": "Accept"}
    return Response(text.encode(), headers=headers)
