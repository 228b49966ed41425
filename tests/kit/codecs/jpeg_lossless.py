"""Lossless JPEG streams (ITU T.81 Annex H) made from what the standard says, so that no decoder is judged by its own encoder."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray


def lossless_jpeg(
    samples: NDArray[Any],
    *,
    precision: int,
    predictor: int = 1,
    shift: int = 0,
    restart_rows: int = 0,
    interleaved: bool = True,
    long_way: bool = False,
) -> bytes:
    """(rows, columns, components) or (rows, columns) as one SOF3 stream.

    `long_way` codes each difference d as d - 65536 or d + 65536 where that fits: legal, since predictors wrap modulo 65536 (H.1.2.1).
    """
    planes = samples[..., None] if samples.ndim == 2 else samples
    rows, columns, count = planes.shape
    frame = struct.pack(">BHHB", precision, rows, columns, count) + b"".join(
        bytes((k + 1, 0x11, 0)) for k in range(count)
    )
    # All 17 categories, five bits each: codes 00000 to 10000.
    table = bytes((0, *[0, 0, 0, 0, 17], *[0] * 11, *range(17)))
    made = b"\xff\xd8" + _segment(0xC3, frame) + _segment(0xC4, table)
    if restart_rows:
        made += _segment(0xDD, struct.pack(">H", restart_rows * columns))
    for group in [list(range(count))] if interleaved else [[k] for k in range(count)]:
        scan = bytes((len(group), *[part for k in group for part in (k + 1, 0)], predictor, 0, shift))
        made += _segment(0xDA, scan) + _scan(
            planes[..., group] >> shift, precision - shift, predictor, restart_rows, long_way
        )
    return made + b"\xff\xd9"


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def _scan(planes: NDArray[Any], precision: int, predictor: int, restart_rows: int, long_way: bool) -> bytes:
    rows, columns, count = planes.shape
    made, bits = b"", ""
    for row in range(rows):
        begins = row == 0 or (restart_rows > 0 and row % restart_rows == 0)
        if begins and row:
            made += _bytes(bits) + bytes((0xFF, 0xD0 + (row // restart_rows - 1) % 8))
            bits = ""
        for column in range(columns):
            for k in range(count):
                plane = planes[..., k].astype(int)
                predicted = _predicted(plane, row, column, predictor, 1 << (precision - 1), begins=begins)
                bits += _coded(int(plane[row, column]) - predicted, long_way)
    return made + _bytes(bits)


def _predicted(plane: NDArray[Any], row: int, column: int, predictor: int, first: int, *, begins: bool) -> int:
    """Table H.1; the first line of an interval is predicted from the left, each other one begins with the sample above."""
    if begins:
        return int(plane[row, column - 1]) if column else first
    if not column:
        return int(plane[row - 1, 0])
    a, b, c = int(plane[row, column - 1]), int(plane[row - 1, column]), int(plane[row - 1, column - 1])
    return (a, b, c, a + b - c, a + (b - c >> 1), b + (a - c >> 1), a + b >> 1)[predictor - 1]


def _coded(difference: int, long_way: bool) -> str:
    """A difference modulo 65536 as its category (Table H.2) and the bits that tell it from others there."""
    difference = (difference + 32767) % 65536 - 32767
    if long_way and difference:
        other = difference - 65536 if difference > 0 else difference + 65536
        if abs(other) <= 32767:
            difference = other
    if difference == 32768:
        return f"{16:05b}"
    category = abs(difference).bit_length()
    return f"{category:05b}" + (
        f"{difference if difference > 0 else difference + (1 << category) - 1:0{category}b}" if category else ""
    )


def _bytes(bits: str) -> bytes:
    bits += "1" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)).replace(b"\xff", b"\xff\0")


def wrapped_example() -> tuple[bytes, NDArray[np.uint8]]:
    """Two lines 52 128 52 200 where 128 after 52 is coded as the difference -180 instead of +76, which 8-bit encoders write.

    In arithmetic modulo 256 both are the same; the standard's is modulo 65536 (H.1.2.1), so the sample is read as 52 - 180 = -128:
    its low 8 bits are 128.
    """
    samples = np.array([[52, 128, 52, 200], [52, 128, 52, 200]], np.uint8)
    bits = ""
    for row in (0, 1):
        before = 128 if row == 0 else 52
        for sample in samples[row].tolist():
            difference = -180 if (before, sample) == (52, 128) else sample - before
            bits += _coded(difference, long_way=False)
            before = sample
    frame = struct.pack(">BHHB", 8, 2, 4, 1) + b"\x01\x11\x00"
    table = bytes((0, *[0, 0, 0, 0, 17], *[0] * 11, *range(17)))
    head = b"\xff\xd8" + _segment(0xC3, frame) + _segment(0xC4, table) + _segment(0xDA, b"\x01\x01\x00\x01\x00\x00")
    return head + _bytes(bits) + b"\xff\xd9", samples
