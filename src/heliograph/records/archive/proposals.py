"""The same picture sent again under other attributes, which is how sites correct demographics: proposed as a correction of the study,
which a person accepts. What differs in more than that is held for a person to look at."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from uuid import UUID

from sqlalchemy import select, update

from heliograph.kit.codecs.dicom import DicomError, json_text
from heliograph.kit.codecs.dicom.differ import differing, same_pixels
from heliograph.kit.db.session import ROW_LOCK, ActorSession
from heliograph.kit.errors import Conflict, NotFound
from heliograph.kit.objects import Objects
from heliograph.kit.work import Work
from heliograph.records.archive.corrections import (
    BIRTH_DATE,
    CORRECTABLE,
    ISSUER,
    NAME,
    PATIENT_ID,
    SEX,
    NotCorrectable,
    check_values,
    correct,
    words,
)
from heliograph.records.archive.examine import BAD_IDENTITY, CORRECTION, DIFFERENT_CONTENT, Examined, date_of
from heliograph.records.archive.held import held_alike
from heliograph.records.archive.model import HeldObject, Instance, Study
from heliograph.records.archive.overlay import overlays, source_of
from heliograph.records.archive.present import StoredObject, stored_columns
from heliograph.records.patients.identify import NoIdentifier, identify
from heliograph.records.patients.names import is_another
from heliograph.records.patients.queries import PatientFacts, find, identifier_of, patient
from heliograph.records.sites.queries import facility

_OF_NO_WEIGHT = frozenset(
    {
        "00080005",  # Specific Character Set: text is compared as text
        "00080012",  # Instance Creation Date, Time, Creator UID
        "00080013",
        "00080014",
        "00080015",  # Instance Coercion DateTime
        "00080051",  # Issuer of Accession Number Sequence
        "0018A001",  # Contributing Equipment Sequence
        "00081110",  # Referenced Study Sequence
        "00321032",  # Requesting Physician
        "00321033",  # Requesting Service
        "00321060",  # Requested Procedure Description
        "00321064",  # Requested Procedure Code Sequence
        "00400275",  # Request Attributes Sequence
        "00401001",  # Requested Procedure ID
        "04000561",  # Original Attributes Sequence: what the site itself had put right before
    }
)
"""What a site's software writes anew when it sends a picture again, or what tells of the order: it stays as it was sent first."""
_MOST_NAMED = 5


class OtherPerson(Conflict):
    """The patient known under the new identifier has another name and another birth date."""


class NoProposal(Conflict):
    """This object proposes no correction: it differs in more than what can be put right."""


@dataclass(frozen=True, slots=True)
class Compared:
    """How an object differs from the one filed under its UID, in words without patient data, and as what it is held.

    `values` is what it would put right (see `corrections.correct`); None: it can't be taken as a correction.
    `is_known`: nothing differs that is not in force already.
    """

    detail: str
    reason: str = DIFFERENT_CONTENT
    values: dict[str, str] | None = field(default=None, repr=False)
    is_known: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """Whom a study names once a proposal is taken: identifier with its authority, family and given name, birth date, sex."""

    authority: str
    value: str
    family_name: str = field(repr=False)
    given_name: str = field(repr=False)
    birth_date: date | None = field(repr=False)
    sex: str | None = field(repr=False)


def compared(
    session: ActorSession, objects: Objects, entry: Examined, filed_in: tuple[str, str], beside: Path | None = None
) -> Compared:
    """Compares a received object, whose UID is filed with other bytes, with the filed one.

    `filed_in` are the study and series of the filed one; `beside` is its file where it is being filed only now.
    """
    first = "an object with this SOP Instance UID is filed"
    header = entry.facts.header if entry.facts else None
    if entry.facts is None or header is None:
        return Compared(f"{first} with other content; the first stays")
    if filed_in != (header.study_instance_uid, header.series_instance_uid):
        return Compared(f"{first} in another series", BAD_IDENTITY)
    row = session.execute(
        select(Instance.study_id, *stored_columns).where(
            Instance.organization_id == entry.file.organization_id, Instance.sop_instance_uid == header.sop_instance_uid
        )
    ).one_or_none()
    if row is None and beside is None:
        return Compared(f"{first} with other content; the first stays")
    try:
        filed = source_of(objects, StoredObject(*row[1:])) if row is not None else beside
        if filed is None:
            raise FileNotFoundError
        if header.has_pixels and not same_pixels(filed, entry.file.path):
            return Compared(f"{first} with other pixels; the first stays")
        tags = {f"{tag:08X}" for tag in differing(filed, entry.file.path)} - _OF_NO_WEIGHT
    except FileNotFoundError:
        return Compared(f"{first} with other content, and its bytes are away; the first stays")
    except DicomError:
        return Compared(f"{first} with other content; the first stays")
    if beyond := sorted(tags - CORRECTABLE):
        more = " and more" if len(beyond) > _MOST_NAMED else ""
        return Compared(f"{first} with other content ({words(beyond[:_MOST_NAMED])}{more}); the first stays")
    document = json.loads(entry.facts.document)
    values = {tag: json_text(document.get(tag, {})) for tag in sorted(tags)}
    in_force = overlays(session, [row[0]]).get(row[0]) if row is not None else None
    right = {f"{tag:08X}": text for tag, text in in_force.values.items()} if in_force else {}
    if not values:  # the sender is told that it is held, and so it is
        return Compared(f"{first} with the same picture and attributes in other bytes; the first stays")
    if values.items() <= right.items():
        return Compared("the same picture is filed, with what it says in force", is_known=True)
    try:
        check_values(values)
    except NotCorrectable as error:
        return Compared(f"the same picture is filed, and its new attributes can't be taken: {error.detail}")
    return Compared(f"the same picture is filed with other attributes: {words(values)}", CORRECTION, values)


