"""WADO-RS (PS3.18 10.4): stored objects, frames and bulk data out, as they came or as the client asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from heliograph.exchange.dicomweb import multipart
from heliograph.exchange.dicomweb.bulk import is_pixel_data
from heliograph.exchange.dicomweb.frames import NoSuchFrame, frames_of, head_of
from heliograph.exchange.dicomweb.negotiate import MediaRange, NotAcceptable, Offer, choose
from heliograph.exchange.dicomweb.syntaxes import OCTETS, frame_offers, frame_type, object_offers
from heliograph.kit.codecs.dicom import DicomError, FrameTable, inflate, locate_data_set, opened
from heliograph.kit.codecs.dicom.part10 import DEFLATED, EXPLICIT_BIG
from heliograph.kit.codecs.dicom.pixels import ImageFacts, image_facts
from heliograph.kit.codecs.dicom.transcode import encoded_frame, native_frame, transcoded
from heliograph.kit.codecs.dicom.walk import encoding_of
from heliograph.kit.errors import Invalid
from heliograph.kit.objects import Objects
from heliograph.records.archive.overlay import outgoing_file, source_of
from heliograph.records.archive.queries import InstancePlace

_MOST_FRAMES = 1000


class BadFrameList(Invalid):
    """Frames are different numbers from 1, joined by commas."""

    status = 400


class NotTranscodable(NotAcceptable):
    """This object can't be had in the transfer syntax that you accept: its pixels can't be decoded."""


class NotCorrectable(NotAcceptable):
    """What is put right of this object can't be said in it, and as it came it must not go out. The archive's people can see it."""


def frame_numbers(text: str) -> list[int]:
    """The frame list of a request (PS3.18 10.4.1.1.6).

    Raises:
        BadFrameList
    """
    parts = text.replace("%2C", ",").replace("%2c", ",").split(",")
    if len(parts) > _MOST_FRAMES or not all(p.isascii() and p.isdigit() and 0 < len(p) < 8 for p in parts):
        raise BadFrameList
    numbers = [int(part) for part in parts]
    if len(set(numbers)) < len(numbers):
        raise BadFrameList
    return numbers


# ------------------------------------------------------------------ objects


def offers_of(place: InstancePlace, *, alone: bool) -> tuple[Offer, ...]:
    """How one object can be had."""
    return object_offers(
        place.transfer_syntax_uid,
        bits_allocated=place.bits_allocated,
        has_pixels=place.frame_table is not None,
        alone=alone,
    )


def acceptable(places: Sequence[InstancePlace], types: Sequence[MediaRange]) -> list[tuple[InstancePlace, Offer]]:
    """Each object that can be had as the client accepts, and how; fewer than `places` where some can't.

    Raises:
        NotAcceptable: none can.
    """
    found, refused = [], None
    for place in places:
        try:
            found.append((place, choose(types, offers_of(place, alone=False))))
        except NotAcceptable as error:
            refused = error
    if not found and refused is not None:
        raise refused
    return found


def object_pieces(objects: Objects, place: InstancePlace, offer: Offer) -> Iterator[bytes]:
    """A whole Part 10 file as offered, in pieces, with what is put right of it.

    Raises:
        NotTranscodable, NotCorrectable: before the first piece.
    """
    if offer.transfer_syntax == place.transfer_syntax_uid:
        return file_pieces(objects, place)
    source = b"".join(file_pieces(objects, place)) if place.overlay else source_of(objects, place)
    try:
        return transcoded(source, offer.transfer_syntax)
    except DicomError as error:
        raise NotTranscodable from error


def file_pieces(objects: Objects, place: InstancePlace) -> Iterator[bytes]:
    """A whole Part 10 file in its own transfer syntax, with what is put right of it.

    Raises:
        NotCorrectable: before the first piece.
    """
    try:
        return map(bytes, outgoing_file(objects, place))
    except DicomError as error:
        raise NotCorrectable from error


def correctable(objects: Objects, chosen: Sequence[tuple[InstancePlace, Offer]]) -> list[tuple[InstancePlace, Offer]]:
    """Those that can go out with what is put right of them. Raises NotCorrectable if none can."""
    found = []
    for place, offer in chosen:
        with suppress(NotCorrectable):
            if place.overlay is not None:
                file_pieces(objects, place)
            found.append((place, offer))
    if chosen and not found:
        raise NotCorrectable
    return found


def check_transcodable(objects: Objects, place: InstancePlace, offer: Offer) -> None:
    """Raises NotTranscodable if the object can't be had as offered."""
    if offer.transfer_syntax != place.transfer_syntax_uid:
        object_pieces(objects, place, offer)


