"""Finding a patient of a client: by identifier, by the beginning of a name, by birth date; and whom somebody may be one with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select

from heliograph.kit.db.session import ActorSession
from heliograph.records.patients.likeness import begins, like_name
from heliograph.records.patients.model import Identifier, Patient
from heliograph.records.patients.names import LAST, Named, name_key
from heliograph.records.patients.queries import PatientFacts, facts_of, survivor_of

Why = Literal["identifier", "merged", "name", "birth_date", "near"]
"""How a patient was found. `merged`: by an identifier of somebody who was merged into them; `near`: same birth date, like name."""
_SHORTEST: Final = 2
_MOST_BORN: Final = 500
"""Of one organisation on one day: more are not compared by name."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A patient who goes on (never one who was merged), and how they were found."""

    patient: PatientFacts
    why: Why


@dataclass(frozen=True, slots=True)
class _Asked:
    family_name: str
    given_name: str = ""


def look_up(
    session: ActorSession, organizations: Sequence[UUID], words: str, born: date | None = None, limit: int = 30
) -> list[Hit]:
    """Patients of `organizations` by what a person knows of them, the surest first.

    `words` is an identifier, or its beginning, or the beginning of a name, `FAMILY Given` or with the given name first. With a birth
    date too: those who bear both, and near them those of that day whose name is alike.
    """
    words = words.strip()
    if not organizations or (len(words) < _SHORTEST and born is None):
        return []
    found: dict[UUID, Hit] = {}
    if len(words) >= _SHORTEST:
        _add(found, _by_identifier(session, organizations, words, limit))
        _add(found, _by_name(session, organizations, words, born, limit))
    if born is not None:
        asked = _Asked(words) if len(words) >= _SHORTEST else None
        _add(found, _born_on(session, organizations, born, asked))
    return list(found.values())[:limit]


def alike(session: ActorSession, patient_id: UUID, limit: int = 20) -> list[Hit]:
    """Other patients of the organisation who may be the same human: the same birth date and a like name."""
    row = session.get(Patient, patient_id)
    if row is None or row.birth_date is None:
        return []
    hits = _born_on(session, [row.organization_id], row.birth_date, row)
    return [h for h in hits if h.patient.id != survivor_of(session, row).id][:limit]


def _add(found: dict[UUID, Hit], hits: Sequence[Hit]) -> None:
    for hit in hits:
        found.setdefault(hit.patient.id, hit)


def _by_identifier(session: ActorSession, organizations: Sequence[UUID], words: str, limit: int) -> list[Hit]:
    # One range of the index an organisation: row-level security lets no LIKE use it.
    ids = (
        select(Identifier.patient_id)
        .where(
            Identifier.organization_id.in_(organizations), Identifier.value >= words, Identifier.value < words + LAST
        )
        .limit(limit)
    )
    rows = list(session.scalars(select(Patient).where(Patient.id.in_(ids)).order_by(Patient.name_key, Patient.id)))
    return [
        Hit(facts_of(survivor_of(session, row)), "merged" if row.merged_into_id is not None else "identifier")
        for row in rows
    ]


def _by_name(
    session: ActorSession, organizations: Sequence[UUID], words: str, born: date | None, limit: int
) -> list[Hit]:
    keys = {name_key(words, "")}
    parts = name_key(words, "").split()
    if len(parts) > 1:
        keys.add(" ".join((parts[-1], *parts[:-1])))  # Ingrid Haugland
    asked = [
        _going_on(organizations, Patient.name_key >= key, Patient.name_key < key + LAST)
        .order_by(Patient.name_key, Patient.id)
        .limit(limit)
        for key in sorted(keys)
        if key
    ]
    if not asked:
        return []
    if born is not None:
        asked = [one.where(Patient.birth_date == born) for one in asked]
    found = [session.scalars(one) for one in asked]
    return [Hit(facts_of(row), "name") for rows in found for row in rows]


def _born_on(session: ActorSession, organizations: Sequence[UUID], born: date, like: Named | None) -> list[Hit]:
    """Those of that day, or of them those whose name is like that of `like`, or begins as it."""
    asked = _going_on(organizations, Patient.birth_date == born).order_by(Patient.name_key, Patient.id)
    people = [facts_of(row) for row in session.scalars(asked.limit(_MOST_BORN))]
    if like is None:
        return [Hit(one, "birth_date") for one in people]
    words = f"{like.family_name} {like.given_name}"
    return [Hit(one, "near") for one in people if like_name(one, like) or begins(words, one)]


def _going_on(organizations: Sequence[UUID], *conditions: ColumnElement[bool]) -> Select[Patient]:
    return select(Patient).where(
        Patient.organization_id.in_(organizations), Patient.merged_into_id.is_(None), *conditions
    )
