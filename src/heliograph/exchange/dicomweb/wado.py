"""WADO-RS (PS3.18 10.4): stored objects and frames out, exactly as they came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from heliograph.exchange.dicomweb import multipart
from heliograph.exchange.dicomweb.bulk import bulk_value, is_pixel_data
from heliograph.exchange.dicomweb.frames import frames_of, pieces, source_of
from heliograph.exchange.dicomweb.render import header_of, render
from heliograph.exchange.dicomweb.syntaxes import OCTETS, frame_type, swapped
from heliograph.kit.errors import Invalid
from heliograph.kit.objects import Objects
from heliograph.records.archive.queries import InstancePlace

_MOST_FRAMES = 1000


class BadFrameList(Invalid):
    """Frames are numbers from 1, joined by commas."""

    status = 400


def frame_numbers(text: str) -> list[int]:
    """The frame list of a request (PS3.18 10.4.1.1.6).

    Raises:
        BadFrameList
    """
    parts = text.replace("%2C", ",").replace("%2c", ",").split(",")
    if len(parts) > _MOST_FRAMES or not all(p.isascii() and p.isdigit() and 0 < len(p) < 8 for p in parts):
        raise BadFrameList
    return [int(part) for part in parts]


def objects_body(objects: Objects, places: Sequence[InstancePlace], boundary: str) -> Iterator[bytes]:
    """Whole stored files as a multipart body, streamed."""

    def bodies() -> Iterator[tuple[dict[str, str], Iterable[bytes]]]:
        for place in places:
            kind = f"application/dicom; transfer-syntax={place.transfer_syntax_uid}"
            headers = {"Content-Type": kind, "Content-Length": str(place.object_length)}
            yield headers, pieces(objects, place)

    return multipart.parts(boundary, bodies())


def frames_body(objects: Objects, place: InstancePlace, numbers: list[int], *, single: bool) -> tuple[str, bytes]:
    """(Content-Type, body) of frames; `single` sends one frame bare."""
    media, syntax = frame_type(place.transfer_syntax_uid)
    found = [
        swapped(frame, place.transfer_syntax_uid, place.bits_allocated) for frame in frames_of(objects, place, numbers)
    ]
    kind = f"{media}; transfer-syntax={syntax}"
    if single and len(found) == 1:
        return kind, found[0]
    boundary = multipart.new_boundary()
    bodies: list[tuple[dict[str, str], Iterable[bytes]]] = [
        ({"Content-Type": kind, "Content-Length": str(len(frame))}, (frame,)) for frame in found
    ]
    return multipart.content_type(boundary, media), b"".join(multipart.parts(boundary, bodies))


def bulk_body(objects: Objects, place: InstancePlace, path: str, *, single: bool) -> tuple[str, bytes]:
    """(Content-Type, body) of bulk data; encapsulated pixel data goes frame by frame.

    Raises:
        NotFound: no such element.
    """
    encapsulated = is_pixel_data(path) and frame_type(place.transfer_syntax_uid)[0] != OCTETS
    if encapsulated and place.frame_table is not None:
        numbers = list(range(1, max(place.number_of_frames, 1) + 1))
        return frames_body(objects, place, numbers, single=single)
    value = bulk_value(source_of(objects, place), path)
    if single:
        return OCTETS, value
    boundary = multipart.new_boundary()
    part: tuple[dict[str, str], Iterable[bytes]] = ({"Content-Type": OCTETS}, (value,))
    return multipart.content_type(boundary, OCTETS), b"".join(multipart.parts(boundary, [part]))


def picture(
    objects: Objects,
    place: InstancePlace,
    number: int,
    *,
    window: tuple[float, float] | None,
    viewport: tuple[int, int] | None,
    media: str,
) -> bytes:
    """A frame rendered as `media`, image/jpeg or image/png.

    Raises:
        NotRenderable, NoSuchFrame
    """
    (frame,) = frames_of(objects, place, [number])
    dataset = header_of(source_of(objects, place))
    return render(dataset, frame, place.transfer_syntax_uid, window=window, viewport=viewport, picture=media)
