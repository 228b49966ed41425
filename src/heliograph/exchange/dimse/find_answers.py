"""Identifiers of C-FIND responses: DICOM JSON elements as a data set, in a character set that can carry them (PS3.5 6.1)."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydicom import DataElement, Dataset, config
from pydicom.charset import convert_encodings, decode_bytes, encode_string, python_encoding
from pydicom.valuerep import format_number_as_ds

from heliograph.records.archive.search_attributes import vr_of

UTF_8: Final = "ISO_IR 192"
_LIMITED: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""VRs whose text is in the Specific Character Set."""
_ASCII: Final = frozenset({"", "ISO_IR 6", "ISO 2022 IR 6"})
_TEXT: Final = _LIMITED | {"AE", "AS", "CS", "DA", "DT", "TM", "UI", "UR"}


def data_set(elements: Mapping[str, Any], asked: Mapping[str, Any], character_set: tuple[str, ...]) -> Dataset:
    """The elements by tag as a data set, with each that was asked for, empty where there is no value.

    `asked` is a tree of tags; `character_set` is what the caller wrote in: it is answered in the same if that can carry the text,
    else in UTF-8, and never in question marks.
    """
    made = _made(elements, asked)
    texts = list(_texts(made))
    if all(text.isascii() for text in texts) and not character_set:
        return made
    made.SpecificCharacterSet = (
        _one_or_list(character_set) if character_set and all(_carries(character_set, t) for t in texts) else UTF_8
    )
    return made


def _one_or_list(terms: tuple[str, ...]) -> str | list[str]:
    return terms[0] if len(terms) == 1 else list(terms)


def _made(elements: Mapping[str, Any], asked: Mapping[str, Any]) -> Dataset:
    made = Dataset()
    for tag in sorted({*elements, *asked}):
        inner = asked.get(tag) or {}
        entry = elements.get(tag)
        vr = str(entry["vr"]) if entry else vr_of(tag)
        if vr:
            made[int(tag, 16)] = _element(tag, vr, entry or {}, inner)
    return made


def _element(tag: str, vr: str, entry: Mapping[str, Any], inner: Mapping[str, Any]) -> DataElement:
    value: Any
    if vr == "SQ":
        value = [_made(item, inner) for item in entry.get("Value", [])]
    elif "InlineBinary" in entry:
        value = base64.b64decode(entry["InlineBinary"])
    else:
        values = [_value(vr, v) for v in entry.get("Value", [])]
        value = values if len(values) > 1 else values[0] if values else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values as the images have them, odd or not
        return DataElement(int(tag, 16), vr, value, validation_mode=config.IGNORE)


def _value(vr: str, value: Any) -> Any:
    if value is None:
        return ""
    if vr == "PN":
        groups = [value.get(g, "") for g in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(groups).rstrip("=")
    if vr == "DS":
        if isinstance(value, int | float):
            text = str(value)
            return text if len(text) <= 16 else format_number_as_ds(value)
        return str(value)
    if vr == "AT":
        return int(value, 16)
    return str(value) if vr in _TEXT or vr == "IS" else value


def _texts(data: Dataset) -> Iterator[str]:
    for element in data:
        if element.VR == "SQ":
            for item in element.value:
                yield from _texts(item)
        elif element.VR in _LIMITED and element.value is not None:
            values = element.value if isinstance(element.value, list) or element.VM > 1 else [element.value]
            yield from (str(v) for v in values)


def _carries(character_set: tuple[str, ...], text: str) -> bool:
    """Whether the text comes back as it is from these character sets: single values and code extensions alike."""
    if text.isascii():
        return True
    if not all(term in python_encoding for term in character_set):
        return False
    if character_set[0] in _ASCII and (len(character_set) == 1 or any("\x80" <= c <= "\xff" for c in text)):
        return False  # pydicom would write Latin-1, which the default repertoire is not
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            encodings = convert_encodings(list(character_set))
            parts = text.replace("=", "^").split("^")
            return all(decode_bytes(encode_string(p, encodings), encodings, set()) == p for p in parts)
        except (LookupError, ValueError):
            return False
