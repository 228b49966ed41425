"""Finding and making the rows of a batch: studies with their patients, series, instances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from heliograph.kit.codecs.dicom import Header
from heliograph.kit.db.session import ActorSession
from heliograph.kit.work import Work
from heliograph.records.archive.corrections import original_identity
from heliograph.records.archive.examine import Facts, clean, date_of
from heliograph.records.archive.match_state import lock_accessions
from heliograph.records.archive.model import Series, Study
from heliograph.records.archive.proposals import name_survivor
from heliograph.records.archive.spool import SpooledObject
from heliograph.records.patients.identify import NoIdentifier, identify
from heliograph.records.patients.names import is_another
from heliograph.records.patients.queries import PatientFacts
from heliograph.records.sites.queries import FacilityFacts, facilities, sends_priors

OTHER_PATIENT = "Images of this study name different patients."
OTHER_PERSON = "The patient known under this identifier has another name and another birth date than the images say."


@dataclass(frozen=True, slots=True)
class NewInstance:
    """A row to be: the object, its facts, its parents and its place."""

    file: SpooledObject
    facts: Facts
    study_id: UUID
    series_id: UUID
    object_key: str
    is_made_here: bool = False


def studies_of(
    work: Work, organization_id: UUID, wanted: Sequence[tuple[SpooledObject, Facts]]
) -> dict[str, tuple[Study, bool]]:
    """The studies of a batch by Study Instance UID, locked, each with whether it is new.

    Where an image names another patient than its study did, the image is kept and the study is held: a person must look.
    """
    firsts: dict[str, tuple[SpooledObject, Facts]] = {}
    for file, facts in wanted:
        firsts.setdefault(facts.header.study_instance_uid, (file, facts))
    _lock_accessions(work, organization_id, firsts)
    found = _locked(work.session, organization_id, list(firsts))
    sites = facilities(work.session, {file.facility_id for file, _ in wanted})
    made: dict[str, PatientFacts | None] = {}
    for uid in sorted(firsts.keys() - found.keys()):
        file, facts = firsts[uid]
        patient = _patient(work, sites[file.facility_id], facts.header)
        if _make_study(work, sites[file.facility_id], file, facts.header, patient):
            made[uid] = patient
    if len(found) < len(firsts):
        found = _locked(work.session, organization_id, list(firsts))
    for uid, patient in made.items():
        if patient is not None and patient.merge_id is not None:
            name_survivor(work, found[uid].id, patient.id, patient.merge_id)
    for file, facts in wanted:
        if facts.header.charset_suspect:
            found[facts.header.study_instance_uid].charset_suspect = True
        _check_patient(work, found[facts.header.study_instance_uid], sites[file.facility_id], facts.header)
    return {uid: (study, uid in made) for uid, study in found.items()}


def _lock_accessions(work: Work, organization_id: UUID, firsts: dict[str, tuple[SpooledObject, Facts]]) -> None:
    """Locks what `match_study` will lock, which for a known study is its own number, whatever a later image says."""
    filed = work.session.scalars(
        select(Study.accession_number).where(
            Study.organization_id == organization_id, Study.study_instance_uid.in_(firsts)
        )
    )
    named = (clean(facts.header.accession_number) for _, facts in firsts.values())
    lock_accessions(work.session, organization_id, [*filed, *named])


def _locked(session: ActorSession, organization_id: UUID, uids: list[str]) -> dict[str, Study]:
    rows = session.scalars(
        select(Study)
        .where(Study.organization_id == organization_id, Study.study_instance_uid.in_(uids))
        .order_by(Study.study_instance_uid)
        .with_for_update(key_share=True)
    )
    return {row.study_instance_uid: row for row in rows}


def _make_study(
    work: Work, site: FacilityFacts, file: SpooledObject, header: Header, patient: PatientFacts | None
) -> bool:
    """Makes the row of a study; False if another transaction did so meanwhile."""
    names = header.patient_name
    is_another = patient is not None and _is_another(patient, header)
    made = work.session.scalar(
        insert(Study)
        .values(
            organization_id=file.organization_id,
            facility_id=file.facility_id,
            patient_id=(patient.merged_id or patient.id) if patient else None,
            study_instance_uid=header.study_instance_uid,
            accession_number=clean(header.accession_number),
            accession_issuer=clean(header.issuer_of_accession_number) or site.accession_issuer,
            dicom_patient_id=clean(header.patient_id),
            dicom_patient_issuer=clean(header.issuer_of_patient_id),
            dicom_patient_name=clean("=".join((names.alphabetic, names.ideographic, names.phonetic)).rstrip("=")),
            dicom_birth_date=date_of(header.patient_birth_date),
            dicom_sex=clean(header.patient_sex),
            study_id=clean(header.study_id),
            study_date=date_of(header.study_date),
            study_time=clean(header.study_time),
            timezone_offset=clean(header.timezone_offset_from_utc),
            study_description=clean(header.study_description),
            referring_physician=clean(header.referring_physician_name.alphabetic),
            body_part=clean(header.body_part_examined),
            first_received_at=file.received_at,
            last_received_at=file.received_at,
            match_state="held" if is_another else _first_state(work, site, file),
            match_reason=OTHER_PERSON if is_another else None,
        )
        .on_conflict_do_nothing(index_elements=["organization_id", "study_instance_uid"])
        .returning(Study.id)
    )
    return made is not None


def _first_state(work: Work, site: FacilityFacts, file: SpooledObject) -> str:
    if sends_priors(work.session, file.caller_id):
        return "prior"
    return "not_needed" if site.is_images_only else "unmatched"


def _patient(work: Work, site: FacilityFacts, header: Header) -> PatientFacts | None:
    value = clean(header.patient_id)
    if value is None:
        return None
    family, given = _names(header)
    try:
        return identify(
            work,
            site.organization_id,
            clean(header.issuer_of_patient_id) or site.patient_id_authority,
            value,
            names=(family, given),
            birth_date=date_of(header.patient_birth_date),
            sex=clean(header.patient_sex),
        )
    except NoIdentifier:
        return None


def _names(header: Header) -> tuple[str, str]:
    family, given = [*header.patient_name.alphabetic.split("^"), ""][:2]
    return clean(family) or "", clean(given) or ""


def _is_another(known: PatientFacts, header: Header) -> bool:
    family = _names(header)[0]
    is_garbled = header.charset_suspect and not (family.isascii() and known.family_name.isascii())
    if known.is_new or is_garbled:  # a garbled name proves nothing
        return False
    return is_another(known, family, date_of(header.patient_birth_date))


def _check_patient(work: Work, study: Study, site: FacilityFacts, header: Header) -> None:
    value, issuer = clean(header.patient_id), clean(header.issuer_of_patient_id)
    if value is None:
        return
    if study.dicom_patient_id is None:
        study.dicom_patient_id, study.dicom_patient_issuer = value, issuer
        patient = _patient(work, site, header)
        if patient is not None and study.patient_id is None:
            study.patient_id = patient.id
            if _is_another(patient, header):
                study.match_state, study.match_reason = "held", OTHER_PERSON
        return
    known: list[tuple[str | None, str | None]] = [(study.dicom_patient_id, study.dicom_patient_issuer)]
    if study.correction_id is not None:  # images go on coming as the scanner has them
        known.append(original_identity(work.session, study))
    if any(theirs == value and (issuer is None or its in (None, issuer)) for theirs, its in known):
        return
    if study.match_reason == OTHER_PATIENT:
        return
    study.match_state, study.match_reason = "held", OTHER_PATIENT
    work.record(
        "study.held",
        organization_id=study.organization_id,
        study_id=study.id,
        patient_id=study.patient_id,
        reason="different_patients",
    )


def series_of(
    work: Work, studies: dict[str, tuple[Study, bool]], wanted: Sequence[tuple[SpooledObject, Facts]]
) -> dict[tuple[UUID, str], Series]:
    """All series of the batch's studies by (study id, Series Instance UID), made where they are missing. The studies are locked."""
    ids = [study.id for study, _ in studies.values()]
    found = {
        (row.study_id, row.series_instance_uid): row
        for row in work.session.scalars(select(Series).where(Series.study_id.in_(ids)))
    }
    for _file, facts in wanted:
        study, _ = studies[facts.header.study_instance_uid]
        key = (study.id, facts.header.series_instance_uid)
        if key not in found:
            found[key] = new_series(study, facts.header)
            work.session.add(found[key])
    work.session.flush()
    return found


