"""The job that reports a storage commitment on an association of ours, and the sweeps: which are due, and which are long over."""

from __future__ import annotations

from uuid import UUID

from heliograph.exchange.dimse.commit import PUSH_MODEL, look, send_report
from heliograph.governance.tenancy.queries import active_organizations
from heliograph.kit.actor import system
from heliograph.kit.codecs.dicom.part10 import EXPLICIT_LITTLE, IMPLICIT_LITTLE
from heliograph.kit.errors import HeliographError
from heliograph.kit.log import log
from heliograph.kit.net.dicom import command as dimse
from heliograph.kit.net.dicom.association import associate
from heliograph.kit.objects import Objects
from heliograph.kit.settings import Settings
from heliograph.kit.work import WorkFactory
from heliograph.records.archive import commitments
from heliograph.records.archive.commitments import CommitmentFacts, Verdict
from heliograph.records.sites.calling import remote_of
from heliograph.records.sites.nodes import NodeFacts, node_for

_log = log(__name__)


def report(
    works: WorkFactory, settings: Settings, objects: Objects, *, organization_id: str, commitment_id: str
) -> None:
    """`dimse.commitment`: reports to the node that the organisation knows under the caller's AE title, if it is due."""
    wanted, organization = UUID(commitment_id), UUID(organization_id)
    actor = system("commitments", organization)
    with works.begin(actor) as work:
        asked = commitments.claim(work, wanted, only_due=True)
    if asked is None:
        return
    told: Verdict | None = None
    try:
        told = look(works, objects, actor, asked)
        if told is None:
            with works.begin(actor) as work:
                commitments.put_off(work, wanted)
            return
        with works.read(actor) as work:
            to = node_for(work.session, organization, asked.calling_ae)
        why = _told(settings, to, asked, told) if to else "No active node is known under the caller's AE title."
    except HeliographError as error:
        why = error.detail[:1].upper() + error.detail[1:].rstrip(".") + "."
    except Exception:  # noqa: BLE001 (whatever it was, it is tried again)
        _log.exception("a report of a storage commitment failed unexpectedly", commitment_id=commitment_id)
        why = "Something unexpected went wrong; it is in the server's log."
    with works.begin(actor) as work:
        if why is None and told is not None:
            commitments.note_reported(work, wanted, told)
        else:
            commitments.note_undelivered(work, wanted, why or "")


def enqueue_due(works: WorkFactory) -> int:
    """Jobs for what is due and has none. Returns how many."""
    with works.read(system("commitments", *_everywhere(works))) as work:
        due = commitments.due(work.session, work.now)
    for commitment_id, organization_id, caller_id in due:
        with works.begin(system("commitments", organization_id)) as work:
            commitments.enqueue(work, commitment_id, organization_id, caller_id)
    return len(due)


def forget_old(works: WorkFactory) -> int:
    """What has been over for long is deleted. Returns how many."""
    number = 0
    for organization_id in _everywhere(works):
        with works.begin(system("commitments", organization_id)) as work:
            number += commitments.forget_old(work, organization_id)
    return number


def _everywhere(works: WorkFactory) -> list[UUID]:
    with works.read(system("commitments")) as work:
        return [o.id for o in active_organizations(work.session)]


def _told(settings: Settings, to: NodeFacts, asked: CommitmentFacts, told: Verdict) -> str | None:
    """Reports on a new association, of which we are the SCP (PS3.4 J.3.3). None if it was taken, else why not."""
    proposals = [(PUSH_MODEL, (EXPLICIT_LITTLE, IMPLICIT_LITTLE))]
    with associate(remote_of(settings, to), proposals, storage_roles=(PUSH_MODEL,)) as peer:
        status = send_report(peer, asked, told, asked.called_ae)
    return None if status == dimse.SUCCESS else f"The node refused the report with status {status:04X}."
