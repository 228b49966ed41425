"""What sites say of patients, taken into the index: one patient by identifier, all their identifiers, what changed, what is in doubt."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from heliograph.kit.work import Work
from heliograph.records.patients.doubts import IdentityInDoubt, raise_doubt
from heliograph.records.patients.events import PatientChanged
from heliograph.records.patients.identify import NoIdentifier, Told, attach, identify, update_demographics
from heliograph.records.patients.names import is_another
from heliograph.records.patients.queries import PatientFacts


@dataclass(frozen=True, slots=True)
class TakenPatient:
    """The patient, which columns changed, and whether another patient bears one of the identifiers."""

    patient: PatientFacts
    changed: tuple[str, ...] = ()
    is_shared: bool = False


def take(work: Work, organization_id: UUID, told: Told, *, change: bool = True) -> TakenPatient:
    """The patient whom the first identifier names, made when there is none, with what is told of them.

    Further identifiers are kept with the patient; one that is somebody else's stays theirs, and a person is asked whether both are one.
    What comes under the identifier of somebody who was merged changes nothing of the patient who goes on. `change` False: a known
    patient stays as they are (a report is no source of demographics).

    Raises:
        NoIdentifier: there is none, or it is longer than 250 characters.
        IdentityInDoubt: family name and birth date both differ from what is known under this identifier.
    """
    if not told.identifiers:
        raise NoIdentifier
    own, *others = told.identifiers
    patient = identify(
        work,
        organization_id,
        own.authority,
        own.value,
        names=told.names or ("", ""),
        birth_date=told.birth_date,
        sex=told.sex,
    )
    if not patient.is_new and is_another(patient, (told.names or ("", ""))[0], told.birth_date):
        raise IdentityInDoubt(organization_id, patient.id, told=told)
    changed: tuple[str, ...] = ()
    if patient.is_new and (told.ideographic or told.phonetic):
        update_demographics(work, patient.id, ideographic=told.ideographic, phonetic=told.phonetic)
    elif not patient.is_new and change:
        changed = take_changes(work, patient, told)
    others_of = attach(work, patient, others) if patient.merge_id is None else []
    for other in others_of:
        raise_doubt(work, organization_id, patient.id, "two_patients", other_id=other)
    return TakenPatient(patient, changed, bool(others_of))


def take_changes(work: Work, patient: PatientFacts, told: Told) -> tuple[str, ...]:
    """What a site says otherwise of a known patient (`take` found them); which columns changed. Under an identifier that was merged
    nothing does."""
    if patient.merge_id is not None:
        return ()
    changed = update_demographics(
        work,
        patient.id,
        names=told.names,
        ideographic=told.ideographic,
        phonetic=told.phonetic,
        birth_date=told.birth_date,
        sex=told.sex,
        clear=told.clear,
    )
    if changed:
        work.announce(PatientChanged(patient.organization_id, patient.id, tuple(changed)))
    return tuple(changed)
