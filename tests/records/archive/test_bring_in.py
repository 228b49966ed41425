"""A folder, a ZIP or a medium with a DICOMDIR is brought in; what is no object is told apart from what is broken."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from heliograph.app.context import Context
from heliograph.kit.codecs.dicom import read_header
from heliograph.records.archive import spool
from heliograph.records.archive.bring_in import BroughtIn, bring_in, sources
from tests.cast import Cast
from tests.records.archive import files


def brought(context: Context, cast: Cast, path: Path) -> BroughtIn:
    with sources(path) as found:
        return bring_in(context.settings.spool_dir, cast.norfjord, cast.norfjord_facility, None, found)


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    """Two images in folders, one cut off, a DICOMDIR, a text, and a link out of the folder."""
    folder = tmp_path / "medium"
    (folder / "IMAGES" / "A").mkdir(parents=True)
    for number in (1, 2):
        (folder / "IMAGES" / "A" / f"I{number}").write_bytes(files.ct("2.999.1", "2.999.1.1", number))
    (folder / "IMAGES" / "cut").write_bytes(files.ct("2.999.1", "2.999.1.1", 3)[:-9])
    (folder / "DICOMDIR").write_bytes(files.ct("2.999.1", "2.999.1.1", 4)[:132] + b"\2\0\0\0UL\4\0\0\0\0\0")
    (folder / "README.TXT").write_text("Viewer inside")
    (folder / "link").symlink_to(files.__file__)
    return folder


@pytest.mark.parametrize("how", ["folder", "dicomdir", "zip"])
def test_what_is_there_is_brought_in(context: Context, cast: Cast, medium: Path, how: str) -> None:
    path = {"folder": medium, "dicomdir": medium / "DICOMDIR", "zip": medium.with_suffix(".zip")}[how]
    if how == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            for file in sorted(p for p in medium.rglob("*") if p.is_file() and not p.is_symlink()):
                made.write(file, f"../../{file.relative_to(medium)}")  # no name becomes a path of ours
    done = brought(context, cast, path)
    assert (done.stored, done.others) == (2, 2)
    ((name, reason),) = done.refused
    assert name.endswith("IMAGES/cut")
    assert "longer than the bytes that are left" in reason
    waiting = spool.waiting(context.settings.spool_dir)
    assert sorted(w.path.read_bytes() for w in waiting) == sorted(
        p.read_bytes() for p in (medium / "IMAGES" / "A").iterdir()
    )
    left = [p for p in context.settings.spool_dir.rglob("*") if p.is_file()]
    assert len(left) == 2, "nothing unfinished stays"


def test_one_file(context: Context, cast: Cast, medium: Path) -> None:
    assert brought(context, cast, medium / "IMAGES" / "A" / "I1").stored == 1


def test_a_bare_data_set_gets_its_header(context: Context, cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(files.body(files.ct("2.999.1", "2.999.1.1", sop="2.999.1.1.7")))
    assert brought(context, cast, tmp_path / "old").stored == 1
    (kept,) = spool.waiting(context.settings.spool_dir)
    assert read_header(kept.path).sop_instance_uid == "2.999.1.1.7"
    assert kept.path.read_bytes().endswith((tmp_path / "old").read_bytes())


def test_a_zip_that_is_cut_off_is_told(context: Context, cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("a.dcm", files.ct("2.999.1", "2.999.1.1"))
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(bytes(data))
    done = brought(context, cast, path)
    assert (done.stored, [name for name, _ in done.refused]) == (0, ["a.dcm"])
