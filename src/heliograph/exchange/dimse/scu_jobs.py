"""The job that tries a transfer, and the sweep that finds what is due.

A job that runs again, after a crash as well, finds what is here already and goes on from there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from uuid import UUID

from heliograph.exchange.dimse.scu_fetch import Fetch, Here, look, retrieve
from heliograph.exchange.dimse.scu_find import FoundStudy, NotAskable, Wanted
from heliograph.exchange.dimse.scu_send import send
from heliograph.governance.tenancy.queries import active_organizations
from heliograph.kit.actor import Actor, system
from heliograph.kit.errors import HeliographError
from heliograph.kit.log import log
from heliograph.kit.objects import Objects
from heliograph.kit.settings import Settings
from heliograph.kit.work import Work, WorkFactory
from heliograph.records.archive import present as archive
from heliograph.records.archive.queries import study as study_of
from heliograph.records.patients.queries import identifier_of, patient
from heliograph.records.sites import transfers
from heliograph.records.sites.nodes import NodeFacts, node
from heliograph.records.sites.queries import callers_of, facility
from heliograph.records.sites.transfers import Result, TransferFacts

_log = log(__name__)
_LOOK_SECONDS = 1.0


class CannotTransfer(HeliographError):
    """The transfer can't be done as it is; no further try would mend that."""


def run_transfer(
    works: WorkFactory,
    settings: Settings,
    objects: Objects,
    stop: threading.Event,
    *,
    organization_id: str,
    transfer_id: str,
) -> None:
    """`dimse.transfer`: tries a transfer if it is due. What came of it stands in its row and in the record."""
    organization, wanted = UUID(organization_id), UUID(transfer_id)
    actor = system("transfers", organization)
    with works.begin(actor) as work:
        claimed = transfers.claim(work, wanted)
    if claimed is None:
        return
    should_stop = _watcher(works, actor, wanted, stop)
    try:
        result = _try(works, settings, objects, actor, claimed, should_stop)
    except (CannotTransfer, NotAskable) as error:
        result = Result(claimed.expected, claimed.received, error.detail, is_hopeless=True, unsent=claimed.unsent)
    except HeliographError as error:
        detail = error.detail[:1].upper() + error.detail[1:].rstrip(".") + "."
        result = Result(claimed.expected, claimed.received, detail, unsent=claimed.unsent)
    except Exception:  # noqa: BLE001 (whatever it was, the row must not say for ever that it runs)
        _log.exception("a transfer failed unexpectedly", transfer_id=transfer_id)
        words = "Something unexpected went wrong; it is in the server's log."
        result = Result(claimed.expected, claimed.received, words, unsent=claimed.unsent)
    with works.begin(actor) as work:
        if stop.is_set() and result.error is not None:
            transfers.put_back(work, wanted)
        else:
            transfers.note_result(work, wanted, result)


def enqueue_due(works: WorkFactory) -> int:
    """Jobs for next tries, and for tries whose job is gone. Returns how many."""
    with works.read(system("transfers")) as work:
        everywhere = system("transfers", *(o.id for o in active_organizations(work.session)))
    with works.read(everywhere) as work:
        due = transfers.due(work.session, work.now)
    for transfer_id, organization_id, node_id in due:
        with works.begin(system("transfers", organization_id)) as work:
            transfers.enqueue_again(work, transfer_id, organization_id, node_id)
    return len(due)


def _try(
    works: WorkFactory,
    settings: Settings,
    objects: Objects,
    actor: Actor,
    claimed: TransferFacts,
    should_stop: Callable[[], bool],
) -> Result:
    with works.read(actor) as work:
        to = node(work.session, claimed.node_id)
    if to is None or not to.is_active:
        raise CannotTransfer("This node is switched off.")
    if claimed.direction == "send":
        if not to.is_sent_to:
            raise CannotTransfer("Studies are not sent to this node.")
        with works.read(actor) as work:
            if claimed.study_id is None or study_of(work.session, claimed.study_id) is None:
                raise CannotTransfer("The study is not here.")
            stored = archive.objects_of_study(work.session, claimed.study_id)
        return send(settings, objects, to, stored, claimed.unsent, should_stop)
    if not to.is_queried:
        raise CannotTransfer("This node is not queried for priors.")
    with works.read(actor) as work:
        wanted, may_move = _wanted(work, claimed), _may_move(work, to)
    return _fetch(works, settings, actor, claimed, to, wanted, may_move, should_stop)


