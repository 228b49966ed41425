"""C-STORE over a real socket: known callers in, unknown ones out, success only when durable, bytes as on the wire."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pydicom
import pytest
from pydicom.uid import generate_uid
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session

from heliograph.app.context import Context
from heliograph.exchange.dimse.server import listening
from heliograph.kit.actor import system
from heliograph.kit.codecs.dicom import DicomError, read_file_meta, read_header
from heliograph.kit.db import postgres
from heliograph.kit.net.dicom import Rejected, StorageListener, send_files, verify
from heliograph.records.archive import indexer, queries, spool
from tests.cast import Cast
from tests.records.archive import files

STORESCU = shutil.which("storescu", path="/usr/bin:/usr/local/bin:/opt/homebrew/bin")


@pytest.fixture
def listener(context: Context, cast: Cast) -> Iterator[StorageListener]:
    with listening(context) as running:
        yield running


def written(folder: Path, data: list[bytes]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number:04d}.dcm" for number in range(len(data))]
    for path, one in zip(paths, data, strict=True):
        path.write_bytes(one)
    return paths


def send(listener: StorageListener, paths: list[Path], calling: str = "NF_CT1") -> list[int | None]:
    found = send_files("127.0.0.1", listener.port, called="HELIO_NF", calling=calling, files=paths)
    return [result.status for result in found]


def test_it_works(context: Context, cast: Cast, listener: StorageListener, tmp_path: Path) -> None:
    study, _, data = files.series_of(3)
    assert send(listener, written(tmp_path / "out", data)) == [0, 0, 0]
    waiting = spool.waiting(context.settings.spool_dir)
    assert [files.body(w.path.read_bytes()) for w in waiting] == [files.body(one) for one in data]
    assert {(w.organization_id, w.facility_id, w.caller_id) for w in waiting} == {
        (cast.norfjord, cast.norfjord_facility, cast.caller)
    }
    indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=0)
    with context.works.read(system("test", cast.norfjord)) as work:
        found = queries.study_by_uid(work.session, cast.norfjord, study)
    assert found is not None
    assert found.number_of_instances == 3


def test_echo(listener: StorageListener, cast: Cast) -> None:
    verify("127.0.0.1", listener.port, called="HELIO_NF", calling="NF_CT1")


def test_an_unknown_caller_is_rejected_and_recorded_once(
    context: Context, cast: Cast, listener: StorageListener, tmp_path: Path, owner_url: str
) -> None:
    paths = written(tmp_path / "out", files.series_of(1)[2])
    for _ in range(3):
        with pytest.raises(Rejected) as refused:
            send(listener, paths, calling="STRANGER")
    assert (refused.value.result, refused.value.source, refused.value.reason) == (1, 1, 3)
    assert spool.waiting(context.settings.spool_dir) == []
    engine = create_engine(owner_url)
    with Session(engine) as s:
        rows = s.execute(text("select outcome, reason, detail from audit.events where action = 'caller.refused'")).all()
    engine.dispose()
    assert [(r.outcome, r.reason, r.detail["calling_ae"]) for r in rows] == [
        ("refused", "calling_not_recognised", "STRANGER")
    ]


def test_too_little_disk_answers_a700(context: Context, cast: Cast, tmp_path: Path) -> None:
    poor = context.settings.model_copy(update={"min_free_mb": 1 << 40})

    class Part:
        works, settings, objects = context.works, poor, context.objects

    paths = written(tmp_path / "out", files.series_of(1)[2])
    with listening(Part()) as running:
        assert send(running, paths) == [0xA700]
    assert spool.waiting(context.settings.spool_dir) == []


def test_known_callers_are_served_while_the_database_is_away(
    context: Context,
    cast: Cast,
    listener: StorageListener,
    tmp_path: Path,
    server: postgres.Running,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("heliograph.exchange.dimse.callers.BELIEVED_SECONDS", -1.0)
    study, _, data = files.series_of(3)
    paths = written(tmp_path / "out", data)
    assert send(listener, paths[:1]) == [0]
    admin = make_url(server.admin_url).set(database="postgres", drivername="postgresql")
    name = make_url(database_url).database
    with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"alter database {name} with allow_connections false")
        connection.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
        assert send(listener, paths[1:]) == [0, 0]
        with pytest.raises(Rejected) as refused:  # transient: it may be known, so it shall try again
            send(listener, paths, calling="STRANGER")
        assert refused.value.result == 2
        connection.execute(f"alter database {name} with allow_connections true")
    assert len(spool.waiting(context.settings.spool_dir)) == 3
    indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=0)
    with context.works.read(system("test", cast.norfjord)) as work:
        found = queries.study_by_uid(work.session, cast.norfjord, study)
    assert found is not None
    assert found.number_of_instances == 3


def storable() -> list[Path]:
    """pydicom's packaged files that say who they are; it has most transfer syntaxes."""
    found = []
    for path in sorted((Path(pydicom.__file__).parent / "data" / "test_files").rglob("*.dcm")):
        try:
            read_header(path)
            meta = read_file_meta(memoryview(path.read_bytes()))
        except (DicomError, OSError):
            continue
        if meta.sop_class_uid and meta.sop_instance_uid:
            found.append(path)
    return found


