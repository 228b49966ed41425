"""Where the values of an order stand in a sender's messages: data, with defaults, and what a feed says otherwise. Pure.

Only what differs from `data/feed_mapping.yaml` is kept with a feed, as `{values: {name: {paths, otherwise, agree}}, priorities, modalities,
patient_id: {types, authorities}}`. Reading a message by it is the HL7 door's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, cast

import yaml

from heliograph.records.sites.errors import BadSite

_PATH = re.compile(
    r"([A-Z][A-Z0-9]{2})(?:\(([^()^|~&\\]{1,80})\))?-([1-9]\d{0,2})(?:\[([1-9]\d?)\])?(?:\.([1-9]\d?)(?:\.([1-9]\d?))?)?",
    re.ASCII,
)
_MODALITY = re.compile(r"[A-Z0-9_ ]{1,16}", re.ASCII)
_MOST = 12
"""Paths of one value: more is a slip, not a sender."""


class BadMapping(BadSite):
    """Where a feed's values stand can't be as it was entered."""

    def __init__(self, name: str, words: str) -> None:
        super().__init__(f"{name}: {words}", problems=[{"field": f"mapping.{name}", "text": words}])


@dataclass(frozen=True, slots=True)
class Path:
    """A place in a segment. `component` None: the whole field. `key`: the segment whose third field says this (OBX)."""

    text: str
    segment: str
    field: int
    component: int | None = None
    subcomponent: int | None = None
    repetition: int | None = None
    """None: each repetition, the first that holds something first."""
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """One value of an order and where it stands. `reads`: value, all (texts, each once), priority, person, phone, time, identifier."""

    name: str
    label: str
    why: str
    reads: str
    paths: tuple[Path, ...]
    otherwise: tuple[Path, ...] = ()
    agree: bool = False
    """Two of `paths` that differ are refused."""


@dataclass(frozen=True, slots=True)
class FeedMapping:
    """What reading a message needs to know of its sender."""

    values: Mapping[str, Value]
    priorities: Mapping[str, str]
    """The sender's code, in capitals -> a priority of ours, before the table of all senders."""
    modalities: Mapping[str, str]
    """The sender's code, in capitals -> DICOM Modality, before the table of all senders."""
    identifier_types: tuple[str, ...]
    """Of table 0203, the preferred first."""
    authorities: tuple[str, ...]
    """Whose identifiers are the patient's; none: the facility's own."""


def path(text: str) -> Path:
    """`OBR-18`, `PID-3[2].4.1`, `OBX(110180)-5`. Raises: ValueError with words for a person."""
    found = _PATH.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"“{text.strip()[:40]}” is no place in a message, as OBR-18 or IPC-1.1")
    segment, key, field, repetition, component, subcomponent = found.groups()
    if segment == "MSH" and int(field) < 3:
        raise ValueError(f"“{text.strip()}” holds the delimiters, not a value")

    def number(digits: str | None) -> int | None:
        return int(digits) if digits else None

    key = key.strip() if key else None
    return Path(text.strip(), segment, int(field), number(component), number(subcomponent), number(repetition), key)


@cache
def defaults() -> FeedMapping:
    """As most senders write."""
    table = _table()
    values = {
        row["name"]: Value(
            name=row["name"],
            label=row["label"],
            why=row["why"],
            reads=row.get("reads", "value"),
            paths=tuple(path(p) for p in row["paths"]),
            otherwise=tuple(path(p) for p in row.get("otherwise", ())),
            agree=row.get("agree", False),
        )
        for row in table["values"]
    }
    ids = table["patient_id"]
    return FeedMapping(values, {}, {}, tuple(ids["types"]), tuple(ids["authorities"]))


