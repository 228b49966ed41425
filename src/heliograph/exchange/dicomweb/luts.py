"""Lookup tables of an image: modality and VOI (PS3.3 C.11.1, C.11.2), palettes (C.7.6.3.1.5, C.7.9). Read leniently, bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

Values = NDArray[Any]
_MOST_ENTRIES = 65536
_CHANNELS = ("Red", "Green", "Blue")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """`entries[i]` is what input `first` + i becomes; inputs beyond either end get the entry there. `bits` of an entry are used."""

    first: int
    entries: Values
    bits: int

    def of(self, inputs: Values) -> Values:
        """The entries of inputs, which may be fractions."""
        index = np.clip(np.rint(inputs) - self.first, 0, len(self.entries) - 1)
        made: Values = self.entries[index.astype(np.int64)]
        return made


def value_of(dataset: Dataset, name: str) -> Any:
    """The value of an element, None if it has none or one that can't be read."""
    try:
        value = dataset.get(name)
    except Exception:  # noqa: BLE001 - pydicom raises what it likes at a value; one bad element hides no picture
        return None
    return None if value is None or value == "" else value


def table_in(item: Dataset, *, signed: bool) -> Table | None:
    """The table of a modality or VOI LUT item, whose inputs may be negative where `signed`; None if it holds none."""
    described = _descriptor(item, "LUTDescriptor", signed=signed)
    data = value_of(item, "LUTData")
    if described is None or data is None:
        return None
    count, first, bits = described
    entries = _entries(data, count, bits)
    if not len(entries):
        return None
    # A table that holds more than it says (C.11.2.1.1: "bits" of VOI tables are often wrong) is taken at its word.
    return Table(first, entries, max(bits, int(entries.max()).bit_length()))


def palette_in(dataset: Dataset, *, signed: bool) -> list[Table] | None:
    """Red, green and blue, with entries of 8 bits; None if the data set has no whole palette."""
    tables = []
    for channel in _CHANNELS:
        described = _descriptor(dataset, f"{channel}PaletteColorLookupTableDescriptor", signed=signed)
        plain = value_of(dataset, f"{channel}PaletteColorLookupTableData")
        segmented = value_of(dataset, f"Segmented{channel}PaletteColorLookupTableData")
        if described is None or (plain is None and segmented is None):
            return None
        count, first, bits = described
        entries = _entries(plain, count, bits) if plain is not None else _expanded(segmented, count, bits)
        if not len(entries):
            return None
        tables.append(Table(first, entries, bits))
    # 16 bits are said of palettes that hold 8, and the other way round; only what they hold tells.
    is_wide = any(int(table.entries.max()) > 255 for table in tables)
    return [Table(t.first, (t.entries >> 8 * is_wide).astype(np.uint8), 8) for t in tables]


def _descriptor(dataset: Dataset, name: str, *, signed: bool) -> tuple[int, int, int] | None:
    """(number of entries, first input, bits of an entry)."""
    value = value_of(dataset, name)
    try:
        count, first, bits = (int(part) for part in value)
    except (TypeError, ValueError):
        return None
    if signed and first > 0x7FFF:  # its value representation is for the writer to choose, and often wrong
        first -= 0x10000
    return count or _MOST_ENTRIES, first, bits if 1 <= bits <= 16 else 16


def _entries(data: Any, count: int, bits: int) -> Values:
    if isinstance(data, bytes):
        in_bytes = bits <= 8 and len(data) < 2 * count
        data = np.frombuffer(data, np.uint8) if in_bytes or len(data) == count else _words(data)
    entries = np.atleast_1d(np.asarray(data)).astype(np.int64)
    return entries[: min(count, _MOST_ENTRIES)] & 0xFFFF


def _words(data: bytes) -> Values:
    return np.frombuffer(data, "<u2", len(data) // 2)


def _expanded(data: Any, count: int, bits: int) -> Values:
    """A segmented table (C.7.9.2), up to `count` entries; it ends where its segments make no sense."""
    if not isinstance(data, bytes):
        return np.empty(0, np.int64)
    codes = (np.frombuffer(data, np.uint8) if bits <= 8 else _words(data)).tolist()
    made: list[int] = []
    _expand(codes, 0, None, made, count, width=1 if bits <= 8 else 2)
    return np.asarray(made[:count], np.int64)


def _expand(codes: Sequence[int], at: int, segments: int | None, made: list[int], most: int, *, width: int) -> None:
    """Appends the entries of `segments` segments from `at` on, or of all."""
    done = 0
    while at + 2 < len(codes) and len(made) < most and (segments is None or done < segments):
        kind, length = codes[at], codes[at + 1]
        if kind == 0:
            made += codes[at + 2 : at + 2 + length]
            at += 2 + length
        elif kind == 1 and made and length:
            begin, end = made[-1], codes[at + 2]
            made += [round(begin + (end - begin) * step / length) for step in range(1, length + 1)]
            at += 3
        elif kind == 2 and segments is None:  # no indirect segment may lead to another
            size = 4 // width
            offset = int.from_bytes(
                b"".join(c.to_bytes(width, "little") for c in codes[at + 2 : at + 2 + size]), "little"
            )
            _expand(codes, offset // width, length, made, most, width=width)
            at += 2 + size
        else:
            return
        done += 1
