"""Routes of WADO-RS (PS3.18 10.4): objects, metadata, frames and bulk data. Pictures are in `rendered_api`."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from fastapi import APIRouter, Response

from heliograph.exchange.dicomweb import multipart, wado
from heliograph.exchange.dicomweb.asked import Asked, AskedDep, ranged, streamed, unchanged, whole
from heliograph.exchange.dicomweb.bulk import ENCAPSULATED_DOCUMENT, bulk_value, document, document_type
from heliograph.exchange.dicomweb.door import JSON, PREFIX, PRIVATE, DoorDep, tag_of, version_of
from heliograph.exchange.dicomweb.frames import range_pieces
from heliograph.exchange.dicomweb.negotiate import Offer, choose, refuse_mixed
from heliograph.exchange.dicomweb.syntaxes import FRAME_TYPES, OCTETS
from heliograph.kit.errors import NotFound
from heliograph.kit.http import ObjectsDep
from heliograph.kit.objects import Objects
from heliograph.records.archive import metadata
from heliograph.records.archive.overlay import source_of
from heliograph.records.archive.queries import InstancePlace

router = APIRouter(prefix=PREFIX, tags=["dicomweb"])
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_SERIES = "/studies/{study}/series/{series}"
_INSTANCE = f"{_SERIES}/instances/{{instance}}"
_JSON_OFFERS = (Offer(JSON), Offer("application/json"))


def retrievable(on: APIRouter, path: str) -> Callable[[Endpoint], Endpoint]:
    """A GET route that answers HEAD, too (RFC 9110 9.3.2): the same headers without a body."""

    def add(endpoint: Endpoint) -> Endpoint:
        on.add_api_route(path, endpoint, methods=["GET"])
        on.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)
        return endpoint

    return add


# ------------------------------------------------------------------ metadata


@retrievable(router, "/studies/{study}/metadata")
def study_metadata(door: DoorDep, asked: AskedDep, objects: ObjectsDep, study: str) -> Response:
    """The metadata of all instances of a study."""
    seen = door.study(study)
    kind = choose(asked.types, _JSON_OFFERS).type
    with door.works.read(door.known.actor) as work:
        documents = metadata.series_documents(work.session, seen.study_id)
        if not documents:
            raise NotFound
        tag = _weak(*(d.key for d in documents), kind)
        if asked.has(tag):
            return unchanged(tag)
        text = metadata.study_document(work.session, objects, documents).encode()
    return _json(asked, kind, tag, text)


@retrievable(router, f"{_SERIES}/metadata")
def series_metadata(door: DoorDep, asked: AskedDep, objects: ObjectsDep, study: str, series: str) -> Response:
    """The metadata of all instances of a series: one read, sent as it is kept, compressed."""
    seen = door.study(study)
    kind = choose(asked.types, _JSON_OFFERS).type
    with door.works.read(door.known.actor) as work:
        documents = metadata.series_documents(work.session, seen.study_id, series)
        if not documents or not documents[0].number_of_instances:
            raise NotFound
        tag = _weak(documents[0].key, kind)
        if asked.has(tag):
            return unchanged(tag)
        packed = metadata.read_document(work.session, objects, documents[0])
    if asked.gzip:
        return _json(asked, kind, tag, packed, encoded=True)
    return _json(asked, kind, tag, metadata.unpacked(packed))


@retrievable(router, f"{_INSTANCE}/metadata")
def instance_metadata(door: DoorDep, asked: AskedDep, study: str, series: str, instance: str) -> Response:
    """The metadata of one instance."""
    seen = door.study(study)
    kind = choose(asked.types, _JSON_OFFERS).type
    with door.works.read(door.known.actor) as work:
        text = metadata.instance_metadata(work.session, seen.study_id, series, instance)
    if text is None:
        raise NotFound
    tag = _weak(text, kind)
    return unchanged(tag) if asked.has(tag) else _json(asked, kind, tag, f"[{text}]".encode())


def _json(asked: Asked, kind: str, tag: str, body: bytes, *, encoded: bool = False) -> Response:
    headers = {"Content-Type": kind, "ETag": tag, "Cache-Control": PRIVATE, "Vary": "Accept, Accept-Encoding"}
    if asked.gzip and not encoded:
        body, encoded = gzip.compress(body, compresslevel=3, mtime=0), True
    if encoded:
        headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(body))
    return Response(b"" if asked.is_head else body, headers=headers)


# ------------------------------------------------------------------ objects


@retrievable(router, "/studies/{study}")
def retrieve_study(door: DoorDep, asked: AskedDep, objects: ObjectsDep, study: str) -> Response:
    """All objects of a study, in the transfer syntax that is accepted: `*` means as stored."""
    return _objects(asked, objects, door.all_places(study))


@retrievable(router, _SERIES)
def retrieve_series(door: DoorDep, asked: AskedDep, objects: ObjectsDep, study: str, series: str) -> Response:
    """All objects of a series."""
    return _objects(asked, objects, door.all_places(study, series))


@retrievable(router, _INSTANCE)
def retrieve_instance(
    door: DoorDep, asked: AskedDep, objects: ObjectsDep, study: str, series: str, instance: str
) -> Response:
    """One object; bare if `application/dicom` is accepted without multipart/related."""
    place = door.place(study, series, instance)
    refuse_mixed(asked.types)
    offer = choose(asked.types, wado.offers_of(place, alone=True))
    if offer.is_multipart:
        return _objects(asked, objects, [place])
    return bare_object(asked, objects, place, offer)


def bare_object(asked: Asked, objects: Objects, place: InstancePlace, offer: Offer) -> Response:
    """One object as one file."""
    kind = wado.kind_of(offer)
    if offer.transfer_syntax != place.transfer_syntax_uid:
        tag = _weak(*version_of(place), kind)
        if asked.has(tag):
            return unchanged(tag)
        return streamed(asked, kind, wado.object_pieces(objects, place, offer), tag=tag)
    tag = tag_of(*version_of(place))
    if asked.has(tag):
        return unchanged(tag)
    if place.overlay is not None:
        return whole(asked, kind, tag, b"".join(wado.file_pieces(objects, place)))
    return ranged(
        asked,
        kind,
        tag,
        place.object_length,
        lambda first, end: range_pieces(objects, place, first, end - first),
    )


def _objects(asked: Asked, objects: Objects, places: list[InstancePlace]) -> Response:
    refuse_mixed(asked.types)
    chosen = wado.correctable(objects, wado.acceptable(places, asked.types))
    boundary = multipart.new_boundary()
    body = wado.objects_body(objects, chosen, boundary)
    if len(places) == 1:  # what can't be had at all is refused, not answered in part
        place, offer = chosen[0]
        if not asked.is_head:
            wado.check_transcodable(objects, place, offer)
    # PS3.18 10.4.3.1: 206 where only some of the objects can be had, as accepted and put right.
    status = 200 if len(chosen) == len(places) else 206
    return streamed(asked, multipart.content_type(boundary, "application/dicom"), body, status=status)


# ------------------------------------------------------------------ frames


@retrievable(router, f"{_INSTANCE}/frames/{{frames}}")
def retrieve_frames(
    door: DoorDep, asked: AskedDep, objects: ObjectsDep, study: str, series: str, instance: str, frames: str
) -> Response:
    """Frames: as stored (one range read each) for `transfer-syntax=*`, else decoded, or compressed anew without loss."""
    place = door.place(study, series, instance)
    return _frames(asked, objects, place, wado.frame_numbers(frames))


def _frames(asked: Asked, objects: Objects, place: InstancePlace, numbers: list[int]) -> Response:
    offer = frames_offer(asked, place, numbers)
    return frames_answer(asked, place, numbers, offer, lambda: wado.frames_as(objects, place, numbers, offer))


def frames_offer(asked: Asked, place: InstancePlace, numbers: list[int]) -> Offer:
    """How the client gets these frames. Raises BadAccept, MixedMediaTypes, NotAcceptable."""
    refuse_mixed(asked.types, but=FRAME_TYPES)
    return wado.frames_offer(place, asked.types, alone=len(numbers) == 1)


def frames_answer(
    asked: Asked, place: InstancePlace, numbers: list[int], offer: Offer, read: Callable[[], Iterator[bytes]]
) -> Response:
    """Frames as offered; `read` gives them, and is asked only if the client hasn't got them."""
    kind = wado.kind_of(offer)
    named = (place.sha256.hex(), *map(str, numbers), str(offer))
    # Random boundaries make equal answers unequal bytes: only bare ones have a strong tag.
    tag = _weak(*named) if offer.is_multipart else tag_of(*named)
    if asked.has(tag):
        return unchanged(tag)
    found = read()
    if not offer.is_multipart:
        return whole(asked, kind, tag, next(found))
    boundary = multipart.new_boundary()
    outer = multipart.content_type(boundary, offer.type)
    if len(numbers) > 1:
        return streamed(asked, outer, wado.multipart_of(boundary, kind, _begun(found)), tag=tag)
    return whole(asked, outer, tag, b"".join(wado.multipart_of(boundary, kind, found)))


