"""A folder, a ZIP or a medium with a DICOMDIR is brought in; what is no object is told apart from what is broken."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from heliograph.app.context import Context
from heliograph.kit.actor import system
from heliograph.kit.codecs.dicom import read_header
from heliograph.kit.codecs.dicom.dicomdir import Dicomdir, FileReference
from heliograph.records.archive import spool
from heliograph.records.archive.bring_in import BroughtIn, bring_in, sources
from heliograph.records.archive.errors import OutOfSpace
from heliograph.records.archive.present import digest_filed
from tests.cast import Cast
from tests.exchange import refused
from tests.records.archive import files
from tests.records.archive.test_export import small_files


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


@pytest.mark.parametrize("uid", ["../../x", "/etc/x"])
def test_no_name_of_a_member_or_uid_becomes_a_path(context: Context, cast: Cast, tmp_path: Path, uid: str) -> None:
    """Field report J01: a member may be called anything, a PatientID be anything; a UID that is none is refused."""
    path, before = tmp_path / "x.zip", set(tmp_path.iterdir())
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("../../../etc/heliograph.dcm", files.ct("2.999.1", "2.999.1.1", 1, patient=uid))
        made.writestr("/etc/heliograph.dcm", files.ct("2.999.1", "2.999.1.1", 2))
        made.writestr("uid.dcm", refused.file(b"".join(refused.identity(uid)), "1.2.3.4"))
    done = brought(context, cast, path)
    assert (done.stored, [name for name, _ in done.refused]) == (2, ["uid.dcm"])
    left = [p.relative_to(context.settings.spool_dir) for p in context.settings.spool_dir.rglob("*") if p.is_file()]
    assert {p.parts[0] for p in left} == {"incoming"}
    assert set(tmp_path.iterdir()) - before <= {path, context.settings.data_dir}


def test_elements_of_files_inside_a_data_set_are_left_out(context: Context, cast: Cast, tmp_path: Path) -> None:
    """Field report B10."""
    data, without = refused.with_strays("1.2.3.7")
    (tmp_path / "one").write_bytes(data)
    assert brought(context, cast, tmp_path / "one").stored == 1
    assert [one.path.read_bytes() for one in spool.waiting(context.settings.spool_dir)] == [without]


def test_a_zip_that_is_cut_off_is_told(context: Context, cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("a.dcm", files.ct("2.999.1", "2.999.1.1"))
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(bytes(data))
    done = brought(context, cast, path)
    assert (done.stored, [name for name, _ in done.refused]) == (0, ["a.dcm"])


def test_what_is_filed_is_passed_over(context: Context, cast: Cast, medium: Path) -> None:
    """So that a run that was stopped goes on where it ended. Other bytes under the same UID come in, and are held."""
    first = medium / "IMAGES" / "A" / "I1"
    index = spool_of(context, cast, first.read_bytes())
    files.index(context.works, context.objects, [index])
    uid = read_header(first).sop_instance_uid
    (medium / "IMAGES" / "other").write_bytes(files.ct("2.999.1", "2.999.1.1", 1, sop=uid, fill=9))

    def filed(sop: str) -> bytes | None:
        with context.works.read(system("test", cast.norfjord)) as work:
            return digest_filed(work.session, cast.norfjord, sop)

    done = BroughtIn()
    with sources(medium) as found:
        bring_in(context.settings.spool_dir, cast.norfjord, cast.norfjord_facility, None, found, filed=filed, into=done)
    assert (done.stored, done.known, len(done.refused)) == (2, 1, 1)


def spool_of(context: Context, cast: Cast, data: bytes) -> spool.SpooledObject:
    return files.drop(context.settings.spool_dir, cast, data)


def test_a_full_disk_tells_what_came_before(context: Context, cast: Cast, medium: Path) -> None:
    done = BroughtIn()
    with sources(medium) as found, pytest.raises(OutOfSpace):
        calls = iter(range(100))

        def on_each(_source: object) -> None:
            if next(calls) == 2:
                raise OutOfSpace

        bring_in(
            context.settings.spool_dir, cast.norfjord, cast.norfjord_facility, None, found, on_each=on_each, into=done
        )
    assert (done.stored, done.others) == (2, 1)
    assert len(spool.waiting(context.settings.spool_dir)) == 2


def test_a_zip_in_a_zip_is_refused(context: Context, cast: Cast, tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as made:
        made.writestr("a.dcm", files.ct("2.999.1", "2.999.1.1"))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as made:
        made.writestr("b.ZIP", inner.getvalue())
        made.writestr("viewer.jar", inner.getvalue())
    done = brought(context, cast, tmp_path / "x.zip")
    assert (done.stored, done.others) == (0, 1)
    assert done.refused == [("b.ZIP", "it is a ZIP itself: unpack it and bring it in by itself")]


def test_a_bomb_is_not_unpacked(context: Context, cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no DICOM file is told from its beginning; what is, has a limit."""
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as made:
        with made.open("zeros", "w", force_zip64=True) as file:
            for _ in range(64):
                file.write(bytes(1 << 20))
        with made.open("long.dcm", "w") as file:
            file.write(files.ct("2.999.1", "2.999.1.1"))
            for _ in range(64):
                file.write(bytes(1 << 20))
    monkeypatch.setattr("heliograph.records.archive.bring_in.MOST_BYTES", 8 << 20)
    with small_files(16 << 20):
        done = brought(context, cast, tmp_path / "x.zip")
    assert (done.stored, done.others, done.refused) == (0, 1, [("long.dcm", "the file is too large")])


@pytest.mark.parametrize("how", ["dicomdir", "zip"])
def test_files_that_the_directory_names_and_that_are_not_there(
    context: Context, cast: Cast, tmp_path: Path, how: str
) -> None:
    book = Dicomdir("2.999.7")
    book.patient("LARSEN^Kari", ("NF-1", ""))
    book.study("2.999.1", at=("20261125", "013000"), study_id="1", description="", accession="A1")
    book.series("2.999.1.1", modality="CT", number=1)
    folder = tmp_path / "cd"
    (folder / "dicom").mkdir(parents=True)
    for number in (1, 2, 3):
        data = files.ct("2.999.1", "2.999.1.1", number)
        name = f"I000000{number}"
        reference = FileReference(("DICOM", name), CTImageStorage, f"2.999.9.{number}", ExplicitVRLittleEndian)
        book.file(reference, {})
        if number < 3:  # as drivers show names of a medium: in small letters, with a version
            (folder / "dicom" / (name.lower() if number == 1 else f"{name}.;1")).write_bytes(data)
    (folder / "DICOMDIR").write_bytes(book.to_bytes())
    path = folder / "DICOMDIR"
    if how == "zip":
        path = tmp_path / "cd.zip"
        with zipfile.ZipFile(path, "w") as made:
            for file in sorted(p for p in folder.rglob("*") if p.is_file()):
                made.write(file, str(file.relative_to(tmp_path)))
    done = brought(context, cast, path)
    assert (done.stored, done.others, done.refused) == (2, 1, [])
    assert done.missing == ["DICOM/I0000003" if how == "dicomdir" else "cd/DICOM/I0000003"]
