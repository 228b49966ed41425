"""Storage commitment over real sockets, asked by pynetdicom: what is promised is here; what is not is told with its reason."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import CTImageStorage, MRImageStorage, generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel as PushModel  # type: ignore[attr-defined]
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.exchange.dimse import commit_jobs
from heliograph.exchange.dimse.server import listening
from heliograph.kit.actor import system
from heliograph.kit.clock import FixedClock
from heliograph.kit.net.dicom import StorageListener
from heliograph.records.archive.commitments import GRACE, ON_THE_WAY
from tests.cast import Cast
from tests.exchange.dimse.test_transfers import add_node
from tests.kit.net.dicom.peers import eventually
from tests.records.archive import files

INSTANCE = "1.2.840.10008.1.20.1.1"
Reports = queue.Queue[tuple[int, Dataset]]


@pytest.fixture
def listener(context: Context, cast: Cast) -> Iterator[StorageListener]:
    with listening(context) as running:
        yield running


@pytest.fixture
def uids(context: Context, cast: Cast) -> list[str]:
    """Three filed slices."""
    study, series = generate_uid(), generate_uid()
    found = [generate_uid() for _ in range(3)]
    data = [files.ct(study, series, n + 1, sop=uid, fill=n) for n, uid in enumerate(found)]
    files.index(context.works, context.objects, [files.drop(context.settings.spool_dir, cast, one) for one in data])
    return [str(uid) for uid in found]


def taking(reports: Reports, status: int = 0) -> tuple[Any, Any]:
    def take(event: evt.Event) -> tuple[int, None]:
        reports.put((event.event_type, event.event_information))
        return status, None

    return evt.EVT_N_EVENT_REPORT, take


@contextmanager
def associated(listener: StorageListener, reports: Reports, calling: str = "NF_CT1", status: int = 0) -> Iterator[Any]:
    ae = AE(ae_title=calling)
    ae.add_requested_context(PushModel)
    association = ae.associate("127.0.0.1", listener.port, ae_title="HELIO_NF", evt_handlers=[taking(reports, status)])
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


@contextmanager
def archive(reports: Reports, status: int = 0, port: int = 0) -> Iterator[int]:
    """The caller's own listener, for reports on a new association."""
    ae = AE(ae_title="NF_CT1")
    ae.add_supported_context(PushModel, scu_role=False, scp_role=True)
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[taking(reports, status)])
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()


def request(uids: list[str], sop_class: str = CTImageStorage, transaction: str = "2.999.7") -> Dataset:
    asked = Dataset()
    asked.TransactionUID = transaction
    asked.ReferencedSOPSequence = []
    for uid in uids:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
        asked.ReferencedSOPSequence.append(item)
    return asked


def ask(association: Any, asked: Dataset, action: int = 1, instance: str = INSTANCE) -> int:
    status, _ = association.send_n_action(asked, action, PushModel, instance)
    return int(status.Status)


def failures(report: Dataset) -> dict[str, int]:
    return {i.ReferencedSOPInstanceUID: i.FailureReason for i in report.get("FailedSOPSequence", [])}


def good(report: Dataset) -> list[str]:
    return [i.ReferencedSOPInstanceUID for i in report.get("ReferencedSOPSequence", [])]


def row(context: Context, cast: Cast, transaction: str = "2.999.7") -> Any:
    with context.works.read(system("t", cast.norfjord)) as work:
        return work.session.execute(
            text("select * from archive.commitments where transaction_uid = :t"), {"t": transaction}
        ).one()


def states(context: Context, cast: Cast) -> dict[str, str]:
    """State of each commitment by its transaction."""
    with context.works.read(system("t", cast.norfjord)) as work:
        rows = work.session.execute(text("select transaction_uid, state from archive.commitments order by 1")).all()
        return dict(row._tuple() for row in rows)


def run_due(context: Context, cast: Cast, transaction: str = "2.999.7") -> None:
    """What the worker does when it is due."""
    found = row(context, cast, transaction)
    commit_jobs.report(
        context.works, context.settings, context.objects,
        organization_id=str(cast.norfjord), commitment_id=str(found.id),
    )  # fmt: skip


def asked_and_gone(listener: StorageListener, uids: list[str]) -> None:
    with associated(listener, queue.Queue()) as association:
        assert ask(association, request(uids)) == 0


