"""What the DICOM listener offers besides storage: queries, retrieves and storage commitment, within the caller's own organisation."""

from __future__ import annotations

from typing import cast

from pydicom import Dataset

from heliograph.exchange.dimse import commit, find, retrieve
from heliograph.exchange.dimse.callers import RECORD_EVERY_SECONDS, acting
from heliograph.exchange.dimse.find import FindRefused, Negotiated
from heliograph.kit.net.dicom import ProtocolError
from heliograph.kit.net.dicom import command as dimse
from heliograph.kit.net.dicom.identifiers import decode_identifier
from heliograph.kit.net.dicom.services import CANCELLED, Conversation, Offer, Operation, Reply, Service, Services
from heliograph.kit.objects import Objects
from heliograph.kit.seldom import Seldom
from heliograph.kit.settings import Settings
from heliograph.kit.work import WorkFactory
from heliograph.records.sites.queries import KnownCaller

FIND_OPTIONS = bytes(4 * [1])
"""Relational queries, combined date and time, fuzzy names, time zone (PS3.4 C.5.1.1)."""

_LOOK_EVERY = 16
"""Matches between two looks for a C-CANCEL: a look is a system call."""


def services(works: WorkFactory, settings: Settings, objects: Objects) -> Services:
    """All offers, by abstract syntax."""
    finds = dict.fromkeys(find.MODELS, Offer(dimse.C_FIND_RQ, finding(works), FIND_OPTIONS))
    gets, moves = retrieve.getting(works, settings, objects), retrieve.moving(works, settings, objects)
    return {
        **finds,
        retrieve.PATIENT_ROOT_GET: Offer(dimse.C_GET_RQ, gets),
        retrieve.STUDY_ROOT_GET: Offer(dimse.C_GET_RQ, gets),
        retrieve.PATIENT_ROOT_MOVE: Offer(dimse.C_MOVE_RQ, moves),
        retrieve.STUDY_ROOT_MOVE: Offer(dimse.C_MOVE_RQ, moves),
        commit.PUSH_MODEL: Offer(dimse.N_ACTION_RQ, commit.committing(works, objects)),
    }


def finding(works: WorkFactory) -> Service:
    """C-FIND: each match as it is found, until the caller has enough."""
    told = Seldom(RECORD_EVERY_SECONDS)

    def serve(asked: Operation, talk: Conversation) -> Reply:
        caller = cast(KnownCaller, asked.acceptance.source)
        granted = Negotiated(*(option == 1 for option in asked.options.ljust(4, b"\0")[:4]))
        try:
            matches = find.find(
                works,
                caller,
                asked.sop_class_uid,
                _identifier(asked, caller.fallback_charset),
                negotiated=granted,
                address=asked.acceptance.caller.address,
            )
            for number, match in enumerate(matches):
                if number % _LOOK_EVERY == 0 and talk.cancelled:
                    return Reply(CANCELLED)
                talk.tell_soon(Reply(match.status, data=match.encoded(asked.transfer_syntax_uid)))
        except FindRefused as error:
            if error.dimse_status != find.OUT_OF_RESOURCES and (times := told.times(caller.id)):
                _record_refused(works, caller, asked, error, times)
            return Reply(error.dimse_status, error.comment, offending=error.offending)
        return Reply(dimse.SUCCESS)

    return serve


def _record_refused(works: WorkFactory, caller: KnownCaller, asked: Operation, error: FindRefused, times: int) -> None:
    """A query that can't be answered is on record, with how many there were of this caller since the last that is."""
    with works.begin(acting(caller, asked.acceptance.caller.address)) as work:
        work.record(
            "studies.searched",
            organization_id=caller.organization_id,
            outcome="refused",
            subject_kind="caller",
            subject_id=caller.id,
            reason=f"{error.dimse_status:04X}",
            detail={"times": times, "offending": [f"{tag:08X}" for tag in error.offending]},
        )


def _identifier(asked: Operation, fallback_charset: str | None) -> Dataset:
    try:
        return decode_identifier(asked.data, asked.transfer_syntax_uid, fallback_charset=fallback_charset)
    except ProtocolError as error:
        raise FindRefused(find.MISMATCH, "The identifier can not be read") from error
