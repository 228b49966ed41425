"""Frames that can be answered at once: who asks, what they may see and where it is are remembered, and the bytes are in memory.

A viewer asks for frames by the thousand, and what an ordinary route costs (its dependencies and itself are trips to threads) is several
times what such a frame costs. This stands inside the security headers and before the router. It asks the same sessions, gate and places
for what they remember, never more, and makes the answer by the same code as the route. Whatever it can't answer with 200 or 304 without
waiting (a new session, a study not yet on record as viewed, another transfer syntax, bytes to be fetched from disk, every refusal) goes
the ordinary way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, cast

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from heliograph.exchange.dicomweb import retrieve_api
from heliograph.exchange.dicomweb.asked import Asked
from heliograph.exchange.dicomweb.door import remembered
from heliograph.exchange.dicomweb.syntaxes import frame_type
from heliograph.governance.access.door import remembered_caller
from heliograph.kit.codecs.dicom import FrameTable, read_frame
from heliograph.kit.codecs.dicom.part10 import EXPLICIT_BIG
from heliograph.kit.errors import HeliographError
from heliograph.kit.objects import Objects
from heliograph.records.archive.queries import InstancePlace

_PATH: Final = re.compile(
    r"/dicomweb/([^/]+)/studies/([^/]+)/series/([^/]+)/instances/([^/]+)/frames/([1-9][0-9]{0,6})\Z"
)
_ROUTE: Final = next(r for r in retrieve_api.router.routes if getattr(r, "name", "") == "retrieve_frames")


class _WouldWaitError(Exception):
    """The bytes are not in memory."""


class FastFrames:
    """Answers single frames from memory; everything else goes to `app`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _answer(scope) if scope["type"] == "http" else None
        if answer is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTE  # as the log and the metrics name it
        await answer(scope, receive, send)


def _answer(scope: Scope) -> Response | None:
    if scope["method"] != "GET" or scope["query_string"] or not (match := _PATH.match(scope["path"])):
        return None
    slug, study, series, instance, number = match.groups()
    request = Request(scope)
    known = remembered_caller(request)
    place = remembered(request, known, slug, study, series, instance) if known else None
    if place is None or place.frame_table is None:
        return None
    objects = cast(Objects, scope["app"].state.context.objects)
    try:
        return _frame(Asked(request), objects, place, int(number))
    except (HeliographError, _WouldWaitError):
        return None  # the route refuses in words, and on record, or waits


def _frame(asked: Asked, objects: Objects, place: InstancePlace, number: int) -> Response | None:
    offer = retrieve_api.frames_offer(asked, place, [number])
    table = FrameTable.from_bytes(cast(bytes, place.frame_table))
    as_stored = offer.transfer_syntax == frame_type(place.transfer_syntax_uid)[1]
    if not as_stored or table.deflated or place.transfer_syntax_uid == EXPLICIT_BIG:
        return None

    def read(offset: int, length: int) -> bytes:
        found = objects.get_range_now(place.object_key, place.object_offset + offset, length) if length else b""
        if found is None:
            raise _WouldWaitError
        return found

    def frames() -> Iterator[bytes]:
        yield read_frame(table, number, read)

    answer = retrieve_api.frames_answer(asked, place, [number], offer, frames)
    return answer if answer.status_code in (200, 304) else None
