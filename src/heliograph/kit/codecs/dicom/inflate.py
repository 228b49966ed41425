"""Bounded inflation of deflated data sets (PS3.5 A.5): a few hundred kilobytes must not fill the memory."""

from __future__ import annotations

import zlib

from heliograph.kit.codecs.dicom.errors import Bomb, Truncated

MAX_INFLATED = 512 << 20
# Deflate cannot exceed about 1030:1. Real objects stay far below 250:1, except small ones that are all zero.
MAX_RATIO = 250
RATIO_FREE = 32 << 20
_STEP = 4 << 20


def inflate(data: memoryview, *, max_inflated: int = MAX_INFLATED) -> bytes:
    """The data set inside a raw deflate stream; at most `max_inflated` bytes.

    Raises:
        Bomb: it expands beyond `max_inflated`, or beyond 250:1 after the first 32 MiB.
        Truncated: the stream is damaged or has no end.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    parts: list[bytes] = []
    size, rest = 0, bytes(data)
    try:
        while not stream.eof:
            part = stream.decompress(rest, _STEP)
            rest = stream.unconsumed_tail
            size += len(part)
            if size > max_inflated or (size > RATIO_FREE and size > MAX_RATIO * len(data)):
                raise Bomb("the deflated data set expands beyond what a real object does")
            if not part and not rest and not stream.eof:
                raise Truncated("the deflated data set has no end")
            parts.append(part)
    except zlib.error:
        raise Truncated("the deflated data set is damaged") from None
    return b"".join(parts)
