"""What a report says: the draft's content, and the fixed content of a version. Pure.

A draft: `{"sections": {id: text}, "fields": {id: value}}`. A version: `{"template": {id, version}, "sections": [{id, title, text}],
"fields": {id: value}, "subject": {patient_id, accessions, study_instance_uids}}`; the text of its sections holds the fields in words.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from heliograph.care.reading.errors import BadContent
from heliograph.care.reading.templates import Field, Template

MAX_SECTION = 50_000
"""Characters in one section."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029]")


def cleaned(template: Template, content: Mapping[str, Any]) -> dict[str, Any]:
    """`content` with one kind of line end, composed characters (NFC) and no control characters.

    Raises: BadContent: an unknown section or field, a value of the wrong type, or too much text.
    """
    sections, fields = content.get("sections") or {}, content.get("fields") or {}
    if not isinstance(sections, Mapping) or not isinstance(fields, Mapping):
        raise BadContent()
    known = {f.id: f for f in template.fields}
    unknown = sorted((set(sections) - {s.id for s in template.sections}) | (set(fields) - set(known)))
    if unknown:
        raise BadContent("The template has no " + ", ".join(str(u)[:40] for u in unknown[:5]) + ".")
    return {
        "sections": {s.id: _text(sections[s.id]) for s in template.sections if s.id in sections},
        "fields": {k: _value(known[k], fields[k]) for k in known if k in fields and not is_empty(fields[k])},
    }


def is_empty(value: Any) -> bool:
    """Whether a field has no answer. False and 0 are answers."""
    return value is None or (
        isinstance(value, str | list | tuple) and not (value.strip() if isinstance(value, str) else value)
    )


def in_words(field: Field, value: Any) -> str:
    """`Midline shift: 4 mm`."""
    if field.type == "boolean":
        said = "yes" if value else "no"
    elif field.type == "multi":
        said = ", ".join(value)
    elif field.type == "number":
        said = f"{value:g}" + (f"{'' if field.unit == '%' else ' '}{field.unit}" if field.unit else "")
    else:
        said = str(value)
    return f"{field.label}: {said}"


def compose(template: Template, content: Mapping[str, Any]) -> list[dict[str, str]]:
    """The sections of a version in the template's order: a section's fields in words, then its text. Empty ones are left out."""
    fields = content["fields"]
    made = []
    for section in template.sections:
        lines = [in_words(f, fields[f.id]) for f in template.fields if f.section == section.id and f.id in fields]
        text = content["sections"].get(section.id, "").strip()
        whole = "\n".join(lines) + ("\n\n" if lines and text else "") + text
        if whole:
            made.append({"id": section.id, "title": section.title, "text": whole})
    return made


def to_text(sections: Sequence[Mapping[str, str]]) -> str:
    """The report as plain text, lines separated by \\n: always the same for the same sections."""
    return "\n\n".join(f"{s['title'].upper()}\n{s['text']}" for s in sections)


def content_hash(content: Mapping[str, Any], number: int, kind: str) -> bytes:
    """SHA-256 of the canonical JSON of a version: sorted keys, no spaces, UTF-8."""
    whole = {"content": content, "number": number, "kind": kind}
    return hashlib.sha256(
        json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    ).digest()


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise BadContent("A section is text.")
    if len(value) > MAX_SECTION:
        raise BadContent(f"A section holds at most {MAX_SECTION} characters.")
    plain = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n"))
    return _CONTROL.sub(" ", plain)


def _value(field: Field, value: Any) -> Any:
    if field.type == "boolean" and isinstance(value, bool):
        return value
    if (
        field.type == "number"
        and isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    ):
        return value
    if field.type == "multi" and isinstance(value, list) and all(v in field.options for v in value):
        return [o for o in field.options if o in value]
    if field.type == "enum" and value in field.options:
        return value
    if field.type == "text" and isinstance(value, str):
        return _text(value).replace("\n", " ").strip()
    raise BadContent(f"{field.label}: this value can't be taken.")
