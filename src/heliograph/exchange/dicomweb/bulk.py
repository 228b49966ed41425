"""Bulk data by the path that the metadata's BulkDataURI names: tags, and item numbers from 0, joined by "/"."""

from __future__ import annotations

import re

from heliograph.kit.codecs.dicom import DicomError, Source, inflate, locate_data_set, opened
from heliograph.kit.codecs.dicom.explicit import WIDTHS, little, pixel_value
from heliograph.kit.codecs.dicom.part10 import DEFLATED
from heliograph.kit.codecs.dicom.walk import PIXEL_TAGS, Element, elements, encoding_of, items
from heliograph.kit.errors import NotFound

ENCAPSULATED_DOCUMENT = "00420011"
_PATH = re.compile(r"[0-9A-F]{8}(/\d{1,6}/[0-9A-F]{8}){0,32}", re.IGNORECASE)
_MEDIA = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}")


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


def document_type(file: Source) -> str:
    """The MIME type of an encapsulated document (PS3.3 C.24.2), "" if it tells none."""
    try:
        text = bulk_value(file, "00420012").decode("ascii", "replace").strip(" \0").lower()
    except NotFound:
        return ""
    return text if _MEDIA.fullmatch(text) else ""


def document(file: Source) -> bytes:
    """An encapsulated document without its padding. Raises NotFound."""
    content = bulk_value(file, ENCAPSULATED_DOCUMENT)
    try:
        length = int.from_bytes(bulk_value(file, "00420015"), "little")
    except NotFound:
        length = 0
    return content[:length] if len(content) - 1 <= length <= len(content) else content.removesuffix(b"\0")


def _value(data: memoryview, steps: list[str]) -> bytes:
    start, syntax = locate_data_set(data)
    if syntax in DEFLATED:
        data, start = memoryview(inflate(data[start:])), 0
    encoding, stop, delimited = encoding_of(syntax), len(data), False
    for step in range(0, len(steps), 2):
        tag, depth = int(steps[step], 16), step // 2
        inside = elements(data, start, stop + 8 * delimited, encoding, depth=depth, in_item=delimited)
        allocated = 8
        for found in inside:
            if found.tag == 0x00280100:
                allocated = int.from_bytes(
                    data[found.offset : found.offset + 2], "little" if encoding.little else "big"
                )
            if found.tag == tag:
                break
        else:
            raise NotFound
        if step + 1 == len(steps):
            if found.tag in PIXEL_TAGS:
                return pixel_value(data, found, encoding, allocated)
            return _little(data, found, is_little=encoding.little)
        parts = enumerate(items(data, found, depth=depth + 1))
        place = next((item for number, item in parts if number == int(steps[step + 1])), None)
        if place is None:
            raise NotFound
        (start, stop, delimited), encoding = place, found.inner
    raise NotFound


def _little(data: memoryview, element: Element, *, is_little: bool) -> bytes:
    value = bytes(data[element.offset : element.offset + element.length])
    return value if is_little else little(value, WIDTHS.get(element.vr.split(" ")[0], 1))
