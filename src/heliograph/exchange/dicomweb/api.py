"""Routes of the DICOMweb door: parse, call, answer. Each answer about a study has passed the gate (`visible`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from heliograph.exchange.dicomweb import multipart, qido, stow, wado
from heliograph.exchange.dicomweb.frames import Places, pieces
from heliograph.exchange.dicomweb.visible import Gate, Seen, check_may_read, only_for, organization_of
from heliograph.governance.access.door import KnownDep
from heliograph.governance.access.sessions import Known
from heliograph.kit.errors import Invalid, NotAllowed, NotFound
from heliograph.kit.http import ObjectsDep, SettingsDep, WorksDep
from heliograph.kit.work import Work
from heliograph.records.archive import metadata
from heliograph.records.archive.queries import InstancePlace, instance_places
from heliograph.records.archive.search import find_instances, find_series, find_studies
from heliograph.records.sites.queries import facilities_of

JSON = "application/dicom+json"
# Revalidated at each use, so that signing out takes images away; an equal tag costs no bytes.
PRIVATE = "private, no-cache"
router = APIRouter(prefix="/dicomweb/{organization_slug}", tags=["dicomweb"])
Accept = Annotated[str, Header()]
IfNoneMatch = Annotated[str, Header()]


class Door:
    """One caller at one DICOMweb root, for one request."""

    def __init__(
        self, request: Request, organization_slug: str, known: KnownDep, works: WorksDep, settings: SettingsDep
    ) -> None:
        self.slug, self.known, self.works, self.settings = organization_slug, known, works, settings
        state = request.app.state
        if not hasattr(state, "dicomweb"):
            state.dicomweb = (Gate(), Places())
        self.gate: Gate = state.dicomweb[0]
        self.places: Places = state.dicomweb[1]

    @property
    def root(self) -> str:
        """The address of this DICOMweb root, as people and machines reach it."""
        return f"{self.settings.public_url.rstrip('/')}/dicomweb/{self.slug}"

    def study(self, uid: str) -> Seen:
        """The study, if this caller may see it; the view is on record."""
        return self.gate.pass_study(self.works, self.known, self.slug, uid)

    def place(self, study_uid: str, series_uid: str, sop_uid: str) -> InstancePlace:
        """Where an instance is."""
        seen = self.study(study_uid)
        return self.places.find(self.works, self.known.actor, seen.study_id, series_uid, sop_uid)

    def all_places(self, study_uid: str, series_uid: str | None = None) -> list[InstancePlace]:
        """Where the instances of a study or series are; NotFound when there are none."""
        seen = self.study(study_uid)
        with self.works.read(self.known.actor) as work:
            found = instance_places(work.session, seen.study_id, series_instance_uid=series_uid)
        if not found:
            raise NotFound
        return found


DoorDep = Annotated[Door, Depends(Door)]

# ------------------------------------------------------------------ QIDO-RS


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
    return Response(_dumps(found), media_type=JSON, headers=headers)


# ------------------------------------------------------------------ WADO-RS


@router.get("/studies/{study}/metadata")
def study_metadata(door: DoorDep, objects: ObjectsDep, study: str, if_none_match: IfNoneMatch = "") -> Response:
    """The metadata of all instances of a study."""
    seen = door.study(study)
    with door.works.read(door.known.actor) as work:
        documents = metadata.series_documents(work.session, seen.study_id)
        if not documents:
            raise NotFound
        tag = _tag(*(d.key for d in documents))
        if tag == if_none_match:
            return _unchanged(tag)
        text = metadata.study_document(work.session, objects, documents)
    return Response(text, media_type=JSON, headers={"ETag": tag, "Cache-Control": PRIVATE})


@router.get("/studies/{study}/series/{series}/metadata")
def series_metadata(
    door: DoorDep,
    objects: ObjectsDep,
    study: str,
    series: str,
    if_none_match: IfNoneMatch = "",
    accept_encoding: Annotated[str, Header()] = "",
) -> Response:
    """The metadata of all instances of a series: one read, sent as it is kept, compressed."""
    seen = door.study(study)
    with door.works.read(door.known.actor) as work:
        documents = metadata.series_documents(work.session, seen.study_id, series)
        if not documents or not documents[0].number_of_instances:
            raise NotFound
        tag = _tag(documents[0].key)
        if tag == if_none_match:
            return _unchanged(tag)
        packed = metadata.read_document(work.session, objects, documents[0])
    headers = {"ETag": tag, "Cache-Control": PRIVATE, "Vary": "Accept-Encoding"}
    if "gzip" in accept_encoding:
        return Response(packed, media_type=JSON, headers={**headers, "Content-Encoding": "gzip"})
    return Response(metadata.unpacked(packed), media_type=JSON, headers=headers)


@router.get("/studies/{study}/series/{series}/instances/{instance}/metadata")
def instance_metadata(door: DoorDep, study: str, series: str, instance: str) -> Response:
    """The metadata of one instance."""
    seen = door.study(study)
    with door.works.read(door.known.actor) as work:
        text = metadata.instance_metadata(work.session, seen.study_id, series, instance)
    if text is None:
        raise NotFound
    return Response(f"[{text}]", media_type=JSON, headers={"Cache-Control": PRIVATE})


@router.get("/studies/{study}")
def retrieve_study(door: DoorDep, objects: ObjectsDep, study: str) -> Response:
    """All objects of a study, exactly as stored."""
    return _objects(door.all_places(study), objects)


@router.get("/studies/{study}/series/{series}")
def retrieve_series(door: DoorDep, objects: ObjectsDep, study: str, series: str) -> Response:
    """All objects of a series, exactly as stored."""
    return _objects(door.all_places(study, series), objects)


@router.get("/studies/{study}/series/{series}/instances/{instance}")
def retrieve_instance(
    door: DoorDep, objects: ObjectsDep, study: str, series: str, instance: str, accept: Accept = ""
) -> Response:
    """One object, exactly as stored; bare if `application/dicom` alone is accepted."""
    place = door.place(study, series, instance)
    if not _single(accept):
        return _objects([place], objects)
    kind = f"application/dicom; transfer-syntax={place.transfer_syntax_uid}"
    headers = {
        "Content-Length": str(place.object_length),
        "ETag": _tag(place.sha256.hex()),
        "Cache-Control": PRIVATE,
    }
    return StreamingResponse(pieces(objects, place), media_type=kind, headers=headers)


@router.get("/studies/{study}/series/{series}/instances/{instance}/frames/{frames}")
def retrieve_frames(
    door: DoorDep,
    objects: ObjectsDep,
    study: str,
    series: str,
    instance: str,
    frames: str,
    accept: Accept = "",
    if_none_match: IfNoneMatch = "",
) -> Response:
    """Frames in their stored transfer syntax: one range read each."""
    numbers = wado.frame_numbers(frames)
    place = door.place(study, series, instance)
    single = _single(accept)
    tag = _tag(place.sha256.hex(), *map(str, numbers), str(single))
    if tag == if_none_match:
        return _unchanged(tag)
    kind, body = wado.frames_body(objects, place, numbers, single=single)
    return _bytes(body, kind, tag)


@router.get("/studies/{study}/series/{series}/instances/{instance}/bulkdata/{path:path}")
def retrieve_bulk(
    door: DoorDep, objects: ObjectsDep, study: str, series: str, instance: str, path: str, accept: Accept = ""
) -> Response:
    """The value behind a BulkDataURI."""
    place = door.place(study, series, instance)
    kind, body = wado.bulk_body(objects, place, path, single=_single(accept))
    return _bytes(body, kind, _tag(place.sha256.hex(), path, str(_single(accept))))


# ------------------------------------------------------------------ rendered

Viewport = Annotated[str, Query(max_length=40, pattern=r"^$|^\d{1,5},\d{1,5}(,.*)?$")]
Window = Annotated[str, Query(max_length=60, pattern=r"^$|^-?[\d.]{1,12},[\d.]{1,12}(,\w*)?$")]


@router.get("/studies/{study}/series/{series}/instances/{instance}/rendered")
@router.get("/studies/{study}/series/{series}/instances/{instance}/frames/{frame}/rendered")
def rendered(
    door: DoorDep,
    objects: ObjectsDep,
    study: str,
    series: str,
    instance: str,
    frame: int = 1,
    accept: Accept = "",
    viewport: Viewport = "",
    window: Window = "",
) -> Response:
    """A frame as JPEG or PNG (PS3.18 8.3.5): `window=centre,width`, `viewport=width,height`."""
    return _picture(door.place(study, series, instance), objects, frame, accept, viewport, window)


@router.get("/studies/{study}/thumbnail")
@router.get("/studies/{study}/series/{series}/thumbnail")
def thumbnail(
    door: DoorDep,
    objects: ObjectsDep,
    study: str,
    series: str | None = None,
    accept: Accept = "",
    viewport: Viewport = "",
) -> Response:
    """A small picture of the middle of a study or series."""
    with_pixels = [p for p in door.all_places(study, series) if p.number_of_frames]
    if not with_pixels:
        raise NotFound
    place = with_pixels[len(with_pixels) // 2]
    frame = (place.number_of_frames + 1) // 2
    return _picture(place, objects, frame, accept, viewport or "128,128", "")


@router.get("/studies/{study}/series/{series}/instances/{instance}/thumbnail")
@router.get("/studies/{study}/series/{series}/instances/{instance}/frames/{frame}/thumbnail")
def instance_thumbnail(
    door: DoorDep,
    objects: ObjectsDep,
    study: str,
    series: str,
    instance: str,
    frame: int = 1,
    accept: Accept = "",
    viewport: Viewport = "",
) -> Response:
    """A small picture of a frame."""
    place = door.place(study, series, instance)
    return _picture(place, objects, frame, accept, viewport or "128,128", "")


def _picture(
    place: InstancePlace, objects: ObjectsDep, frame: int, accept: str, viewport: str, window: str
) -> Response:
    media = "image/png" if "image/png" in accept and "image/jpeg" not in accept else "image/jpeg"
    size = [int(part) for part in viewport.split(",")[:2]] if viewport else []
    shown = [float(part) for part in window.split(",")[:2]] if window else []
    body = wado.picture(
        objects,
        place,
        frame,
        window=(shown[0], shown[1]) if len(shown) == 2 else None,
        viewport=(max(size[0], 1), max(size[1], 1)) if len(size) == 2 else None,
        media=media,
    )
    return _bytes(body, media, _tag(place.sha256.hex(), str(frame), viewport, window, media))


# ------------------------------------------------------------------ STOW-RS


def _destination(door: DoorDep, facility: UUID | None = None) -> stow.Destination:
    """Where what this caller stores goes. Runs in a thread: it asks the database.

    A key stores for its facility. A person of the site stores for the facility of their role, or the one that `facility` names.
    """
    known, settings = door.known, door.settings
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
    return stow.Destination(
        settings.spool_dir,
        organization_id,
        facility_id,
        known.actor.id,
        settings.min_free_mb,
        settings.max_upload_mb << 20,
    )


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


DestinationDep = Annotated[stow.Destination, Depends(_destination)]


@router.post("/studies")
async def store(request: Request, door: DoorDep, to: DestinationDep) -> Response:
    """Stores objects of any studies (PS3.18 10.5)."""
    return await _store(request, door, to)


@router.post("/studies/{study}")
async def store_in_study(request: Request, door: DoorDep, to: DestinationDep, study: str) -> Response:
    """Stores objects of one study; others are refused."""
    return await _store(request, door, stow.in_study(to, study))


async def _store(request: Request, door: Door, to: stow.Destination) -> Response:
    outcome = await stow.receive(request.headers.get("content-type", ""), request.stream(), to)
    return Response(_dumps(stow.response_json(outcome, door.root)), status_code=outcome.status, media_type=JSON)


# ------------------------------------------------------------------ answers


def _objects(places: list[InstancePlace], objects: ObjectsDep) -> Response:
    boundary = multipart.new_boundary()
    return StreamingResponse(
        wado.objects_body(objects, places, boundary),
        media_type=multipart.content_type(boundary, "application/dicom"),
        headers={"Cache-Control": "no-store"},
    )


def _single(accept: str) -> bool:
    """Whether the client wants one bare part rather than multipart, which is what it gets if it says nothing."""
    return bool(accept) and "multipart/related" not in accept and "*/*" not in accept


def _bytes(body: bytes, kind: str, tag: str) -> Response:
    # The header is set as it is: Starlette would add a charset to some types.
    return Response(body, headers={"Content-Type": kind, "ETag": tag, "Cache-Control": PRIVATE})


def _unchanged(tag: str) -> Response:
    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": PRIVATE})


def _tag(*parts: str) -> str:
    return '"' + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32] + '"'


def _dumps(value: list[dict[str, Any]] | Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