def mapping_of(stored: Mapping[str, Any]) -> FeedMapping:
    """The defaults with what a feed says otherwise. Raises: BadMapping, for what `checked` never let in."""
    known, stored = defaults(), _object("mapping", stored)
    if not stored:
        return known
    unknown = set(stored) - {"values", "priorities", "modalities", "patient_id"}
    if unknown:
        raise BadMapping(min(unknown), "is nothing that a mapping has")
    values = dict(known.values)
    for name, entry in _object("values", stored.get("values") or {}).items():
        if name not in values:
            raise BadMapping(name, "is no value of an order")
        values[name] = _value(values[name], _object(name, entry))
    ids = _object("patient_id", stored.get("patient_id") or {})
    if set(ids) - {"types", "authorities"}:
        raise BadMapping("patient_id", "has types and authorities")
    return FeedMapping(
        values=values,
        priorities=_codes("priorities", stored.get("priorities") or {}, priorities()),
        modalities=_codes("modalities", stored.get("modalities") or {}, None),
        identifier_types=tuple(_words("patient_id.types", ids.get("types"), known.identifier_types)),
        authorities=tuple(_words("patient_id.authorities", ids.get("authorities"), known.authorities)),
    )


def checked(stored: Mapping[str, Any]) -> dict[str, Any]:
    """`stored` in the one spelling that is kept: only what differs from the defaults. Raises: BadMapping, naming the value and the path."""
    told, known = mapping_of(stored), defaults()
    kept: dict[str, Any] = {}
    changed = {name: value for name, value in told.values.items() if value != known.values[name]}
    if changed:
        kept["values"] = {
            name: {"paths": _texts(v.paths), "otherwise": _texts(v.otherwise), "agree": v.agree}
            for name, v in changed.items()
        }
    if told.priorities:
        kept["priorities"] = dict(told.priorities)
    if told.modalities:
        kept["modalities"] = dict(told.modalities)
    if (told.identifier_types, told.authorities) != (known.identifier_types, known.authorities):
        kept["patient_id"] = {"types": list(told.identifier_types), "authorities": list(told.authorities)}
    return kept


def priorities() -> tuple[str, ...]:
    """What a sender's code of priority may mean, the most urgent first."""
    return tuple(_table()["priorities"])


def _value(known: Value, entry: Mapping[str, Any]) -> Value:
    if set(entry) - {"paths", "otherwise", "agree"}:
        raise BadMapping(known.name, "has paths, otherwise and agree")
    agree = entry.get("agree", known.agree)
    if not isinstance(agree, bool):
        raise BadMapping(known.name, "agree is yes or no")
    return replace(
        known,
        paths=_paths(known.name, entry["paths"]) if "paths" in entry else known.paths,
        otherwise=_paths(known.name, entry["otherwise"]) if "otherwise" in entry else known.otherwise,
        agree=agree,
    )


def _paths(name: str, given: object) -> tuple[Path, ...]:
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) > _MOST:
        raise BadMapping(name, f"is a list of up to {_MOST} places")
    try:
        found = tuple(path(str(text)) for text in given)
    except ValueError as error:
        raise BadMapping(name, str(error)) from error
    if len(set(found)) < len(found):
        raise BadMapping(name, "names a place twice")
    if name == "patient_id" and any(p.component or p.subcomponent for p in found):
        raise BadMapping(name, "names fields as PID-3; its components are known")
    return found


def _codes(name: str, given: object, meanings: tuple[str, ...] | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for sent, meant in _object(name, given).items():
        code, meaning = str(sent).strip().upper(), str(meant).strip().upper()
        if not code or len(code) > 40:
            raise BadMapping(name, "has a code that is empty or longer than 40 characters")
        if meanings is not None and meaning not in meanings:
            raise BadMapping(name, f"{code} can't mean {meaning[:40]}; it may mean {', '.join(meanings)}")
        if meanings is None and not _MODALITY.fullmatch(meaning):
            raise BadMapping(name, f"{code} means no DICOM Modality, as CT or MG")
        found[code] = meaning
    return found


def _words(name: str, given: object, known: Sequence[str]) -> Sequence[str]:
    if given is None:
        return known
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) > _MOST:
        raise BadMapping(name, f"is a list of up to {_MOST} words")
    return list(dict.fromkeys(word for w in given if (word := str(w).strip()[:250])))


def _object(name: str, given: object) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise BadMapping(name, "is no table of names and values")
    return given


def _texts(paths: Sequence[Path]) -> list[str]:
    return [p.text for p in paths]


@cache
def _table() -> dict[str, Any]:
    return cast(dict[str, Any], yaml.safe_load((files(__package__) / "data" / "feed_mapping.yaml").read_text("utf-8")))
