"""A structured report as text a person can read (PS3.3 C.17.3): its content tree, a line an item."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from pydicom import Dataset

_MOST_DEPTH = 32
_TEXTS = {
    "TEXT": "TextValue",
    "DATE": "Date",
    "TIME": "Time",
    "DATETIME": "DateTime",
    "PNAME": "PersonName",
    "UIDREF": "UID",
}


def is_report(dataset: Dataset) -> bool:
    """Whether the object is a structured report."""
    return str(dataset.get("ValueType") or "") == "CONTAINER" and "ContentSequence" in dataset


def lines_of(dataset: Dataset) -> Iterator[tuple[int, str]]:
    """(depth from 0, text) of each item of the report that has words."""
    yield from _lines(dataset, 0)


def plain(dataset: Dataset) -> bytes:
    """The report as UTF-8 text, indented by depth."""
    return ("\n".join("  " * depth + text for depth, text in lines_of(dataset)) + "\n").encode()


def html(dataset: Dataset) -> bytes:
    """The report as a page without scripts or styles."""
    rows = "\n".join(f'<p style="margin-left:{depth}em">{escape(text)}</p>' for depth, text in lines_of(dataset))
    return f'<!doctype html>\n<html><head><meta charset="utf-8"><title>Report</title></head><body>\n{rows}\n</body></html>\n'.encode()


def _lines(item: Dataset, depth: int) -> Iterator[tuple[int, str]]:
    name, value = _meaning(item.get("ConceptNameCodeSequence")), _value(item)
    text = f"{name}: {value}" if name and value else name or value
    if text:
        yield depth, text
    if depth < _MOST_DEPTH:
        for inner in item.get("ContentSequence") or []:
            yield from _lines(inner, depth + 1)


def _value(item: Dataset) -> str:
    kind = str(item.get("ValueType") or "")
    if kind == "CODE":
        return _meaning(item.get("ConceptCodeSequence"))
    if kind == "NUM":
        measured = (item.get("MeasuredValueSequence") or [None])[0]
        if measured is None:
            return ""
        return f"{measured.get('NumericValue', '')} {_meaning(measured.get('MeasurementUnitsCodeSequence'))}".strip()
    return str(item.get(_TEXTS[kind]) or "").strip() if kind in _TEXTS else ""


def _meaning(codes: object) -> str:
    for code in codes if isinstance(codes, list) or hasattr(codes, "__iter__") else ():
        return str(code.get("CodeMeaning") or code.get("CodeValue") or "")
    return ""
