"""Studies go out on a medium, whole or not at all, and come in elsewhere byte for byte."""

from __future__ import annotations

import hashlib
import io
import resource
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pydicom
import pytest
from pydicom.fileset import FileSet, is_conformant_file_id
from pydicom.uid import generate_uid
from sqlalchemy import select

from heliograph.app.context import Context
from heliograph.kit.actor import system
from heliograph.records.archive import indexer
from heliograph.records.archive.bring_in import bring_in, sources
from heliograph.records.archive.corrections import correct
from heliograph.records.archive.errors import OutOfSpace
from heliograph.records.archive.export import Asked, Exported, NothingAsked, choose, export
from heliograph.records.archive.medium import AlreadyThere, new_medium
from heliograph.records.archive.model import Instance, Study
from tests.cast import Cast
from tests.records.archive import files
from tests.records.archive.test_rebuild import send, sql

SUM = Path("/usr/bin/sha256sum")
DCMDUMP = Path("/usr/bin/dcmdump")


@pytest.fixture
def filled(context: Context, cast: Cast) -> list[str]:
    """The UIDs of three studies of two patients."""
    uids = [generate_uid() for _ in range(3)]
    for uid, patient, accession in zip(uids, ("NF-1", "NF-1", "NF-2"), ("A1", "A2", "A3"), strict=True):
        name = "LARSEN^Kari" if patient == "NF-1" else "ÅS^Øyvind"
        send(
            context,
            cast,
            *[
                files.ct(uid, f"2.999.{accession[1:]}.1", n, patient=patient, accession=accession, name=name)
                for n in (1, 2)
            ],
            files.ct(uid, f"2.999.{accession[1:]}.2", 1, patient=patient, accession=accession, name=name),
        )
    return uids


def exported(context: Context, cast: Cast, to: Path, **asked: Any) -> Exported:
    what = Asked(cast.norfjord, **(asked or {"everything": True}))
    with context.works.read(system("test", cast.norfjord)) as work:
        chosen, held = choose(work.session, what)
    with new_medium(to, sum(c.bytes for c in chosen)) as medium:
        done = export(context.works, context.objects, cast.norfjord, chosen, medium, by="test")
    done.held = held
    return done


def data_sets(context: Context, organization: UUID) -> dict[str, bytes]:
    with context.works.read(system("test", organization)) as work:
        rows = work.session.scalars(select(Instance)).all()
        return {i.sop_instance_uid: files.body(context.objects.get(i.object_key)) for i in rows}


def assert_whole_medium(folder: Path, studies: int, objects: int) -> None:
    book = FileSet(pydicom.dcmread(folder / "DICOMDIR"))
    assert len(book) == objects
    assert len({i.StudyInstanceUID for i in book}) == studies
    for one in book:
        path = Path(one.path)
        assert is_conformant_file_id(path.relative_to(folder))
        assert pydicom.dcmread(path).SOPInstanceUID == one.SOPInstanceUID
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    assert len(lines) == objects + 1
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    named = {line.split("  ")[1] for line in lines} | {"SHA256SUMS"}
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == named


