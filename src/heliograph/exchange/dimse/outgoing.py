"""Objects of the archive as they go out to a peer: as they are kept, or uncompressed where the peer takes nothing else."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pydicom

from heliograph.kit.codecs.dicom import DicomError, opened, part10_header
from heliograph.kit.codecs.dicom.part10 import EXPLICIT_LITTLE, IMPLICIT_LITTLE
from heliograph.kit.codecs.dicom.transcode import transcoded
from heliograph.kit.errors import HeliographError
from heliograph.kit.net.dicom import ToSend, file_to_send
from heliograph.kit.net.dicom.sender import Converter
from heliograph.kit.objects import Objects
from heliograph.records.archive.overlay import outgoing_file
from heliograph.records.archive.present import StoredObject

_CHUNK = 4 << 20  # bytes, even


class NotConvertible(HeliographError):
    """The object can't be brought into a transfer syntax that the peer takes."""


def outgoing(objects: Objects, stored: StoredObject) -> ToSend:
    """An object of the archive with what is put right of it, read from where it is kept when its turn comes, never whole in memory.

    Its `content` raises NotConvertible where what is put right can't be said in it: as it came it must not go out.
    """

    @contextlib.contextmanager
    def content() -> Iterator[Iterable[bytes | memoryview]]:
        if stored.overlay is not None:
            try:
                file = outgoing_file(objects, stored)
            except DicomError as error:
                raise NotConvertible("what is put right of it can't be said in it") from error
            yield _behind(file, stored.dataset_offset)
            return
        path = objects.path_of(stored.object_key)
        start = stored.object_offset + stored.dataset_offset
        length = stored.object_length - stored.dataset_offset
        if path is None:
            yield _ranges(objects, stored.object_key, start, length)
            return
        with opened(path) as view:
            data = view[start : start + length]
            try:
                yield (data,)
            finally:
                data.release()

    return ToSend(stored.sop_class_uid, stored.sop_instance_uid, stored.transfer_syntax_uid, content)


def _behind(file: Iterator[bytes | memoryview], offset: int) -> Iterator[bytes | memoryview]:
    """The file from `offset`, in pieces of even length: what is put right changes nothing before the data set."""
    odd = b""
    for piece in file:
        rest, offset = piece[offset:], max(offset - len(piece), 0)
        if odd and len(rest):
            rest = odd + bytes(rest)
        odd = bytes(rest[-1:]) if len(rest) % 2 else b""
        if whole := rest[: len(rest) - len(odd)]:
            yield whole
    if odd:
        yield odd


def _ranges(objects: Objects, key: str, start: int, length: int) -> Iterator[bytes]:
    for at in range(0, length, _CHUNK):
        yield objects.get_range(key, start + at, min(_CHUNK, length - at))


def converter(folder: Path) -> Converter:
    """Brings objects into Explicit or Implicit VR Little Endian, by way of files in `folder`, which the caller empties.

    The converter raises NotConvertible: nothing here decodes it, or it is damaged.
    """

    def convert(item: ToSend, target: str) -> ToSend:
        if target not in (EXPLICIT_LITTLE, IMPLICIT_LITTLE):
            raise NotConvertible
        made = Path(tempfile.mkstemp(suffix=".dcm", dir=folder)[1])
        try:
            with tempfile.NamedTemporaryFile(dir=folder, suffix=".dcm") as whole:
                _write_whole(item, Path(whole.name))
                with made.open("wb") as out:
                    for piece in transcoded(Path(whole.name), EXPLICIT_LITTLE):
                        out.write(piece)
            if target == IMPLICIT_LITTLE:
                _implicit(made)
            return _once(file_to_send(made), made)
        except HeliographError as error:
            made.unlink(missing_ok=True)
            raise NotConvertible(f"{error}") from error
        except BaseException:
            made.unlink(missing_ok=True)
            raise

    return convert


def _write_whole(item: ToSend, path: Path) -> None:
    """The object as a Part 10 file."""
    with path.open("wb") as out, item.content() as chunks:
        out.write(part10_header(item.sop_class_uid, item.sop_instance_uid, item.transfer_syntax_uid))
        for chunk in chunks:
            out.write(chunk)


def _implicit(path: Path) -> None:
    try:
        ds = pydicom.dcmread(path)
        ds.file_meta.TransferSyntaxUID = pydicom.uid.UID(IMPLICIT_LITTLE)
        pydicom.dcmwrite(path, ds, implicit_vr=True, little_endian=True)
    except Exception as error:  # pydicom raises many kinds
        raise NotConvertible("its elements can't be written in Implicit VR") from error


def _once(item: ToSend, path: Path) -> ToSend:
    """The object, whose file goes away when it has been read."""

    @contextlib.contextmanager
    def content() -> Iterator[Iterable[bytes | memoryview]]:
        try:
            with item.content() as chunks:
                yield chunks
        finally:
            path.unlink(missing_ok=True)

    return ToSend(item.sop_class_uid, item.sop_instance_uid, item.transfer_syntax_uid, content)
