"""Values of a message by a feed's mapping: what was found, where, and what was looked at. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from heliograph.exchange.hl7.faults import BadOrder
from heliograph.kit.codecs.hl7 import NULL, Location, Message, OrderGroup, Repetition, Segment
from heliograph.kit.codecs.hl7 import Value as Hl7Value
from heliograph.records.sites.mapping import Path, Value

CODED = frozenset({("OBR", 4), ("OBR", 31), ("OBR", 44), ("OBR", 45), ("OBR", 46), ("DG1", 3), ("PV2", 3)})
"""Fields of coded entries (CE, CWE): as text, their second component, else the first."""
_NUMBERS = frozenset({("ORC", 2), ("ORC", 3)})


@dataclass(frozen=True, slots=True)
class Tried:
    """A path that was looked at, and the text there. None: nothing was sent; NULL: the sender asks to delete."""

    path: str
    value: Hl7Value


@dataclass(frozen=True, slots=True)
class Found:
    """What the paths of a value gave."""

    text: str | None
    """As text; of several texts, joined."""
    path: str | None = None
    """Where it was found; of several, the first."""
    location: Location | None = None
    is_null: bool = False
    """Nothing was found, and the sender asks to delete what is stored."""
    texts: tuple[str, ...] = ()
    """Each text, for those that take all."""
    differs: Location | None = None
    """Another place says something else, and the mapping wants both to agree."""
    differing: tuple[str, str] | None = None
    """The two paths that don't agree."""
    tried: tuple[Tried, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Scope:
    """A message, and in it the order group that is read; None: what belongs to no group."""

    message: Message
    group: OrderGroup | None = None

    def segments(self, name: str) -> tuple[Segment, ...]:
        """The segments of a name that speak of this order: the group's, else those before the first group (PID, PV1, ...)."""
        if self.group is None:
            return self.message.segments(name)
        if name == "ORC":
            return (self.group.orc,) if self.group.orc else ()
        own = self.group.all(name)
        return own or _leading(self.message, name)


def look(value: Value, scope: Scope) -> Found:
    """What the paths of `value` say. Two that must agree and don't are in `differs`; nothing is raised."""
    tried: list[Tried] = []
    hits: list[tuple[Path, Location, str]] = []
    is_null = False
    for number, paths in enumerate((value.paths, value.otherwise)):
        if number and hits:
            break
        for path in paths:
            places = list(_at(path, scope, value.reads))
            texts = [(place, text.strip()) for place, text in places if isinstance(text, str) and text.strip()]
            null = not texts and any(text is NULL for _, text in places)
            is_null = is_null or null
            tried.append(Tried(path.text, "; ".join(dict.fromkeys(t for _, t in texts)) or (NULL if null else None)))
            if value.reads == "value" and not value.agree:
                texts = texts[:1]
            hits += [(path, place, text) for place, text in texts]
    if not hits:
        return Found(None, is_null=is_null, tried=tuple(tried))
    path, place, text = hits[0]
    other = next((h for h in hits if value.agree and h[2] != text), None)
    texts_ = tuple(dict.fromkeys(t for _, _, t in hits))
    return Found(
        "; ".join(texts_) if value.reads == "all" else text,
        path.text,
        place,
        texts=texts_,
        differs=other[1] if other else None,
        differing=(path.text, other[0].text) if other else None,
        tried=tuple(tried),
    )


def read(value: Value, scope: Scope) -> Found:
    """As `look`.

    Raises:
        BadOrder: two places that must agree don't (207).
    """
    found = look(value, scope)
    if found.differs is not None and found.differing is not None:
        one, other = found.differing
        words = (
            f"{other} differs from {one}." if one != other else f"{one} is not the same in each segment of the order."
        )
        raise BadOrder("207", found.differs, f"{value.label}: {words}")
    return found


def _at(path: Path, scope: Scope, reads: str) -> Iterator[tuple[Location, Hl7Value]]:
    if scope.group is not None and scope.group.orc_shared and (path.segment, path.field) in _NUMBERS:
        return  # these numbers are those of the first OBR under this ORC
    for segment in scope.segments(path.segment):
        if path.key is not None and not _is_keyed(segment, path.key):
            continue
        for number, repetition in enumerate(segment.repetitions(path.field), 1):
            if path.repetition not in (None, number):
                continue
            place = Location(segment.name, segment.sequence, path.field, number if number > 1 else None)
            yield place, _value(path, repetition, reads)


def _value(path: Path, r: Repetition, reads: str) -> Hl7Value:
    if path.component is not None:
        return r.get(path.component, path.subcomponent or 1)
    if r.get() is NULL and r.components <= 1:
        return NULL
    if reads == "person":
        return person(r)
    if reads == "phone":
        return phone(r)
    if reads != "all":
        return r.get()
    if (path.segment, path.field) in CODED:
        return r.get(2) or r.get(1)
    return r.whole()


def _is_keyed(segment: Segment, key: str) -> bool:
    wanted = key.casefold()
    return any((r.text(n) or "").strip().casefold() == wanted for r in segment.repetitions(3) for n in (1, 2, 4, 5))


def _leading(message: Message, name: str) -> tuple[Segment, ...]:
    """Those that stand before the first order of the message."""
    found = []
    for segment in message.all_segments:
        if segment.name in ("ORC", "OBR"):
            break
        if segment.name == name:
            found.append(segment)
    return tuple(found)


def person(r: Repetition) -> str | None:
    """XCN as it is spoken: prefix, given, family; the bare id where no name is sent. The family name may have parts (FN)."""
    parts = [r.text(6), r.text(3), r.text(2)]
    return " ".join(p.strip() for p in parts if p and p.strip()) or r.text(1)


def phone(r: Repetition) -> str | None:
    """XTN: the number as text, or its parts (HL7 v2.5.1 2.A.89)."""
    parts = [f"+{r.text(5)}" if r.text(5) else None, r.text(6), r.text(7)]
    return r.text(1) or r.text(12) or " ".join(p for p in parts if p) or None
