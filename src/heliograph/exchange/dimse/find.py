"""C-FIND (PS3.4 C.4.1): an identifier in, matching identifiers out. The protocol is the listener's; this only answers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydicom import DataElement, Dataset
from pydicom.multival import MultiValue

from heliograph.exchange.dimse.callers import acting
from heliograph.exchange.dimse.find_answers import answer, data_set, encoded
from heliograph.kit.errors import HeliographError
from heliograph.kit.net.dicom.identifiers import text_of
from heliograph.kit.work import Work, WorkFactory
from heliograph.records.archive.search import BadKey, Key, Level, Options, Scope, Search, matching, not_held, prepare
from heliograph.records.archive.search_attributes import LEVELS, OF_DOORS, is_at_or_above, vr_of
from heliograph.records.archive.search_results import Match, Wanted, described, page
from heliograph.records.sites.queries import KnownCaller

PATIENT_ROOT: Final = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT: Final = "1.2.840.10008.5.1.4.1.2.2.1"
MODELS: Final = (PATIENT_ROOT, STUDY_ROOT)

PENDING: Final = 0xFF00
PENDING_UNSUPPORTED: Final = 0xFF01
"""A match, and one or more optional keys of the request are not supported (PS3.4 Table C.4-1)."""
OUT_OF_RESOURCES: Final = 0xA700
MISMATCH: Final = 0xA900
UNABLE: Final = 0xC000

UNIQUE_KEYS: Final = ("00100020", "0020000D", "0020000E", "00080018")
"""Of patient, study, series and instance."""
PAGE: Final = 100
MOST: Final = 50_000
"""Matches that one query is given; more end in `OUT_OF_RESOURCES`."""
_TIMEZONE: Final = "00080201"
_NOT_KEYS: Final = frozenset({"00080005", "00080052"})
_DEEPEST: Final = 8
BINARY: Final = "binary"
"""Stands for a value that is no text: nothing is matched on it."""


class FindRefused(HeliographError):
    """The query can't be answered as it is.

    `dimse_status` is the C-FIND status, `comment` (<= 64 characters, no patient data) the Error Comment (0000,0902), `offending`
    the tags of Offending Element (0000,0901).
    """

    def __init__(self, dimse_status: int, comment: str, *offending: int) -> None:
        super().__init__(comment)
        self.dimse_status, self.comment, self.offending = dimse_status, comment[:64], offending


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What SOP Class Extended Negotiation settled for the association (PS3.4 C.5.1.1), byte by byte; we grant all four."""

    relational: bool = False
    combined_date_time: bool = False
    fuzzy: bool = False
    timezone: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One pending response: its status, PENDING or PENDING_UNSUPPORTED, and the elements of its identifier (DICOM JSON model)."""

    status: int
    elements: dict[str, Any] = field(repr=False)

    @property
    def identifier(self) -> Dataset:
        """The identifier as a data set; for the wire, `encoded` is much faster."""
        return data_set(self.elements)

    def encoded(self, transfer_syntax: str) -> bytes:
        """The identifier's bytes."""
        return encoded(self.elements, transfer_syntax)


def find(
    works: WorkFactory,
    caller: KnownCaller,
    sop_class_uid: str,
    identifier: Dataset,
    *,
    negotiated: Negotiated | None = None,
    address: str | None = None,
) -> Iterator[Found]:
    """The matches in `caller`'s organisation, newest first; what is asked, and how much is given, is on record before it is given.

    Nothing is held while the caller takes its time: pages are read as they are needed, and giving the iterator up (C-CANCEL) is
    enough. When it ends of itself, the final status is success (0x0000).

    Raises:
        FindRefused: when called, for an identifier that can't be answered (0xA900, 0xC000); while iterating only for more matches
            than anybody is given (0xA700).
    """
    level = _level(sop_class_uid, identifier)
    negotiated = negotiated or Negotiated()
    query = asked_of(identifier)
    if not negotiated.relational:
        _check_hierarchy(sop_class_uid, level, query)
    search = _prepared(level, query, negotiated)
    actor = acting(caller, address)
    scope = Scope(caller.organization_id, not_held())
    wanted = Wanted({**query.tree, **{tag: {} for tag in _unique(sop_class_uid, level)}})
    status = PENDING_UNSUPPORTED if search.unsupported or query.unknown_at(level) else PENDING

    def record(work: Work, results: int, **more: Any) -> None:
        work.record(
            "studies.searched",
            organization_id=caller.organization_id,
            subject_kind="caller",
            subject_id=caller.id,
            detail={"results": results, "level": level.lower(), **more},
        )

    def told(matches: list[Match]) -> Iterator[Found]:
        return (Found(status, _answer(match.elements, level, caller, query)) for match in matches)

    with works.begin(actor) as work:
        found = page(work.session, scope, search, wanted, limit=PAGE + 1)
        first = found[:PAGE]
        record(work, len(first))  # also that nothing was found: who asks for whom is seen by that

    def answers() -> Iterator[Found]:
        yield from told(first)
        if len(found) <= PAGE:
            return
        with works.begin(actor) as work:  # all that are left at once: what comes meanwhile must not shift the pages
            sent = {match.id for match in first}
            rest = [i for i in matching(work.session, scope, search, limit=MOST + 1) if i not in sent]
            given = rest[: MOST - PAGE]
            record(work, len(given), continued=True)
        for at in range(0, len(given), PAGE):
            with works.read(actor) as work:
                matches = described(work.session, scope, level, given[at : at + PAGE], wanted)
            yield from told(matches)
        if len(rest) > len(given):
            raise FindRefused(OUT_OF_RESOURCES, f"More than {MOST} matches; ask for less")

    return answers()


