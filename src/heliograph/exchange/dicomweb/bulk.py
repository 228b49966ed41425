"""Bulk data by the path that the metadata's BulkDataURI names: tags, and item numbers from 0, joined by "/"."""

from __future__ import annotations

import re

from heliograph.kit.codecs.dicom import DicomError, Source, inflate, locate_data_set, opened
from heliograph.kit.codecs.dicom.part10 import DEFLATED
from heliograph.kit.codecs.dicom.walk import PIXEL_TAGS, Element, elements, encoding_of, items
from heliograph.kit.errors import NotFound

_PATH = re.compile(r"[0-9A-F]{8}(/\d{1,6}/[0-9A-F]{8}){0,32}", re.IGNORECASE)
_WIDTHS = {
    "OW": 2,
    "OL": 4,
    "OF": 4,
    "OD": 8,
    "OV": 8,
    "US": 2,
    "SS": 2,
    "UL": 4,
    "SL": 4,
    "FL": 4,
    "FD": 8,
    "UV": 8,
    "SV": 8,
}


def is_pixel_data(path: str) -> bool:
    """Whether `path` is the object's pixel data itself, whose frames are told apart by the frame table."""
    return path.upper() in {f"{tag:08X}" for tag in PIXEL_TAGS}


def bulk_value(file: Source, path: str) -> bytes:
    """The value at `path` in a Part 10 file, little endian (PS3.18 8.7.3.5).

    Raises:
        NotFound: no such element.
    """
    if not _PATH.fullmatch(path):
        raise NotFound
    with opened(file) as data:
        try:
            return _value(data, path.split("/"))
        except DicomError as error:
            raise NotFound from error


def _value(data: memoryview, steps: list[str]) -> bytes:
    start, syntax = locate_data_set(data)
    if syntax in DEFLATED:
        data, start = memoryview(inflate(data[start:])), 0
    encoding, stop, delimited = encoding_of(syntax), len(data), False
    for step in range(0, len(steps), 2):
        tag, depth = int(steps[step], 16), step // 2
        inside = elements(data, start, stop + 8 * delimited, encoding, depth=depth, in_item=delimited)
        found = next((e for e in inside if e.tag == tag), None)
        if found is None:
            raise NotFound
        if step + 1 == len(steps):
            return _little(data, found, little=encoding.little)
        parts = enumerate(items(data, found, depth=depth + 1))
        place = next((item for number, item in parts if number == int(steps[step + 1])), None)
        if place is None:
            raise NotFound
        (start, stop, delimited), encoding = place, found.inner
    raise NotFound


def _little(data: memoryview, element: Element, *, little: bool) -> bytes:
    value = bytes(data[element.offset : element.offset + element.length])
    width = _WIDTHS.get(element.vr.split(" ")[0], 1)
    if little or width == 1 or len(value) % width:
        return value
    return b"".join(value[i : i + width][::-1] for i in range(0, len(value), width))
