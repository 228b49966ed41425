"""How C-GET and C-MOVE end before their time: cancelled, by silence, for who may not. True counts, and all on record."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelGet as StudyGet,
)
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelMove as StudyMove,
)
from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.exchange.dimse.server import listening
from heliograph.kit.actor import RoleHeld, system
from heliograph.kit.net.dicom import StorageListener
from heliograph.records.sites import nodes
from tests.cast import Cast
from tests.exchange.dimse.test_query_retrieve import associated, counts, identifier
from tests.exchange.dimse.test_transfers import add_node
from tests.kit.net.dicom.peers import eventually
from tests.records.archive import files

NUMBER = 12
CANCELLED, PENDING = 0xFE00, 0xFF00


@pytest.fixture
def listener(context: Context, cast: Cast) -> Iterator[StorageListener]:
    with listening(context) as running:
        yield running


@pytest.fixture
def study(context: Context, cast: Cast) -> str:
    """Twelve slices, filed."""
    uid, _, data = files.series_of(NUMBER)
    files.index(context.works, context.objects, [files.drop(context.settings.spool_dir, cast, one) for one in data])
    return uid


def recorded(owner_url: str) -> list[tuple[Any, ...]]:
    """(action, outcome, reason, detail) of retrieves, in whosever organisation, oldest first."""
    engine = create_engine(owner_url)
    with engine.connect() as connection:
        rows = connection.execute(
            text("select action, outcome, reason, detail from audit.events where action like 'images.sen%' order by id")
        ).all()
    engine.dispose()
    return [tuple(row) for row in rows]


@contextmanager
def getting(listener: StorageListener, take: Callable[[evt.Event], int], calling: str = "NF_CT1") -> Iterator[Any]:
    """An association for C-GET, on which `take` gets what comes."""
    ae = AE(ae_title=calling)
    ae.add_requested_context(StudyGet)
    ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    association = ae.associate(
        "127.0.0.1", listener.port, ae_title="HELIO_NF", ext_neg=[build_role(CTImageStorage, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, take)],
    )  # fmt: skip
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


@contextmanager
def destination(take: Callable[[evt.Event], int], title: str = "THERE") -> Iterator[int]:
    """The port of a node that `take` gets what comes to."""
    ae = AE(ae_title=title)
    ae.add_supported_context(CTImageStorage, ExplicitVRLittleEndian)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, take)])
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()


def assert_adds_up(statuses: list[Any]) -> None:
    """Each response counts all sub-operations (PS3.7 9.1.3.1.6), the remaining ones among them."""
    for status in statuses:
        assert sum(counts(status)) + status.NumberOfRemainingSuboperations == NUMBER, status


@pytest.mark.parametrize(
    ("answers", "expected"),
    [((0, 0, 0, 0), (4, 0, 0)), ((0, 0xA700, 0xB000, 0xA700), (1, 2, 1)), ((0xA700,), (0, 1, 0))],
)
def test_a_get_is_cancelled_after_so_many(
    listener: StorageListener, study: str, owner_url: str, answers: tuple[int, ...], expected: tuple[int, int, int]
) -> None:
    came: list[str] = []

    def take(event: evt.Event) -> int:
        came.append(event.dataset.SOPInstanceUID)
        if len(came) == len(answers):  # goes out before the answer, and so is read before it
            event.assoc.send_c_cancel(7, query_model=StudyGet)
        return answers[len(came) - 1] if len(came) <= len(answers) else 0

    with getting(listener, take) as association:
        asked = identifier("STUDY", StudyInstanceUID=study)
        told = list(association.send_c_get(asked, StudyGet, msg_id=7))
        statuses = [status for status, _ in told]
        assert [s.Status for s in statuses] == [PENDING] * len(answers) + [CANCELLED]
        assert counts(statuses[-1]) == expected
        assert len(came) == len(answers), "nothing goes out after the cancel"
        assert_adds_up(statuses)
        refused = [uid for uid, answer in zip(came, answers, strict=True) if answer == 0xA700]
        listed = told[-1][1].FailedSOPInstanceUIDList if refused else []
        assert ([listed] if isinstance(listed, str) else list(listed)) == refused
        again = [status for status, _ in association.send_c_get(asked, StudyGet, msg_id=8)]
        assert (again[-1].Status, counts(again[-1])) == (0, (NUMBER, 0, 0)), "the association goes on"
    sent = expected[0] + expected[2]
    assert [row[1:] for row in recorded(owner_url) if row[0] == "images.sending_ended"] == [
        ("failed", None, {"sent": sent, "unsent": NUMBER - sent}),
        ("done", None, {"sent": NUMBER, "unsent": 0}),
    ]


@pytest.mark.parametrize("first", [0, 0xA700])
def test_a_move_is_cancelled_meanwhile(
    context: Context, cast: Cast, listener: StorageListener, study: str, owner_url: str, first: int
) -> None:
    came: list[str] = []
    asking: list[Any] = []

    def take(event: evt.Event) -> int:
        came.append(event.dataset.SOPInstanceUID)
        if len(came) == 2:
            asking[0].send_c_cancel(7, query_model=StudyMove)
        time.sleep(0.05)  # the cancel travels on another association
        return first if len(came) == 1 else 0

    with destination(take) as port, associated(listener, StudyMove) as association:
        add_node(context, cast, port, ae_title="THERE", is_destination=True)
        asking.append(association)
        asked = identifier("STUDY", StudyInstanceUID=study)
        told = list(association.send_c_move(asked, "THERE", StudyMove, msg_id=7))
        statuses = [status for status, _ in told]
        number = len(came)
        assert [s.Status for s in statuses] == [PENDING] * number + [CANCELLED]
        assert 2 <= number < NUMBER
        failed = 1 if first else 0
        assert counts(statuses[-1]) == (number - failed, failed, 0)
        assert_adds_up(statuses)
        if failed:
            assert told[-1][1].FailedSOPInstanceUIDList == came[0]
        again = [status for status, _ in association.send_c_move(asked, "THERE", StudyMove, msg_id=8)]
        assert (again[-1].Status, counts(again[-1])) == (0, (NUMBER, 0, 0))
    ended = [row[1:] for row in recorded(owner_url) if row[0] == "images.sending_ended"]
    assert ended[0] == ("failed", None, {"sent": number - failed, "unsent": NUMBER - number + failed})


def test_a_cancel_of_something_else_cancels_nothing(listener: StorageListener, study: str) -> None:
    def take(event: evt.Event) -> int:
        event.assoc.send_c_cancel(6, query_model=StudyGet)
        return 0

    with getting(listener, take) as association:
        asked = identifier("STUDY", StudyInstanceUID=study)
        statuses = [status for status, _ in association.send_c_get(asked, StudyGet, msg_id=7)]
    assert (statuses[-1].Status, counts(statuses[-1])) == (0, (NUMBER, 0, 0))


def test_a_peer_that_owes_an_answer_is_waited_for_as_long_as_for_a_pdu_not_as_for_a_question(
    context: Context, cast: Cast, study: str, owner_url: str
) -> None:
    """E11: 600 seconds of silence between questions are allowed; a C-STORE that is not answered holds the retrieve no longer
    than the network's time."""
    quick = context.settings.model_copy(update={"dimse_network_seconds": 0.5})
    assert quick.dimse_idle_seconds == 600

    class Part:
        works, settings, objects = context.works, quick, context.objects

    go_on = threading.Event()
    came: list[str] = []

    def take(event: evt.Event) -> int:
        came.append(event.dataset.SOPInstanceUID)
        if len(came) == 3:
            go_on.wait(30)
        return 0

    with listening(Part()) as listener, getting(listener, take) as association:
        asked = identifier("STUDY", StudyInstanceUID=study)
        asking = threading.Thread(target=lambda: list(association.send_c_get(asked, StudyGet)), daemon=True)
        asking.start()
        try:
            eventually(lambda: len(came) == 3)
            eventually(lambda: not listener.associations)
        finally:
            go_on.set()
        asking.join(10)
        assert not asking.is_alive()
    assert recorded(owner_url)[-1] == ("images.sending_ended", "failed", None, {"sent": 2, "unsent": NUMBER - 2})


