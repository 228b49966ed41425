"""C-FIND, C-GET and C-MOVE over real sockets, asked by DCMTK and pynetdicom: right objects, counts and statuses, nothing for outsiders."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    PatientRootQueryRetrieveInformationModelFind as PatientFind,
)
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind as StudyFind,
)
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelGet as StudyGet,
)
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelMove as StudyMove,
)
from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.exchange.dimse import retrieve
from heliograph.exchange.dimse.server import listening
from heliograph.kit.actor import system
from heliograph.kit.net.dicom import StorageListener
from tests.cast import Cast
from tests.exchange.dimse.test_transfers import add_node
from tests.kit.net.archive import storescp
from tests.records.archive import files

WHERE = "/usr/bin:/usr/local/bin:/opt/homebrew/bin"
TOOLS = {name: shutil.which(name, path=WHERE) for name in ("findscu", "getscu", "movescu", "storescp")}
NEED_DCMTK = pytest.mark.skipif(None in TOOLS.values(), reason="DCMTK is not installed")
RLE = "1.2.840.10008.1.2.5"


@pytest.fixture
def listener(context: Context, cast: Cast) -> Iterator[StorageListener]:
    with listening(context) as running:
        yield running


@pytest.fixture
def study(context: Context, cast: Cast) -> str:
    """Three slices of Kari Larsen, filed."""
    uid, _, data = files.series_of(3)
    files.index(context.works, context.objects, [files.drop(context.settings.spool_dir, cast, one) for one in data])
    return uid


def tool(
    name: str, listener: StorageListener, *arguments: str, calling: str = "NF_CT1"
) -> subprocess.CompletedProcess[str]:
    program = TOOLS[name]
    assert program is not None
    return subprocess.run(
        [program, "-aet", calling, "-aec", "HELIO_NF", *arguments, "127.0.0.1", str(listener.port)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def associated(listener: StorageListener, *contexts: Any, calling: str = "NF_CT1", **more: Any) -> Iterator[Any]:
    ae = AE(ae_title=calling)
    for one in contexts:
        ae.add_requested_context(one)
    association = ae.associate("127.0.0.1", listener.port, ae_title="HELIO_NF", **more)
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


def identifier(level: str, **keys: str) -> Dataset:
    asked = Dataset()
    asked.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    return asked


def sent(context: Context, cast: Cast) -> list[tuple[str, str | None, dict[str, Any]]]:
    with context.works.read(system("t", cast.norfjord)) as work:
        rows = work.session.execute(
            text("select outcome, reason, detail from audit.events where action = 'images.sent' order by id")
        )
        return [tuple(row) for row in rows]  # type: ignore[misc]


# ------------------------------------------------------------------ C-FIND


def test_a_query_that_declares_no_character_set_is_read_as_its_caller_writes(
    context: Context, cast: Cast, listener: StorageListener, owner_url: str
) -> None:
    """Field report A05: what was configured for the caller counts for its queries, and it is answered in that, told by its name."""
    engine = create_engine(owner_url)
    with engine.begin() as connection:
        connection.execute(
            text("update sites.callers set fallback_charset = 'GB18030' where id = :i"), {"i": cast.caller}
        )
    engine.dispose()
    wang, other = files.ct("1.2.3", "1.2.3.1", name="王^小东誠"), files.ct("1.2.4", "1.2.4.1", name="李^四")
    files.index(
        context.works, context.objects, [files.drop(context.settings.spool_dir, cast, d) for d in (wang, other)]
    )
    asked = identifier("STUDY", StudyInstanceUID="")
    key = "王^小东誠 ".encode("gb18030")
    raw = RawDataElement(Tag(0x00100010), "PN", len(key), key, 0, False, True)
    asked._dict[raw.tag] = raw
    with associated(listener, StudyFind) as association:
        answers = [found for _, found in association.send_c_find(asked, StudyFind) if found is not None]
    assert [(a.StudyInstanceUID, a.SpecificCharacterSet, str(a.PatientName)) for a in answers] == [
        ("1.2.3", "GB18030", "王^小东誠")
    ]


@pytest.mark.dcmtk
@NEED_DCMTK
def test_findscu_finds(listener: StorageListener, study: str) -> None:
    asked = (
        "-k",
        "QueryRetrieveLevel=STUDY",
        "-k",
        "PatientName=LAR*",
        "-k",
        "StudyInstanceUID",
        "-k",
        "NumberOfStudyRelatedInstances",
    )
    found = tool("findscu", listener, "-S", *asked)
    assert found.returncode == 0
    assert study in found.stderr + found.stdout
    assert "IS [3 ]" in found.stderr + found.stdout
    stranger = tool("findscu", listener, "-S", *asked, calling="NOBODY")
    assert "Calling AE Title Not Recognized" in stranger.stderr


def test_a_find_is_cancelled_and_the_association_goes_on(
    context: Context, cast: Cast, listener: StorageListener
) -> None:
    data = [files.ct(f"2.999.{n}", f"2.999.{n}.1", accession=f"A{n}") for n in range(150)]
    files.index(context.works, context.objects, [files.drop(context.settings.spool_dir, cast, one) for one in data])
    with associated(listener, StudyFind) as association:
        statuses = []
        for status, _ in association.send_c_find(identifier("STUDY", StudyInstanceUID=""), StudyFind, msg_id=7):
            statuses.append(status.Status)
            if len(statuses) == 1:
                association.send_c_cancel(7, query_model=StudyFind)
        assert statuses[-1] in (0xFE00, 0x0000)
        assert set(statuses[:-1]) == {0xFF00}
        again = list(association.send_c_find(identifier("STUDY", AccessionNumber="A7", StudyInstanceUID=""), StudyFind))
        assert [s.Status for s, _ in again] == [0xFF00, 0x0000]
        assert again[0][1].StudyInstanceUID == "2.999.7"


def test_what_can_not_be_asked_is_told_and_on_record(
    listener: StorageListener, cast: Cast, study: str, owner_url: str
) -> None:
    with associated(listener, PatientFind) as association:
        for _ in range(5):
            ((status, _),) = association.send_c_find(identifier("SERIES", SeriesInstanceUID=""), PatientFind)
    assert status.Status == 0xA900
    assert "unique key" in status.ErrorComment
    assert status.OffendingElement is not None
    engine = create_engine(owner_url)
    with engine.connect() as connection:
        asked = "select organization_id, outcome, reason, detail from audit.events where action = 'studies.searched'"
        (row,) = connection.execute(text(asked)).all()  # one a minute, whatever is tried
    engine.dispose()
    assert row == (cast.norfjord, "refused", "A900", {"times": 1, "offending": ["00100020"]})


# ------------------------------------------------------------------ C-GET


def got(
    listener: StorageListener,
    asked: Dataset,
    *,
    syntaxes: Any = None,
    calling: str = "NF_CT1",
    roles: bool = True,
    store: int = 0,
) -> tuple[list[Any], list[Dataset]]:
    """The statuses of a C-GET, and what came."""
    came: list[Dataset] = []

    def take(event: evt.Event) -> int:
        event.dataset.file_meta = event.file_meta
        came.append(event.dataset)
        return store

    ae = AE(ae_title=calling)
    ae.add_requested_context(StudyGet)
    ae.add_requested_context(CTImageStorage, syntaxes)
    role = [build_role(CTImageStorage, scp_role=True)] if roles else []
    association = ae.associate(
        "127.0.0.1", listener.port, ae_title="HELIO_NF", ext_neg=role, evt_handlers=[(evt.EVT_C_STORE, take)]
    )
    assert association.is_established
    statuses = [status for status, _ in association.send_c_get(asked, StudyGet)]
    association.release()
    return statuses, came


def counts(status: Any) -> tuple[int, int, int]:
    return (
        status.NumberOfCompletedSuboperations,
        status.NumberOfFailedSuboperations,
        status.NumberOfWarningSuboperations,
    )


def test_a_study_is_got_as_it_is_kept(context: Context, cast: Cast, listener: StorageListener, study: str) -> None:
    statuses, came = got(listener, identifier("STUDY", StudyInstanceUID=study))
    assert [s.Status for s in statuses] == [0xFF00, 0xFF00, 0x0000]
    assert [s.NumberOfRemainingSuboperations for s in statuses[:2]] == [2, 1]
    assert counts(statuses[-1]) == (3, 0, 0)
    assert [int(d.InstanceNumber) for d in came] == [1, 2, 3]
    assert sent(context, cast) == [("done", None, {"destination": "asked for", "instances": 3})]


def test_one_of_its_images_and_a_list_of_them(
    listener: StorageListener, context: Context, cast: Cast, study: str
) -> None:
    _, came = got(listener, identifier("STUDY", StudyInstanceUID=study))
    series, uids = came[0].SeriesInstanceUID, [d.SOPInstanceUID for d in came]
    asked = identifier("IMAGE", StudyInstanceUID=study, SeriesInstanceUID=series, SOPInstanceUID="\\".join(uids[:2]))
    statuses, came = got(listener, asked)
    assert [d.SOPInstanceUID for d in came] == uids[:2]
    assert counts(statuses[-1]) == (2, 0, 0)
    statuses, came = got(listener, identifier("STUDY", StudyInstanceUID="2.999.404"))
    assert (statuses[-1].Status, came) == (0, [])


def test_who_takes_nothing_is_told_that_all_failed(listener: StorageListener, study: str) -> None:
    statuses, came = got(listener, identifier("STUDY", StudyInstanceUID=study), roles=False)
    assert (statuses[-1].Status, counts(statuses[-1]), came) == (0xA702, (0, 3, 0), [])


def test_what_the_caller_refuses_is_counted(listener: StorageListener, study: str) -> None:
    statuses, _ = got(listener, identifier("STUDY", StudyInstanceUID=study), store=0xA700)
    assert (statuses[-1].Status, counts(statuses[-1])) == (0xA702, (0, 3, 0))
    statuses, _ = got(listener, identifier("STUDY", StudyInstanceUID=study), store=0xB000)
    assert (statuses[-1].Status, counts(statuses[-1])) == (0x0000, (0, 0, 3))


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
def test_a_compressed_object_is_decompressed_for_who_takes_no_other(
    context: Context, cast: Cast, listener: StorageListener, syntax: str
) -> None:
    plain = files.ct("2.999.1", "2.999.1.1", sop="2.999.1.1.1", fill=5)
    original = pydicom.dcmread(pydicom.filebase.DicomBytesIO(plain))
    compressed = pydicom.dcmread(pydicom.filebase.DicomBytesIO(plain))
    compressed.compress(RLE, generate_instance_uid=False)
    buffer = pydicom.filebase.DicomBytesIO()
    pydicom.dcmwrite(buffer, compressed, enforce_file_format=True)
    files.index(context.works, context.objects, [files.drop(context.settings.spool_dir, cast, buffer.getvalue())])
    for offered, expected in ((syntax, syntax), (RLE, RLE)):
        statuses, (came,) = got(listener, identifier("STUDY", StudyInstanceUID="2.999.1"), syntaxes=offered)
        assert counts(statuses[-1]) == (1, 0, 0)
        assert came.file_meta.TransferSyntaxUID == expected
        assert (came.pixel_array == original.pixel_array).all()


def test_a_get_names_one_study_or_is_refused(listener: StorageListener, study: str) -> None:
    wild = identifier("STUDY", StudyInstanceUID="2.999.*")
    patient = identifier("PATIENT", PatientID="NF-1")  # there is no such level in the study root
    for asked in (identifier("STUDY", StudyInstanceUID=""), wild, patient, Dataset()):
        asked.setdefault("PatientID", "")
        (status,), came = got(listener, asked)
        assert (status.Status, came) == (0xA900, [])


@pytest.mark.dcmtk
@NEED_DCMTK
def test_getscu_gets_what_was_sent(listener: StorageListener, study: str, tmp_path: Path) -> None:
    done = tool(
        "getscu",
        listener,
        "-S",
        "-od",
        str(tmp_path),
        "-k",
        "QueryRetrieveLevel=STUDY",
        "-k",
        f"StudyInstanceUID={study}",
    )
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("CT.*"))) == 3


def test_a_caller_of_another_organisation_gets_nothing(
    context: Context, cast: Cast, listener: StorageListener, study: str
) -> None:
    with context.works.begin(system("t", cast.llano)) as work:
        work.session.execute(
            text(
                "insert into sites.callers (organization_id, facility_id, called_ae, calling_ae) values (:o, :f, 'HELIO_NF', 'OTHER')"
            ),
            {"o": cast.llano, "f": cast.llano_facility},
        )
        work.record("caller.added", organization_id=cast.llano)
    statuses, came = got(listener, identifier("STUDY", StudyInstanceUID=study), calling="OTHER")
    assert (statuses[-1].Status, came) == (0, [])
    with associated(listener, StudyFind, calling="OTHER") as association:
        found = list(association.send_c_find(identifier("STUDY", StudyInstanceUID=study), StudyFind))
    assert [s.Status for s, _ in found] == [0]


# ------------------------------------------------------------------ C-MOVE


def moved(listener: StorageListener, asked: Dataset, to: str) -> list[Any]:
    with associated(listener, StudyMove) as association:
        return [s for s, _ in association.send_c_move(asked, to, StudyMove)]


@pytest.mark.dcmtk
@NEED_DCMTK
def test_movescu_moves_to_a_known_node(
    context: Context, cast: Cast, listener: StorageListener, study: str, tmp_path: Path
) -> None:
    with storescp() as (port, folder):
        add_node(context, cast, port, name="Workstation", ae_title="WORKSTATION", is_destination=True)
        done = tool(
            "movescu",
            listener,
            "-S",
            "-aem",
            "WORKSTATION",
            "-k",
            "QueryRetrieveLevel=STUDY",
            "-k",
            f"StudyInstanceUID={study}",
        )
        assert done.returncode == 0, done.stderr
        assert len(list(folder.iterdir())) == 3
    assert sent(context, cast) == [("done", None, {"destination": "WORKSTATION", "instances": 3})]


def test_an_unknown_destination_is_refused_and_on_record(
    context: Context, cast: Cast, listener: StorageListener, study: str
) -> None:
    add_node(context, cast, 1, is_destination=False)
    for title in ("NOWHERE", "ARCHIVE"):
        (status,) = moved(listener, identifier("STUDY", StudyInstanceUID=study), title)
        assert status.Status == 0xA801
    assert [(outcome, reason) for outcome, reason, _ in sent(context, cast)] == [("refused", "unknown_destination")] * 2


def test_a_destination_that_is_down_is_a_failure(
    context: Context, cast: Cast, listener: StorageListener, study: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    add_node(context, cast, port, is_destination=True)
    (status,) = moved(listener, identifier("STUDY", StudyInstanceUID=study), "ARCHIVE")
    assert (status.Status, counts(status)) == (0xA702, (0, 3, 0))
    assert "nobody listens there" in status.ErrorComment


@pytest.mark.parametrize(
    ("answers", "status", "expected"),
    [
        ((0xA700, 0xA700, 0xA700), 0xA702, (0, 3, 0)),
        ((0, 0xA700, 0), 0xB000, (2, 1, 0)),
        ((0, 0xB000, 0), 0x0000, (2, 0, 1)),
    ],
)
def test_counts_are_true_whatever_the_destination_answers(
    context: Context,
    cast: Cast,
    listener: StorageListener,
    study: str,
    answers: tuple[int, ...],
    status: int,
    expected: tuple[int, int, int],
) -> None:
    told = iter(answers)
    originators = []

    def take(event: evt.Event) -> int:
        originators.append((event.request.MoveOriginatorApplicationEntityTitle, event.request.MoveOriginatorMessageID))
        return next(told)

    ae = AE(ae_title="THERE")
    ae.add_supported_context(CTImageStorage, ExplicitVRLittleEndian)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, take)])
    try:
        add_node(context, cast, server.socket.getsockname()[1], ae_title="THERE", is_destination=True)
        statuses = moved(listener, identifier("STUDY", StudyInstanceUID=study), "THERE")
    finally:
        server.shutdown()
    assert [s.Status for s in statuses] == [0xFF00, 0xFF00, status]
    assert counts(statuses[-1]) == expected
    assert originators == [("NF_CT1", 1)] * 3


def test_a_caller_that_goes_away_ends_the_operation(
    context: Context, cast: Cast, listener: StorageListener, study: str
) -> None:
    gate = threading.Event()

    def slow(_event: evt.Event) -> int:
        gate.wait(20)
        return 0

    ae = AE(ae_title="SLOW")
    ae.add_supported_context(CTImageStorage, ExplicitVRLittleEndian)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, slow)])
    try:
        add_node(context, cast, server.socket.getsockname()[1], ae_title="SLOW", is_destination=True)
        requestor = AE(ae_title="NF_CT1")
        requestor.add_requested_context(StudyMove)
        association = requestor.associate("127.0.0.1", listener.port, ae_title="HELIO_NF")
        asking = association.send_c_move(identifier("STUDY", StudyInstanceUID=study), "SLOW", StudyMove)
        worker = threading.Thread(target=lambda: list(asking), daemon=True)
        worker.start()
        while not server.active_associations:
            threading.Event().wait(0.02)
        association.abort()
        gate.set()
        for _ in range(500):
            if not listener.associations:
                break
            threading.Event().wait(0.02)
        assert listener.associations == 0
    finally:
        gate.set()
        server.shutdown()


def test_a_destination_that_falls_silent_is_a_failure(
    context: Context, cast: Cast, listener: StorageListener, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = partial(retrieve.remote_of, answer=0.5)
    monkeypatch.setattr(retrieve, "remote_of", short)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        add_node(context, cast, silent.getsockname()[1], is_destination=True)
        (status,) = moved(listener, identifier("STUDY", StudyInstanceUID=study), "ARCHIVE")
    assert (status.Status, counts(status)) == (0xA702, (0, 3, 0))


def test_a_held_study_does_not_go_out(context: Context, cast: Cast, listener: StorageListener, study: str) -> None:
    """It may be somebody else's than it says."""
    other = files.ct("2.999.9", "2.999.9.1", patient="NF-1", name="Strand^Berit", birth_date="19700101")
    files.index(context.works, context.objects, [files.drop(context.settings.spool_dir, cast, other)])
    with associated(listener, StudyFind) as association:
        asked = identifier("STUDY", PatientID="NF-1", StudyInstanceUID="")
        found = [d.StudyInstanceUID for s, d in association.send_c_find(asked, StudyFind) if s.Status == 0xFF00]
    assert found == [study]
    statuses, came = got(listener, identifier("STUDY", StudyInstanceUID="2.999.9"))
    assert (statuses[-1].Status, came) == (0, [])


def test_how_it_ended_is_on_record(context: Context, cast: Cast, listener: StorageListener, study: str) -> None:
    got(listener, identifier("STUDY", StudyInstanceUID=study), store=0xA700)
    got(listener, identifier("STUDY", StudyInstanceUID="2.999.*"))
    with context.works.read(system("t", cast.norfjord)) as work:
        rows = work.session.execute(
            text("select action, outcome, reason, detail from audit.events where action like 'images.sen%' order by id")
        ).all()
    assert [(r.action, r.outcome, r.reason) for r in rows] == [
        ("images.sent", "done", None),
        ("images.sending_ended", "failed", None),
        ("images.sent", "refused", "bad_request"),
    ]
    assert rows[1].detail == {"sent": 0, "unsent": 3}
