"""A read as it comes about: an order, its images, a complete study, the least loaded reader. And people with a session of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.care.orders.incoming import IncomingPatient, IncomingProcedure
from heliograph.care.reading.open_report import Workspace, open_report
from heliograph.care.reading.queries import VersionFacts
from heliograph.care.reading.sign import sign_report
from heliograph.governance.access.sign_in import prove, sign_in
from heliograph.kit.actor import Actor, system
from heliograph.records.archive.complete import complete_study
from tests.care.orders.help import message, receive
from tests.cast import PASSWORD, Cast
from tests.records.archive.files import ct, drop, index
from tests.records.sites.web import USERNAMES

STUDY, SERIES = "2.25.41", "2.25.41.1"
GOOD = {
    "sections": {
        "indication": "Fall",
        "findings": "Nothing else.",
        "impression": "1. No acute abnormality.\n2. Æsj, Ødegård.",
    },
    "fields": {"haemorrhage": ["none"], "acute_ischaemia": "none", "midline_shift": 0},
}


@dataclass(frozen=True)
class Made:
    """What was made."""

    case_id: UUID
    read_id: UUID
    study_id: UUID


def make_read(
    context: Context,
    cast: Cast,
    *,
    order: bool = True,
    priority: str = "STAT",
    uid: str = STUDY,
    accession: str = "A1",
) -> Made:
    """A case of Kari Larsen, NF-1, whose read is assigned to Imogen. Without `order`: only images, of a STAT read provisionally."""
    if order:
        receive_order(context, cast, priority=priority, accession=accession)
    add_images(context, cast, (1, 2), uid=uid, accession=accession)
    with context.works.begin(system("t", cast.norfjord)) as work:
        study_id = work.session.scalar(
            text("select id from archive.studies where study_instance_uid = :uid"), {"uid": uid}
        )
        assert study_id is not None
        if not order:
            from heliograph.care.worklist.cases import read_provisionally

            read_provisionally(work, study_id, "STAT")
        complete_study(work, study_id, by="technologist")
    return made(context, cast, study_id)


def receive_order(context: Context, cast: Cast, *, priority: str = "STAT", accession: str = "A1") -> None:
    patient = IncomingPatient("NF-1", names=("Larsen", "Kari"), birth_date=date(1948, 3, 12), sex="F")
    procedures = (IncomingProcedure("CT hode", code="CTHEAD", modality="CT"),)
    receive(
        context, cast, message(
            patient=patient, priority=priority, accession_number=accession, procedures=procedures, indication="Fall from ladder",
            placer_number=f"P-{accession}", filler_number=f"F-{accession}",
        ),
    )  # fmt: skip


def add_images(
    context: Context, cast: Cast, numbers: tuple[int, ...], *, uid: str = STUDY, accession: str = "A1"
) -> None:
    files = [
        drop(context.settings.spool_dir, cast, ct(uid, f"{uid}.1", n, sop=f"{uid}.1.{n}", accession=accession, fill=n))
        for n in numbers
    ]
    index(context.works, context.objects, files)


def made(context: Context, cast: Cast, study_id: UUID) -> Made:
    with context.works.read(system("t", cast.norfjord)) as work:
        row = work.session.execute(
            text(
                "select c.id, r.id as read_id, r.reader_id from worklist.case_studies s join worklist.cases c on c.id = s.case_id "
                "join worklist.reads r on r.case_id = c.id where s.study_id = :study order by r.id desc limit 1"
            ),
            {"study": study_id},
        ).one()
    assert row.reader_id == cast.imogen_reader
    return Made(row.id, row.read_id, study_id)


def with_session(context: Context, who: Actor, *, proved: bool = True) -> Actor:
    """`who`, signed in; `proved`: they typed their password for signing too."""
    new = sign_in(
        context.works, context.settings, USERNAMES[who.name], PASSWORD, None, address="127.0.0.1", user_agent="test"
    )
    actor = replace(who, session_id=new.id)
    if proved:
        prove(context.works, actor, password=PASSWORD, totp=None)
    return actor


def open_(context: Context, who: Actor, read_id: UUID) -> Workspace:
    with context.works.begin(who) as work:
        return open_report(work, read_id)


def sign(context: Context, who: Actor, read_id: UUID, content=GOOD, *, kind=None, overrides=()) -> VersionFacts:
    """Opens and signs."""
    revision = open_(context, who, read_id).draft.revision
    with context.works.begin(who) as work:
        return sign_report(work, context.settings, read_id, revision, content, kind, overrides)


def actions(context: Context, cast: Cast, *names: str) -> list[str]:
    """The recorded actions with these names, in order."""
    with context.works.read(system("t", cast.norfjord)) as work:
        return list(
            work.session.scalars(
                text("select action from audit.events where action = any(:names) order by id"), {"names": list(names)}
            )
        )
