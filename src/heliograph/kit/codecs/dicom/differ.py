"""How two objects differ: in which elements, and whether in their pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from heliograph.kit.codecs.dicom.errors import DicomError, FrameMissing
from heliograph.kit.codecs.dicom.frames import frame_table, read_little_frame
from heliograph.kit.codecs.dicom.header import locate_data_set, read_header
from heliograph.kit.codecs.dicom.inflate import inflate
from heliograph.kit.codecs.dicom.model import dicom_json
from heliograph.kit.codecs.dicom.part10 import DEFLATED
from heliograph.kit.codecs.dicom.pixels import DECODABLE, image_facts
from heliograph.kit.codecs.dicom.source import Source, opened
from heliograph.kit.codecs.dicom.transcode import native_frame
from heliograph.kit.codecs.dicom.walk import PIXEL_TAGS, Element, Encoding, elements, encoding_of


def differing(one: Source, other: Source) -> set[int]:
    """The tags, at the top of the data sets, of elements that only one has, or whose values differ; pixel data is left out.

    Text is compared as text, whatever its character set; how elements are laid out does not matter. Binary values that the JSON
    model only refers to differ unless they are the same bytes in the same layout.

    Raises:
        NotDicom, Truncated, TooDeep, Bomb: as `read_header`.
    """
    with opened(one) as first, opened(other) as second:
        (mine, of_mine, layout), (theirs, of_theirs, other_layout) = _elements(first), _elements(second)
        doubtful = set(of_mine.keys() ^ of_theirs.keys())
        for tag in of_mine.keys() & of_theirs.keys():
            is_same = layout == other_layout and _raw(mine, of_mine[tag]) == _raw(theirs, of_theirs[tag])
            if not is_same:
                doubtful.add(tag)
        doubtful = {tag for tag in doubtful if tag not in PIXEL_TAGS and tag & 0xFFFF and tag >> 16 != 0xFFFC}
        if not doubtful:
            return set()
        documents = dicom_json(first), dicom_json(second)
        return {tag for tag in doubtful if not _is_equal(*documents, f"{tag:08X}")}


def same_pixels(one: Source, other: Source) -> bool | None:
    """Whether all frames are the same: byte for byte, or decoded where the transfer syntaxes differ. None: nobody can tell."""
    with opened(one) as first, opened(other) as second:
        try:
            mine, theirs = Frames(first), Frames(second)
            if not (mine.count and theirs.count):
                return None
            if mine.count != theirs.count:
                return False
            if mine.syntax == theirs.syntax:
                return all(mine.stored(n) == theirs.stored(n) for n in range(1, mine.count + 1))
            return all(mine.native(n) == theirs.native(n) for n in range(1, mine.count + 1))
        except DicomError:
            return None


class Frames:
    """The frames of one object in memory, `count` of them, numbered from 1. Everything raises DicomError."""

    def __init__(self, data: memoryview) -> None:
        start, self.syntax = locate_data_set(data)
        is_deflated = self.syntax in DEFLATED
        self._body = memoryview(inflate(data[start:])) if is_deflated else data
        self._start = 0 if is_deflated else start
        self._table = frame_table(data)
        self.count = self._table.frames if self._table is not None else 0
        try:
            self._allocated = read_header(data).bits_allocated
        except DicomError:  # it may be looked at because it says not what it is
            self._allocated = None

    def stored(self, number: int) -> bytes:
        """A frame as stored, little endian where it is native."""
        if self._table is None:
            raise FrameMissing(number, "there is no pixel data")
        return read_little_frame(
            self._table, number, self._allocated, lambda at, size: bytes(self._body[at : at + size])
        )

    def native(self, number: int) -> bytes:
        """A frame as native little endian samples."""
        frame = self.stored(number)
        if self.syntax not in DECODABLE:
            return frame
        return native_frame(image_facts(self._body, self._start, encoding_of(self.syntax)), frame, self.syntax)


def _elements(data: memoryview) -> tuple[memoryview, dict[int, Element], Encoding]:
    start, syntax = locate_data_set(data)
    body = data
    if syntax in DEFLATED:
        body, start = memoryview(inflate(data[start:])), 0
    layout = encoding_of(syntax)
    found: dict[int, Element] = {}
    for element in elements(body, start, len(body), layout):
        found.setdefault(element.tag, element)
    return body, found, layout


def _raw(data: memoryview, element: Element) -> memoryview:
    return data[element.offset : element.offset + element.length]


def _is_equal(one: Mapping[str, Any], other: Mapping[str, Any], tag: str) -> bool:
    mine, theirs = one.get(tag), other.get(tag)
    if mine is None or theirs is None or mine != theirs:
        return False
    return "BulkDataURI" not in json.dumps(mine)
