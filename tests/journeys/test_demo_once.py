"""`heliograph demo --once`: the whole job without a browser, as a user runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from heliograph.kit.settings import PREFIX

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
STEPS = (
    "order sent", "images sent", "ready and assigned", "opened", "archive compared", "signed", "sent to the site", "delivered",
    "seen at the site", "record verified",
)  # fmt: skip


def once(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    return subprocess.run(
        [sys.executable, "-m", "heliograph.app.cli", "demo", "--once", *arguments],
        env={**environment, "COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def steps_of(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The table's rows: step, result."""
    assert done.returncode == 0, done.stdout + done.stderr
    rows = (re.match(r"(\S.*?)  +(\S.*?)  +(\d+\.\d\d)$", line.rstrip()) for line in done.stdout.splitlines())
    return {row[1]: row[2] for row in rows if row}


def test_it_works() -> None:
    steps = steps_of(once())
    assert [name for name in steps if name in STEPS] == list(STEPS)
    assert steps["prior sent"] == "32 of 32 stored"
    assert steps["archive compared"] == "96 of 96 given back byte for byte"
    assert steps["sent to the site"] == "ORU^R01 with text and PDF"
    assert steps["record verified"].startswith("whole")


def test_somebody_elses_folder(tmp_path: Path) -> None:
    """Two studies of several SOP classes and transfer syntaxes, and a file that is none."""
    study = generate_uid()
    for index, name in enumerate(
        ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "MR_small_RLE.dcm", "examples_overlay.dcm")
    ):
        ds = pydicom.dcmread(str(get_testdata_file(name)))
        if index < 4:
            ds.StudyInstanceUID, ds.SeriesInstanceUID = study, generate_uid()
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.save_as(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not DICOM")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = once("--studies", str(tmp_path))
    steps = steps_of(done)
    assert done.stdout.count("given back byte for byte") == 2
    assert "4 of 4 given back byte for byte" in done.stdout
    assert "1 of 1 given back byte for byte" in done.stdout
    assert "1 files are not DICOM" in done.stdout
    assert "originals are untouched" in done.stdout
    assert steps["record verified"].startswith("whole")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_empty_folder_fails_and_says_so(tmp_path: Path) -> None:
    done = once("--studies", str(tmp_path))
    assert done.returncode == 1
    assert "no DICOM study was found" in done.stdout