def test_idle_between_questions_is_still_allowed(context: Context, cast: Cast, study: str) -> None:
    quick = context.settings.model_copy(update={"dimse_network_seconds": 0.3})

    class Part:
        works, settings, objects = context.works, quick, context.objects

    with listening(Part()) as listener, getting(listener, lambda _event: 0) as association:
        for _ in range(2):
            time.sleep(0.7)
            asked = identifier("STUDY", StudyInstanceUID=study)
            statuses = [status for status, _ in association.send_c_get(asked, StudyGet)]
            assert statuses[-1].Status == 0


def test_an_outsider_moves_nothing_and_that_it_tried_is_on_record(
    context: Context, cast: Cast, listener: StorageListener, study: str, owner_url: str
) -> None:
    """Neither a study of others to itself, nor anything to others' nodes; it is not told that either exists."""
    with context.works.begin(system("t", cast.llano)) as work:
        work.session.execute(
            text(
                "insert into sites.callers (organization_id, facility_id, called_ae, calling_ae) values (:o, :f, 'HELIO_NF', 'OTHER')"
            ),
            {"o": cast.llano, "f": cast.llano_facility},
        )
        work.record("caller.added", organization_id=cast.llano)
    came: list[str] = []

    def take(event: evt.Event) -> int:
        came.append(event.dataset.SOPInstanceUID)
        return 0

    def moved(uid: str, to: str) -> Any:
        with associated(listener, StudyMove, calling="OTHER") as association:
            ((status, found),) = association.send_c_move(identifier("STUDY", StudyInstanceUID=uid), to, StudyMove)
        assert not found
        return status

    with destination(take) as port:
        add_node(context, cast, port, ae_title="THERE", is_destination=True)
        keeper = replace(system("t", cast.llano), roles=(RoleHeld(cast.llano, "administrator"),))
        with context.works.begin(keeper) as work:
            what = {
                "facility_id": cast.llano_facility, "name": "Ours", "ae_title": "OURS", "calling_ae": "HELIO_NF",
                "host": "127.0.0.1", "port": port, "is_destination": True,
            }  # fmt: skip
            nodes.add_node(work, cast.llano, what)
        not_theirs, absent = moved(study, "OURS"), moved("2.999.404", "OURS")
        assert not_theirs == absent, "who may not see it learns nothing"
        assert (not_theirs.Status, counts(not_theirs)) == (0, (0, 0, 0))
        assert moved(study, "THERE").Status == 0xA801
        with getting(listener, take, calling="OTHER") as association:
            statuses = [s for s, _ in association.send_c_get(identifier("STUDY", StudyInstanceUID=study), StudyGet)]
        assert [(s.Status, counts(s)) for s in statuses] == [(0, (0, 0, 0))]
    assert came == []
    assert recorded(owner_url) == [
        ("images.sent", "refused", "not_found", {"destination": "OURS"}),
        ("images.sent", "refused", "not_found", {"destination": "OURS"}),
        ("images.sent", "refused", "unknown_destination", {"destination": "THERE"}),
        ("images.sent", "refused", "not_found", {}),
    ]