def objects_body(objects: Objects, chosen: Sequence[tuple[InstancePlace, Offer]], boundary: str) -> Iterator[bytes]:
    """Whole objects as a multipart body, streamed. One whose pixels are damaged goes as it is stored, and says so."""

    def bodies() -> Iterator[tuple[dict[str, str], Iterable[bytes]]]:
        for place, offer in chosen:
            syntax = offer.transfer_syntax
            try:
                content = object_pieces(objects, place, offer)
            except NotTranscodable:
                syntax, content = place.transfer_syntax_uid, file_pieces(objects, place)
            headers = {"Content-Type": f"application/dicom; transfer-syntax={syntax}"}
            if syntax == place.transfer_syntax_uid and place.overlay is None:
                headers["Content-Length"] = str(place.object_length)
            yield headers, content

    return multipart.parts(boundary, bodies())


# ------------------------------------------------------------------ frames


def frames_as(objects: Objects, place: InstancePlace, numbers: Sequence[int], offer: Offer) -> Iterator[bytes]:
    """Frames one by one, as offered. All are known to exist before this returns.

    Raises:
        NoSuchFrame
        NotTranscodable: also later, at a damaged frame.
    """
    if place.frame_table is None:
        raise NoSuchFrame
    if len(numbers) > 1:
        frames_exist(FrameTable.from_bytes(place.frame_table), numbers)
    if offer.transfer_syntax == frame_type(place.transfer_syntax_uid)[1]:
        return (_native(objects, place, number) for number in numbers)
    return _transcoded_frames(objects, place, numbers, offer)


def frames_exist(table: FrameTable, numbers: Sequence[int]) -> None:
    """Raises NoSuchFrame unless the bytes of each are there."""
    for number in numbers:
        try:
            table.locate(number)
        except DicomError as error:
            raise NoSuchFrame(str(error)) from error


def _native(objects: Objects, place: InstancePlace, number: int) -> bytes:
    """A frame as stored; native ones in little endian."""
    (frame,) = frames_of(objects, place, [number])
    return frame


def _transcoded_frames(objects: Objects, place: InstancePlace, numbers: Sequence[int], offer: Offer) -> Iterator[bytes]:
    try:
        facts = facts_of(objects, place)
        for number in numbers:
            frame, syntax = _native(objects, place, number), place.transfer_syntax_uid
            if offer.type == OCTETS:
                yield native_frame(facts, frame, syntax)
            else:
                yield encoded_frame(facts, frame, syntax, offer.transfer_syntax)
    except DicomError as error:
        raise NotTranscodable from error


def facts_of(objects: Objects, place: InstancePlace) -> ImageFacts:
    """The image pixel module of a stored object. Raises DicomError."""
    with opened(head_of(objects, place)) as data:
        start, syntax = locate_data_set(data)
        if syntax in DEFLATED:
            return image_facts(memoryview(inflate(data[start:])), 0, encoding_of(syntax))
        return image_facts(data, start, encoding_of(syntax))


def frames_offer(place: InstancePlace, types: Sequence[MediaRange], *, alone: bool) -> Offer:
    """How the client gets frames of this object. Raises NotAcceptable."""
    offers = frame_offers(place.transfer_syntax_uid, bits_allocated=place.bits_allocated, alone=alone)
    return choose(types, offers)


def kind_of(offer: Offer) -> str:
    """The Content-Type of one part."""
    return f"{offer.type}; transfer-syntax={offer.transfer_syntax}"


def multipart_of(boundary: str, kind: str, bodies: Iterable[bytes]) -> Iterator[bytes]:
    """A multipart body of parts of one type."""
    return multipart.parts(
        boundary, (({"Content-Type": kind, "Content-Length": str(len(body))}, (body,)) for body in bodies)
    )


# ------------------------------------------------------------------ bulk data


@dataclass(frozen=True, slots=True)
class Native:
    """Native pixel data where it lies: bytes of the stored file, little endian."""

    offset: int
    length: int


def native_pixels(place: InstancePlace, path: str) -> Native | None:
    """Where the value of a bulk data path lies, if it is plain native pixel data."""
    if not is_pixel_data(path) or place.frame_table is None:
        return None
    table = FrameTable.from_bytes(place.frame_table)
    if table.kind not in {"native", "bits"} or table.deflated or place.transfer_syntax_uid == EXPLICIT_BIG:
        return None
    return Native(table.first, table.size)


def is_in_frames(place: InstancePlace, path: str) -> bool:
    """Whether a bulk data path is encapsulated pixel data, which goes frame by frame."""
    return is_pixel_data(path) and place.frame_table is not None and frame_type(place.transfer_syntax_uid)[0] != OCTETS


def all_frames(place: InstancePlace) -> list[int]:
    """The numbers of all frames; a video is one stream.

    Raises:
        NoSuchFrame: the last is not there, as where an object says that it has a billion.
    """
    table = FrameTable.from_bytes(place.frame_table or b"")
    last = 1 if table.kind == "stream" else max(place.number_of_frames, 1)
    frames_exist(table, [last])
    return list(range(1, last + 1))
