"""QIDO-RS (PS3.18 8.3.4, 10.6): query parameters as a search of the archive, and which attributes its answers hold."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from pydicom.datadict import keyword_for_tag

from heliograph.exchange.dicomweb.door import dumps
from heliograph.kit.errors import Invalid
from heliograph.records.archive.search import BadKey, Key, Level, Options, Search, prepare
from heliograph.records.archive.search_attributes import tag_of, vr_of
from heliograph.records.archive.search_results import Match, Wanted, element

__all__ = ["BadQuery", "Query", "element", "parse", "searched", "shown"]

Json = dict[str, Any]

DEFAULT_LIMIT: Final = 100
MOST: Final = 1000
_MOST_PARAMETERS: Final = 200
_OFFSET: Final = re.compile(r"[+-](?:0\d|1[0-4])[0-5]\d", re.ASCII)
_TIMEZONE, _AVAILABILITY, _RETRIEVE_URL = "00080201", "00080056", "00081190"
_CHARACTER_SET: Final = "00080005"
_ONLINE: Final = element("CS", "ONLINE")
_UTF8: Final = element("CS", "ISO_IR 192")

# PS3.18 Tables 10.6.3-3 to 10.6.3-5, and what viewers sort by.
_OF_STUDY: Final = (
    "00080020", "00080030", "00080050", "00080061", "00080090", "00080201", "00081030", "00100010", "00100020", "00100021",
    "00100030", "00100040", "0020000D", "00200010", "00201206", "00201208",
)  # fmt: skip
_OF_SERIES: Final = (
    "00080060", "0008103E", "00080021", "00080031", "00180015", "00181030", "0020000D", "0020000E", "00200011", "00200060",
    "00201209", "00400244", "00400245", "00400275",
)  # fmt: skip
_OF_INSTANCE: Final = (
    "00080008", "00080012", "00080013", "00080016", "00080018", "00080060", "00083002", "0020000D", "0020000E", "00200013",
    "00200032", "00200037", "00201041", "00280008", "00280010", "00280011", "00280100",
)  # fmt: skip
_OWN: Final[dict[Level, tuple[str, ...]]] = {"STUDY": _OF_STUDY, "SERIES": _OF_SERIES, "IMAGE": _OF_INSTANCE}


class BadQuery(Invalid):
    """A query parameter can't be understood."""

    status = 400


@dataclass(frozen=True, slots=True)
class Query:
    """What a search asked: keys, how to take them, the page, further fields. `ignored` are parameters that mean nothing here."""

    keys: tuple[Key, ...] = field(repr=False)
    options: Options
    limit: int
    offset: int
    fields: tuple[tuple[str, ...], ...] = ()
    all_fields: bool = False
    ignored: tuple[str, ...] = ()


def parse(parameters: Iterable[tuple[str, str]]) -> Query:
    """The query. Attributes come as keyword or tag, those of items with a point between.

    Raises:
        BadQuery
    """
    given = list(parameters)
    if len(given) > _MOST_PARAMETERS:
        raise BadQuery(f"at most {_MOST_PARAMETERS} query parameters")
    reader = _Reader()
    for name, value in given:
        reader.take(name, value)
    return reader.query()


