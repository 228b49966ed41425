"""Storage Commitment Push Model, as SCP (PS3.4 J): the request is kept before it is answered, the report follows.

The report goes out on the same association while the caller leaves it open and is quiet, else later on one of ours (`commit_jobs`).
"""

from __future__ import annotations

import time
from typing import Final, cast
from uuid import UUID

from pydicom import Dataset
from pydicom.sequence import Sequence as Items

from heliograph.exchange.dimse.callers import acting
from heliograph.kit.actor import Actor
from heliograph.kit.codecs.dicom import valid_uid
from heliograph.kit.errors import HeliographError
from heliograph.kit.log import log
from heliograph.kit.net.dicom import AssociationError, PeerGone, ProtocolError
from heliograph.kit.net.dicom import command as dimse
from heliograph.kit.net.dicom.association import Peer
from heliograph.kit.net.dicom.identifiers import decode_identifier, encode_identifier, text_of
from heliograph.kit.net.dicom.services import Conversation, Operation, Reply, Service
from heliograph.kit.net.dicom.wire import Released
from heliograph.kit.objects import Objects
from heliograph.kit.work import WorkFactory
from heliograph.records.archive import commitments
from heliograph.records.archive.commitments import CommitmentFacts, Reference, TransactionTaken, Verdict
from heliograph.records.sites.queries import KnownCaller

_log = log(__name__)

PUSH_MODEL: Final = "1.2.840.10008.1.20.1"
PUSH_MODEL_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
REQUEST: Final = 1
ALL_COMMITTED, SOME_FAILED = 1, 2

NO_SUCH_INSTANCE: Final = 0x0112
INVALID_ARGUMENT: Final = 0x0115
NO_SUCH_ACTION: Final = 0x0123
DUPLICATE_TRANSACTION: Final = 0x0131

_QUIET_SECONDS = 0.3
"""Who releases the association right after our answer gets no report into its release."""
_SAME_ASSOCIATION_SECONDS = 5.0


class CommitRefused(HeliographError):
    """The request can't be taken as it is; `reply` says why."""

    def __init__(self, status: int, comment: str) -> None:
        super().__init__(comment)
        self.reply = Reply(status, comment)


def committing(works: WorkFactory, objects: Objects) -> Service:
    """N-ACTION: what is asked about is written down; the report follows when the caller stays."""

    def serve(asked: Operation, _talk: Conversation) -> Reply:
        caller, actor = cast(KnownCaller, asked.acceptance.source), _actor(asked)
        try:
            transaction, references = _request(asked)
            with works.begin(actor) as work:
                titles = (caller.calling_ae, caller.called_ae)
                found = commitments.ask(work, caller.organization_id, caller.id, titles, transaction, references)
        except CommitRefused as error:
            return error.reply
        except TransactionTaken:
            return Reply(DUPLICATE_TRANSACTION, "The Transaction UID is used for other objects")
        except Exception:  # noqa: BLE001 (the caller asks again; the listener goes on)
            _log.exception("a storage commitment could not be taken", caller_id=str(caller.id))
            return Reply(dimse.PROCESSING_FAILURE, "Unable to process now")
        return Reply(dimse.SUCCESS, then=lambda talk: _report_here(works, objects, actor, found, talk))

    return serve


def look(works: WorkFactory, objects: Objects, actor: Actor, asked: CommitmentFacts) -> Verdict | None:
    """See `commitments.verdict`."""
    with works.read(actor) as work:
        here, now = commitments.look(work.session, asked), work.now
    return commitments.verdict(here, now, objects, asked)


def send_report(peer: Peer, asked: CommitmentFacts, told: Verdict, retrieve_ae: str) -> int:
    """Sends the N-EVENT-REPORT-RQ (PS3.4 J.3.3) and gives the status of its answer.

    Raises:
        PeerGone, TimedOut, ProtocolError: also when the peer takes no such reports.
    """
    context = peer.context_for(PUSH_MODEL)
    if context is None:
        raise ProtocolError("the peer takes no reports of storage commitment")
    number = peer.next_message_id()
    event = SOME_FAILED if told.failed else ALL_COMMITTED
    head = dimse.encode_event_report(number, PUSH_MODEL, PUSH_MODEL_INSTANCE, event)
    data = encode_identifier(_information(asked, told, retrieve_ae), peer.contexts[context][1])
    peer.send(context, head, (data,))
    return peer.response(dimse.N_EVENT_REPORT_RSP, number).status


