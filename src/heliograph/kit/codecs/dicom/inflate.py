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
    """The data set inside a raw deflate stream; at most `max_inflated` bytes. One in a zlib wrapper (RFC 1950), which is wrong, is taken.

    Raises:
        Bomb: it expands beyond `max_inflated`, or beyond 250:1 after the first 32 MiB.
        Truncated: the stream is damaged or has no end.
    """
    stream = zlib.decompressobj(zlib.MAX_WBITS if _is_wrapped(data) else -zlib.MAX_WBITS)
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


def _is_wrapped(data: memoryview) -> bool:
    """A zlib header; a raw stream that began so would be a stored block whose two lengths belie each other."""
    return len(data) > 5 and data[0] == 0x78 and int.from_bytes(data[:2], "big") % 31 == 0 and not _is_stored(data)


def _is_stored(data: memoryview) -> bool:
    return int.from_bytes(data[1:3], "little") ^ int.from_bytes(data[3:5], "little") == 0xFFFF
