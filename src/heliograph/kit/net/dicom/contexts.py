"""Which presentation contexts we accept, and with which transfer syntax (PS3.8 7.1.1.13)."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import uid_to_service_class

from heliograph.kit.codecs.dicom.part10 import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, valid_uid
from heliograph.kit.net.dicom.pdu import (
    ABSTRACT_NOT_SUPPORTED,
    ACCEPTED,
    TRANSFER_NOT_SUPPORTED,
    ContextResult,
    ProposedContext,
)

VERIFICATION = "1.2.840.10008.1.1"
_STANDARD = "1.2.840.10008."
_STORAGE = "1.2.840.10008.5.1.4.1.1."
# Their pixels are behind a URL (JPIP) or in a stream (SMPTE ST 2110): there is nothing to keep.
_WITHOUT_PIXELS = frozenset(
    f"1.2.840.10008.1.2.{tail}" for tail in ("4.94", "4.95", "4.204", "4.205", "7.1", "7.2", "7.3")
)
_UNCOMPRESSED = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG})


@lru_cache(maxsize=1024)
def is_storage(abstract_syntax: str) -> bool:
    """Whether this is a storage SOP class: a standard one, known to us or not, or any private one."""
    if not valid_uid(abstract_syntax):
        return False
    if not abstract_syntax.startswith(_STANDARD) or abstract_syntax.startswith(_STORAGE):
        return True
    return uid_to_service_class(abstract_syntax) is StorageServiceClass


def negotiate(context: ProposedContext, services: Collection[str] = ()) -> ContextResult:
    """Our answer to one proposed context; `services` are abstract syntaxes besides storage and verification, such as queries.

    The first transfer syntax that the requestor names is the one it likes best, most often the one the
    object is stored in: take it, unless it has no pixels. Among uncompressed ones prefer Explicit VR
    Little Endian, which loses no value representations of private elements.
    """
    if context.abstract_syntax == VERIFICATION or context.abstract_syntax in services:
        usable = [uid for uid in context.transfer_syntaxes if uid in _UNCOMPRESSED]
    elif is_storage(context.abstract_syntax):
        usable = [uid for uid in context.transfer_syntaxes if valid_uid(uid) and uid not in _WITHOUT_PIXELS]
    else:
        return ContextResult(context.id, ABSTRACT_NOT_SUPPORTED)
    if not usable:
        return ContextResult(context.id, TRANSFER_NOT_SUPPORTED)
    chosen = usable[0]
    if chosen in _UNCOMPRESSED and EXPLICIT_LITTLE in usable:
        chosen = EXPLICIT_LITTLE
    return ContextResult(context.id, ACCEPTED, chosen)
