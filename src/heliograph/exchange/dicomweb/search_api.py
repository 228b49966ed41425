"""Routes of QIDO-RS (PS3.18 10.6)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from heliograph.exchange.dicomweb import qido
from heliograph.exchange.dicomweb.door import JSON, PREFIX, Door, DoorDep, dumps
from heliograph.exchange.dicomweb.visible import check_may_read, only_for, organization_of
from heliograph.records.archive.search import find_instances, find_series, find_studies

router = APIRouter(prefix=PREFIX, tags=["dicomweb"])


@router.get("/studies")
def search_studies(request: Request, door: DoorDep) -> Response:
    """Searches studies (PS3.18 10.6)."""
    check_may_read(door.known)
    query = qido.parse(request.query_params.multi_items(), qido.STUDY_KEYS)
    wanted = qido.study_filter(query)
    with door.works.begin(door.known.actor) as work:
        organization_id = organization_of(work.session, door.slug)
        found = find_studies(
            work.session,
            organization_id,
            wanted,
            only=only_for(door.known.actor),
            limit=query.limit,
            offset=query.offset,
        )
        # Names in a list are patient data, too. A viewer asking for the study it shows is recorded by the gate.
        if found and not wanted.study_instance_uids:
            work.record("studies.searched", organization_id=organization_id, detail={"results": len(found)})
    return _results([qido.study_json(study, door.root) for study in found], query)


@router.get("/studies/{study}/series")
def search_series(request: Request, door: DoorDep, study: str) -> Response:
    """Searches the series of a study."""
    query = qido.parse(request.query_params.multi_items(), qido.SERIES_KEYS)
    seen = door.study(study)
    with door.works.read(door.known.actor) as work:
        found = find_series(
            work.session,
            seen.study_id,
            series_instance_uid=query.values.get("0020000E", ""),
            modality=query.values.get("00080060", ""),
            series_number=qido.number_of(query, "00200011"),
            tags=(*qido.SERIES_TAGS, *query.fields),
            limit=query.limit,
            offset=query.offset,
        )
    return _results([qido.series_json(series, door.root) for series in found], query)


@router.get("/studies/{study}/instances")
def search_study_instances(request: Request, door: DoorDep, study: str) -> Response:
    """Searches the instances of a study."""
    return _search_instances(request, door, study, "")


@router.get("/studies/{study}/series/{series}/instances")
def search_instances(request: Request, door: DoorDep, study: str, series: str) -> Response:
    """Searches the instances of a series."""
    return _search_instances(request, door, study, series)


def _search_instances(request: Request, door: Door, study: str, series: str) -> Response:
    query = qido.parse(request.query_params.multi_items(), qido.INSTANCE_KEYS)
    seen = door.study(study)
    with door.works.read(door.known.actor) as work:
        found = find_instances(
            work.session,
            seen.study_id,
            series_instance_uid=series or query.values.get("0020000E", ""),
            sop_instance_uid=query.values.get("00080018", ""),
            sop_class_uid=query.values.get("00080016", ""),
            instance_number=qido.number_of(query, "00200013"),
            tags=(*qido.INSTANCE_TAGS, *query.fields),
            whole_header=query.all_fields,
            limit=query.limit,
            offset=query.offset,
        )
    return _results([qido.instance_json(instance, door.root) for instance in found], query)


def _results(found: list[dict[str, Any]], query: qido.Query) -> Response:
    headers = {"Cache-Control": "no-store"}
    if query.ignored:  # PS3.18 8.3.4.1 and 10.6.1: say what was not matched on
        headers["Warning"] = '299 heliograph "Some query parameters are not supported and were ignored"'
    return Response(dumps(found), media_type=JSON, headers=headers)