def _begun(found: Iterator[bytes]) -> Iterator[bytes]:
    """The frames, of which the first is made now: what can't be decoded is refused before the answer begins."""
    first = next(found)

    def all_of_them() -> Iterator[bytes]:
        yield first
        yield from found

    return all_of_them()


# ------------------------------------------------------------------ bulk data


@retrievable(router, f"{_INSTANCE}/bulkdata/{{path:path}}")
def retrieve_bulk(
    door: DoorDep, asked: AskedDep, objects: ObjectsDep, study: str, series: str, instance: str, path: str
) -> Response:
    """The value behind a BulkDataURI; encapsulated pixel data goes frame by frame."""
    place = door.place(study, series, instance)
    if wado.is_in_frames(place, path):
        return _frames(asked, objects, place, wado.all_frames(place))
    native = wado.native_pixels(place, path)
    offers = [Offer(OCTETS, is_multipart=True), Offer(OCTETS)]
    is_document = path.upper() == ENCAPSULATED_DOCUMENT
    if is_document and (media := document_type(source_of(objects, place))):
        offers += [Offer(media), Offer(media, is_multipart=True)]
    offer = choose(asked.types, offers)
    tag = tag_of(place.sha256.hex(), path, str(offer))
    if asked.has(tag):
        return unchanged(tag)
    if native is not None and not offer.is_multipart:
        at = native.offset
        return ranged(
            asked, OCTETS, tag, native.length, lambda first, end: range_pieces(objects, place, at + first, end - first)
        )
    source = source_of(objects, place)
    value = document(source) if is_document else bulk_value(source, path)
    if not offer.is_multipart:
        return whole(asked, offer.type, tag, value)
    boundary = multipart.new_boundary()
    body = b"".join(wado.multipart_of(boundary, offer.type, [value]))
    return whole(asked, multipart.content_type(boundary, offer.type), f"W/{tag}", body)


def _weak(*parts: str) -> str:
    """An entity tag of what means the same, whatever its bytes."""
    return f"W/{tag_of(*parts)}"