def new_series(study: Study, header: Header) -> Series:
    """The row of a series that `header`'s object begins."""
    return Series(
        organization_id=study.organization_id,
        study_id=study.id,
        series_instance_uid=header.series_instance_uid,
        modality=clean(header.modality),
        series_number=header.series_number,
        series_description=clean(header.series_description),
        body_part=clean(header.body_part_examined),
        laterality=clean(header.laterality),
        number_of_instances=0,
    )


# COPY is refused on tables with row-level security; one INSERT over arrays comes close. The headers go as one document, since
# quoting each as an array's text would cost more than the rest.
_INSERT = text(
    """
    insert into archive.instances (
        organization_id, study_id, series_id, sop_instance_uid, sop_class_uid, transfer_syntax_uid, instance_number, "rows",
        "columns", bits_allocated, number_of_frames, object_key, object_length, dataset_offset, sha256, frame_table, header,
        is_made_here, received_at, caller_id)
    select :organization_id, t.study_id, t.series_id, t.sop, t.sop_class, t.syntax, t.number, t."rows", t."columns", t.bits,
        t.frames, t.key, t.length, t.dataset, t.sha256, t.table, t.header, t.made, t.received, t.caller
    from rows from (unnest(
        cast(:study_id as uuid[]), cast(:series_id as uuid[]), cast(:sop as text[]), cast(:sop_class as text[]),
        cast(:syntax as text[]), cast(:number as int[]), cast(:rows as int[]), cast(:columns as int[]), cast(:bits as int[]),
        cast(:frames as int[]), cast(:key as text[]), cast(:length as bigint[]), cast(:dataset as int[]),
        cast(:sha256 as bytea[]), cast(:table as bytea[]), cast(:made as boolean[]),
        cast(:received as timestamptz[]), cast(:caller as uuid[])
    ), jsonb_array_elements(cast(:headers as jsonb))) as t(study_id, series_id, sop, sop_class, syntax, number, "rows", "columns",
        bits, frames, key, length, dataset, sha256, "table", made, received, caller, header)
    on conflict (organization_id, sop_instance_uid) do nothing
    returning sop_instance_uid
    """
)


