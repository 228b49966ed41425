"""Routes of QIDO-RS (PS3.18 10.6)."""

from __future__ import annotations

import gzip
from typing import Final

from fastapi import APIRouter, Request, Response

from heliograph.exchange.dicomweb import qido
from heliograph.exchange.dicomweb.asked import Asked, AskedDep
from heliograph.exchange.dicomweb.door import JSON, PREFIX, Door, DoorDep
from heliograph.exchange.dicomweb.negotiate import Offer, choose
from heliograph.exchange.dicomweb.visible import check_may_read, organization_of, scope_for
from heliograph.kit.work import Work
from heliograph.records.archive.search import Level, Scope, Search, count, within
from heliograph.records.archive.search_results import page

router = APIRouter(prefix=PREFIX, tags=["dicomweb"])

_OFFERS: Final = (Offer(JSON), Offer("application/json"))
_COUNTED: Final[dict[Level, int]] = {"STUDY": 100_000, "SERIES": 10_000, "IMAGE": 10_000}
"""Results are counted so far; beyond, the answer only says that there are more."""
_PACKED_BYTES: Final = 1024
_STUDY_UID: Final = ("0020000D",)


@router.get("/studies")
def search_studies(request: Request, door: DoorDep, asked: AskedDep) -> Response:
    """Searches studies (PS3.18 10.6)."""
    return _search_all(request, door, asked, "STUDY")


@router.get("/series")
def search_all_series(request: Request, door: DoorDep, asked: AskedDep) -> Response:
    """Searches the series of all studies."""
    return _search_all(request, door, asked, "SERIES", "STUDY")


@router.get("/instances")
def search_all_instances(request: Request, door: DoorDep, asked: AskedDep) -> Response:
    """Searches the instances of all studies."""
    return _search_all(request, door, asked, "IMAGE", "STUDY", "SERIES")


@router.get("/studies/{study}/series")
def search_series(request: Request, door: DoorDep, asked: AskedDep, study: str) -> Response:
    """Searches the series of a study."""
    return _search_study(request, door, asked, study, None, "SERIES")


@router.get("/studies/{study}/instances")
def search_study_instances(request: Request, door: DoorDep, asked: AskedDep, study: str) -> Response:
    """Searches the instances of a study."""
    return _search_study(request, door, asked, study, None, "IMAGE", "SERIES")


@router.get("/studies/{study}/series/{series}/instances")
def search_instances(request: Request, door: DoorDep, asked: AskedDep, study: str, series: str) -> Response:
    """Searches the instances of a series."""
    return _search_study(request, door, asked, study, series, "IMAGE")


def _search_all(request: Request, door: Door, asked: Asked, level: Level, *above: Level) -> Response:
    check_may_read(door.known)
    kind = choose(asked.types, _OFFERS).type
    query = qido.parse(request.query_params.multi_items())
    search = qido.searched(query, level)
    with door.works.begin(door.known.actor) as work:
        scope = scope_for(door.known.actor, organization_of(work.session, door.slug))
        found, total = _page(work, door, scope, search, query, above)
        # Names in a list are patient data, too, and that nothing was found tells who asks for whom. A viewer asking for the study it
        # shows is recorded by the gate.
        names_studies = level == "STUDY" and any(key.path == _STUDY_UID and key.text for key in query.keys)
        if not (found and names_studies):
            detail = {"results": len(found), "level": level.lower()}
            work.record("studies.searched", organization_id=scope.organization_id, detail=detail)
    return _answer(asked, kind, found, total, query, search)


def _search_study(
    request: Request, door: Door, asked: Asked, study: str, series: str | None, level: Level, *above: Level
) -> Response:
    query = qido.parse(request.query_params.multi_items())
    search = qido.searched(query, level)
    seen = door.study(study)
    kind = choose(asked.types, _OFFERS).type
    with door.works.read(door.known.actor) as work:
        search = within(search, seen.study_id, series)
        found, total = _page(work, door, Scope(seen.organization_id), search, query, above)
    return _answer(asked, kind, found, total, query, search)


def _page(
    work: Work, door: Door, scope: Scope, search: Search, query: qido.Query, above: tuple[Level, ...]
) -> tuple[list[str], int | None]:
    """The page that was asked for, each match in JSON, and how many there are on all pages; None: more than are counted."""
    wanted = qido.shown(query, search.level, *above)
    found = page(work.session, scope, search, wanted, limit=query.limit + 1, offset=query.offset)
    if len(found) > query.limit or (query.offset and not found):
        total = count(work.session, scope, search, most=_COUNTED[search.level])
    else:
        total = query.offset + len(found)
    return [qido.told(match, door.root) for match in found[: query.limit]], total


def _answer(
    asked: Asked, kind: str, found: list[str], total: int | None, query: qido.Query, search: Search
) -> Response:
    body = f"[{','.join(found)}]".encode()
    headers = {"Content-Type": kind, "Cache-Control": "no-store", "Vary": "Accept, Accept-Encoding"}
    if asked.gzip and len(body) > _PACKED_BYTES:
        body = gzip.compress(body, compresslevel=3, mtime=0)
        headers["Content-Encoding"] = "gzip"
    if total is not None:
        headers["X-Total-Count"] = str(total)
    response = Response(body, headers=headers)
    for warning in _warnings(found, total, query, search):
        response.headers.append("Warning", f'299 heliograph "{warning}"')
    return response


def _warnings(found: list[str], total: int | None, query: qido.Query, search: Search) -> list[str]:
    """What the client should know of its results (PS3.18 8.3.4.4, 10.6.1)."""
    said = []
    left = None if total is None else max(total - query.offset - len(found), 0)
    if left is None:
        said.append("There are additional results that can be requested")
    elif left:
        said.append(f"There are {left} additional results that can be requested")
    if query.ignored or search.unsupported:
        said.append("Some query parameters are not supported and were ignored")
    return said
