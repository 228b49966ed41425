"""Reading a spooled file: everything the index keeps of it, or why it can't be filed. No database, no patient data in any text."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from heliograph.kit.codecs.dicom import (
    BadIdentity,
    DicomError,
    Header,
    Source,
    dicom_json,
    frame_table,
    opened,
    read_header,
)
from heliograph.kit.errors import HeliographError
from heliograph.kit.log import log
from heliograph.records.archive.spool import SpooledObject

_log = log(__name__)

CORRECTION = "correction"
DIFFERENT_CONTENT = "different_content"
BAD_IDENTITY = "bad_identity"
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Facts:
    """One object as the index keeps it. `document` is its DICOM JSON without bulk data, as text; `sha256` is the data set's."""

    header: Header
    document: str = field(repr=False)
    frames: bytes | None = field(repr=False)
    sha256: bytes
    length: int
    is_undeclared: bool = False
    """It has text beyond ASCII and names no character set."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A spool file and its facts; or, without facts, the reason (see `HeldObject.reason`) and its detail."""

    file: SpooledObject
    facts: Facts | None
    sha256: bytes
    reason: str = ""
    detail: str = ""


def facts_of(source: Source, *, fallback_charset: str | None = None) -> Facts:
    """What the index keeps of a Part 10 file. `fallback_charset`: the character set of texts that declare none.

    Raises:
        DicomError: it can't be filed; `errors` says why.
    """
    with opened(source) as data:
        header = read_header(data, fallback_charset=fallback_charset)
        document = dicom_json(data, fallback_charset=fallback_charset)
        try:
            table = frame_table(data) if header.has_pixels else None
        except DicomError:  # pixel data that no frame can be cut from; the object is kept and served whole
            table = None
        digest = hashlib.sha256(data[header.data_set_offset :]).digest()
        is_undeclared = header.charset_undeclared and "00080005" in document
        frames = table.to_bytes() if table else None
        return Facts(header, _storable(document), frames, digest, len(data), is_undeclared)


def examine(file: SpooledObject, *, fallback_charset: str | None = None) -> Examined:
    """The facts of a spool file, or why it must be held. Never raises for what is in the file.

    Raises:
        OSError: the file can't be read now, which says nothing of its bytes.
    """
    try:
        facts = facts_of(file.path, fallback_charset=fallback_charset)
    except BadIdentity as error:
        return Examined(file, None, _digest(file), BAD_IDENTITY, error.detail)
    except DicomError as error:
        return Examined(file, None, _digest(file), UNREADABLE, error.detail)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - see below
        # Whatever a file does to the parsers, it must not keep others from being filed.
        _log.exception("an object made the parser fail", spool_id=str(file.id))
        detail = error.detail if isinstance(error, HeliographError) else type(error).__name__
        return Examined(file, None, _digest(file), UNREADABLE, f"the object could not be read ({detail})")
    if file.is_refused:
        return Examined(file, None, _digest(file), UNREADABLE, "it was refused when it came, and its sender told so")
    return Examined(file, facts, facts.sha256)


def date_of(text: str | None) -> date | None:
    """A DA value (PS3.5 6.2), also in the form of ACR-NEMA with dots; None if it is no date."""
    digits = (text or "").replace(".", "").strip()
    if len(digits) != 8 or not digits.isascii() or not digits.isdigit():
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


def clean(text: str | None) -> str | None:
    """Text that PostgreSQL can keep: without NUL and unpaired surrogates; None if nothing is left."""
    if text is None:
        return None
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8").strip() or None


def _digest(file: SpooledObject) -> bytes:
    with file.path.open("rb") as read:
        return hashlib.file_digest(read, "sha256").digest()


def _storable(document: dict[str, Any]) -> str:
    """Strict JSON that jsonb takes: it knows no NUL and no unpaired surrogates."""
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    if "\\u0000" in text or "\\ud" in text:
        text = json.dumps(_cleaned(document), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {key: _cleaned(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    return value