def _report_here(works: WorkFactory, objects: Objects, actor: Actor, commitment_id: UUID, talk: Conversation) -> None:
    """Reports on the association on which it was asked, if that works within seconds; else a job does later."""
    until = time.monotonic() + _SAME_ASSOCIATION_SECONDS
    with works.read(actor) as work:
        asked = commitments.commitment(work.session, commitment_id)
    told: Verdict | None = None
    while asked is not None and told is None and time.monotonic() < until:
        time.sleep(_QUIET_SECONDS)
        if not talk.may_wait():
            return
        try:
            told = look(works, objects, actor, asked)
        except Exception:  # noqa: BLE001 (the job tries again)
            _log.exception("a storage commitment could not be looked into", commitment_id=str(commitment_id))
            return
    if told is None or not talk.may_wait():
        return
    with works.begin(actor) as work:
        asked = commitments.claim(work, commitment_id, only_due=False)
    if asked is None:
        return
    error: AssociationError | None = None
    status = dimse.PROCESSING_FAILURE
    try:
        status = send_report(talk, asked, told, asked.called_ae)
    except AssociationError as caught:
        error = caught
    with works.begin(actor) as work:
        if error is None and status == dimse.SUCCESS:
            commitments.note_reported(work, commitment_id, told)
        else:
            why = error.detail if error else f"the caller refused the report with status {status:04X}"
            commitments.note_undelivered(work, commitment_id, why)
    if isinstance(error, PeerGone):
        raise Released  # it may have asked for a release instead of answering, and gets one
    if error is not None:
        raise error


def _information(asked: CommitmentFacts, told: Verdict, retrieve_ae: str) -> Dataset:
    """Event Information (PS3.4 Table J.3-2)."""
    found = Dataset()
    found.TransactionUID = asked.transaction_uid
    found.RetrieveAETitle = retrieve_ae
    if told.committed:
        found.ReferencedSOPSequence = Items([_item(one) for one in told.committed])
    if told.failed:
        found.FailedSOPSequence = Items([_item(one, reason) for one, reason in told.failed])
    return found


def _item(reference: Reference, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = reference
    if reason is not None:
        item.FailureReason = reason
    return item


def _request(asked: Operation) -> tuple[str, list[Reference]]:
    """Transaction UID and references of the Action Information (PS3.4 Table J.3-1); what stands there twice counts once."""
    if asked.command.sop_instance_uid != PUSH_MODEL_INSTANCE:
        raise CommitRefused(NO_SUCH_INSTANCE, "Not the well-known SOP Instance")
    if asked.command.action_type != REQUEST:
        raise CommitRefused(NO_SUCH_ACTION, "No such Action Type")
    try:
        found = decode_identifier(asked.data, asked.transfer_syntax_uid)
        transaction = text_of(found, "TransactionUID")
        items = list(found.get("ReferencedSOPSequence") or ())
        references = [
            (text_of(item, "ReferencedSOPClassUID"), text_of(item, "ReferencedSOPInstanceUID"))
            for item in items[: commitments.MOST_REFERENCES + 1]
        ]
    except Exception as error:  # whatever it was that came: pydicom raises many kinds
        raise CommitRefused(dimse.PROCESSING_FAILURE, "The action information can not be read") from error
    if not valid_uid(transaction):
        raise CommitRefused(INVALID_ARGUMENT, "Transaction UID is missing or not a UID")
    if not references:
        raise CommitRefused(INVALID_ARGUMENT, "Referenced SOP Sequence is missing or empty")
    if len(references) > commitments.MOST_REFERENCES:
        raise CommitRefused(INVALID_ARGUMENT, f"More than {commitments.MOST_REFERENCES} references")
    if not all(valid_uid(uid) for one in references for uid in one):
        raise CommitRefused(INVALID_ARGUMENT, "A reference has no valid UIDs")
    return transaction, list(dict.fromkeys(references))


def _actor(asked: Operation) -> Actor:
    caller = cast(KnownCaller, asked.acceptance.source)
    return acting(caller, asked.acceptance.caller.address)
