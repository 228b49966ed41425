"""Reading patients. Row-level security decides what the actor sees; these add what is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy import text as sql

from heliograph.kit.db.session import ActorSession
from heliograph.records.patients.model import Identifier, Merge, Patient
from heliograph.records.patients.names import LAST, age_years, display_name, name_key

__all__ = [
    "PatientBanner",
    "PatientFacts",
    "PatientIdentifier",
    "banner",
    "banners",
    "display_name",
    "find",
    "going_on",
    "identifier_of",
    "patient",
    "search",
    "visible_patients",
]

_BANNERS = sql(
    "select p.id, p.family_name, p.given_name, p.birth_date, p.sex, "
    "array(select array[i.authority, i.value] from patients.identifiers i where i.patient_id = p.id order by i.id) as identifiers "
    "from patients.patients p where p.id = any(:ids)"
)


@dataclass(frozen=True, slots=True)
class PatientIdentifier:
    """An identifier with its assigning authority."""

    authority: str
    value: str


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """A patient as other rooms know one. `sex` is M, F, O or None (DICOM PatientSex)."""

    id: UUID
    organization_id: UUID
    family_name: str
    given_name: str
    birth_date: date | None
    sex: str | None
    is_new: bool = False
    """Made by the `identify` that returned it."""
    merge_id: UUID | None = None
    """The merge by which the identifier that was asked for is this patient's; it was given to `merged_id`."""
    merged_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class PatientBanner:
    """What every page shows of a patient."""

    id: UUID
    display_name: str
    family_name: str
    given_name: str
    birth_date: date | None
    age_years: int | None
    sex: str | None
    identifiers: tuple[PatientIdentifier, ...]


def facts_of(row: Patient, *, is_new: bool = False) -> PatientFacts:
    """The row as a value."""
    return PatientFacts(row.id, row.organization_id, row.family_name, row.given_name, row.birth_date, row.sex, is_new)


def visible_patients() -> Select[Patient]:
    """All patients that the actor may see; the database filters."""
    return select(Patient)


def patient(session: ActorSession, patient_id: UUID) -> PatientFacts | None:
    """One patient, or None: absent and forbidden look the same."""
    row = session.get(Patient, patient_id)
    return facts_of(row) if row is not None else None


def find(session: ActorSession, organization_id: UUID, authority: str, value: str) -> PatientFacts | None:
    """The patient whom (organisation, authority, value) names; of merged ones the one that goes on."""
    row = session.scalars(
        select(Patient)
        .join(Identifier, Identifier.patient_id == Patient.id)
        .where(
            Identifier.organization_id == organization_id,
            Identifier.authority == authority.strip(),
            Identifier.value == value.strip(),
        )
    ).one_or_none()
    if row is None or row.merged_into_id is None:
        return facts_of(row) if row is not None else None
    merge = session.scalars(select(Merge).where(Merge.merged_id == row.id, Merge.undone_at.is_(None))).one()
    return replace(facts_of(survivor_of(session, row)), merge_id=merge.id, merged_id=row.id)


def going_on(session: ActorSession, patient_id: UUID) -> PatientFacts | None:
    """The patient, or who goes on for them where they were merged; None: absent or not visible."""
    row = session.get(Patient, patient_id)
    return facts_of(survivor_of(session, row)) if row is not None else None


def survivor_of(session: ActorSession, row: Patient) -> Patient:
    """The patient who goes on for this row: itself, unless it was merged. Merges make no circles."""
    while row.merged_into_id is not None:
        row = session.get_one(Patient, row.merged_into_id)
    return row


def identifier_of(session: ActorSession, patient_id: UUID, authority: str | None = None) -> PatientIdentifier | None:
    """The patient's identifier of `authority`, else the first one they got."""
    rows = _identifiers(session, [patient_id]).get(patient_id, [])
    return next((i for i in rows if i.authority == authority), rows[0] if rows else None)


def banner(
    session: ActorSession, patient_id: UUID, zone: str = "UTC", at: datetime | None = None
) -> PatientBanner | None:
    """The banner, with the age of today (or of `at`) in `zone`, the site's. None: absent or not visible."""
    return banners(session, {patient_id: zone}, at).get(patient_id)


def banners(
    session: ActorSession, patients: Mapping[UUID, str], at: datetime | None = None
) -> dict[UUID, PatientBanner]:
    """Banners for lists, in one statement: patient id -> the site's zone, in; those visible, out."""
    if not patients:
        return {}
    now = at or datetime.now(UTC)
    made = {}
    for row in session.execute(_BANNERS, {"ids": list(patients)}):
        today = now.astimezone(ZoneInfo(patients[row.id])).date()
        made[row.id] = PatientBanner(
            id=row.id,
            display_name=display_name(row),
            family_name=row.family_name,
            given_name=row.given_name,
            birth_date=row.birth_date,
            age_years=age_years(row.birth_date, today),
            sex=row.sex,
            identifiers=tuple(PatientIdentifier(*pair) for pair in row.identifiers),
        )
    return made


def search(session: ActorSession, text: str, organizations: Sequence[UUID], limit: int = 50) -> list[PatientFacts]:
    """Patients of `organizations` whose name begins with `text`, or who bear it as an identifier.

    A name is compared as `FAMILY Given`, without case and accents.
    """
    key, value = name_key(text, ""), text.strip()
    if not value or not organizations:
        return []
    named = select(Patient.id).where(
        Patient.organization_id.in_(organizations), Patient.name_key >= key, Patient.name_key < key + LAST
    )
    numbered = select(Identifier.patient_id).where(
        Identifier.organization_id.in_(organizations), Identifier.value == value
    )
    wanted = numbered.union(named) if key else numbered
    rows = session.scalars(
        visible_patients()
        .where(Patient.merged_into_id.is_(None))
        .where(Patient.id.in_(wanted.scalar_subquery() if not key else select(wanted.subquery().c[0])))
        .order_by(Patient.name_key, Patient.id)
        .limit(limit)
    )
    return [facts_of(row) for row in rows]


def _identifiers(session: ActorSession, patient_ids: Sequence[UUID]) -> dict[UUID, list[PatientIdentifier]]:
    found: dict[UUID, list[PatientIdentifier]] = {}
    rows = session.execute(
        select(Identifier.patient_id, Identifier.authority, Identifier.value)
        .where(Identifier.patient_id.in_(patient_ids))
        .order_by(Identifier.id)
    )
    for patient_id, authority, value in rows:
        found.setdefault(patient_id, []).append(PatientIdentifier(authority, value))
    return found