def test_every_transfer_syntax_is_kept_as_on_the_wire(context: Context, cast: Cast, listener: StorageListener) -> None:
    paths = storable()
    syntaxes = {read_file_meta(memoryview(p.read_bytes())).transfer_syntax_uid for p in paths}
    assert len(syntaxes) >= 10, syntaxes
    statuses = send(listener, paths)
    # Some of pydicom's files share their UIDs, some describe more pixels than they have: a warning, and kept all the same.
    assert set(statuses) == {0, 0xB000, 0xB007}
    kept = sorted(files.body(w.path.read_bytes()) for w in spool.waiting(context.settings.spool_dir))
    assert kept == sorted(files.body(p.read_bytes()) for p in paths)
    dealt = indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=0)
    assert dealt == len(paths)
    assert spool.waiting(context.settings.spool_dir) == []
    with context.works.read(system("test", cast.norfjord)) as work:
        places = work.session.execute(text("select object_key from archive.instances")).all()
        held = work.session.execute(text("select object_key from archive.held_objects")).all()
    bodies = {files.body(p.read_bytes()) for p in paths}
    assert {files.body(context.objects.get(p.object_key)) for p in (*places, *held)} == bodies
    # Of those that share their UIDs the first is filed, the others are held, as their sender was told.
    assert len(held) == statuses.count(0xB000)
    assert len(places) == len({read_header(p).sop_instance_uid for p in paths})


@pytest.mark.dcmtk
@pytest.mark.skipif(STORESCU is None, reason="DCMTK is not installed")
def test_dcmtk_sends_over_several_associations(
    context: Context, cast: Cast, listener: StorageListener, tmp_path: Path
) -> None:
    study, series = generate_uid(), generate_uid()
    folders = []
    for number in range(3):
        data = [files.ct(study, series, number * 10 + n, fill=n) for n in range(4)]
        folders.append(written(tmp_path / f"out{number}", data)[0].parent)
    running = [
        subprocess.Popen(
            [STORESCU, "-aet", "NF_CT1", "-aec", "HELIO_NF", "+sd", "127.0.0.1", str(listener.port), str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for folder in folders
    ]
    for process in running:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output.decode()
    waiting = spool.waiting(context.settings.spool_dir)
    assert len(waiting) == 12
    sent = {pydicom.dcmread(p).SOPInstanceUID for folder in folders for p in folder.iterdir()}
    assert {read_header(w.path).sop_instance_uid for w in waiting} == sent
    indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=0)
    with context.works.read(system("test", cast.norfjord)) as work:
        found = queries.study_by_uid(work.session, cast.norfjord, study)
    assert found is not None
    assert found.number_of_instances == 12


@pytest.mark.dcmtk
@pytest.mark.skipif(STORESCU is None, reason="DCMTK is not installed")
def test_dcmtk_as_an_unknown_caller_is_told(cast: Cast, listener: StorageListener, tmp_path: Path) -> None:
    (path,) = written(tmp_path / "out", files.series_of(1)[2])
    done = subprocess.run(
        [STORESCU, "-aet", "WHO", "-aec", "HELIO_NF", "127.0.0.1", str(listener.port), str(path)],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert b"Calling AE Title Not Recognized" in done.stdout + done.stderr