class _Reader:
    """Takes the parameters one after another."""

    def __init__(self) -> None:
        self.keys: dict[tuple[str, ...], list[str]] = {}
        self.fields: dict[tuple[str, ...], None] = {}
        self.numbers = {"limit": DEFAULT_LIMIT, "offset": 0}
        self.flags = {"fuzzymatching": False, "multiplevaluematching": False, "emptyvaluematching": False}
        self.ignored: list[str] = []
        self.all_fields = False
        self.timezone: str | None = None

    def take(self, name: str, value: str) -> None:
        if name in self.numbers:
            self.numbers[name] = _whole(name, value)
        elif name in self.flags:
            self.flags[name] = _flag(name, value)
        elif name == "includefield":
            for one in value.split(","):
                self._include(one.strip())
        elif path := path_of(name):
            if path == (_TIMEZONE,) and value.strip():
                self.timezone = _zone(name, value)
            self.keys.setdefault(path, []).append(value)
        elif name != "accept":
            self.ignored.append(name[:64])

    def _include(self, name: str) -> None:
        if name == "all":
            self.all_fields = True
        elif path := path_of(name):
            self.fields[path] = None
        elif name:
            self.ignored.append("includefield")

    def query(self) -> Query:
        several = self.flags["multiplevaluematching"]
        return Query(
            keys=tuple(Key(path, _joined(path, values, several=several)) for path, values in self.keys.items()),
            options=Options(
                fuzzy=self.flags["fuzzymatching"],
                several=several,
                empty=self.flags["emptyvaluematching"],
                timezone=self.timezone,
            ),
            limit=min(self.numbers["limit"], MOST),
            offset=self.numbers["offset"],
            fields=tuple(self.fields),
            all_fields=self.all_fields,
            ignored=tuple(self.ignored),
        )


def path_of(name: str) -> tuple[str, ...]:
    """The tags of `RequestAttributesSequence.00400009`; empty if any part is neither keyword nor tag."""
    parts = tuple(tag_of(part) for part in name.split("."))
    return parts if all(parts) else ()


def searched(query: Query, level: Level) -> Search:
    """The query as a search of the archive.

    Raises:
        BadQuery: names the parameter, never its value.
    """
    try:
        return prepare(level, query.keys, query.options)
    except BadKey as error:
        raise BadQuery(f"{'.'.join(_name(tag) for tag in error.path)}: {error.why}") from None


def shown(query: Query, level: Level, *above: Level) -> Wanted:
    """Which attributes the answer holds: the level's own, those of the levels `above` that the resource spans, and what was asked."""
    tree: dict[str, Any] = {tag: {} for of in (*above, level) for tag in _OWN[of]}
    for path in (*query.fields, *(key.path for key in query.keys)):
        if path[0] in tree and not tree[path[0]]:
            continue  # wanted as a whole
        inner = tree
        for tag in path:
            inner = inner.setdefault(tag, {})
    return Wanted(tree, query.all_fields)


def told(match: Match, root: str) -> str:
    """A match as the answer holds it, in JSON, with its character set where text is beyond ASCII. `root` is that of the DICOMweb door."""
    url = f"{root}/studies/{match.study_instance_uid}"
    if match.series_instance_uid:
        url += f"/series/{match.series_instance_uid}"
    if match.sop_instance_uid:
        url += f"/instances/{match.sop_instance_uid}"
    made = {**match.elements, _RETRIEVE_URL: element("UR", url), _AVAILABILITY: _ONLINE}
    text = _written(made)
    return text if text.isascii() else _written({**made, _CHARACTER_SET: _UTF8})


def _written(elements: Json) -> str:
    return dumps({tag: elements[tag] for tag in sorted(elements)})


def _name(tag: str) -> str:
    return keyword_for_tag(int(tag, 16)) or tag


def _joined(path: tuple[str, ...], values: list[str], *, several: bool) -> str:
    r"""Several values of UIDs and codes are separated by commas, backslashes or by naming the parameter again (PS3.18 8.3.4.1)."""
    if several or vr_of(path[-1]) in {"UI", "CS"}:
        values = [part for value in values for part in value.split(",")]
    return "\\".join(values)


def _whole(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadQuery(f"{name} must be a whole number")
    return int(text)


def _flag(name: str, text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise BadQuery(f"{name} must be true or false")
    return text.lower() == "true"


def _zone(name: str, text: str) -> str:
    offset = (
        text.strip() if text.strip()[:1] in {"+", "-"} else f"+{text.strip()}"
    )  # a plain + in an address means a space
    if not _OFFSET.fullmatch(offset):
        raise BadQuery(f"{name[:64]} must be an offset as +0100")
    return offset
