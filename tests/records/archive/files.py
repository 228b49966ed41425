"""DICOM files for the tests of ingest: small, valid, with the identity that a test asks for."""

from __future__ import annotations

import io
from pathlib import Path
from uuid import UUID

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from sqlalchemy import select

from heliograph.kit.actor import system
from heliograph.kit.codecs.dicom import read_file_meta
from heliograph.kit.db.session import ActorSession
from heliograph.kit.work import WorkFactory
from heliograph.records.archive import spool
from heliograph.records.archive.held import HeldFacts, held_object
from heliograph.records.archive.index import Indexed, index_batch
from heliograph.records.archive.model import HeldObject
from tests.cast import Cast


def ct(
    study: str,
    series: str,
    number: int = 1,
    *,
    sop: str | None = None,
    patient: str = "NF-1",
    accession: str = "A1",
    fill: int = 0,
    size: int = 16,
    name: str = "LARSEN^Kari",
    birth_date: str = "19480312",
) -> bytes:
    """A CT slice as a Part 10 file, Explicit VR Little Endian."""
    ds = Dataset()
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = sop or generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = name, patient, birth_date, "F"
    ds.AccessionNumber, ds.StudyDate, ds.StudyTime = accession, "20261125", "013000"
    ds.StudyDescription, ds.SeriesDescription, ds.StudyID = "CT head", "Axial", "1"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "CT", 2, number
    ds.BodyPartExamined = "HEAD"
    ds.Rows = ds.Columns = size
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 1
    ds.RescaleIntercept, ds.RescaleSlope = "-1024", "1"
    ds.WindowCenter, ds.WindowWidth = "40", "80"
    pixels = (np.arange(size * size, dtype=np.int32) % 2000 + fill).astype(np.int16)
    ds.PixelData = pixels.tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def series_of(count: int, *, patient: str = "NF-1", size: int = 16) -> tuple[str, str, list[bytes]]:
    """(study UID, series UID, files) of one CT series."""
    study, series = generate_uid(), generate_uid()
    return study, series, [ct(study, series, n + 1, patient=patient, size=size, fill=n) for n in range(count)]


def drop(folder: Path, cast: Cast, data: bytes, *, caller: UUID | None = None) -> spool.SpooledObject:
    """Puts a Part 10 file into the spool, as if Norfjord had sent it."""
    return spool.receive(folder, cast.norfjord, cast.norfjord_facility, caller, b"", data)


def index(works: WorkFactory, objects: object, files: list[spool.SpooledObject]) -> Indexed:
    """Files a batch and deletes what is finished, as the indexer does."""
    with works.begin(system("archive", files[0].organization_id)) as work:
        done = index_batch(work, objects, files)  # type: ignore[arg-type]
    spool.forget(done.finished)
    return done


def body(data: bytes) -> bytes:
    """The data set of a Part 10 file."""
    return data[read_file_meta(memoryview(data)).data_set_offset :]


def held_objects(session: ActorSession) -> list[HeldFacts]:
    """Each object that waits for a person, newest first."""
    ids = select(HeldObject.id).where(HeldObject.resolved_at.is_(None)).order_by(HeldObject.received_at.desc())
    found = [held_object(session, held_id) for held_id in session.scalars(ids).all()]
    return [one for one in found if one is not None]
