"""`heliograph archive`: a folder is brought in, and the archive is proven whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from heliograph.app.context import Context
from heliograph.records.archive import indexer
from tests.app.test_cli import Run, run  # noqa: F401 - a fixture
from tests.cast import Cast
from tests.records.archive import files


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
