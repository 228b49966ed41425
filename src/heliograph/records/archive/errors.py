"""What the archive refuses."""

from __future__ import annotations

from heliograph.kit.errors import Conflict, HeliographError, Invalid


class OutOfSpace(HeliographError):
    """There is too little free disk to keep images; nothing was stored."""

    status = 507


class NotAnObject(Invalid):
    """These bytes are not a DICOM object that can be filed."""


class OtherContent(Conflict):
    """An object with this UID is filed already and has other content."""


class NothingReceived(Invalid):
    """A study without images can't be complete."""


class BytesMissing(HeliographError):
    """The object is in the index and its bytes are not in the object store. `heliograph archive fsck` lists all such."""

    status = 503