def accept(
    work: Work,
    held_id: UUID,
    reason: str,
    *,
    before_move: Callable[[UUID, UUID], None] = lambda _study, _patient: None,
    confirm_other_person: bool = False,
) -> UUID:
    """Takes what a held object proposes, for its whole study and all held objects that propose the same; returns the study's id.

    Where another patient is named the study is filed under them, after `before_move` (study, patient) was asked.

    Raises:
        NotFound: no such object that waits, or not visible; or its study.
        NoProposal, OtherPerson, NotCorrectable
    """
    row = work.session.get(HeldObject, held_id, with_for_update=ROW_LOCK)
    if row is None or row.resolved_at is not None:
        raise NotFound
    if row.proposal is None:
        raise NoProposal
    study = work.session.scalar(
        select(Study)
        .where(Study.organization_id == row.organization_id, Study.study_instance_uid == row.study_instance_uid)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if study is None:
        raise NotFound
    told = _told(work.session, study, row.proposal)
    to = _patient_of(work, study, told) if told is not None else None
    if told is not None and to is not None and to.id != study.patient_id:
        if not to.is_new and not confirm_other_person and is_another(to, told.family_name, told.birth_date):
            raise OtherPerson
        before_move(study.id, to.id)
    site = facility(work.session, row.facility_id) if row.facility_id else None
    correct(
        work,
        study.id,
        "resent",
        row.proposal,
        reason,
        patient_id=to.id if to else None,
        source=site.short_name if site else "",
    )
    _resolve(work, row, reason)
    return study.id


def identity_values(session: ActorSession, patient_id: UUID, authority: str) -> dict[str, str]:
    """What a study's images must say to be this patient's (see `corrections.correct`); what is not known becomes empty.

    Of several identifiers the one that `authority` assigned is taken, else the first.

    Raises:
        NotFound: no such patient, or not visible.
    """
    found = patient(session, patient_id)
    if found is None:
        raise NotFound
    best = identifier_of(session, patient_id, authority)
    return {
        NAME: f"{found.family_name}^{found.given_name}".rstrip("^"),
        PATIENT_ID: best.value if best else "",
        ISSUER: best.authority if best else "",
        BIRTH_DATE: f"{found.birth_date:%Y%m%d}" if found.birth_date else "",
        SEX: found.sex or "",
    }


def name_survivor(work: Work, study_id: UUID, survivor_id: UUID, merge_id: UUID, reason: str | None = None) -> None:
    """A study of a merged patient names the one who goes on. Raises NotFound."""
    study = work.session.get(Study, study_id)
    site = facility(work.session, study.facility_id) if study is not None else None
    values = identity_values(work.session, survivor_id, site.patient_id_authority if site else "")
    reason = reason or "Came under an identifier of a patient who was merged."
    source = site.short_name if site else ""
    correct(work, study_id, "merged", values, reason, patient_id=survivor_id, merge_id=merge_id, source=source)


def other_person(session: ActorSession, held_id: UUID) -> tuple[Told, UUID] | None:
    """Whom a held object names, and the patient who is known under that identifier and is likely somebody else (see `accept`).

    None: the object proposes nothing of the kind, or does not wait, or is not visible.
    """
    row = session.get(HeldObject, held_id)
    if row is None or row.resolved_at is not None or row.proposal is None:
        return None
    study = session.scalar(
        select(Study).where(
            Study.organization_id == row.organization_id, Study.study_instance_uid == row.study_instance_uid
        )
    )
    told = _told(session, study, row.proposal) if study is not None else None
    if study is None or told is None:
        return None
    known = find(session, row.organization_id, told.authority, told.value)
    if known is None or known.id == study.patient_id or not is_another(known, told.family_name, told.birth_date):
        return None
    return told, known.id


def _told(session: ActorSession, study: Study, values: dict[str, str]) -> Told | None:
    """Whom the study names with `values`; None if it goes on naming whom it names."""
    if not values.keys() & {PATIENT_ID, ISSUER}:
        return None
    site = facility(session, study.facility_id)
    issuer = values.get(ISSUER, study.dicom_patient_issuer or "") or (site.patient_id_authority if site else "")
    name = values.get(NAME, study.dicom_patient_name or "").split("=", maxsplit=1)[0]
    family, given = [*name.split("^"), ""][:2]
    return Told(
        issuer,
        values.get(PATIENT_ID, study.dicom_patient_id or ""),
        family.strip(),
        given.strip(),
        date_of(values[BIRTH_DATE]) if BIRTH_DATE in values else study.dicom_birth_date,
        values.get(SEX, study.dicom_sex),
    )


def _patient_of(work: Work, study: Study, told: Told) -> PatientFacts | None:
    """The patient who is told, made when there is none; None without an identifier."""
    try:
        return identify(
            work,
            study.organization_id,
            told.authority,
            told.value,
            names=(told.family_name, told.given_name),
            birth_date=told.birth_date,
            sex=told.sex,
        )
    except NoIdentifier:
        return None


def _resolve(work: Work, row: HeldObject, reason: str) -> None:
    """All objects of the study that propose the same are dealt with."""
    alike = held_alike(work.session, row.id)
    work.session.execute(update(HeldObject).where(HeldObject.id.in_(alike)).values(resolved_at=work.now))
    work.record(
        "object.correction_accepted",
        organization_id=row.organization_id,
        subject_kind="held_object",
        subject_id=row.id,
        reason=reason,
        detail={"objects": len(alike)},
    )
