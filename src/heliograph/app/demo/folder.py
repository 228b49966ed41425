"""A folder of somebody's DICOM files as demonstration studies: stamped copies with an accession and a patient of the demonstration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from heliograph.app.demo.cases import CASES, DemoCase
from heliograph.app.demo.studies_iod import DemoPatient

_PROCEDURES = {
    "CT": ("CTHEAD", "CT head without contrast"),
    "MR": ("MRBRAIN", "MR brain without contrast"),
}
"""Procedures that the demonstration's readers can read; other modalities are ordered as CT heads, since somebody must read them."""


@dataclass
class Stamped:
    """The copies, study by study, and what was done to make them."""

    cases: list[tuple[DemoCase, Sequence[Path]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def stamped_cases(source: Path, folder: Path, now: datetime) -> Stamped:
    """Copies each DICOM file below `source` into `folder` with accession and patient stamped; the originals stay as they are."""
    stamped = Stamped()
    by_study: dict[str, list[Path]] = {}
    skipped = 0
    model = CASES[0]
    patient = DemoPatient("4471-7100", model.site.code, "GUEST^Demonstration", "19600101", "O")
    numbers: dict[str, str] = {}
    modality: dict[str, str] = {}
    for index, path in enumerate(sorted(p for p in source.rglob("*") if p.is_file())):
        try:
            ds = pydicom.dcmread(path)
            study_uid = str(ds.StudyInstanceUID)
        except (InvalidDicomError, AttributeError, OSError):
            skipped += 1
            continue
        number = numbers.setdefault(study_uid, f"{model.site.code[:2]}{now:%y%m%d%H%M}F{len(numbers)}")
        modality.setdefault(study_uid, str(ds.get("Modality", "OT")))
        ds.AccessionNumber = number
        ds.PatientID, ds.IssuerOfPatientID = patient.patient_id, patient.issuer
        ds.PatientName, ds.PatientBirthDate, ds.PatientSex = patient.name, patient.birth_date, patient.sex
        copy = folder / f"{index:06d}.dcm"
        ds.save_as(copy, enforce_file_format=True)
        by_study.setdefault(study_uid, []).append(copy)
    for number_in_order, (study_uid, files) in enumerate(by_study.items(), 1):
        case = DemoCase(
            site=model.site,
            kind="ct-head",
            patient=patient,
            number=number_in_order,
            priority="S",
            procedure=_PROCEDURES.get(modality[study_uid], _PROCEDURES["CT"]),
            modality=modality[study_uid],
            indication="Files of a folder, sent as a demonstration.",
            referrer=model.referrer,
            accession=numbers[study_uid],
        )
        stamped.cases.append((case, files))
        stamped.notes.append(
            f"{len(files)} files stamped with accession {case.accession} and patient {patient.patient_id}; the originals are untouched"
        )
    if skipped:
        stamped.notes.append(f"{skipped} files are not DICOM and were left out")
    return stamped
