"""Jurisdictions: who may read for them, and from where their images may be seen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import yaml

STRICTNESS = ("allowed", "conditional", "forbidden")
"""From the mildest to the strictest; the strictest of national and state rule wins."""


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """What is known of one jurisdiction. `None` anywhere means unknown: block and ask.

    `code` is the code that was asked for; `rule_code` the row that answered (`US` for a state without a row of its own).
    """

    code: str
    rule_code: str
    name: str
    regulator: str | None
    licence_rule: str | None
    licence_detail: str | None
    view_from_outside: str | None
    view_basis: str | None
    offshore_preliminary: str | None
    offshore_final: str | None
    retention: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    languages: tuple[str, ...] = ()
    time_zones: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    verify: bool = True

    def offshore(self, read_kind: str) -> str | None:
        """The limit on a `final` or `preliminary` read done outside."""
        return self.offshore_preliminary if read_kind == "preliminary" else self.offshore_final


def country_of(code: str) -> str:
    """`US-TX` -> `US`."""
    return code.split("-", 1)[0]


def same_country(one: str, other: str) -> bool:
    """Whether two jurisdictions lie in one country: seeing images there is not "outside"."""
    return country_of(one) == country_of(other)


@cache
def jurisdiction(code: str) -> Jurisdiction | None:
    """The jurisdiction `code` (ISO 3166, with subdivision): its own row over its country's, the strictest of both. None: unknown."""
    rows = _rows()
    own, national = rows.get(code), rows.get(country_of(code))
    row = own or national
    if row is None:
        return None
    upper = national or {}
    licence = row.get("reader_licence") or {}
    transfer, upper_transfer = row.get("transfer") or {}, upper.get("transfer") or {}
    offshore, upper_offshore = row.get("offshore") or {}, upper.get("offshore") or {}
    return Jurisdiction(
        code=code,
        rule_code=row["code"],
        name=re.sub(r"\s*\(.*\)", "", row["name"]) if own else code,
        regulator=row.get("regulator"),
        licence_rule=licence.get("rule"),
        licence_detail=licence.get("detail"),
        view_from_outside=_strictest(transfer.get("view_from_outside"), upper_transfer.get("view_from_outside")),
        view_basis=transfer.get("basis") or upper_transfer.get("basis"),
        offshore_preliminary=_strictest(offshore.get("prelim"), upper_offshore.get("prelim")),
        offshore_final=_strictest(offshore.get("final"), upper_offshore.get("final")),
        retention=MappingProxyType(dict(row.get("retention") or upper.get("retention") or {})),
        languages=tuple(row.get("languages") or ()),
        time_zones=tuple(row.get("time_zones") or ()),
        sources=tuple(map(str, row.get("source") or ())),
        checked=tuple(map(str, row.get("checked") or ())),
        verify=bool(row.get("verify", True)),
    )


def name_of(code: str) -> str:
    """The name of a jurisdiction in words, or its code."""
    found = jurisdiction(code)
    return found.name if found else code


def codes() -> list[str]:
    """The codes that have a row of their own."""
    return sorted(_rows())


@cache
def _rows() -> dict[str, dict[str, Any]]:
    text = files("heliograph.governance.policy").joinpath("data/jurisdictions.yaml").read_text("utf-8")
    return {row["code"]: row for row in yaml.safe_load(text)["jurisdictions"]}


def _strictest(*rules: str | None) -> str | None:
    known = [r for r in rules if r is not None]
    if any(r not in STRICTNESS for r in known):
        return None
    return max(known, key=STRICTNESS.index, default=None)
