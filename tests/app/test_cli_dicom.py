"""`heliograph dicom`, as an operator runs it, against DCMTK's archive and receiver."""

from __future__ import annotations

import json
from pathlib import Path

import pydicom
import pytest
from click.testing import CliRunner, Result

from heliograph.app.cli import cli
from heliograph.app.cli.dicom_target import keys_of, shown
from heliograph.app.context import Context
from heliograph.kit.net.dicom import Acceptance, StorageListener, StoreRequest
from tests.cast import Cast
from tests.exchange.dimse.test_transfers import add_node
from tests.kit.net.archive import DCMQRSCP, STORESCP, dcmqrscp, storescp
from tests.kit.net.test_dicom_client import studies
from tests.records.archive import files

archive = pytest.mark.skipif(DCMQRSCP is None, reason="DCMTK is not installed")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HELIOGRAPH_DATA_DIR", str(tmp_path / "data"))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["dicom", *(str(a) for a in arguments)])


@pytest.mark.dcmtk
@archive
def test_it_works(tmp_path: Path) -> None:
    (one, two), paths = studies(tmp_path / "in", 1, 3)
    stored: list[str] = []

    def store(_acceptance: Acceptance, request: StoreRequest) -> int:
        stored.append(request.sop_instance_uid)
        return 0

    with (
        StorageListener("127.0.0.1", 0, accept=Acceptance, store=store) as listener,
        dcmqrscp(paths, {"WORK": listener.port}) as port,
    ):
        target = f"ARCHIVE@127.0.0.1:{port}"
        echo = run("echo", target)
        assert (echo.exit_code, echo.output.startswith(f"ARCHIVE at 127.0.0.1:{port} answered in ")) == (0, True)
        assert json.loads(run("echo", target, "--json").output)["ok"] is True

        found = run("find", target, "PatientID=NF-1")
        assert found.exit_code == 0
        lines = found.output.splitlines()
        assert lines[0].split()[:2] == ["PatientID", "PatientName"]
        assert one in found.output
        assert two in found.output
        rows = json.loads(run("find", target, f"StudyInstanceUID={two}", "--level", "series", "--json").output)
        assert [r["Modality"] for r in rows] == ["CT"]
        images = json.loads(
            run("find", target, f"StudyInstanceUID={two}", f"SeriesInstanceUID={rows[0]['SeriesInstanceUID']}",
                "--level", "image", "--json").output
        )  # fmt: skip
        assert len(images) == 3

        moved = run("move", target, "--to", "WORK", f"StudyInstanceUID={two}")
        assert (moved.exit_code, len(stored)) == (0, 3), moved.output
        nowhere = run("move", target, "--to", "NOWHERE", f"StudyInstanceUID={two}")
        assert nowhere.exit_code == 1
        assert "A801, it does not know the destination" in nowhere.output

        out = tmp_path / "out"
        got = run("get", target, "--out", out, f"StudyInstanceUID={two}")
        assert got.exit_code == 0, got.output
        assert {files.body(p.read_bytes()) for p in out.glob("*.dcm")} == {
            files.body(p.read_bytes()) for p in paths[1:]
        }
        assert {p.stem for p in out.iterdir()} == {i["SOPInstanceUID"] for i in images}
        told = json.loads(run("get", target, "--out", out, f"StudyInstanceUID={one}", "--json").output)
        assert (told["ok"], told["received"], told["missing"]) == (True, 1, 0)


@pytest.mark.dcmtk
@pytest.mark.skipif(STORESCP is None, reason="DCMTK is not installed")
def test_files_and_folders_are_sent(tmp_path: Path) -> None:
    _, paths = studies(tmp_path / "in", 2)
    compressed = pydicom.dcmread(paths[0])
    compressed.SOPInstanceUID = compressed.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    compressed.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    compressed.save_as(tmp_path / "in" / "rle.dcm")
    with storescp() as (port, folder):
        done = run("send", f"STORE@127.0.0.1:{port}", tmp_path / "in")
        assert (done.exit_code, done.output) == (0, "3 of 3 are stored there.\n")
        assert len(list(folder.iterdir())) == 3
        (tmp_path / "in" / "letter.txt").write_text("no DICOM")
        some = run("send", f"STORE@127.0.0.1:{port}", tmp_path / "in", "--json")
        assert some.exit_code == 1
        assert {Path(r["file"]).name: r["stored"] for r in json.loads(some.output)}["letter.txt"] is False


def test_a_failure_is_told_in_words_and_by_the_exit_code(tmp_path: Path) -> None:
    away = run("echo", "X@127.0.0.1:1", "--timeout", "2")
    assert (away.exit_code, away.output) == (
        1, "Error: No connection: nobody listens there (connection refused).\n",
    )  # fmt: skip
    told = run("find", "X@127.0.0.1:1", "--json")
    assert (told.exit_code, json.loads(told.output)["ok"]) == (1, False)
    for wrong in (
        ("echo", "X@host"), ("echo", "A\\B@127.0.0.1:104"), ("echo", "X@127.0.0.1:70000"), ("find", "X@127.0.0.1:1", "Nonsense=1"),
        ("find", "X@127.0.0.1:1", "OtherPatientIDsSequence=1"), ("get", "X@127.0.0.1:1", "--out", tmp_path, "PatientID=1"),
    ):  # fmt: skip
        assert run(*wrong).exit_code == 2, wrong


def test_keys_and_what_is_shown() -> None:
    assert keys_of(["PatientID=A=B", "(0010,0010)=X*", "00080020", "StudyDate=20260101-"]) == {
        "PatientID": "A=B", "PatientName": "X*", "StudyDate": "20260101-",
    }  # fmt: skip
    assert shown("Æ\x1b[31mred\nline") == "Æ?[31mred?line"


def test_a_configured_node_is_called_by_its_name(
    context: Context, cast: Cast, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELIOGRAPH_DATABASE_URL", database_url)
    with StorageListener("127.0.0.1", 0, accept=Acceptance, store=lambda _a, _r: 0) as listener:
        add_node(context, cast, listener.port, name="Old archive")
        echo = run("echo", "old archive")
        assert echo.exit_code == 0, echo.output
        assert echo.output.startswith(f"ARCHIVE at 127.0.0.1:{listener.port} answered in ")
        assert run("echo", "ARCHIVE", "--organisation", "norfjord").exit_code == 0
        unknown = run("echo", "New archive")
        assert (unknown.exit_code, "configured are: Old archive" in unknown.output) == (2, True)
        assert run("echo", "Old archive", "--organisation", "llano-verde").exit_code == 2