@pytest.mark.parametrize("name", ["medium", "medium.zip"])
def test_out_and_in_again(context: Context, cast: Cast, filled: list[str], tmp_path: Path, name: str) -> None:
    done = exported(context, cast, tmp_path / name)
    assert (done.studies, done.objects, done.left) == (3, 9, [])
    folder = tmp_path / name
    if name.endswith(".zip"):
        folder = tmp_path / "unpacked"
        with zipfile.ZipFile(tmp_path / name) as archive:
            assert archive.testzip() is None
            archive.extractall(folder)
    assert_whole_medium(folder, 3, 9)
    if SUM.exists():
        subprocess.run([str(SUM), "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=True)
    spool_dir = context.settings.spool_dir
    with sources(tmp_path / name) as found:
        came = bring_in(spool_dir, cast.llano, cast.llano_facility, None, found)
    assert (came.stored, came.others, came.refused) == (9, 2, [])
    indexer.empty_once(context.works, context.objects, spool_dir, gather=0)
    there = data_sets(context, cast.llano)
    assert len(there) == 9
    assert there == data_sets(context, cast.norfjord)


@pytest.mark.skipif(not DCMDUMP.exists(), reason="needs DCMTK")
def test_dcmtk_reads_the_directory(context: Context, cast: Cast, filled: list[str], tmp_path: Path) -> None:
    exported(context, cast, tmp_path / "out")
    done = subprocess.run(
        [str(DCMDUMP), "-q", str(tmp_path / "out" / "DICOMDIR")], check=True, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout.count("[PATIENT]") + done.stdout.count("[PATIENT ]") == 2
    assert done.stdout.count("[IMAGE") == 9


def test_what_is_asked_for_goes(context: Context, cast: Cast, filled: list[str], tmp_path: Path) -> None:
    asked: list[tuple[dict[str, Any], int]] = [
        ({"study_uids": filled[:1]}, 1),
        ({"accessions": ["A2", "A3"]}, 2),
        ({"patient_ids": ["NF-1"]}, 2),
        ({"patient_ids": ["NF-1"], "accessions": ["A3"]}, 0),
        ({"first": date(2026, 11, 25), "last": date(2026, 11, 25)}, 3),
        ({"first": date(2026, 11, 26)}, 0),
        ({"last": date(2026, 11, 24)}, 0),
        ({"study_uids": ["2.999.404"]}, 0),
    ]
    for number, (what, studies) in enumerate(asked):
        done = exported(context, cast, tmp_path / str(number), **what)
        assert (done.studies, done.objects) == (studies, 3 * studies), what
    with context.works.read(system("test", cast.norfjord)) as work, pytest.raises(NothingAsked):
        choose(work.session, Asked(cast.norfjord))
    with context.works.read(system("test", cast.llano)) as work:
        assert choose(work.session, Asked(cast.norfjord, everything=True)) == ([], 0), "of others nothing is seen"


def test_a_study_without_a_date_counts_by_when_it_came(
    context: Context, cast: Cast, filled: list[str], owner_url: str
) -> None:
    sql(
        owner_url,
        "update archive.studies set study_date = null, first_received_at = '2020-02-03T23:59Z' where accession_number = 'A1'",
    )
    with context.works.read(system("test", cast.norfjord)) as work:
        for first, last, number in ((3, 3, 1), (4, 4, 0), (2, 2, 0)):
            asked = Asked(cast.norfjord, first=date(2020, 2, first), last=date(2020, 2, last))
            assert len(choose(work.session, asked)[0]) == number


def test_held_studies_stay_unless_asked_for(
    context: Context, cast: Cast, filled: list[str], tmp_path: Path, owner_url: str
) -> None:
    sql(owner_url, "update archive.studies set match_state = 'held' where accession_number = 'A1'")
    done = exported(context, cast, tmp_path / "a")
    assert (done.studies, done.held) == (2, 1)
    assert exported(context, cast, tmp_path / "b", everything=True, with_held=True).studies == 3


def test_hidden_images_stay(context: Context, cast: Cast, filled: list[str], tmp_path: Path, owner_url: str) -> None:
    sql(
        owner_url,
        "with r as (insert into archive.rejections (organization_id, study_id, kind, reason, made_at) "
        "select organization_id, id, 'quality', 'blurred', now() from archive.studies "
        "where accession_number = 'A1' returning id, study_id) "
        "update archive.instances i set rejection_id = r.id from r where i.study_id = r.study_id and i.instance_number = 2",
    )
    assert exported(context, cast, tmp_path / "a").objects == 8


def test_what_is_missing_or_changed_is_left_out_and_told(
    context: Context, cast: Cast, filled: list[str], tmp_path: Path
) -> None:
    gone, short, changed = sorted(key for key, _ in context.objects.below("images"))[::4]  # one of each study
    uid = {
        key: str(pydicom.dcmread(io.BytesIO(context.objects.get(key))).SOPInstanceUID) for key in (gone, short, changed)
    }
    data = bytearray(context.objects.get(changed))
    data[-1] ^= 1
    context.objects.put(changed, bytes(data))
    context.objects.put(short, context.objects.get(short)[:-2])
    context.objects.delete(gone)
    done = exported(context, cast, tmp_path / "out")
    other = "its bytes are not those that came"
    assert sorted(done.left) == sorted(
        [(uid[gone], "its bytes are missing"), (uid[short], other), (uid[changed], other)]
    )
    assert_whole_medium(tmp_path / "out", 3, 6)


def test_who_exported_what_is_on_record(
    context: Context, cast: Cast, filled: list[str], tmp_path: Path, owner_url: str
) -> None:
    exported(context, cast, tmp_path / "out", patient_ids=["NF-1"])
    rows = sql(owner_url, "select study_id, detail from audit.events where action = 'study.exported'")
    wanted = sql(owner_url, "select id from archive.studies where dicom_patient_id = 'NF-1'")
    assert {row.study_id for row in rows} == {row.id for row in wanted}
    assert all(row.detail == {"by": "test", "instances": 3} for row in rows)


def test_what_was_put_right_goes_out_right(context: Context, cast: Cast, filled: list[str], tmp_path: Path) -> None:
    with context.works.begin(system("test", cast.norfjord)) as work:
        study_id = work.session.scalars(select(Study.id).where(Study.study_instance_uid == filled[0])).one()
        correct(work, study_id, "entered", {"00100020": "NF-9"}, "mistyped")
    exported(context, cast, tmp_path / "out", study_uids=filled[:1])
    for one in FileSet(pydicom.dcmread(tmp_path / "out" / "DICOMDIR")):
        ds = pydicom.dcmread(one.path)
        assert (ds.PatientID, one.PatientID) == ("NF-9", "NF-9")
        assert ds.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].PatientID == "NF-1"


def test_nothing_is_overwritten(context: Context, cast: Cast, filled: list[str], tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    (tmp_path / "file").touch()
    (tmp_path / "there.zip").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("full", "file", "there.zip", "link"):
        with pytest.raises(AlreadyThere):
            exported(context, cast, tmp_path / name)
    assert (tmp_path / "there.zip").read_bytes() == b"mine"
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "data") == ["file", "full", "link", "there.zip"]
    (tmp_path / "empty").mkdir()
    assert exported(context, cast, tmp_path / "empty").objects == 9
    with pytest.raises(AlreadyThere), new_medium(tmp_path / "late", 0) as medium:
        medium.create("x").close()
        (tmp_path / "late").touch()
    assert (tmp_path / "late").is_file()


@contextmanager
def small_files(most: int) -> Iterator[None]:
    """As on a full disk: a file that grows over `most` bytes can't be written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_a_full_disk_leaves_nothing_behind(context: Context, cast: Cast, tmp_path: Path, name: str) -> None:
    study = generate_uid()
    send(context, cast, files.ct(study, "2.999.1", 1), files.ct(study, "2.999.1", 2, size=512))
    with small_files(200_000), pytest.raises(OutOfSpace):
        exported(context, cast, tmp_path / name)
    with pytest.raises(OutOfSpace), new_medium(tmp_path / name, shutil.disk_usage(tmp_path).total * 2):
        raise AssertionError("it begins")
    assert [p.name for p in tmp_path.iterdir() if p.name != "data"] == []
