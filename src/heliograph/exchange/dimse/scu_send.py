"""Sending a study of the archive to a node."""

from __future__ import annotations

from collections.abc import Callable

from heliograph.exchange.dimse.outgoing import converter, outgoing
from heliograph.exchange.dimse.scratch import SEND, scratch, sweep
from heliograph.kit.net.dicom import AssociationError, SendResult, send_objects
from heliograph.kit.objects import Objects
from heliograph.kit.settings import Settings
from heliograph.records.archive.present import StoredObject
from heliograph.records.sites.calling import remote_of
from heliograph.records.sites.nodes import NodeFacts
from heliograph.records.sites.transfers import Result


def send(
    settings: Settings,
    objects: Objects,
    node: NodeFacts,
    stored: list[StoredObject],
    unsent: list[str] | None,
    should_stop: Callable[[], bool],
) -> Result:
    """One try: sends what the node has not taken yet (`unsent`; None: all). What it took is told by its answer to each object alone."""
    wanted = stored if unsent is None else [s for s in stored if s.sop_instance_uid in set(unsent)]
    taken: set[str] = set()
    reasons: list[str] = []
    hopeless = 0

    def note(result: SendResult) -> None:
        nonlocal hopeless
        if result.stored:
            taken.add(result.sop_instance_uid)
        else:
            reasons.append(result.reason)
            hopeless += result.is_final

    error: str | None = None
    sweep(settings.spool_dir)
    with scratch(settings.spool_dir, SEND) as folder:
        try:
            send_objects(
                remote_of(settings, node),
                [outgoing(objects, s) for s in wanted],
                on_result=note,
                convert=converter(folder),
                should_stop=should_stop,
            )
        except AssociationError as failure:
            error = f"{failure}"
    left = [s.sop_instance_uid for s in wanted if s.sop_instance_uid not in taken]
    if left and error is None:
        error = _most_common(reasons)
        if len(set(reasons)) > 1:
            error = f"{error} And other reasons."
    return Result(
        expected=len(stored),
        received=len(stored) - len(left),
        error=f"{len(left)} of {len(stored)} are not there. {_sentence(error or '')}" if left else None,
        is_hopeless=bool(left) and hopeless == len(left),
        unsent=left,
    )


def _most_common(reasons: list[str]) -> str:
    return max(set(reasons), key=reasons.count) if reasons else "it did not answer"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""
