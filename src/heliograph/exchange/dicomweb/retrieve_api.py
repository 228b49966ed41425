"""Routes of WADO-RS (PS3.18 10.4): stored objects, metadata, frames, bulk data and pictures."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from heliograph.exchange.dicomweb import multipart, wado
from heliograph.exchange.dicomweb.door import JSON, PREFIX, PRIVATE, DoorDep, tag_of, unchanged
from heliograph.exchange.dicomweb.frames import pieces
from heliograph.kit.errors import NotFound
from heliograph.kit.http import ObjectsDep
from heliograph.records.archive import metadata
from heliograph.records.archive.queries import InstancePlace

router = APIRouter(prefix=PREFIX, tags=["dicomweb"])
Accept = Annotated[str, Header()]
IfNoneMatch = Annotated[str, Header()]


@router.get("/studies/{study}/metadata")
def study_metadata(door: DoorDep, objects: ObjectsDep, study: str, if_none_match: IfNoneMatch = "") -> Response:
    """The metadata of all instances of a study."""
    seen = door.study(study)
    with door.works.read(door.known.actor) as work:
        documents = metadata.series_documents(work.session, seen.study_id)
        if not documents:
            raise NotFound
        tag = tag_of(*(d.key for d in documents))
        if tag == if_none_match:
            return unchanged(tag)
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
        tag = tag_of(documents[0].key)
        if tag == if_none_match:
            return unchanged(tag)
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
        "ETag": tag_of(place.sha256.hex()),
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
    tag = tag_of(place.sha256.hex(), *map(str, numbers), str(single))
    if tag == if_none_match:
        return unchanged(tag)
    kind, body = wado.frames_body(objects, place, numbers, single=single)
    return _bytes(body, kind, tag)


@router.get("/studies/{study}/series/{series}/instances/{instance}/bulkdata/{path:path}")
def retrieve_bulk(
    door: DoorDep, objects: ObjectsDep, study: str, series: str, instance: str, path: str, accept: Accept = ""
) -> Response:
    """The value behind a BulkDataURI."""
    place = door.place(study, series, instance)
    kind, body = wado.bulk_body(objects, place, path, single=_single(accept))
    return _bytes(body, kind, tag_of(place.sha256.hex(), path, str(_single(accept))))


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
    return _bytes(body, media, tag_of(place.sha256.hex(), str(frame), viewport, window, media))


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
