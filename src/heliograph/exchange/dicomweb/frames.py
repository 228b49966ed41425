"""Frames and whole objects by their place: one range read each, without the database where the place is remembered."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

from heliograph.exchange.dicomweb.visible import Seen
from heliograph.kit.actor import Actor
from heliograph.kit.codecs.dicom import FrameMissing, FrameTable, inflate
from heliograph.kit.codecs.dicom.frames import read_little_frame
from heliograph.kit.errors import NotFound
from heliograph.kit.objects import Objects
from heliograph.kit.work import WorkFactory
from heliograph.records.archive.overlay import source_of, whole_object
from heliograph.records.archive.queries import InstancePlace, instance_places

_MOST_REMEMBERED = 50_000
_PIECE = 1 << 20


class NoSuchFrame(NotFound):
    """The object has no such frame, or its bytes are missing."""


class Places:
    """Where instances are. Within a revision of the study a place never changes, so it is remembered; who may ask, and which revision
    holds, is the gate's business. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[UUID, int, str, str], InstancePlace] = OrderedDict()

    def remembered(self, seen: Seen, series_uid: str, sop_uid: str) -> InstancePlace | None:
        """The place of one instance, if it is remembered."""
        key = (seen.study_id, seen.revision, series_uid, sop_uid)
        with self._lock:
            found = self._known.get(key)
            if found is not None:
                self._known.move_to_end(key)
        return found

    def find(self, works: WorkFactory, actor: Actor, seen: Seen, series_uid: str, sop_uid: str) -> InstancePlace:
        """The place of one instance; the whole series is remembered at the first question.

        Raises:
            NotFound: no such instance in this series.
        """
        found = self.remembered(seen, series_uid, sop_uid)
        if found is not None:
            return found
        with works.read(actor) as work:
            places = instance_places(work.session, seen.study_id, series_instance_uid=series_uid)
        with self._lock:
            for place in places:
                self._known[seen.study_id, seen.revision, series_uid, place.sop_instance_uid] = place
            while len(self._known) > _MOST_REMEMBERED:
                self._known.popitem(last=False)
            found = next((p for p in places if p.sop_instance_uid == sop_uid), None)
        if found is None:
            raise NotFound
        return found


def frames_of(objects: Objects, place: InstancePlace, numbers: list[int]) -> list[bytes]:
    """The bytes of frames, numbered from 1, as stored.

    Raises:
        NoSuchFrame
    """
    if place.frame_table is None:
        raise NoSuchFrame
    table = FrameTable.from_bytes(place.frame_table)
    read = _inflated(objects, place) if table.deflated else _ranges(objects, place)
    try:
        return [read_little_frame(table, number, place.bits_allocated, read) for number in numbers]
    except FrameMissing as error:
        raise NoSuchFrame(error.detail) from error


def head_of(objects: Objects, place: InstancePlace) -> Path | bytes:
    """The stored file up to its pixels, however many there are; the whole of it where it is deflated or has none."""
    table = FrameTable.from_bytes(place.frame_table) if place.frame_table is not None else None
    if table is None or table.deflated:
        return source_of(objects, place)
    return objects.get_range(place.object_key, place.object_offset, table.first)


def _ranges(objects: Objects, place: InstancePlace) -> Callable[[int, int], bytes]:
    def read(offset: int, length: int) -> bytes:
        return objects.get_range(place.object_key, place.object_offset + offset, length) if length else b""

    return read


def _inflated(objects: Objects, place: InstancePlace) -> Callable[[int, int], bytes]:
    body = inflate(memoryview(whole_object(objects, place))[place.dataset_offset :])
    return lambda offset, length: body[offset : offset + length]


def range_pieces(objects: Objects, place: InstancePlace, offset: int, length: int) -> Iterator[bytes]:
    """`length` bytes of the stored file from `offset`, in pieces of a mebibyte."""
    for at in range(0, length, _PIECE):
        size = min(_PIECE, length - at)
        yield objects.get_range(place.object_key, place.object_offset + offset + at, size)
