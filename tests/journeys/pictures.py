"""Images with a known face, of each kind that a viewer shows in its own way.

On each: a grey ground, a bright disc left above, a dark one right of the middle. A picture that is turned, inverted, in the wrong window,
with swapped colours or black looks otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from heliograph.app.demo.cases import DemoCase

Face = NDArray[np.int64]
GROUND, BRIGHT, DARK = 0, 1, 2
BRIGHT_AT, DARK_AT, GROUND_AT = (0.25, 0.25), (0.5, 0.75), [(0.75, 0.5), (0.25, 0.75), (0.75, 0.25), (0.5, 0.25)]
"""Centres as parts of height and width: (row, column). Where the ground is looked at, a turned picture has a disc."""
_RADIUS = 0.09


def face(rows: int, columns: int, bright_at: tuple[float, float] = BRIGHT_AT) -> Face:
    """GROUND, BRIGHT or DARK for each pixel [rows, columns]."""
    made = np.zeros((rows, columns), np.int64)
    down, across = np.mgrid[0:rows, 0:columns]
    for what, (row, column) in ((BRIGHT, bright_at), (DARK, DARK_AT)):
        made[(down - row * rows) ** 2 + (across - column * columns) ** 2 < (_RADIUS * min(rows, columns)) ** 2] = what
    return made


@dataclass(frozen=True)
class Kind:
    """A kind of image: what must be seen on the ground, the bright and the dark disc (RGB from 0 to 255), and how it is made."""

    name: str
    fill: Callable[[Dataset], None]
    colours: dict[int, tuple[int, int, int]] = field(
        default_factory=lambda: {GROUND: (89, 89, 89), BRIGHT: (255, 255, 255), DARK: (0, 0, 0)}
    )
    frames: tuple[tuple[float, float], ...] = ()
    """Where the bright disc is on each frame; empty: one frame, and it is at its place."""

    def __str__(self) -> str:
        return self.name


def _grey(ds: Dataset, values: tuple[int, int, int], rows: int, columns: int, *, stored: int, signed: bool) -> None:
    """One sample: the values of ground, bright and dark."""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, stored, stored - 1, int(signed)
    ds.Rows, ds.Columns = rows, columns
    ds.PixelData = np.array(values)[face(rows, columns)].astype(np.int16 if signed else np.uint16).tobytes()


def _ct(ds: Dataset) -> None:
    ds.SOPClassUID, ds.Modality = pydicom.uid.CTImageStorage, "CT"
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
    ds.WindowCenter, ds.WindowWidth = "40", "400"
    ds.PixelSpacing, ds.ImagePositionPatient, ds.ImageOrientationPatient = [0.7, 0.7], [0, 0, 0], [1, 0, 0, 0, 1, 0]
    _grey(ds, (1004, 1324, 24), 256, 256, stored=16, signed=True)


def _mr(ds: Dataset) -> None:
    ds.SOPClassUID, ds.Modality = pydicom.uid.MRImageStorage, "MR"
    ds.WindowCenter, ds.WindowWidth = "600", "1200"
    ds.PixelSpacing, ds.ImagePositionPatient, ds.ImageOrientationPatient = [0.7, 0.7], [0, 0, 0], [1, 0, 0, 0, 1, 0]
    _grey(ds, (420, 1400, 0), 256, 256, stored=12, signed=False)


def _mg(ds: Dataset) -> None:
    ds.SOPClassUID, ds.Modality = pydicom.uid.DigitalMammographyXRayImageStorageForPresentation, "MG"
    ds.PresentationIntentType, ds.PresentationLUTShape = "FOR PRESENTATION", "IDENTITY"
    ds.ImageLaterality, ds.ViewPosition, ds.PatientOrientation = "L", "MLO", ["A", "FL"]
    ds.ImagerPixelSpacing = [0.1, 0.1]
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = "2000", "4000", "LINEAR"
    _grey(ds, (1400, 4095, 0), 1200, 900, stored=12, signed=False)


def _monochrome1(ds: Dataset) -> None:
    """White is little: the bright disc has the smallest value."""
    ds.SOPClassUID, ds.Modality = pydicom.uid.ComputedRadiographyImageStorage, "CR"
    ds.ImagerPixelSpacing = [0.15, 0.15]
    ds.WindowCenter, ds.WindowWidth = "512", "1024"
    _grey(ds, (1023 - 357, 0, 1023), 600, 500, stored=10, signed=False)
    ds.PhotometricInterpretation = "MONOCHROME1"


def _dx(ds: Dataset) -> None:
    """MONOCHROME1 as digital radiography has it: the presentation LUT says inverse, too (PS3.3 C.8.11.3.1.2)."""
    ds.SOPClassUID, ds.Modality = pydicom.uid.DigitalXRayImageStorageForPresentation, "DX"
    ds.PresentationIntentType, ds.PresentationLUTShape = "FOR PRESENTATION", "INVERSE"
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.ImagerPixelSpacing = [0.15, 0.15]
    ds.WindowCenter, ds.WindowWidth = "8192", "16384"
    _grey(ds, (16383 - 5718, 0, 16383), 600, 500, stored=14, signed=False)
    ds.PhotometricInterpretation = "MONOCHROME1"


def _palette(ds: Dataset) -> None:
    """Indices from 10; entries of 16 bits; red, green and blue differ in each."""
    ds.SOPClassUID, ds.Modality = pydicom.uid.UltrasoundImageStorage, "US"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "PALETTE COLOR"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.Rows = ds.Columns = 256
    for name, entries in (("Red", (40, 250, 20)), ("Green", (90, 160, 20)), ("Blue", (140, 30, 120))):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [3, 10, 16])
        setattr(ds, f"{name}PaletteColorLookupTableData", np.array([e * 257 for e in entries], "<u2").tobytes())
    for keyword in ("Red", "Green", "Blue"):
        ds[f"{keyword}PaletteColorLookupTableDescriptor"].VR = "US"
    ds.PixelData = (face(256, 256) + 10).astype(np.uint8).tobytes()


PATH = ((0.25, 0.25), (0.4, 0.25), (0.55, 0.25), (0.7, 0.25))
_COLOURS = {GROUND: (40, 90, 140), BRIGHT: (250, 160, 30), DARK: (20, 20, 120)}


def _ultrasound(ds: Dataset) -> None:
    """Four frames in colour, plane by plane; the bright disc goes down."""
    ds.SOPClassUID, ds.Modality = pydicom.uid.UltrasoundMultiFrameImageStorage, "US"
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.Rows, ds.Columns, ds.NumberOfFrames = 256, 256, str(len(PATH))
    ds.FrameTime, ds.FrameIncrementPointer = "100", 0x00181063
    table = np.array([_COLOURS[what] for what in (GROUND, BRIGHT, DARK)], np.uint8)
    ds.PixelData = b"".join(np.moveaxis(table[face(256, 256, at)], -1, 0).tobytes() for at in PATH)


KINDS = (
    Kind("CT", _ct),
    Kind("MR", _mr),
    Kind("US", _ultrasound, _COLOURS, PATH),
    Kind("MG", _mg),
    Kind("palette", _palette, _COLOURS),
    Kind("MONOCHROME1", _monochrome1),
    Kind("DX", _dx),
)


def write(kind: Kind, case: DemoCase, folder: Path) -> list[Path]:
    """The files of one exam with one image of this kind, of the case's patient."""
    return list(_written(kind, case, folder))


def _written(kind: Kind, case: DemoCase, folder: Path) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientID, ds.IssuerOfPatientID = case.patient.patient_id, case.patient.issuer
    ds.PatientName, ds.PatientBirthDate, ds.PatientSex = case.patient.name, case.patient.birth_date, case.patient.sex
    ds.AccessionNumber, ds.StudyDescription, ds.SeriesDescription = case.accession, case.procedure[1], kind.name
    ds.StudyDate, ds.StudyTime, ds.StudyID = "20261125", "010000", "1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = generate_uid(), generate_uid(), generate_uid()
    ds.SeriesNumber, ds.InstanceNumber = 1, 1
    kind.fill(ds)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.save_as(folder / f"{kind.name}.dcm", enforce_file_format=True)
    yield folder / f"{kind.name}.dcm"