def insert_instances(session: ActorSession, organization_id: UUID, rows: Sequence[NewInstance]) -> set[str]:
    """Inserts rows; returns the SOP Instance UIDs that were new. The others belong to another transaction that just committed."""
    if not rows:
        return set()
    headers = [row.facts.header for row in rows]
    values = {
        "organization_id": organization_id,
        "study_id": [row.study_id for row in rows],
        "series_id": [row.series_id for row in rows],
        "sop": [h.sop_instance_uid for h in headers],
        "sop_class": [h.sop_class_uid for h in headers],
        "syntax": [h.transfer_syntax_uid for h in headers],
        "number": [h.instance_number for h in headers],
        "rows": [h.rows for h in headers],
        "columns": [h.columns for h in headers],
        "bits": [h.bits_allocated for h in headers],
        "frames": [h.number_of_frames if h.has_pixels else 0 for h in headers],
        "key": [row.object_key for row in rows],
        "length": [row.facts.length for row in rows],
        "dataset": [h.data_set_offset for h in headers],
        "sha256": [row.facts.sha256 for row in rows],
        "table": [row.facts.frames for row in rows],
        "headers": "[" + ",".join(row.facts.document for row in rows) + "]",
        "made": [row.is_made_here for row in rows],
        "received": [row.file.received_at for row in rows],
        "caller": [row.file.caller_id for row in rows],
    }
    return set(session.scalars(_INSERT, values))
