"""Fetching studies from a node: find, retrieve by C-GET or C-MOVE, and count what is here.

The node's own word that all went well counts for nothing (field report E06): a study is whole when each object that the node named
is durable here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from heliograph.exchange.dimse.scratch import overflow
from heliograph.exchange.dimse.scu_find import FoundStudy, Wanted, find_objects, find_studies
from heliograph.kit.codecs.dicom import DicomError, part10_header
from heliograph.kit.net.dicom import Answer, AssociationError, StoreRequest, associate
from heliograph.kit.net.dicom.client import (
    COMMON_CLASSES,
    PLAIN,
    STUDY_FIND,
    STUDY_GET,
    STUDY_MOVE,
    get,
    get_proposals,
    move,
)
from heliograph.kit.net.dicom.errors import status_words
from heliograph.kit.net.dicom.identifiers import Level, query_for
from heliograph.kit.settings import Settings
from heliograph.records.archive import spool
from heliograph.records.archive.errors import OutOfSpace
from heliograph.records.archive.look import look as look_into
from heliograph.records.sites.calling import SILENCE_SECONDS, remote_of
from heliograph.records.sites.nodes import NodeFacts

SETTLE_SECONDS = 20.0
"""After a retrieval, what is still on its way into the archive may come so long after the last object that came."""
MOST_NAMED = 200
"""So few objects that lack are asked for one by one; more by their series."""

Retrieval = tuple[Level, dict[str, str | list[str]]]


@dataclass(frozen=True, slots=True)
class Here:
    """Questions to our own archive about a fetch."""

    present: Callable[[set[str]], set[str]]
    """Which of these objects are here."""
    count: Callable[[str], int]
    """How many objects of a study are here, where the node names none."""
    states: Callable[[list[str]], dict[str, str]]
    """Match states of those of these studies that are here."""


@dataclass(slots=True)
class Fetch:
    """One try of one fetch."""

    settings: Settings
    node: NodeFacts
    organization_id: UUID
    facility_id: UUID
    here: Here
    may_move: bool
    """Whether the node is known as a caller that sends priors, so that what it sends to us is taken, and as that."""
    prefers_move: bool
    should_stop: Callable[[], bool]
    on_study: Callable[[list[FoundStudy]], None]
    spooled: set[str] = field(default_factory=set)
    awaits: bool = False
    """Something may be on its way into the archive that this process has not seen itself."""


def look(fetch: Fetch, wanted: Wanted) -> tuple[list[FoundStudy], int]:
    """What the node has of it that is for us to fetch. Studies that the site itself sends here are left alone: they come by their way.

    Raises: NotAskable, AssociationError
    """
    with associate(remote_of(fetch.settings, fetch.node), [(STUDY_FIND, PLAIN)]) as peer:
        found, others = find_studies(peer, wanted, fetch.should_stop)
        states = fetch.here.states([s.uid for s in found])
        studies = [s for s in found if states.get(s.uid, "prior") == "prior" and s.said != 0]
        for study in studies:
            if fetch.should_stop():
                break
            find_objects(peer, study, fetch.should_stop)
    for study in studies:
        _count(fetch, study)
    return studies, others


def retrieve(fetch: Fetch, studies: list[FoundStudy]) -> None:
    """Retrieves what lacks, study by study, the newest first; each says afterwards what is here and why not all.

    Raises: AssociationError: the node can't be called at all.
    """
    for study in sorted(studies, key=lambda s: s.study_date, reverse=True):
        if study.is_whole or fetch.should_stop():
            continue
        fetch.awaits = not study.objects
        said: str | None
        try:
            said = _retrieve(fetch, study)
        except (AssociationError, OutOfSpace) as error:
            said = _sentence(str(error))
        _settle(fetch, study)
        study.error = _verdict(study, said)
        fetch.on_study(studies)


def _verdict(study: FoundStudy, said: str | None) -> str | None:
    """Why the study is not whole, whatever the node says; None: it is."""
    if study.is_whole:
        return None
    if not study.expected:
        return "It does not tell how many objects it has: nobody can say whether all came."
    return said or "It said that it sent all, and not all is here."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _retrieve(fetch: Fetch, study: FoundStudy) -> str | None:
    """Why not all came, as far as the node says; None: it says that all did."""
    if fetch.prefers_move and fetch.may_move:
        return _by_move(fetch, study)
    classes = {c for _, c in study.objects.values() if c} or set(COMMON_CLASSES)
    folder = overflow(fetch.settings.spool_dir)
    remote = remote_of(fetch.settings, fetch.node, answer=SILENCE_SECONDS)
    proposals = get_proposals(sorted(classes), sorted(study.kept_in))
    roles = sorted({a for a, _ in proposals if a != STUDY_GET})
    with associate(remote, proposals, storage_roles=roles, folder=folder) as peer:
        if peer.context_for(STUDY_GET) is not None and peer.storage_roles:
            errors = []
            for level, keys in _asks(fetch, study):
                done = get(
                    peer, STUDY_GET, query_for(level, keys), _storing(fetch, study), should_stop=fetch.should_stop
                )
                errors.append(_why(done.status))
            return next((e for e in errors if e), None)
    if not fetch.may_move:
        return (
            "It does no C-GET, and is not known as a caller that sends priors, so what it sends by C-MOVE would be "
            f"refused: add the caller {fetch.node.ae_title} to {fetch.node.calling_ae} that sends priors."
        )
    return _by_move(fetch, study)


def _by_move(fetch: Fetch, study: FoundStudy) -> str | None:
    fetch.awaits = True
    remote = remote_of(fetch.settings, fetch.node, answer=SILENCE_SECONDS)
    with associate(remote, [(STUDY_MOVE, PLAIN)]) as peer:
        errors = []
        for level, keys in _asks(fetch, study):
            done = move(peer, STUDY_MOVE, query_for(level, keys), fetch.node.calling_ae, should_stop=fetch.should_stop)
            errors.append(_why(done.status))
        return next((e for e in errors if e), None)


def _asks(fetch: Fetch, study: FoundStudy) -> list[Retrieval]:
    """The whole study if nothing of it is here; else the series that lack something, or the objects alone if they are few."""
    lacking = set(study.objects) - _here(fetch, set(study.objects))
    if not study.objects or len(lacking) == len(study.objects):
        return [("STUDY", {"StudyInstanceUID": study.uid})]
    by_series: dict[str, list[str]] = {}
    for sop in sorted(lacking):
        by_series.setdefault(study.objects[sop][0], []).append(sop)
    asks: list[Retrieval] = []
    for series, sops in by_series.items():
        keys: dict[str, str | list[str]] = {"StudyInstanceUID": study.uid, "SeriesInstanceUID": series}
        if len(lacking) <= MOST_NAMED:
            asks.append(("IMAGE", {**keys, "SOPInstanceUID": sops}))
        else:
            asks.append(("SERIES", keys))
    return asks


def _storing(fetch: Fetch, study: FoundStudy) -> Callable[[StoreRequest], Answer]:
    """Success only when the object is durable in the spool, byte for byte; what was not asked for is refused."""
    already = _here(fetch, set(study.objects))

    def store(request: StoreRequest) -> Answer:
        uid = request.sop_instance_uid
        if study.objects and uid not in study.objects:
            return Answer(0x0124, "Not asked for")
        if uid in already or uid in fetch.spooled:
            return Answer(0x0000)
        try:
            keep(fetch.settings, fetch.node, fetch.organization_id, fetch.facility_id, request)
        except OutOfSpace:
            return Answer(0xA700, "Out of disk space")
        except DicomError:
            return Answer(0xC000, "Cannot understand")
        fetch.spooled.add(uid)
        return Answer(0x0000)

    return store


def keep(settings: Settings, node: NodeFacts, organization_id: UUID, facility_id: UUID, request: StoreRequest) -> Path:
    """Puts a fetched object into the spool: it bears the node's id where others bear their caller's, and so is filed as a prior.

    Raises: OutOfSpace, DicomError, OSError
    """
    header = part10_header(
        request.sop_class_uid,
        request.sop_instance_uid,
        request.transfer_syntax_uid,
        source_ae_title=node.ae_title,
        sending_ae_title=node.ae_title,
        receiving_ae_title=node.calling_ae,
    )
    folder, free = settings.spool_dir, settings.min_free_mb
    with spool.incoming(folder, organization_id, facility_id, node.id, min_free_mb=free) as entry:
        request.write_to(entry.descriptor, header)
        look_into(entry)  # takes out what has no place in a data set; what can't be read is held when it is indexed
        return entry.commit().path


def _here(fetch: Fetch, uids: set[str]) -> set[str]:
    return (fetch.spooled & uids) | fetch.here.present(uids - fetch.spooled)


def _count(fetch: Fetch, study: FoundStudy) -> None:
    study.received = len(_here(fetch, set(study.objects))) if study.objects else fetch.here.count(study.uid)


def _settle(fetch: Fetch, study: FoundStudy) -> None:
    """Counts until all is here or nothing more comes: what came by C-MOVE is filed by the listener's host in its own time."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        before = study.received
        _count(fetch, study)
        if (
            study.is_whole
            or not (fetch.awaits and study.expected)
            or fetch.should_stop()
            or time.monotonic() > deadline
        ):
            return
        if study.received > before:
            deadline = time.monotonic() + SETTLE_SECONDS
        time.sleep(0.3)


def _why(status: int) -> str | None:
    return None if status == 0 else f"It answered status {status:04X}: {status_words(status)}."