def _fetch(
    works: WorkFactory,
    settings: Settings,
    actor: Actor,
    claimed: TransferFacts,
    to: NodeFacts,
    wanted: Wanted,
    may_move: bool,
    should_stop: Callable[[], bool],
) -> Result:
    def note(studies: list[FoundStudy]) -> None:
        with works.begin(actor) as work:
            transfers.note_progress(work, claimed.id, [s.as_json() for s in studies], sum(s.received for s in studies))

    fetch = Fetch(
        settings,
        to,
        claimed.organization_id,
        claimed.facility_id,
        _here(works, actor, claimed.organization_id),
        may_move,
        prefers_move=claimed.attempts % 2 == 0,  # what one way did not bring, the other may
        should_stop=should_stop,
        on_study=note,
    )
    studies, others = look(fetch, wanted)
    expected = sum(s.expected for s in studies)
    with works.begin(actor) as work:
        found = [s.as_json() for s in studies]
        transfers.note_found(work, claimed.id, found, expected, sum(s.received for s in studies), others)
    retrieve(fetch, studies)
    lacking = [s for s in studies if not s.is_whole]
    error = None
    if lacking:
        error = f"{len(lacking)} of {len(studies)} studies are not whole. {lacking[0].error or ''}".strip()
    received = sum(s.received for s in studies)
    return Result(expected, received, error, studies=[s.as_json() for s in studies])


def _wanted(work: Work, claimed: TransferFacts) -> Wanted:
    place = facility(work.session, claimed.facility_id)
    if claimed.patient_id is None or place is None:
        return Wanted(study_instance_uid=claimed.study_instance_uid, accession_number=claimed.accession_number)
    who = patient(work.session, claimed.patient_id)
    identifier = identifier_of(work.session, claimed.patient_id, place.patient_id_authority)
    if who is None or identifier is None or identifier.authority != place.patient_id_authority:
        raise CannotTransfer("The patient has no identifier that this facility gave.")
    return Wanted(
        identifier.value, identifier.authority, who.birth_date, claimed.study_instance_uid, claimed.accession_number
    )


def _may_move(work: Work, to: NodeFacts) -> bool:
    """Whether our listener would take what the node sends to us, and as priors."""
    return any(
        c.is_active and c.sends_priors and (c.called_ae, c.calling_ae) == (to.calling_ae, to.ae_title)
        for c in callers_of(work.session, [to.organization_id])
    )


def _here(works: WorkFactory, actor: Actor, organization_id: UUID) -> Here:
    def present(uids: set[str]) -> set[str]:
        if not uids:
            return set()
        with works.read(actor) as work:
            return archive.present(work.session, organization_id, uids)

    def count(uid: str) -> int:
        with works.read(actor) as work:
            return archive.count_of_study(work.session, organization_id, uid)

    def states(uids: list[str]) -> dict[str, str]:
        with works.read(actor) as work:
            return archive.held_states(work.session, organization_id, uids)

    return Here(present, count, states)


def _watcher(works: WorkFactory, actor: Actor, transfer_id: UUID, stop: threading.Event) -> Callable[[], bool]:
    """Whether to stop: the worker ends, or somebody cancelled it. The database is asked once a second at most."""
    asked, over = 0.0, False

    def should_stop() -> bool:
        nonlocal asked, over
        if stop.is_set() or over:
            return True
        if time.monotonic() - asked > _LOOK_SECONDS:
            asked = time.monotonic()
            with works.read(actor) as work:
                found = transfers.transfer(work.session, transfer_id)
            over = found is None or found.state != "running"
        return over

    return should_stop
