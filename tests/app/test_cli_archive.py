"""`heliograph archive`: a folder is brought in, and the archive is proven whole."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.records.archive import indexer
from heliograph.records.archive.rebuild import BATCH
from tests.app.test_cli import Run, run  # noqa: F401 - a fixture
from tests.cast import Cast
from tests.records.archive import files
from tests.records.archive.test_rebuild import sql


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "cd"
    made.mkdir()
    for number in (1, 2):
        (made / f"{number}").write_bytes(files.ct("2.999.1", "2.999.1.1", number))
    return made


def test_a_folder_is_brought_in_and_the_archive_is_whole(run: Run, context: Context, cast: Cast, folder: Path) -> None:  # noqa: F811
    done = run("archive", "import", str(folder), "--facility", "NORFJORD@norfjord")
    assert (done.exit_code, done.stdout) == (0, "2 brought in, 0 refused, 0 no DICOM objects.\n"), done.output
    indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=0)
    again = run("archive", "import", str(folder), "--facility", "NORFJORD@norfjord")
    assert (again.exit_code, again.stdout) == (0, "0 brought in, 2 here already, 0 refused, 0 no DICOM objects.\n")
    whole = run("archive", "fsck", "--deep")
    assert (whole.exit_code, whole.stdout) == (0, "Index and objects agree: 2 objects, all read.\n")
    for key, _ in list(context.objects.below("images")):
        context.objects.delete(key)
    broken = run("archive", "fsck")
    assert broken.exit_code == 1
    assert broken.stderr.count("missing: images/") == 2


def test_what_is_refused_is_named(run: Run, cast: Cast, folder: Path) -> None:  # noqa: F811
    (folder / "cut").write_bytes(files.ct("2.999.1", "2.999.1.1", 3)[:-9])
    done = run("archive", "import", str(folder), "--facility", "NORFJORD@norfjord")
    assert done.exit_code == 1
    assert "cut: an element is longer than the bytes that are left" in done.stderr


@pytest.mark.parametrize(
    ("at", "said"),
    [("NORFJORD", "no organisation ''"), ("X@norfjord", "no facility 'X'"), ("NORFJORD@nowhere", "no organisation")],
)
def test_where_to_must_be_said(run: Run, cast: Cast, folder: Path, at: str, said: str) -> None:  # noqa: F811
    done = run("archive", "import", str(folder), "--facility", at)
    assert done.exit_code == 1
    assert said in done.output


def test_a_caller_must_be_known(run: Run, cast: Cast, folder: Path) -> None:  # noqa: F811
    done = run("archive", "import", str(folder), "--facility", "NORFJORD@norfjord", "--caller", "NOBODY")
    assert done.exit_code == 1
    assert "no caller 'NOBODY'" in done.output


def test_what_the_index_lost_is_filed_again(
    run: Run,  # noqa: F811
    context: Context,
    cast: Cast,
    owner_url: str,
    folder: Path,
) -> None:
    run("archive", "import", str(folder), "--facility", "NORFJORD@norfjord")
    indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=0)
    sql(owner_url, "truncate archive.instances, archive.series, archive.studies, archive.held_objects cascade")
    lost = run("archive", "fsck")
    assert (lost.exit_code, lost.stdout) == (1, "")
    assert "2 unknown: `heliograph archive rebuild` files them again." in lost.stderr
    looked = run("archive", "rebuild", "--dry-run")
    assert (looked.exit_code, looked.stdout.splitlines()) == (
        0,
        ["norfjord: 2 would be filed in 1 studies.", "  1 studies wait for their order"],
    ), looked.output
    done = run("archive", "rebuild")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "norfjord: 2 filed in 1 studies.")
    assert run("archive", "fsck", "--deep").exit_code == 0
    again = run("archive", "rebuild")
    assert (again.exit_code, again.stdout) == (0, "The index names every object; there is nothing to file.\n")


def test_an_organisation_with_another_id(run: Run, context: Context, cast: Cast, owner_url: str) -> None:  # noqa: F811
    """As after the database was lost and its organisations were made anew."""
    lost = UUID("01990000-0000-7000-8000-000000000001")
    key = f"images/{lost}/20261125/0102/00000000-{lost.hex}-{lost.hex}-none.dcm"
    context.objects.put(key, files.ct("2.999.1", "2.999.1.1", 1))
    nameless = run("archive", "rebuild")
    assert nameless.exit_code == 1
    assert f"`--organization {lost}=SLUG` says whose it is" in nameless.stderr
    names = {"slug": "gone", "name": "Gone", "facilities": {str(lost): "NORFJORD"}, "callers": {}, "nodes": {}}
    context.objects.put(f"names/{lost}.json", json.dumps(names).encode())
    gone = run("archive", "rebuild", "--by-name")
    assert gone.exit_code == 1
    assert "which this database doesn't know: make it anew with the facilities NORFJORD" in gone.stderr
    context.objects.put(f"names/{lost}.json", json.dumps(names | {"slug": "norfjord"}).encode())
    unsaid = run("archive", "rebuild")
    assert unsaid.exit_code == 1
    assert f"`--by-name` or `--organization {lost}=norfjord` files its objects" in unsaid.stderr
    assert run("archive", "fsck").exit_code == 1, "nobody's objects are no agreement"
    done = run("archive", "rebuild", "--by-name")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "norfjord: 1 filed in 1 studies."), done.output
    assert sql(owner_url, "select organization_id, facility_id from archive.studies") == [
        (cast.norfjord, cast.norfjord_facility)
    ]
    assert run("archive", "fsck").exit_code == 0
    wrong = run("archive", "rebuild", "--organization", f"{cast.caller}=norfjord")
    assert "There are no objects of" in wrong.output


def test_killed_in_the_middle_and_begun_again(run: Run, context: Context, cast: Cast, owner_url: str) -> None:  # noqa: F811
    """kill -9 after the first batch: what is filed stays, and the next run files the rest, once."""
    studies = ("2.999.1", "2.999.2")
    for study in studies:
        dropped = [
            files.drop(context.settings.spool_dir, cast, files.ct(study, f"{study}.1", n, sop=f"{study}.1.{n}", size=2))
            for n in range(1, BATCH + 1)
        ]
        files.index(context.works, context.objects, dropped)
    sql(owner_url, "delete from archive.instances")
    sql(owner_url, "update archive.series set number_of_instances = 0")
    sql(owner_url, "update archive.studies set number_of_instances = 0, number_of_series = 0")
    count = "select count(*) from archive.instances"
    command = [sys.executable, "-m", "heliograph.app.cli", "archive", "rebuild"]
    engine = create_engine(owner_url)
    with engine.connect() as second:
        second.execute(text("select 1 from archive.studies where study_instance_uid = '2.999.2' for update"))
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 60
            while sql(owner_url, count) != [(BATCH,)]:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
            process.wait(20)
        second.rollback()
    engine.dispose()
    assert sql(owner_url, count) == [(BATCH,)]
    done = run("archive", "rebuild")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, f"norfjord: {BATCH} filed in 1 studies."), done.output
    assert sql(owner_url, "select number_of_instances, number_of_series from archive.studies") == [(BATCH, 1)] * 2
    assert sql(owner_url, count) == [(2 * BATCH,)]
    assert run("archive", "fsck", "--deep").exit_code == 0


def test_studies_are_exported(
    run: Run,  # noqa: F811
    context: Context,
    cast: Cast,
    owner_url: str,
    folder: Path,
    tmp_path: Path,
) -> None:
    run("archive", "import", str(folder), "--facility", "NORFJORD@norfjord")
    indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=0)
    to = tmp_path / "out"
    done = run("archive", "export", str(to), "--organization", "norfjord", "--study", "2.999.1")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("1 studies, 2 objects, ")
    assert {p.name for p in to.iterdir()} == {"DICOM", "DICOMDIR", "SHA256SUMS"}
    again = run("archive", "export", str(to), "--organization", "norfjord", "--all")
    assert (again.exit_code, "nothing is overwritten" in again.output) == (1, True)
    nothing = run("archive", "export", str(tmp_path / "x"), "--organization", "norfjord", "--accession", "404")
    assert (nothing.exit_code, "There are no such studies." in nothing.output) == (1, True)
    unasked = run("archive", "export", str(tmp_path / "x"), "--organization", "norfjord")
    assert (unasked.exit_code, "Say which studies" in unasked.output) == (1, True)
    nowhere = run("archive", "export", str(tmp_path / "a" / "b"), "--organization", "norfjord", "--all")
    assert (nowhere.exit_code, "Nothing was left there." in nowhere.output) == (1, True)
    for key, _ in list(context.objects.below("images"))[:1]:
        context.objects.delete(key)
    less = run("archive", "export", str(tmp_path / "less.zip"), "--organization", "norfjord", "--all")
    assert (less.exit_code, less.stdout.startswith("1 studies, 1 objects, ")) == (1, True)
    assert "1 left out: its bytes are missing" in less.stderr
    outcomes = "select outcome from audit.events where action = 'archive.exported' order by id"
    assert [row.outcome for row in sql(owner_url, outcomes)] == ["done", "failed", "failed", "done"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cd", "data", "less.zip", "out"]
