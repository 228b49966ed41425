"""Report templates: data from `data/templates.yaml`, chosen by exam class. Pure after loading."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, cast

import yaml

from heliograph.care.orders.exam_classes import find_exam_class

SectionKind = Literal["text", "findings", "impression"]
FieldType = Literal["enum", "multi", "number", "text", "boolean"]
GENERAL = "general"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report. `loinc` is its section code."""

    id: str
    title: str
    loinc: str
    kind: SectionKind
    required: bool


@dataclass(frozen=True, slots=True)
class Field:
    """A structured answer inside a section. `normal` is what accepting "normal" fills in; nothing fills it silently."""

    id: str
    section: str
    label: str
    type: FieldType
    options: tuple[str, ...] = ()
    unit: str | None = None
    required: bool = False
    normal: Any = None
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A version of a template."""

    id: str
    version: int
    name: str
    sections: tuple[Section, ...]
    fields: tuple[Field, ...]

    def section(self, id_: str) -> Section | None:
        """The section with this id."""
        return next((s for s in self.sections if s.id == id_), None)


def templates() -> tuple[Template, ...]:
    """All templates, in the order of the file."""
    return tuple(_by_id().values())


def template(id_: str) -> Template:
    """The template with this id; the general one for an id that an older table knew."""
    return _by_id().get(id_) or _by_id()[GENERAL]


def template_for(exam_class: str) -> Template:
    """The template of an exam class: the one it names, else one that is for it, else the general one."""
    known = find_exam_class(exam_class)
    named = known.template if known is not None else None
    return template(named or _by_exam_class().get(exam_class, GENERAL))


def with_addendum(base: Template) -> Template:
    """`base` as an addendum uses it: the addendum is the only thing that must be written."""
    kept = tuple(Section(s.id, s.title, s.loinc, s.kind, required=False) for s in base.sections)
    return Template(base.id, base.version, base.name, (*kept, addendum_section()), ())


@cache
def addendum_section() -> Section:
    """The section in which an addendum is written."""
    return _section(_data()["addendum"])


@cache
def document_code() -> tuple[str, str]:
    """LOINC code and title of the whole document."""
    document = _data()["document"]
    return document["loinc"], document["title"]


@cache
def _data() -> dict[str, Any]:
    text = (files(__package__) / "data" / "templates.yaml").read_text("utf-8")
    return cast(dict[str, Any], yaml.safe_load(text))


@cache
def _by_id() -> dict[str, Template]:
    sections = tuple(_section(row) for row in _data()["sections"])
    return {
        row["id"]: Template(row["id"], row["version"], row["name"], sections, tuple(_field(f) for f in row["fields"]))
        for row in _data()["templates"]
    }


@cache
def _by_exam_class() -> dict[str, str]:
    return {exam_class: row["id"] for row in _data()["templates"] for exam_class in row.get("for", ())}


def _section(row: dict[str, Any]) -> Section:
    return Section(row["id"], row["title"], row["loinc"], row["kind"], row["required"])


def _field(row: dict[str, Any]) -> Field:
    return Field(
        id=row["id"],
        section=row.get("section", "findings"),
        label=row["label"],
        type=row["type"],
        options=tuple(row.get("options", ())),
        unit=row.get("unit"),
        required=row.get("required", False),
        normal=row.get("normal"),
        minimum=row.get("min"),
        maximum=row.get("max"),
    )
