"""Identifiers of queries (PS3.4 C.2.2.1, C.4): data sets <-> bytes in the syntax that was agreed on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import Any, Literal

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.multival import MultiValue

from heliograph.kit.codecs.dicom.part10 import EXPLICIT_BIG, IMPLICIT_LITTLE
from heliograph.kit.net.dicom.errors import ProtocolError

Level = Literal["PATIENT", "STUDY", "SERIES", "IMAGE"]


def query_for(level: Level, keys: Mapping[str, Any]) -> Dataset:
    """An identifier: keys by keyword; an empty value asks for the attribute, another must match (PS3.4 C.2.2.2)."""
    query = Dataset()
    if not all(str(value).isascii() for value in keys.values()):
        query.SpecificCharacterSet = "ISO_IR 192"
    query.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    return query


def encode_identifier(query: Dataset, transfer_syntax: str) -> bytes:
    """The data set as bytes."""
    out = DicomBytesIO()
    out.is_little_endian = transfer_syntax != EXPLICIT_BIG
    out.is_implicit_VR = transfer_syntax == IMPLICIT_LITTLE
    write_dataset(out, query)
    return out.getvalue()


def decode_identifier(data: bytes, transfer_syntax: str, *, fallback_charset: str | None = None) -> Dataset:
    """The data set of a query or an answer, decoded where it is looked at.

    `fallback_charset` are the defined terms of the character set in which the peer writes what it declares none for; the data set
    then names it.

    Raises:
        ProtocolError: it can't be read.
    """
    found = _read(data, transfer_syntax)
    if fallback_charset and not found.get("SpecificCharacterSet") and _is_beyond_ascii(found):
        declared = Dataset()
        declared.SpecificCharacterSet = fallback_charset.split("\\")
        found = _read(
            encode_identifier(declared, transfer_syntax) + data, transfer_syntax
        )  # it splits text as it reads
    with suppress(Exception), _quiet():  # text in an unknown character set stays as it came: the match still counts
        found.decode()
    return found


def _read(data: bytes, transfer_syntax: str) -> Dataset:
    try:
        return read_dataset(
            BytesIO(data),
            is_implicit_VR=transfer_syntax == IMPLICIT_LITTLE,
            is_little_endian=transfer_syntax != EXPLICIT_BIG,
        )
    except Exception as error:  # whatever the peer sent: pydicom raises many kinds
        raise ProtocolError("the peer sent an identifier that can't be read") from error


def _is_beyond_ascii(found: Dataset) -> bool:
    """Whether text at its top is beyond ASCII, or has escapes. Nothing is decoded yet."""
    raw = [element.value for element in found._dict.values() if isinstance(element, RawDataElement)]
    return any(isinstance(value, bytes) and (not value.isascii() or b"\x1b" in value) for value in raw)


def text_of(found: Dataset, keyword: str) -> str:
    """An attribute of an answer as text without padding, several values with backslashes between; absent and empty are the same: ""."""
    with _quiet():
        value = found.get(keyword)
    if value is None:
        return ""
    values = value if isinstance(value, MultiValue | list) else [value]
    return "\\".join(str(v).strip(" \0") for v in values)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without pydicom's warnings of odd values, which would put them into the log."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
