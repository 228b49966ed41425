"""Which object a data set says it is, however wrong that is: for the answer to its sender when it is refused."""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import NamedTuple

from heliograph.kit.codecs.dicom.errors import DicomError
from heliograph.kit.codecs.dicom.header import locate_data_set
from heliograph.kit.codecs.dicom.part10 import DEFLATED, read_file_meta
from heliograph.kit.codecs.dicom.source import Source, opened
from heliograph.kit.codecs.dicom.walk import elements, encoding_of

MOST = 128
"""Characters of what stands for a UID that are told."""
_BEGINNING = 64 << 10
_TAGS = (0x0008_0016, 0x0008_0018, 0x0020_000D, 0x0020_000E)


class Claimed(NamedTuple):
    """UIDs as they stand, valid or not; empty where there is none."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""


def claimed(source: Source) -> Claimed:
    """What can be read of its identity; never raises for what the bytes are. Of a deflated data set only the beginning is inflated."""
    found: dict[int, str] = {}
    with opened(source) as data:
        with suppress(DicomError, RecursionError):
            meta = read_file_meta(data)
            found = {0x0008_0016: meta.sop_class_uid[:MOST], 0x0008_0018: meta.sop_instance_uid[:MOST]}
        with suppress(DicomError, RecursionError, zlib.error):
            start, syntax = locate_data_set(data)
            if syntax in DEFLATED:
                inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[start:], _BEGINNING)
                _collect(memoryview(inflated), 0, syntax, found)
            else:
                _collect(data, start, syntax, found)
    return Claimed(*(found.get(tag, "") for tag in _TAGS))


def _collect(data: memoryview, start: int, syntax: str, found: dict[int, str]) -> None:
    for element in elements(data, start, len(data), encoding_of(syntax)):
        if element.tag > _TAGS[-1]:
            break
        if element.tag in _TAGS and element.length:
            value = bytes(data[element.offset : element.offset + min(element.length, MOST)])
            found[element.tag] = value.decode("ascii", "replace").strip(" \0")
