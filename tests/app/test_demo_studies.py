"""The demonstration's studies: correct IODs, deterministic, and they look like what they claim to be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from heliograph.app.demo.studies import (
    KINDS,
    DemoPatient,
    Kind,
    MadeStudy,
    make_slices,
    make_study,
    shipped_files,
)
from heliograph.kit.codecs.dicom import frame_table, read_header

PATIENT = DemoPatient("4711", "NOR", "Ødegård^Åse", "19610412", "F")
DCIODVFY = Path(sys.executable).with_name("dciodvfy")


def make(kind: Kind, folder: Path, accession: str = "A1") -> MadeStudy:
    return make_study(
        kind,
        folder,
        patient=PATIENT,
        accession=accession,
        study_date="20260301",
        study_time="101500",
        institution="Nordlys sykehus",
        referring="Lege^Ola",
        station="CT1",
        utc_offset="+0100",
        accession_issuer="NOR",
    )


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, MadeStudy]:
    folder = tmp_path_factory.mktemp("studies")
    return {kind: make(kind, folder / kind) for kind in KINDS}


def hounsfield(study: MadeStudy, series: int) -> NDArray[np.float64]:
    files = next(s.files for s in study.series if s.number == series)
    return np.stack([pydicom.dcmread(path).pixel_array for path in files]).astype(float) - 1024


@pytest.mark.parametrize("kind", KINDS)
def test_dciodvfy_finds_no_error(studies: dict[Kind, MadeStudy], kind: Kind) -> None:
    for series in studies[kind].series:
        for path in {series.files[0], series.files[-1]}:
            done = subprocess.run([str(DCIODVFY), "-new", str(path)], capture_output=True, text=True, check=False)
            said = done.stdout + done.stderr
            assert done.returncode == 0, said
            assert "Error" not in said, said
            assert "Image" in said  # it did recognise the IOD


@pytest.mark.parametrize("kind", KINDS)
def test_the_header_says_what_was_asked_for(studies: dict[Kind, MadeStudy], kind: Kind) -> None:
    study = studies[kind]
    for path in study.files:
        header = read_header(path)
        assert header.study_instance_uid == study.study_uid
        assert header.patient_name.alphabetic == "Ødegård^Åse"
        assert (header.patient_id, header.issuer_of_patient_id) == ("4711", "NOR")
        assert (header.accession_number, header.issuer_of_accession_number) == ("A1", "NOR")
        assert (header.modality, header.timezone_offset_from_utc) == (study.modality, "+0100")
        assert (header.study_date, header.study_time) == ("20260301", "101500")
        assert header.burned_in_annotation == "NO"
        assert not header.charset_suspect
        assert not header.bad_elements
        table = frame_table(path)
        assert table is not None
        assert table.complete
    uids = {read_header(path).sop_instance_uid for path in study.files}
    assert len(uids) == len(study.files)


def test_the_same_seed_gives_the_same_bytes_and_another_other_uids(
    studies: dict[Kind, MadeStudy], tmp_path: Path
) -> None:
    again, other = make("ct-head-prior", tmp_path / "a"), make("ct-head-prior", tmp_path / "b", "A2")
    first = studies["ct-head-prior"]
    assert [p.read_bytes() for p in again.files] == [p.read_bytes() for p in first.files]
    assert other.study_uid != first.study_uid
    everything = [*first.files, *other.files, *studies["ct-head"].files]
    assert len({read_header(path).sop_instance_uid for path in everything}) == len(everything)


def test_slices_are_evenly_spaced_and_big_enough(studies: dict[Kind, MadeStudy]) -> None:
    study = studies["ct-head"]
    assert [(s.description, len(s.files)) for s in study.series] == [("Brain 5 mm", 32), ("Brain 2.5 mm", 64)]
    for series, step in zip(study.series, (5.0, 2.5), strict=True):
        places = [float(pydicom.dcmread(path).ImagePositionPatient[2]) for path in series.files]
        assert np.allclose(np.diff(places), step)
        assert all(520_000 < path.stat().st_size < 540_000 for path in series.files)


def test_the_head_has_skull_brain_and_ventricles(studies: dict[Kind, MadeStudy]) -> None:
    middle = hounsfield(studies["ct-head"], 2)[17]
    assert middle[5, 5] < -990
    assert middle.max() > 900
    brain = middle[(middle > 20) & (middle < 50)]
    assert len(brain) > 40_000
    assert 28 < np.median(brain) < 38
    ventricles = middle[180:340, 200:312]
    assert ((ventricles > -10) & (ventricles < 18)).sum() > 800


def test_the_bleed_is_bright_on_the_left_and_pushes_the_midline_to_the_right(
    studies: dict[Kind, MadeStudy],
) -> None:
    def bright(study: MadeStudy) -> tuple[int, int]:
        volume = hounsfield(study, 2)[10:24]
        # Brain-sized neighbourhoods only: the skull's edge passes through these values, too.
        smooth = (volume[:, 1:-1, 1:-1] + volume[:, :-2, 1:-1] + volume[:, 2:, 1:-1]) / 3
        blood = (smooth > 58) & (smooth < 76) & (np.abs(np.gradient(smooth, axis=2)) < 8)
        half = blood.shape[2] // 2
        return int(blood[:, :, half:].sum()), int(blood[:, :, :half].sum())

    left, right = bright(studies["ct-head-bleed"])
    assert left > 10 * right
    assert left > 10 * max(bright(studies["ct-head"]))


def test_a_prior_shows_the_same_head(studies: dict[Kind, MadeStudy]) -> None:
    now, before = (hounsfield(studies[kind], 2)[16] for kind in ("ct-head", "ct-head-prior"))
    assert ((now > 300) == (before > 300)).mean() > 0.99


def test_the_clip_moves_and_is_jpeg_baseline(studies: dict[Kind, MadeStudy]) -> None:
    ds = pydicom.dcmread(studies["ultrasound"].files[0])
    assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
    frames = ds.pixel_array.astype(float)
    assert frames.shape == (24, 480, 640)
    assert np.abs(frames[0] - frames[6]).mean() > 1


def test_shipped_files_are_there() -> None:
    assert len(shipped_files()) == 5
    assert all(read_header(path).sop_instance_uid for path in shipped_files())


def test_bench_slices_have_their_own_uids(tmp_path: Path) -> None:
    files = make_slices(tmp_path, 20)
    assert len({read_header(path).sop_instance_uid for path in files}) == 20
    assert len({read_header(path).series_instance_uid for path in files}) == 1


def test_no_such_kind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such kind"):
        make("pet", tmp_path)  # type: ignore[arg-type]