@dataclass(frozen=True, slots=True)
class AskedFor:
    """An identifier, read: matching keys, the tree of tags to return, and the character set that the caller writes in."""

    keys: tuple[Key, ...]
    tree: dict[str, Any]
    character_set: tuple[str, ...]

    def text(self, tag: str) -> str:
        return next((key.text for key in self.keys if key.path == (tag,)), "")

    def unknown_at(self, level: Level) -> bool:
        """Whether it asks for what we don't have at this level."""
        return any(not vr_of(tag) or not is_at_or_above(tag, level) for tag in self.tree.keys() - OF_DOORS)


def asked_of(identifier: Dataset) -> AskedFor:
    """Reads an identifier.

    Raises:
        FindRefused: a value is not one of its VR.
    """
    keys, tree = _read(identifier, ())
    found = identifier.get("SpecificCharacterSet")
    terms = [found] if isinstance(found, str) else list(found or ())
    return AskedFor(tuple(keys), tree, tuple(str(term) for term in terms))


def _read(data: Dataset, above: tuple[str, ...]) -> tuple[list[Key], dict[str, Any]]:
    keys: list[Key] = []
    tree: dict[str, Any] = {}
    for number in data.keys():  # noqa: SIM118  a Dataset iterates over its elements, and decoding one may fail
        tag = f"{int(number):08X}"
        if tag in _NOT_KEYS or tag.endswith("0000") or len(above) >= _DEEPEST:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                element = data[number]
                text = "" if element.VR == "SQ" else _text(element)
            except Exception as error:  # pydicom raises many kinds, whatever the caller sent
                raise FindRefused(MISMATCH, "A key can not be read", int(number)) from error
        tree[tag] = {}
        if element.VR == "SQ":
            for item in element.value:  # one, by the standard
                inner_keys, inner = _read(item, (*above, tag))
                keys += inner_keys
                tree[tag].update(inner)
        elif text:
            keys.append(Key((*above, tag), text))
    return keys, tree


def _text(element: DataElement) -> str:
    value = element.value
    if value is None or isinstance(value, bytes):
        return "" if not value else BINARY
    values = list(value) if isinstance(value, MultiValue | list) else [value]
    if element.VR == "AT":
        return "\\".join(f"{int(v):08X}" for v in values)
    return "\\".join(str(v) for v in values).strip(" \0")


def _level(sop_class_uid: str, identifier: Dataset) -> Level:
    if sop_class_uid not in MODELS:
        raise FindRefused(MISMATCH, "The information model is not supported")
    text = text_of(identifier, "QueryRetrieveLevel")
    for level in LEVELS[MODELS.index(sop_class_uid) :]:
        if level == text:
            return level
    why = "Query/Retrieve Level is missing" if not text else "Query/Retrieve Level is not one of the model"
    raise FindRefused(MISMATCH, why, 0x00080052)


def _unique(sop_class_uid: str, level: Level) -> tuple[str, ...]:
    """The unique keys of the level and of those above it in the model (PS3.4 C.6.1.1, C.6.2.1)."""
    return UNIQUE_KEYS[MODELS.index(sop_class_uid) : LEVELS.index(level) + 1]


def _check_hierarchy(sop_class_uid: str, level: Level, query: AskedFor) -> None:
    """Without relational queries each unique key above the level has one value (PS3.4 C.4.1.2.1, C.4.1.3.1)."""
    for tag in _unique(sop_class_uid, level)[:-1]:
        text = query.text(tag)
        if not text:
            raise FindRefused(MISMATCH, "A unique key above the level is missing", int(tag, 16))
        if set(text) & set("*?\\"):
            raise FindRefused(MISMATCH, "A unique key above the level needs one value", int(tag, 16))


def _prepared(level: Level, query: AskedFor, negotiated: Negotiated) -> Search:
    timezone = query.text(_TIMEZONE) if negotiated.timezone else ""
    if timezone and not re.fullmatch(r"[+-](?:0\d|1[0-4])[0-5]\d", timezone, re.ASCII):
        raise FindRefused(MISMATCH, "The time zone offset can not be read", int(_TIMEZONE, 16))
    options = Options(fuzzy=negotiated.fuzzy, combined=negotiated.combined_date_time, timezone=timezone or None)
    try:
        return prepare(level, query.keys, options)
    except BadKey as error:
        raise FindRefused(MISMATCH, f"Not understood: {error.why}", int(error.path[0], 16)) from None


def _answer(elements: Mapping[str, Any], level: Level, caller: KnownCaller, query: AskedFor) -> dict[str, Any]:
    ours = {
        "00080052": {"vr": "CS", "Value": [level]},
        "00080054": {"vr": "AE", "Value": [caller.called_ae]},
        "00080056": {"vr": "CS", "Value": ["ONLINE"]},
    }
    return answer({**elements, **ours}, query.tree, query.character_set)
