"""The demonstration's studies: made, not recorded; the same seed gives the same bytes.

make_study("ct-head-bleed", folder, patient=..., accession="A1", study_date="20260301", study_time="101500", ...)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import imagecodecs
import numpy as np
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate

from heliograph.app.demo import studies_iod as iod
from heliograph.app.demo import studies_phantom as phantom
from heliograph.app.demo.studies_iod import DemoPatient, StudyFacts, make_uid

Kind = Literal["ct-head", "ct-head-bleed", "ct-head-prior", "mr-brain", "chest", "ultrasound"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_DESCRIPTIONS: dict[Kind, str] = {
    "ct-head": "CT head without contrast",
    "ct-head-bleed": "CT head without contrast",
    "ct-head-prior": "CT head without contrast",
    "mr-brain": "MR brain without contrast",
    "chest": "Chest PA",
    "ultrasound": "Ultrasound abdomen",
}
_MODALITIES: dict[Kind, str] = {
    "ct-head": "CT",
    "ct-head-bleed": "CT",
    "ct-head-prior": "CT",
    "mr-brain": "MR",
    "chest": "DX",
    "ultrasound": "US",
}
_JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
# In the package itself, so nothing is downloaded.
_SHIPPED = ("CT_small.dcm", "MR_small.dcm", "examples_ybr_color.dcm", "rtplan.dcm", "waveform_ecg.dcm")


@dataclass(frozen=True, slots=True)
class MadeSeries:
    """One series that was made: its UID, number, description and files in the order of instance numbers."""

    series_uid: str
    number: int
    description: str
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class MadeStudy:
    """One study that was made, with what a sender or an order needs to know about it."""

    kind: Kind
    study_uid: str
    accession: str
    modality: str
    description: str
    series: tuple[MadeSeries, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, series after series."""
        return tuple(path for series in self.series for path in series.files)


def make_study(
    kind: Kind,
    folder: Path,
    *,
    patient: DemoPatient,
    accession: str,
    study_date: str,
    study_time: str,
    institution: str,
    referring: str,
    station: str,
    study_uid: str | None = None,
    seed: str | None = None,
    description: str | None = None,
    utc_offset: str = "",
    accession_issuer: str = "",
) -> MadeStudy:
    """Write the files of one study into `folder` (made if absent) and say what they are.

    UIDs come from `seed`, by default the kind, patient, accession and date. `study_date` is YYYYMMDD,
    `study_time` HHMMSS, both on the site's clock, whose `utc_offset` ("+0100") goes into the objects.

    Raises:
        ValueError: no such kind.
        OSError: a file cannot be written.
    """
    if kind not in KINDS:
        raise ValueError(f"no such kind of study; choose from {', '.join(KINDS)}")
    folder.mkdir(parents=True, exist_ok=True)
    seed = seed or f"{kind}/{patient.issuer}/{patient.patient_id}/{accession}/{study_date}{study_time}"
    facts = StudyFacts(
        patient=patient,
        accession=accession,
        study_date=study_date,
        study_time=study_time,
        study_uid=study_uid or make_uid(seed, "study"),
        seed=seed,
        description=description or _DESCRIPTIONS[kind],
        institution=institution,
        referring=referring,
        station=station,
        utc_offset=utc_offset,
        accession_issuer=accession_issuer,
    )
    # The head's shape depends on the patient, so that a prior shows the same head.
    anatomy = int(make_uid(patient.issuer, patient.patient_id)[5:]) % 2**32
    if kind == "mr-brain":
        series = _mr(facts, folder, anatomy)
    elif kind == "chest":
        series = _chest(facts, folder, anatomy)
    elif kind == "ultrasound":
        series = _ultrasound(facts, folder, anatomy)
    else:
        series = _ct(facts, folder, anatomy, kind)
    return MadeStudy(kind, facts.study_uid, accession, _MODALITIES[kind], facts.description, tuple(series))


def shipped_files() -> tuple[Path, ...]:
    """Small real files inside the package pydicom, of kinds that `make_study` does not make."""
    found = (get_testdata_file(name, download=False) for name in _SHIPPED)
    return tuple(Path(str(path)) for path in found if path is not None)


