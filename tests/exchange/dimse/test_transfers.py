"""Priors fetched from other archives, studies sent to them: counted, retried, never believed (field reports E06, E08, E11)."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.exchange.dimse import scu_fetch
from heliograph.exchange.dimse.scu_jobs import enqueue_due, run_transfer
from heliograph.exchange.dimse.server import listening
from heliograph.kit.actor import system
from heliograph.kit.clock import FixedClock
from heliograph.kit.net.dicom import StoreRequest
from heliograph.kit.net.dicom.client import STUDY_FIND, STUDY_GET
from heliograph.kit.net.dicom.identifiers import query_for
from heliograph.records.archive import indexer, queries
from heliograph.records.sites import nodes, transfers
from heliograph.records.sites.administer import add_caller
from heliograph.records.sites.transfers import TransferFacts
from tests.cast import Cast
from tests.exchange import refused
from tests.kit.net.archive import DCMQRSCP, STORESCP, dcmqrscp, storescp
from tests.records.archive import files

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scu_fetch, "SETTLE_SECONDS", 1.0)
    monkeypatch.setattr(scu_fetch, "SILENCE_SECONDS", 2.0)


def studies(folder: Path, *counts: int, patient: str = "NF-1", accession: str = "OLD1") -> tuple[list[str], list[Path]]:
    folder.mkdir(exist_ok=True)
    uids, paths = [], []
    for count in counts:
        study, *both = generate_uid(), generate_uid(), generate_uid()
        uids.append(study)
        for n in range(count):
            paths.append(folder / f"{patient}-{len(paths):04d}.dcm")
            paths[-1].write_bytes(files.ct(study, both[n % 2], n, fill=n, patient=patient, accession=accession))
    return uids, paths


def known_patient(context: Context, cast: Cast) -> UUID:
    """Kari Larsen, NF-1, whose current study came from a scanner."""
    data = files.ct(generate_uid(), generate_uid(), patient="NF-1", accession="NOW1")
    files.index(
        context.works, context.objects, [files.drop(context.settings.spool_dir, cast, data, caller=cast.caller)]
    )
    with context.works.read(system("t", cast.norfjord)) as work:
        return work.session.execute(text("select patient_id from archive.studies")).scalar_one()


def add_node(context: Context, cast: Cast, port: int, **values: Any) -> UUID:
    what = {
        "facility_id": cast.norfjord_facility, "name": "Old archive", "ae_title": "ARCHIVE", "calling_ae": "HELIO_NF",
        "host": "127.0.0.1", "port": port, "is_queried": True, "is_sent_to": True, **values,
    }  # fmt: skip
    with context.works.begin(cast.astrid) as work:
        return nodes.add_node(work, cast.norfjord, what)


def ask(context: Context, cast: Cast, node: UUID, direction: str = "fetch", **what: Any) -> UUID:
    with context.works.begin(system("t", cast.norfjord)) as work:
        return transfers.add_transfer(work, cast.norfjord, node, cast.norfjord_facility, direction=direction, **what)


def run(context: Context, cast: Cast, transfer_id: UUID, stop: threading.Event | None = None) -> TransferFacts:
    run_transfer(
        context.works, context.settings, context.objects, stop or threading.Event(),
        organization_id=str(cast.norfjord), transfer_id=str(transfer_id),
    )  # fmt: skip
    return seen(context, cast, transfer_id)


def seen(context: Context, cast: Cast, transfer_id: UUID) -> TransferFacts:
    with context.works.read(system("t", cast.norfjord)) as work:
        found = transfers.transfer(work.session, transfer_id)
    assert found is not None
    return found


def file_all(context: Context) -> None:
    indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=0)


def kept(context: Context, cast: Cast) -> dict[str, tuple[str, int]]:
    """Study Instance UID -> (match state, number of instances)."""
    with context.works.read(system("t", cast.norfjord)) as work:
        rows = work.session.execute(
            text("select study_instance_uid, match_state, number_of_instances from archive.studies")
        )
        return {r[0]: (r[1], r[2]) for r in rows}


@contextmanager
def filing(context: Context) -> Iterator[None]:
    """The indexer at work, as on any host."""
    stop = threading.Event()
    thread = threading.Thread(
        target=indexer.run, args=(context.works, context.objects, context.settings, stop), daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


@pytest.mark.dcmtk
@pytest.mark.skipif(DCMQRSCP is None, reason="DCMTK is not installed")
def test_priors_come_by_c_get_as_they_are_kept_there(context: Context, cast: Cast, tmp_path: Path) -> None:
    patient = known_patient(context, cast)
    uids, paths = studies(tmp_path / "nf1", 3, 2)
    _, others = studies(tmp_path / "nf2", 1, patient="NF-2")
    with dcmqrscp([*paths, *others]) as port:
        wanted = ask(context, cast, add_node(context, cast, port), patient_id=patient)
        done = run(context, cast, wanted)
        assert (done.state, done.expected, done.received, done.error) == ("done", 5, 5, None)
        assert {s["uid"]: (s["expected"], s["received"], s["done"]) for s in done.studies} == {
            uids[0]: (3, 3, True), uids[1]: (2, 2, True),
        }  # fmt: skip
        file_all(context)
        assert {uid: kept(context, cast)[uid] for uid in uids} == {uids[0]: ("prior", 3), uids[1]: ("prior", 2)}
        with context.works.read(system("t", cast.norfjord)) as work:
            assert work.session.execute(text("select count(*) from worklist.cases")).scalar_one() == 0
            same = work.session.execute(text("select count(distinct patient_id) from archive.studies")).scalar_one()
            places = work.session.execute(text("select object_key from archive.instances where caller_id is not null"))
            bodies = {files.body(context.objects.get(p.object_key)) for p in places}
        assert same == 1
        assert {files.body(p.read_bytes()) for p in paths} <= bodies
        # Once more: all is here, so nothing is retrieved again.
        again = run(context, cast, ask(context, cast, done.node_id, patient_id=patient))
        assert (again.state, again.received) == ("done", 5)
        file_all(context)
        assert kept(context, cast)[uids[0]] == ("prior", 3)


@pytest.mark.dcmtk
@pytest.mark.skipif(DCMQRSCP is None, reason="DCMTK is not installed")
def test_priors_come_by_c_move_to_ourselves(context: Context, cast: Cast, tmp_path: Path) -> None:
    patient = known_patient(context, cast)
    (uid,), paths = studies(tmp_path / "in", 4)
    with listening(context) as listener, ExitStack() as stack:
        port = stack.enter_context(dcmqrscp(paths, {"HELIO_NF": listener.port}, options=["--disable-get"]))
        node = add_node(context, cast, port)
        wanted = ask(context, cast, node, patient_id=patient)
        refused = run(context, cast, wanted)
        assert refused.state == "waiting", "its own C-STORE would be taken for a scanner's or refused"
        assert refused.error is not None
        assert "sends priors" in refused.error
        with context.works.begin(cast.astrid) as work:
            values = {"called_ae": "HELIO_NF", "calling_ae": "ARCHIVE", "sends_priors": True}
            add_caller(work, cast.norfjord_facility, values)
        stack.enter_context(filing(context))
        clock_on(context, minutes=20)
        done = run(context, cast, wanted)
    assert (done.state, done.received, done.attempts) == ("done", 4, 2)
    assert kept(context, cast)[uid] == ("prior", 4)


def clock_on(context: Context, minutes: int) -> None:
    clock = context.works.clock
    assert isinstance(clock, FixedClock)
    clock.advance(timedelta(minutes=minutes))


class Archive:
    """A pynetdicom archive of CT files that does what a test tells it to."""

    def __init__(self, paths: list[Path]) -> None:
        self.all = [pydicom.dcmread(p) for p in paths]
        self.withheld: set[str] = set()
        self.status = 0
        self.asked: list[tuple[str, str]] = []
        self.on_get: Callable[[], object] = lambda: None
        self.says_count = True
        self.extra: list[Dataset] = []

    def find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        query = event.identifier
        level = query.QueryRetrieveLevel
        self.asked.append(("find", level))
        for ds in {getattr(d, {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}[level]): d
                   for d in self.all}.values():  # fmt: skip
            if level != "STUDY" and ds.StudyInstanceUID != query.StudyInstanceUID:
                continue
            if level == "IMAGE" and ds.SeriesInstanceUID != query.SeriesInstanceUID:
                continue
            keys = {k: str(ds.get(k) or "") for k in ("StudyInstanceUID", "PatientID", "AccessionNumber", "StudyDate")}
            if level == "STUDY" and self.says_count:
                number = sum(d.StudyInstanceUID == ds.StudyInstanceUID for d in self.all)
                keys["NumberOfStudyRelatedInstances"] = str(number)
            if level != "STUDY":
                keys["SeriesInstanceUID"] = ds.SeriesInstanceUID
            if level == "IMAGE":
                keys |= {"SOPInstanceUID": ds.SOPInstanceUID, "SOPClassUID": ds.SOPClassUID}
                keys["AvailableTransferSyntaxUID"] = ds.file_meta.TransferSyntaxUID
            yield 0xFF00, query_for(level, keys)
        yield 0x0000, None

    def get(self, event: evt.Event) -> Iterator[Any]:
        self.on_get()
        query = event.identifier
        self.asked.append(("get", query.QueryRetrieveLevel))
        wanted = [d for d in self.all if d.StudyInstanceUID == query.StudyInstanceUID]
        if "SOPInstanceUID" in query:
            uids = query.SOPInstanceUID
            wanted = [d for d in wanted if d.SOPInstanceUID in ([uids] if isinstance(uids, str) else list(uids))]
        sent = [d for d in wanted if d.SOPInstanceUID not in self.withheld] + self.extra
        yield len(sent)
        for ds in sent:
            yield 0xFF00, ds
        yield self.status, None

    @contextmanager
    def serving(self, *contexts: str) -> Iterator[int]:
        ae = AE("ARCHIVE")
        for uid in contexts or (STUDY_FIND, STUDY_GET):
            ae.add_supported_context(uid, [EXPLICIT, IMPLICIT])
        ae.add_supported_context(CT, [EXPLICIT, pydicom.uid.RLELossless], scu_role=True, scp_role=True)
        handlers = [(evt.EVT_C_FIND, self.find), (evt.EVT_C_GET, self.get)]
        server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        assert server is not None
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def test_success_with_missing_objects_is_not_believed(context: Context, cast: Cast, tmp_path: Path) -> None:
    """E06: the status says success, one object never came: partial, tried again, asked for by its name, then done."""
    patient = known_patient(context, cast)
    (uid,), paths = studies(tmp_path / "in", 3)
    archive = Archive(paths)
    archive.withheld = {archive.all[1].SOPInstanceUID}
    with archive.serving() as port:
        wanted = ask(context, cast, add_node(context, cast, port), patient_id=patient)
        first = run(context, cast, wanted)
        assert (first.state, first.expected, first.received) == ("waiting", 3, 2)
        assert first.error is not None
        assert "not all is here" in first.error
        assert first.next_attempt_at is not None
        assert run(context, cast, wanted).attempts == 1, "it is not due yet"
        archive.withheld = set()
        clock_on(context, minutes=20)
        file_all(context)
        archive.asked.clear()
        done = run(context, cast, wanted)
    assert (done.state, done.received) == ("done", 3)
    assert [a for a in archive.asked if a[0] == "get"] == [("get", "IMAGE")]
    file_all(context)
    assert kept(context, cast)[uid] == ("prior", 3)


def test_objects_come_in_the_syntax_that_the_node_keeps_them_in(context: Context, cast: Cast, tmp_path: Path) -> None:
    """It says in which (0008,3002), and gets a context for just that."""
    patient = known_patient(context, cast)
    data, _ = _compressed(pydicom.uid.RLELossless, generate_uid())
    (tmp_path / "rle.dcm").write_bytes(data)
    with Archive([tmp_path / "rle.dcm"]).serving() as port:
        done = run(context, cast, ask(context, cast, add_node(context, cast, port), patient_id=patient))
    assert (done.state, done.received) == ("done", 1), done.error
    file_all(context)
    with context.works.read(system("t", cast.norfjord)) as work:
        syntaxes = work.session.scalars(text("select transfer_syntax_uid from archive.instances")).all()
    assert sorted(syntaxes) == [EXPLICIT, pydicom.uid.RLELossless]


def test_what_never_comes_is_partial_in_the_end_and_can_be_asked_for_again(
    context: Context, cast: Cast, tmp_path: Path
) -> None:
    patient = known_patient(context, cast)
    _, paths = studies(tmp_path / "in", 2)
    archive = Archive(paths)
    archive.withheld = {archive.all[0].SOPInstanceUID}
    with archive.serving() as port:
        wanted = ask(context, cast, add_node(context, cast, port), patient_id=patient)
        for _ in range(8):
            found = run(context, cast, wanted)
            clock_on(context, minutes=20)
        assert (found.state, found.received, found.attempts) == ("partial", 1, 8)
        archive.withheld = set()
        with context.works.begin(system("t", cast.norfjord)) as work:
            transfers.again(work, wanted)
        assert run(context, cast, wanted).state == "done"


def test_what_was_not_asked_for_and_another_patients_studies_are_left_out(
    context: Context, cast: Cast, tmp_path: Path
) -> None:
    """An archive that ignores the key that it is asked by, and sends more than it is asked for."""
    patient = known_patient(context, cast)
    (uid,), paths = studies(tmp_path / "nf1", 2)
    (other,), others = studies(tmp_path / "nf2", 1, patient="NF-2")
    archive = Archive([*paths, *others])
    archive.extra = [archive.all[2]]
    with archive.serving() as port:
        done = run(context, cast, ask(context, cast, add_node(context, cast, port), patient_id=patient))
    assert [s["uid"] for s in done.studies] == [uid]
    assert done.state == "done"
    file_all(context)
    assert other not in kept(context, cast)


def test_a_study_that_the_site_sends_itself_is_left_alone(context: Context, cast: Cast, tmp_path: Path) -> None:
    patient = known_patient(context, cast)
    (uid,), paths = studies(tmp_path / "in", 3)
    scanner = files.drop(context.settings.spool_dir, cast, paths[0].read_bytes(), caller=cast.caller)
    files.index(context.works, context.objects, [scanner])
    archive = Archive(paths)
    with archive.serving() as port:
        done = run(context, cast, ask(context, cast, add_node(context, cast, port), patient_id=patient))
    assert (done.state, done.expected, done.studies) == ("done", 0, [])
    assert kept(context, cast)[uid] == ("unmatched", 1)


def test_a_study_or_a_number_alone_can_be_fetched_and_wildcards_are_not_asked(
    context: Context, cast: Cast, tmp_path: Path
) -> None:
    known_patient(context, cast)
    uids, paths = studies(tmp_path / "in", 1, 2)
    archive = Archive(paths)
    with archive.serving() as port:
        node = add_node(context, cast, port)
        by_uid = run(context, cast, ask(context, cast, node, study_instance_uid=uids[1]))
        assert ([s["uid"] for s in by_uid.studies], by_uid.received) == ([uids[1]], 2)
        file_all(context)
        by_number = run(context, cast, ask(context, cast, node, accession_number="OLD1"))
        assert by_number.received == 3
        archive.asked.clear()
        wild = run(context, cast, ask(context, cast, node, accession_number="OLD*"))
        assert (wild.state, archive.asked) == ("failed", []), "no other try would be wiser"


def test_a_peer_that_stops_half_way_is_left_in_time_and_asked_again(
    context: Context, cast: Cast, tmp_path: Path
) -> None:
    """E11."""
    patient = known_patient(context, cast)
    _, paths = studies(tmp_path / "in", 3)
    archive = Archive(paths)
    stuck = threading.Event()
    archive.on_get = lambda: stuck.wait(20)
    with archive.serving() as port:
        wanted = ask(context, cast, add_node(context, cast, port), patient_id=patient)
        first = run(context, cast, wanted)
        assert (first.state, first.received) == ("waiting", 0)
        assert first.error is not None
        assert "silent for too long" in first.error
        stuck.set()
        clock_on(context, minutes=20)
        assert run(context, cast, wanted).state == "done"


def test_nobody_listens_and_then_somebody_does(context: Context, cast: Cast, tmp_path: Path) -> None:
    patient = known_patient(context, cast)
    node = add_node(context, cast, 1)
    wanted = ask(context, cast, node, patient_id=patient)
    first = run(context, cast, wanted)
    assert first.state == "waiting"
    assert first.error == "No connection: nobody listens there (connection refused)."
    assert ask(context, cast, node, patient_id=patient) == wanted, "the same is not asked for twice"
    with context.works.begin(cast.astrid) as work:
        nodes.change_node(work, node, {"is_active": False})
    clock_on(context, minutes=20)
    off = run(context, cast, wanted)
    assert (off.state, off.error) == ("failed", "This node is switched off.")


def test_a_cancelled_fetch_stops(context: Context, cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heliograph.exchange.dimse.scu_jobs._LOOK_SECONDS", 0.0)
    patient = known_patient(context, cast)
    _, paths = studies(tmp_path / "in", 2, 2)
    archive = Archive(paths)
    with archive.serving() as port:
        wanted = ask(context, cast, add_node(context, cast, port), patient_id=patient)

        def cancel() -> None:
            archive.on_get = lambda: None
            with context.works.begin(system("t", cast.norfjord)) as work:
                transfers.cancel(work, wanted)

        archive.on_get = cancel
        done = run(context, cast, wanted)
    assert done.state == "cancelled"
    assert len([a for a in archive.asked if a[0] == "get"]) == 1
    assert done.received < 4


def test_after_a_kill_the_job_goes_on_where_it_was(
    context: Context, cast: Cast, tmp_path: Path, owner_url: str
) -> None:
    """A row that runs and has no job any more gets one; what is in the spool or filed already is not doubled."""
    patient = known_patient(context, cast)
    (uid,), paths = studies(tmp_path / "in", 3)
    archive = Archive(paths)
    with archive.serving() as port:
        node = add_node(context, cast, port)
        wanted = ask(context, cast, node, patient_id=patient)
        with context.works.begin(system("t", cast.norfjord)) as work:
            claimed = transfers.claim(work, wanted)
        assert claimed is not None
        assert claimed.state == "running"
        with context.works.read(system("t", cast.norfjord)) as work:
            to = nodes.node(work.session, node)
        assert to is not None
        left = files.drop(context.settings.spool_dir, cast, paths[0].read_bytes(), caller=node)  # spooled, then killed
        owner = create_engine(owner_url, isolation_level="AUTOCOMMIT")
        with owner.connect() as connection:
            connection.execute(text("set search_path = jobs, public"))
            connection.execute(text("delete from jobs.procrastinate_jobs"))
        owner.dispose()
        assert enqueue_due(context.works) == 1
        assert enqueue_due(context.works) == 0, "it has a job now"
        done = run(context, cast, wanted)
    assert (done.state, done.attempts, done.received) == ("done", 2, 3)
    assert left.path.exists()
    file_all(context)
    assert kept(context, cast)[uid] == ("prior", 3)
    with context.works.read(system("t", cast.norfjord)) as work:
        assert work.session.execute(text("select count(*) from archive.held_objects")).scalar_one() == 0
        actions = work.session.scalars(
            text("select action from audit.events where subject_kind = 'transfer' order by id")
        ).all()
    assert actions == [
        "transfer.asked", "transfer.began", "transfer.began", "transfer.found", "transfer.went_on", "transfer.done",
    ]  # fmt: skip


def test_a_worker_that_stops_puts_it_back(context: Context, cast: Cast, tmp_path: Path) -> None:
    patient = known_patient(context, cast)
    _, paths = studies(tmp_path / "in", 2)
    archive = Archive(paths)
    stop = threading.Event()
    archive.on_get = stop.set
    with archive.serving() as port:
        wanted = ask(context, cast, add_node(context, cast, port), patient_id=patient)
        first = run(context, cast, wanted, stop)
        if first.state != "done":  # all may have come before it looked
            assert (first.state, first.attempts) == ("waiting", 0)
        archive.on_get = lambda: None
        assert run(context, cast, wanted).state == "done"


def filed(context: Context, cast: Cast, data: list[bytes]) -> UUID:
    dropped = [files.drop(context.settings.spool_dir, cast, one, caller=cast.caller) for one in data]
    files.index(context.works, context.objects, dropped)
    with context.works.read(system("t", cast.norfjord)) as work:
        (found,) = queries.studies_of_patient(
            work.session, work.session.execute(text("select id from patients.patients")).scalar_one()
        )
    return found.id


@pytest.mark.dcmtk
@pytest.mark.skipif(STORESCP is None, reason="DCMTK is not installed")
def test_a_study_is_sent_as_it_is_kept(context: Context, cast: Cast) -> None:
    _, _, data = files.series_of(3)
    study = filed(context, cast, data)
    with storescp(["+B"]) as (port, folder):
        done = run(context, cast, ask(context, cast, add_node(context, cast, port), "send", study_id=study))
        got = {files.body(p.read_bytes()) for p in folder.iterdir()}
    assert (done.state, done.expected, done.received, done.unsent) == ("done", 3, 3, [])
    assert got == {files.body(d) for d in data}


@contextmanager
def receiver(store: Callable[[evt.Event], int], *syntaxes: str) -> Iterator[int]:
    ae = AE("ARCHIVE")
    ae.add_supported_context(CT, list(syntaxes or (EXPLICIT,)))
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert server is not None
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def test_only_what_was_refused_is_sent_again(context: Context, cast: Cast) -> None:
    _, _, data = files.series_of(3)
    study = filed(context, cast, data)
    seen_uids: list[str] = []
    refuse = [pydicom.dcmread(io.BytesIO(data[1])).SOPInstanceUID]

    def store(event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        seen_uids.append(uid)
        return 0xA700 if uid in refuse else 0

    with receiver(store) as port:
        wanted = ask(context, cast, add_node(context, cast, port), "send", study_id=study)
        first = run(context, cast, wanted)
        assert (first.state, first.expected, first.received, first.unsent) == ("waiting", 3, 2, refuse)
        assert first.error == "1 of 3 are not there. Refused with status A700: it has no room."
        again = list(refuse)
        refuse.clear()
        seen_uids.clear()
        clock_on(context, minutes=20)
        done = run(context, cast, wanted)
    assert (done.state, done.received, seen_uids) == ("done", 3, again)


def _compressed(syntax: str, study: str) -> tuple[bytes, Dataset]:
    """A CT slice in this syntax, and as it was before."""
    series = generate_uid()
    whole = pydicom.dcmread(io.BytesIO(files.ct(study, series, size=64)))
    ds = pydicom.dcmread(io.BytesIO(files.ct(study, series, size=64, sop=whole.SOPInstanceUID)))
    if syntax == pydicom.uid.JPEGLSLossless:
        ds.PixelData = encapsulate([imagecodecs.jpegls_encode(whole.pixel_array.view(np.uint16))])
        ds.file_meta.TransferSyntaxUID = syntax
    else:
        ds.compress(syntax, generate_instance_uid=False)
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue(), whole


@pytest.mark.parametrize("target", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("syntax", [pydicom.uid.RLELossless, pydicom.uid.JPEGLSLossless])
def test_a_peer_that_takes_nothing_compressed_gets_it_uncompressed_and_under_that_name(
    context: Context, cast: Cast, syntax: str, target: str
) -> None:
    """E08: never J2K bytes as Explicit VR Little Endian."""
    data, whole = _compressed(syntax, generate_uid())
    study = filed(context, cast, [data])
    got: list[Dataset] = []

    def store(event: evt.Event) -> int:
        ds = event.dataset
        ds.file_meta = event.file_meta
        got.append(ds)
        return 0

    with receiver(store, target) as port:
        done = run(context, cast, ask(context, cast, add_node(context, cast, port), "send", study_id=study))
    assert done.state == "done", done.error
    assert got[0].file_meta.TransferSyntaxUID == target
    assert got[0].PixelData == whole.PixelData
    assert got[0].SOPInstanceUID == whole.SOPInstanceUID
    assert list((context.settings.spool_dir / "overflow").iterdir()) == []


def test_what_can_not_be_decompressed_is_not_sent_at_all(context: Context, cast: Cast) -> None:
    data = files.ct(generate_uid(), generate_uid())
    ds = pydicom.dcmread(io.BytesIO(data))
    ds.PixelData = pydicom.encaps.encapsulate([b"no codec would read this"])
    ds["PixelData"].VR = "OB"
    ds.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, enforce_file_format=True)
    study = filed(context, cast, [out.getvalue()])
    got: list[object] = []

    def store(event: evt.Event) -> int:
        got.append(event)
        return 0

    with receiver(store) as port:
        done = run(context, cast, ask(context, cast, add_node(context, cast, port), "send", study_id=study))
    assert (done.state, got) == ("failed", []), "no further try would do better"
    assert done.error is not None
    assert "can't be decompressed" in done.error


def test_what_is_fetched_loses_what_has_no_place_in_a_data_set(context: Context, cast: Cast) -> None:
    """Field report B10: as at the doors; what can't be read is kept all the same, and held when it is indexed."""
    node = nodes.NodeFacts(
        UUID(int=1), cast.norfjord, cast.norfjord_facility, "n", "N", "H", "127.0.0.1", 1, "off", True, True, True, True
    )
    strays, without = refused.with_strays("1.2.3.7")
    for sent, kept in ((strays, without), (refused.too_deep(), None)):
        body = files.body(sent)
        request = StoreRequest(refused.CT, "1.2.3.7", refused.EXPLICIT, len(body), memoryview(body), None)
        path = scu_fetch.keep(context.settings, node, cast.norfjord, cast.norfjord_facility, request)
        assert files.body(path.read_bytes()) == files.body(kept or sent)
