"""Orthanc at the same doors, with the same clients: filled by its REST interface, as it is when nobody has tuned it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import httpx
import pydicom
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from heliograph.kit.net.dicom import Remote
from tools.bench import doors
from tools.bench.doors import STUDIES, Door
from tools.bench.figures import Figure
from tools.orthanc import TITLE, Orthanc, orthanc

_NAMES = ("Hansen", "Johansen", "Olsen", "Larsen", "Andersen", "Pedersen", "Nilsen", "Kristiansen")
_MODALITIES = ("CT", "MR", "CT", "DX")


def measure(series: Sequence[Sequence[Path]], slices: int) -> list[Figure]:
    """The figures of `bench_doors` but memory, by the same names."""
    with orthanc(modalities={"bench": ("BENCH", "127.0.0.1", 104)}) as other:
        door = Door(other.http.base_url.port or 0, "/dicom-web")
        figures = [doors.stow(door, series, slices)]
        figures += doors.retrieved(door, series[0])
        _fill(other)
        figures += doors.searched(door)
        figures += doors.found(Remote("127.0.0.1", other.port, TITLE, "BENCH"))
        return figures


def _fill(other: Orthanc) -> None:
    """As many studies as ours, of one image without pixels each, with the same values to search for."""
    with ThreadPoolExecutor(4) as pool, httpx.Client(base_url=other.http.base_url, timeout=60) as client:
        for answer in pool.map(lambda n: client.post("/instances", content=_image(n)), range(1, STUDIES + 1)):
            answer.raise_for_status()


def _image(n: int) -> bytes:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, f"2.25.7{n}.1.1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"2.25.7{n}", f"2.25.7{n}.1"
    ds.AccessionNumber, ds.PatientID, ds.PatientName = f"QA{n}", f"QP{n // 4}", f"{_NAMES[n % 8]}{n // 4}^Given"
    ds.StudyDate = f"{date(2020, 1, 1) + timedelta(days=n % 2000):%Y%m%d}"
    ds.StudyTime, ds.StudyDescription, ds.Modality = "120000", "CT head", _MODALITIES[n % 4]
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()
