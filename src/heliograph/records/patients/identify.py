"""Who a patient is: (organisation, assigning authority, value), and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.dialects.postgresql import insert

from heliograph.kit.db.session import ROW_LOCK
from heliograph.kit.errors import Invalid, NotFound
from heliograph.kit.work import Work
from heliograph.records.patients.model import Identifier, Patient
from heliograph.records.patients.names import PersonName, name_key
from heliograph.records.patients.queries import PatientFacts, facts_of, find

_NAME = text(
    "insert into patients.identifiers (organization_id, patient_id, authority, value) "
    "values (:organization, :patient, :authority, :value) "
    "on conflict (organization_id, authority, value) do nothing returning patient_id"
)
SEXES = ("M", "F", "O")
_LONGEST = 250


@dataclass(frozen=True, slots=True)
class ToldIdentifier:
    """An identifier with who assigned it; `type` is of HL7 table 0203."""

    value: str
    authority: str
    type: str = "MR"


@dataclass(frozen=True, slots=True)
class Told:
    """What a site says of a patient. None leaves what is known alone; `clear` names fields that it asks to delete.

    The first identifier is the site's own number and names the patient; the others are further ones of the same patient.
    """

    identifiers: tuple[ToldIdentifier, ...]
    names: tuple[str, str] | None = None
    ideographic: str | None = None
    phonetic: str | None = None
    """The name in other representations, `family^given`: groups of a DICOM PN."""
    birth_date: date | None = None
    sex: str | None = None
    clear: tuple[str, ...] = ()


class NoIdentifier(Invalid):
    """A patient needs an identifier and the authority that assigned it."""


def identify(
    work: Work,
    organization_id: UUID,
    authority: str,
    value: str,
    *,
    names: tuple[str, str] = PersonName(),
    birth_date: date | None = None,
    sex: str | None = None,
) -> PatientFacts:
    """The patient whom the identifier names, made when there is none. Never found by name or birth date.

    `names` (family, given), `birth_date` and `sex` are used only for a patient made here;
    `update_demographics` changes a known one. Two callers at once get the same patient.

    Raises:
        NoIdentifier: the authority or the value is empty or longer than 250 characters.
    """
    authority, value = authority.strip(), value.strip()
    if not authority or not value or len(authority) > _LONGEST or len(value) > _LONGEST:
        raise NoIdentifier
    known = find(work.session, organization_id, authority, value)
    if known is not None:
        return known
    row = Patient(
        organization_id=organization_id,
        family_name=names[0],
        given_name=names[1],
        name_key=name_key(*names),
        birth_date=birth_date,
        sex=sex if sex in SEXES else None,
    )
    work.session.add(row)
    work.session.flush()
    named = {"organization": organization_id, "patient": row.id, "authority": authority, "value": value}
    made = work.session.scalar(_NAME, named)
    if made is None:  # another transaction made the patient, and committed, meanwhile
        work.session.expunge(row)
        work.session.execute(delete(Patient).where(Patient.id == row.id))
        known = find(work.session, organization_id, authority, value)
        if known is None:
            raise NotFound
        return known
    work.record("patient.created", organization_id=organization_id, patient_id=row.id, detail={"authority": authority})
    return facts_of(row, is_new=True)


def attach(work: Work, patient: PatientFacts, identifiers: Iterable[ToldIdentifier]) -> list[UUID]:
    """Keeps further identifiers of a patient. One that names somebody else stays theirs; the ids of those patients are returned.

    An identifier that is empty or longer than 250 characters is left out: it can't have named anybody before either.
    """
    others: dict[UUID, None] = {}
    for one in identifiers:
        authority, value = one.authority.strip(), one.value.strip()
        if not authority or not value or len(authority) > _LONGEST or len(value) > _LONGEST:
            continue
        made = work.session.scalar(
            insert(Identifier)
            .values(
                organization_id=patient.organization_id,
                patient_id=patient.id,
                authority=authority,
                value=value,
                type=one.type[:20],
            )
            .on_conflict_do_nothing(index_elements=["organization_id", "authority", "value"])
            .returning(Identifier.id)
        )
        if made is not None:
            work.record(
                "patient.identifier_added",
                organization_id=patient.organization_id,
                patient_id=patient.id,
                detail={"authority": authority, "type": one.type[:20]},
            )
            continue
        known = find(work.session, patient.organization_id, authority, value)
        if known is not None and known.id != patient.id:
            others[known.id] = None
    return list(others)


def update_demographics(
    work: Work,
    patient_id: UUID,
    *,
    names: tuple[str, str] | None = None,
    ideographic: str | None = None,
    phonetic: str | None = None,
    birth_date: date | None = None,
    sex: str | None = None,
    clear: tuple[str, ...] = (),
) -> list[str]:
    """Takes what the site now says of a patient; None leaves a field alone, `clear` empties fields by name.

    The record tells which fields changed, never their values. Returns those names.

    Raises:
        NotFound: no such patient, or not visible.
    """
    row = work.session.get(Patient, patient_id, with_for_update=ROW_LOCK)
    if row is None:
        raise NotFound
    wanted: dict[str, object] = {
        "family_name": names[0] if names else row.family_name,
        "given_name": names[1] if names else row.given_name,
        "ideographic_name": ideographic or row.ideographic_name,
        "phonetic_name": phonetic or row.phonetic_name,
        "birth_date": None if "birth_date" in clear else birth_date or row.birth_date,
        "sex": None if "sex" in clear else sex if sex in SEXES else row.sex,
    }
    changed = [field for field, value in wanted.items() if getattr(row, field) != value]
    if not changed:
        return []
    for field in changed:
        setattr(row, field, wanted[field])
    row.name_key = name_key(row.family_name, row.given_name)
    row.updated_at = work.now
    work.session.flush()
    work.record("patient.changed", organization_id=row.organization_id, patient_id=row.id, detail={"fields": changed})
    return changed