def make_slices(folder: Path, count: int, seed: str = "bench") -> tuple[Path, ...]:
    """`count` CT slices of 0.53 MB in one series, for measurements: eight images, each under many UIDs that depend on `seed`."""
    patient = DemoPatient("BENCH", "DEMO", "Bench^Mark", "19700101", "O")
    facts = StudyFacts(patient, "BENCH", "20260101", "120000", make_uid(seed), seed, "Slices", "Demo", "Doe^A", "CT1")
    folder.mkdir(parents=True, exist_ok=True)
    pixels = phantom.ct_pixels(phantom.head(8, seed=1), seed=1, noise_hu=4)
    ds = iod.ct(facts, 1, "Slices", 1.0, 0.45)
    return _write_slices(ds, facts, folder, pixels[np.arange(count) % 8], 1.0, 1)


def _ct(facts: StudyFacts, folder: Path, anatomy: int, kind: Kind) -> list[MadeSeries]:
    thick_hu = phantom.head(32, seed=anatomy, bleed=kind == "ct-head-bleed", ventricles=1.1)
    spacing = phantom.HEAD_FOV_MM / 512
    wanted = [(2, "Brain 5 mm", 5.0, thick_hu, 3.2)]
    if kind != "ct-head-prior":
        wanted.append((3, "Brain 2.5 mm", 2.5, phantom.between(thick_hu), 4.5))
    made = []
    for number, description, thickness, hu, noise in wanted:
        ds = iod.ct(facts, number, description, thickness, spacing)
        pixels = phantom.ct_pixels(hu, seed=anatomy + number, noise_hu=noise)
        files = _write_slices(ds, facts, folder, pixels, thickness, number)
        made.append(MadeSeries(str(ds.SeriesInstanceUID), number, description, files))
    return made


def _mr(facts: StudyFacts, folder: Path, anatomy: int) -> list[MadeSeries]:
    hu = phantom.head(28, seed=anatomy)
    made = []
    for number, description, flair in ((2, "T1 axial", False), (3, "FLAIR axial", True)):
        ds = iod.mr(facts, number, description, phantom.HEAD_FOV_MM / 256, flair=flair)
        pixels = phantom.mr_pixels(hu, seed=anatomy + number, flair=flair)
        files = _write_slices(ds, facts, folder, pixels, 5.0, number)
        made.append(MadeSeries(str(ds.SeriesInstanceUID), number, description, files))
    return made


def _chest(facts: StudyFacts, folder: Path, anatomy: int) -> list[MadeSeries]:
    image = phantom.chest(seed=anatomy)
    ds = iod.dx(facts, 1, "PA", image.shape[0])
    ds.PixelData = image.tobytes()
    return [_single(ds, facts, folder)]


def _ultrasound(facts: StudyFacts, folder: Path, anatomy: int) -> list[MadeSeries]:
    frames = phantom.ultrasound(24, seed=anatomy)
    coded = [bytes(imagecodecs.jpeg8_encode(frame, level=88)) for frame in frames]
    ds = iod.us(facts, 1, "Liver", *frames.shape)
    ds.LossyImageCompressionRatio = f"{frames.nbytes / sum(map(len, coded)):.2f}"
    ds.PixelData = encapsulate(coded)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return [_single(ds, facts, folder, _JPEG_BASELINE)]


def _single(ds: Dataset, facts: StudyFacts, folder: Path, syntax: str = iod.EXPLICIT_LITTLE) -> MadeSeries:
    ds.InstanceNumber = "1"
    ds.SOPInstanceUID = facts.uid("instance", 1, 1)
    path = folder / f"{ds.Modality}-001-0001.dcm"
    iod.write(ds, path, syntax)
    return MadeSeries(str(ds.SeriesInstanceUID), 1, str(ds.SeriesDescription), (path,))


def _write_slices(
    ds: Dataset, facts: StudyFacts, folder: Path, pixels: phantom.U16, step: float, series: int
) -> tuple[Path, ...]:
    """One file per slice of `pixels` (slices, rows, columns), `step` mm apart, feet first."""
    corner = "\\".join(str(v) for v in ds.ImagePositionPatient[:2])
    writer = iod.SliceWriter(ds)
    made = []
    for k, image in enumerate(pixels):
        changes = {
            0x00200013: ("IS", str(k + 1)),
            0x00200032: ("DS", f"{corner}\\{k * step:.6g}"),
            0x00201041: ("DS", f"{k * step:.6g}"),
        }
        path = folder / f"{ds.Modality}-{series:03d}-{k + 1:04d}.dcm"
        writer.write(path, facts.uid("instance", series, k + 1), changes, image.tobytes())
        made.append(path)
    return tuple(made)