def test_all_is_committed_on_the_same_association(
    context: Context, cast: Cast, listener: StorageListener, uids: list[str]
) -> None:
    reports: Reports = queue.Queue()
    with associated(listener, reports) as association:
        assert ask(association, request(uids)) == 0
        event, report = reports.get(timeout=30)
        assert (event, report.TransactionUID, report.RetrieveAETitle) == (1, "2.999.7", "HELIO_NF")
        assert (good(report), failures(report)) == (uids, {})
        # The same again is answered and reported again, and is one row; the same UID for other objects is not taken.
        assert ask(association, request(uids)) == 0
        assert good(reports.get(timeout=30)[1]) == uids
        assert ask(association, request(uids[:1])) == 0x0131
    assert (row(context, cast).state, row(context, cast).failed) == ("reported", 0)
    with context.works.read(system("t", cast.norfjord)) as work:
        actions = work.session.scalars(
            text("select action from audit.events where action like 'commitment.%' order by id")
        ).all()
    once = ["commitment.began", "commitment.reported"]
    assert list(actions) == ["commitment.asked", *once, "commitment.asked_again", *once]


def test_each_object_that_is_not_safely_here_is_told_with_its_reason(
    context: Context, cast: Cast, clock: FixedClock, listener: StorageListener, uids: list[str]
) -> None:
    held = [files.ct("2.999.5", "2.999.5.9", sop="2.999.5.1", fill=n) for n in range(2)]
    for one in held:  # the second differs, and is held for a person to look at
        files.index(context.works, context.objects, [files.drop(context.settings.spool_dir, cast, one)])
    with context.works.read(system("t", cast.norfjord)) as work:
        keys = dict(work.session.execute(text("select sop_instance_uid, object_key from archive.instances")).all())  # type: ignore[arg-type]
    context.objects.delete(keys[uids[1]])
    cut = context.objects.path_of(keys[uids[2]])
    assert cut is not None
    cut.write_bytes(cut.read_bytes()[:-1])
    asked = request([*uids, "2.999.404", "2.999.5.1"])
    asked.ReferencedSOPSequence.append(request(uids[:1], MRImageStorage).ReferencedSOPSequence[0])
    reports: Reports = queue.Queue()
    with associated(listener, reports) as association:
        assert ask(association, asked) == 0
        clock.advance(ON_THE_WAY)  # what is missing does not come any more
        event, report = reports.get(timeout=30)
    assert event == 2
    assert good(report) == uids[:1]
    wrong_class = [i.FailureReason for i in report.FailedSOPSequence if i.ReferencedSOPClassUID == MRImageStorage]
    assert wrong_class == [0x0119]
    expected = {uids[1]: 0x0110, uids[2]: 0x0110, "2.999.404": 0x0112, "2.999.5.1": 0x0110, uids[0]: 0x0119}
    assert failures(report) == expected


def test_an_object_that_waits_in_the_spool_is_waited_for(
    context: Context, cast: Cast, clock: FixedClock, listener: StorageListener
) -> None:
    uid = str(generate_uid())
    spooled = files.drop(context.settings.spool_dir, cast, files.ct(generate_uid(), generate_uid(), sop=uid))
    reports: Reports = queue.Queue()
    with archive(reports) as port:
        add_node(context, cast, port, ae_title="NF_CT1")
        asked_and_gone(listener, [uid])
        clock.advance(GRACE)
        run_due(context, cast)
        assert reports.empty()
        files.index(context.works, context.objects, [spooled])
        clock.advance(ON_THE_WAY)
        run_due(context, cast)
        assert good(reports.get(timeout=30)[1]) == [uid]


def test_the_report_comes_on_a_new_association_when_the_node_is_there_again(
    context: Context, cast: Cast, clock: FixedClock, listener: StorageListener, uids: list[str]
) -> None:
    reports: Reports = queue.Queue()
    asked_and_gone(listener, uids)
    run_due(context, cast)
    assert row(context, cast).attempts == 0, "not due yet"
    clock.advance(GRACE)
    assert commit_jobs.enqueue_due(context.works) == 1
    assert commit_jobs.enqueue_due(context.works) == 0
    run_due(context, cast)
    assert row(context, cast).error == "No active node is known under the caller's AE title."
    with archive(reports) as port:
        pass
    add_node(context, cast, port, ae_title="NF_CT1")
    clock.advance(timedelta(minutes=5))
    run_due(context, cast)
    assert "nobody listens there" in row(context, cast).error
    clock.advance(timedelta(minutes=5))
    with archive(reports, 0x0110, port):
        run_due(context, cast)
    assert row(context, cast).error == "The node refused the report with status 0110."
    assert reports.get(timeout=30)[0] == 1
    clock.advance(timedelta(minutes=5))
    with archive(reports, port=port):
        run_due(context, cast)
    event, report = reports.get(timeout=30)
    assert (event, good(report), report.RetrieveAETitle) == (1, uids, "HELIO_NF")
    assert (row(context, cast).state, row(context, cast).attempts) == ("reported", 4)


