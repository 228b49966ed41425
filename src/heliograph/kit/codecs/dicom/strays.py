"""Elements of messages and files (groups 0000 and 0002) that stand inside a data set, where they have no place.

PS3.7 9.3 keeps group 0000 to command sets, PS3.10 7.1 group 0002 to the file meta information. Who reads the second of two transfer
syntaxes in a file would read all that follows wrongly.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from heliograph.kit.codecs.dicom.header import locate_data_set
from heliograph.kit.codecs.dicom.inflate import inflate
from heliograph.kit.codecs.dicom.part10 import DEFLATED
from heliograph.kit.codecs.dicom.walk import elements, encoding_of

STRAY_GROUPS = frozenset({0x0000, 0x0002})


def without_strays(data: memoryview) -> list[bytes | memoryview]:
    """A DICOM file without them at the top of its data set; every other byte as it is, in views of `data`.

    A deflated data set is deflated anew (PS3.5 A.5).

    Raises:
        NotDicom, Truncated, TooDeep, Bomb: as `read_header`.
    """
    start, syntax = locate_data_set(data)
    if syntax not in DEFLATED:
        return [data[:start], *_kept(data, start, syntax)]
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    body = memoryview(inflate(data[start:]))
    packed = b"".join(stream.compress(piece) for piece in _kept(body, 0, syntax)) + stream.flush()
    return [data[:start], packed + b"\0" * (len(packed) % 2)]


def _kept(data: memoryview, start: int, syntax: str) -> Iterator[memoryview]:
    at = kept = start
    for element in elements(data, start, len(data), encoding_of(syntax)):
        if element.tag >> 16 in STRAY_GROUPS:
            yield data[kept:at]
            kept = element.end
        at = element.end
    yield data[kept:]
