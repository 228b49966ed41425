"""The attributes of the demonstration's objects: modules of PS3.3 put together for each kind of image."""

from __future__ import annotations

import io
import struct
import uuid
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmwrite

from heliograph.kit.codecs.dicom import part10_header

EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
_NAMESPACE = uuid.UUID("6a0e2f0c-5a1b-5d0e-9c55-3f0f4c1d2a77")


@dataclass(frozen=True, slots=True)
class DemoPatient:
    """A person who does not exist. `name` is a PN value, `birth_date` YYYYMMDD, `sex` F, M or O."""

    patient_id: str
    issuer: str
    name: str
    birth_date: str
    sex: str


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """What all objects of one study share. Dates are YYYYMMDD, times HHMMSS, `utc_offset` like +0100."""

    patient: DemoPatient
    accession: str
    study_date: str
    study_time: str
    study_uid: str
    seed: str
    description: str
    institution: str
    referring: str
    station: str
    utc_offset: str = ""
    accession_issuer: str = ""

    def uid(self, *path: object) -> str:
        """A UID of this study that depends on nothing but its seed and `path`."""
        return make_uid(self.seed, *path)


def make_uid(*path: object) -> str:
    """A UID (PS3.5 B.2) that is the same for the same path."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(map(str, path))).int}"


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """One item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def base(facts: StudyFacts, sop_class: str, modality: str, series: int, description: str) -> Dataset:
    """Patient, study, series, equipment and SOP common modules; the caller adds image modules and numbers."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = sop_class
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = facts.study_date
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = facts.study_time
    ds.InstanceCreationDate, ds.InstanceCreationTime = facts.study_date, facts.study_time
    ds.AccessionNumber = facts.accession
    if facts.accession_issuer:
        issuer = Dataset()
        issuer.LocalNamespaceEntityID = facts.accession_issuer
        ds.IssuerOfAccessionNumberSequence = [issuer]
    ds.Modality = modality
    ds.Manufacturer = "Heliograph demonstration"
    ds.ManufacturerModelName = "Phantom"
    ds.DeviceSerialNumber = "0001"
    ds.SoftwareVersions = "1"
    ds.InstitutionName = facts.institution
    ds.StationName = facts.station
    ds.ReferringPhysicianName = facts.referring
    ds.StudyDescription = facts.description
    ds.SeriesDescription = description
    ds.PatientName = facts.patient.name
    ds.PatientID = facts.patient.patient_id
    ds.IssuerOfPatientID = facts.patient.issuer
    ds.PatientBirthDate = facts.patient.birth_date
    ds.PatientSex = facts.patient.sex
    ds.StudyInstanceUID = facts.study_uid
    ds.SeriesInstanceUID = facts.uid("series", series)
    ds.StudyID = "1"
    ds.SeriesNumber = str(series)
    ds.BurnedInAnnotation = "NO"
    ds.LossyImageCompression = "00"
    if facts.utc_offset:
        ds.TimezoneOffsetFromUTC = facts.utc_offset
    return ds


def pixels(ds: Dataset, rows: int, columns: int, *, allocated: int = 16, stored: int = 12) -> None:
    """Image pixel module for unsigned greyscale."""
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = rows, columns
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = allocated, stored, stored - 1
    ds.PixelRepresentation = 0


def plane(ds: Dataset, facts: StudyFacts, spacing: float, thickness: float, extent: float) -> None:
    """Frame of reference and image plane modules for axial slices, head first supine; lengths in mm."""
    ds.FrameOfReferenceUID = facts.uid("frame of reference")
    ds.PositionReferenceIndicator = ""
    ds.PatientPosition = "HFS"
    ds.PixelSpacing = [f"{spacing:.6g}"] * 2
    ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    ds.SliceThickness = f"{thickness:.4g}"
    ds.ImagePositionPatient = [f"{-extent / 2:.6g}", f"{-extent / 2:.6g}", "0"]
    ds.SliceLocation = "0"


def ct(facts: StudyFacts, series: int, description: str, thickness: float, spacing: float) -> Dataset:
    """A CT image (PS3.3 A.3) of the head, to be completed by `write_slices`."""
    ds = base(facts, "1.2.840.10008.5.1.4.1.1.2", "CT", series, description)
    pixels(ds, 512, 512)
    plane(ds, facts, spacing, thickness, spacing * 512)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.BodyPartExamined = "HEAD"
    ds.ProtocolName = "Head without contrast"
    ds.AcquisitionNumber = "1"
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
    ds.WindowCenter, ds.WindowWidth = "40", "80"
    ds.KVP = "120"
    ds.XRayTubeCurrent, ds.ExposureTime, ds.Exposure = "280", "1000", "280"
    ds.GantryDetectorTilt = "0"
    ds.ConvolutionKernel = "SOFT"
    ds.DataCollectionDiameter = ds.ReconstructionDiameter = f"{spacing * 512:.5g}"
    return ds


def mr(facts: StudyFacts, series: int, description: str, spacing: float, *, flair: bool) -> Dataset:
    """An MR image (PS3.3 A.4) of the brain."""
    ds = base(facts, "1.2.840.10008.5.1.4.1.1.4", "MR", series, description)
    pixels(ds, 256, 256)
    plane(ds, facts, spacing, 5.0, spacing * 256)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    ds.BodyPartExamined = "BRAIN"
    ds.ProtocolName = description
    ds.AcquisitionNumber = str(series)
    ds.ScanningSequence = ["SE", "IR"] if flair else "SE"
    ds.SequenceVariant = "SK"
    ds.ScanOptions = ""
    ds.MRAcquisitionType = "2D"
    ds.RepetitionTime, ds.EchoTime = ("9000", "120") if flair else ("550", "12")
    ds.EchoTrainLength = "16" if flair else "1"
    if flair:
        ds.InversionTime = "2500"
    ds.MagneticFieldStrength = "1.5"
    ds.SpacingBetweenSlices = "5"
    ds.FlipAngle = "90"
    ds.WindowCenter, ds.WindowWidth = ("330", "700") if flair else ("350", "800")
    return ds


def dx(facts: StudyFacts, series: int, description: str, size: int) -> Dataset:
    """A digital X-ray image for presentation (PS3.3 A.26): frontal chest."""
    ds = base(facts, "1.2.840.10008.5.1.4.1.1.1.1", "DX", series, description)
    pixels(ds, size, size)
    ds.ImageType = ["ORIGINAL", "PRIMARY", ""]
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.BodyPartExamined = "CHEST"
    ds.AnatomicRegionSequence = [code("51185008", "SCT", "Chest")]
    ds.ImageLaterality = "U"
    ds.PositionerType = "COLUMN"
    ds.ViewPosition = "PA"
    view = code("272479007", "SCT", "postero-anterior")
    view.ViewModifierCodeSequence = []
    ds.ViewCodeSequence = [view]
    ds.PatientOrientation = ["L", "F"]
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", -1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.PresentationLUTShape = "IDENTITY"
    ds.WindowCenter, ds.WindowWidth = "1900", "3000"
    ds.DetectorType, ds.DetectorID = "SCINTILLATOR", "1"
    ds.DetectorConfiguration = "AREA"
    spacing = f"{430 / size:.5g}"
    ds.ImagerPixelSpacing = [spacing, spacing]
    ds.PixelSpacing = [spacing, spacing]
    ds.PixelSpacingCalibrationType = "GEOMETRY"
    ds.PixelSpacingCalibrationDescription = "Detector plane"
    ds.KVP, ds.ExposureTime, ds.XRayTubeCurrent, ds.Exposure = "120", "8", "250", "2"
    ds.AcquisitionContextSequence = []
    ds.AcquisitionNumber = "1"
    return ds


def us(facts: StudyFacts, series: int, description: str, frames: int, rows: int, columns: int) -> Dataset:
    """An ultrasound multi-frame image (PS3.3 A.7): a clip of 20 frames a second, lossily compressed."""
    ds = base(facts, "1.2.840.10008.5.1.4.1.1.3.1", "US", series, description)
    pixels(ds, rows, columns, allocated=8, stored=8)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "ABDOMINAL", "0001"]
    ds.BodyPartExamined = "ABDOMEN"
    ds.PatientOrientation = ""
    ds.NumberOfFrames = str(frames)
    ds.FrameTime = "50"
    ds.FrameIncrementPointer = 0x00181063
    ds.CineRate = "20"
    ds.LossyImageCompression = "01"
    ds.LossyImageCompressionMethod = "ISO_10918_1"
    ds.AcquisitionNumber = "1"
    return ds


def encoded(ds: Dataset) -> bytes:
    """A data set in Explicit VR Little Endian."""
    buffer = io.BytesIO()
    dcmwrite(buffer, ds, implicit_vr=False, little_endian=True, enforce_file_format=False)
    return buffer.getvalue()


def write(ds: Dataset, path: Path, transfer_syntax: str = EXPLICIT_LITTLE) -> None:
    """Write one object as a DICOM file."""
    header = part10_header(str(ds.SOPClassUID), str(ds.SOPInstanceUID), transfer_syntax)
    path.write_bytes(header + encoded(ds))


class SliceWriter:
    """Writes many objects that differ in a few short elements and their pixels.

    Encoding a whole data set anew for each slice would take most of the time of making a study.
    """

    def __init__(self, template: Dataset) -> None:
        self._sop_class = str(template.SOPClassUID)
        charset = Dataset()
        charset.SpecificCharacterSet = template.SpecificCharacterSet
        before = encoded(charset)
        self._parts = {0x00080005: before}
        for element in template:
            if element.tag != 0x00080005:
                charset.add(element)  # alone its text would be encoded in the default character set
                self._parts[int(element.tag)] = encoded(charset).removeprefix(before)
                del charset[element.tag]

    def write(self, path: Path, sop_instance_uid: str, changes: dict[int, tuple[str, str]], pixels: bytes) -> None:
        """`changes` gives elements by tag as (VR, text); VRs with short lengths only (PS3.5 7.1.2)."""
        parts = dict(self._parts)
        for tag, (vr, text) in {**changes, 0x00080018: ("UI", sop_instance_uid)}.items():
            value = text.encode() + (b"" if len(text) % 2 == 0 else b"\0" if vr == "UI" else b" ")
            parts[tag] = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value
        head = struct.pack("<HH2s2xI", 0x7FE0, 0x0010, b"OW", len(pixels))
        with path.open("wb") as file:
            file.write(part10_header(self._sop_class, sop_instance_uid, EXPLICIT_LITTLE))
            file.write(b"".join(parts[tag] for tag in sorted(parts)) + head)
            file.write(pixels)