def test_a_try_that_was_cut_off_is_due_again(
    context: Context, cast: Cast, clock: FixedClock, listener: StorageListener, uids: list[str]
) -> None:
    asked_and_gone(listener, uids)
    with context.works.begin(system("t", cast.norfjord)) as work:
        claimed = commit_jobs.commitments.claim(work, row(context, cast).id, only_due=False)
    assert claimed is not None
    assert commit_jobs.enqueue_due(context.works) == 0
    clock.advance(timedelta(minutes=5))
    assert commit_jobs.enqueue_due(context.works) == 1
    reports: Reports = queue.Queue()
    with archive(reports) as port:
        add_node(context, cast, port, ae_title="NF_CT1")
        run_due(context, cast)
    assert good(reports.get(timeout=30)[1]) == uids


def test_a_day_later_it_is_given_up(
    context: Context, cast: Cast, clock: FixedClock, listener: StorageListener, uids: list[str]
) -> None:
    asked_and_gone(listener, uids)
    clock.advance(timedelta(days=1))
    run_due(context, cast)
    assert row(context, cast).state == "given_up"
    assert commit_jobs.enqueue_due(context.works) == 0


def test_what_is_over_is_forgotten_after_ninety_days_and_nothing_else(
    context: Context, cast: Cast, clock: FixedClock, listener: StorageListener, uids: list[str]
) -> None:
    reports: Reports = queue.Queue()
    with associated(listener, reports) as association:
        assert ask(association, request(uids, transaction="2.999.1")) == 0
        reports.get(timeout=30)
    eventually(lambda: states(context, cast) == {"2.999.1": "reported"})
    clock.advance(timedelta(days=1))
    with associated(listener, queue.Queue()) as association:
        assert ask(association, request(uids, transaction="2.999.2")) == 0
    clock.advance(timedelta(days=1))
    run_due(context, cast, "2.999.2")
    clock.advance(timedelta(days=88))
    with associated(listener, queue.Queue()) as association:
        assert ask(association, request(uids, transaction="2.999.3")) == 0
    assert commit_jobs.forget_old(context.works) == 0
    clock.advance(timedelta(hours=1))
    expected = {"2.999.1": "reported", "2.999.2": "given_up", "2.999.3": "waiting"}
    for number in (1, 1):  # the first is over for 90 days, then the second
        assert states(context, cast) == expected
        assert commit_jobs.forget_old(context.works) == number
        del expected[min(expected)]
        clock.advance(timedelta(days=2))
    assert states(context, cast) == {"2.999.3": "waiting"}, "what waits is not forgotten, however old"
    with context.works.read(system("t", cast.norfjord)) as work:
        actions = work.session.scalars(text("select detail from audit.events where action = 'commitment.forgotten'"))
        assert list(actions) == [{"commitments": 1, "kept_days": 90}] * 2


def test_a_caller_that_refuses_the_report_is_told_again_later(
    context: Context, cast: Cast, clock: FixedClock, listener: StorageListener, uids: list[str]
) -> None:
    reports: Reports = queue.Queue()
    with associated(listener, reports, status=0x0110) as association:
        assert ask(association, request(uids)) == 0
        reports.get(timeout=30)
    assert row(context, cast).state == "waiting"


def test_what_can_not_be_asked(context: Context, cast: Cast, listener: StorageListener, uids: list[str]) -> None:
    nameless, empty = request(uids), request([])
    del nameless.TransactionUID
    with associated(listener, queue.Queue()) as association:
        assert ask(association, request(uids), action=2) == 0x0123
        assert ask(association, request(uids), instance="2.999.1") == 0x0112
        assert ask(association, nameless) == 0x0115
        assert ask(association, empty) == 0x0115
        assert ask(association, request(["x.y"])) == 0x0115
    with context.works.read(system("t", cast.norfjord)) as work:
        assert work.session.execute(text("select 1 from archive.commitments")).first() is None


def test_a_caller_of_another_organisation_learns_nothing(
    context: Context, cast: Cast, clock: FixedClock, listener: StorageListener, uids: list[str]
) -> None:
    with context.works.begin(system("t", cast.llano)) as work:
        work.session.execute(
            text(
                "insert into sites.callers (organization_id, facility_id, called_ae, calling_ae) values (:o, :f, 'HELIO_NF', 'OTHER')"
            ),
            {"o": cast.llano, "f": cast.llano_facility},
        )
        work.record("caller.added", organization_id=cast.llano)
    reports: Reports = queue.Queue()
    with associated(listener, reports, "OTHER") as association:
        asked = request([*uids, "2.999.404"])
        asked.ReferencedSOPSequence.append(request(uids[:1], MRImageStorage).ReferencedSOPSequence[0])
        assert ask(association, asked) == 0
        clock.advance(ON_THE_WAY)
        event, report = reports.get(timeout=30)
    assert (event, good(report)) == (2, [])
    assert {i.FailureReason for i in report.FailedSOPSequence} == {0x0112}
