"""Orders and images on the worklist, put there as the rooms below do it: rows, then the events that they announce."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.orm import Session

from heliograph.app.context import Context
from heliograph.care.orders.events import OrderChanged
from heliograph.care.orders.model import Order, RequestedProcedure
from heliograph.care.rota.model import Shift
from heliograph.care.worklist.model import Alarm, Assignment, Case, Read
from heliograph.governance.access.model import RoleAssignment, User
from heliograph.governance.audit.model import AuditEvent
from heliograph.kit.actor import Actor, RoleHeld, system
from heliograph.records.archive.complete import complete_study
from heliograph.records.archive.events import ImagesIndexed
from heliograph.records.archive.model import Study
from heliograph.records.patients.model import Identifier, Patient
from heliograph.records.people.model import (
    Certificate,
    Engagement,
    Licence,
    Privilege,
    Reader,
    ReaderLanguage,
    ReadingPlace,
)
from tests.cast import LATER, LONG_AGO, Cast

_numbers = itertools.count(1)


class Scene:
    """The worklist of Norfjord, seen by its owner (rows) and driven through real reactions (events)."""

    def __init__(self, context: Context, cast: Cast, owner_url: str) -> None:
        self.context, self.cast, self.works = context, cast, context.works
        self.owner: Engine = create_engine(owner_url)

    @property
    def platform(self) -> Actor:
        return system("test", self.cast.norfjord, self.cast.llano)

    @contextmanager
    def rows(self) -> Iterator[Session]:
        """The tables as their owner sees them; committed."""
        with Session(self.owner, expire_on_commit=False) as session:
            yield session
            session.commit()

    def patient(self, organization: UUID | None = None) -> UUID:
        number = next(_numbers)
        with self.rows() as s:
            row = Patient(
                organization_id=organization or self.cast.norfjord,
                family_name=f"Haugland{number}",
                given_name="Ingrid",
                name_key=f"haugland{number} ingrid",
                birth_date=datetime(1958, 3, 14, tzinfo=UTC).date(),
                sex="F",
            )
            s.add(row)
            s.flush()
            s.add(
                Identifier(
                    organization_id=row.organization_id,
                    patient_id=row.id,
                    authority="NORFJORD",
                    value=f"4471-{number}",
                )
            )
            return row.id

    def order(
        self,
        patient: UUID,
        *,
        accession: str = "NF-1",
        priority: str = "STAT",
        procedures: tuple[tuple[str, str], ...] = (("CT head, no contrast", "ct_head_wo"),),
        received: timedelta = timedelta(0),
    ) -> UUID:
        """An order that came `received` before now, announced as new."""
        now = self.works.clock.now()
        with self.works.begin(self.platform) as work:
            row = Order(
                organization_id=self.cast.norfjord,
                facility_id=self.cast.norfjord_facility,
                patient_id=patient,
                source="hl7",
                accession_number=accession,
                priority=priority,
                referrer_name="Dr E. Solbakken",
                received_at=now - received,
            )
            work.session.add(row)
            work.session.flush()
            work.session.add_all(
                RequestedProcedure(
                    organization_id=row.organization_id, order_id=row.id, position=i, description=d, exam_class=c
                )
                for i, (d, c) in enumerate(procedures)
            )
            work.record("order.received", organization_id=row.organization_id, order_id=row.id, patient_id=patient)
            work.announce(OrderChanged(row.organization_id, row.id, "new"))
            return row.id

    def images(
        self, patient: UUID | None, *, accession: str | None = "NF-1", number: int = 188, age: timedelta = timedelta(0)
    ) -> UUID:
        """A study whose images came `age` ago, announced; matched to its order by the real rule."""
        at = self.works.clock.now() - age
        uid = f"1.2.826.0.1.3680043.10.1.{next(_numbers)}"
        with self.works.begin(self.platform) as work:
            row = Study(
                organization_id=self.cast.norfjord,
                facility_id=self.cast.norfjord_facility,
                patient_id=patient,
                study_instance_uid=uid,
                accession_number=accession,
                study_description="CT head",
                modalities=["CT"],
                number_of_series=1,
                number_of_instances=number,
                first_received_at=at,
                last_received_at=at,
            )
            work.session.add(row)
            work.session.flush()
            work.record("study.first_image", organization_id=row.organization_id, study_id=row.id)
            work.announce(
                ImagesIndexed(row.organization_id, row.id, self.cast.norfjord_facility, number, is_new_study=True)
            )
            return row.id

    def more_images(self, study_id: UUID, number: int = 3) -> None:
        """More images of a study, now."""
        with self.works.begin(self.platform) as work:
            row = work.session.get_one(Study, study_id)
            row.number_of_instances += number
            row.last_received_at = work.now
            work.record("study.images_received", organization_id=row.organization_id, study_id=row.id)
            work.announce(ImagesIndexed(row.organization_id, row.id, row.facility_id, number, is_new_study=False))

    def complete(self, study_id: UUID) -> None:
        with self.works.begin(self.platform) as work:
            complete_study(work, study_id, by="quiet")

    def ready_case(self, *, priority: str = "STAT", accession: str | None = None) -> UUID:
        """A whole case: order, images, complete."""
        accession = accession or f"NF-{next(_numbers)}"
        patient = self.patient()
        self.order(patient, accession=accession, priority=priority)
        study = self.images(patient, accession=accession)
        self.complete(study)
        return self.case_of(study).id

    def case_of(self, study_id: UUID) -> Case:
        with self.rows() as s:
            return s.scalars(
                select(Case).where(
                    Case.id.in_(
                        select(text("case_id"))
                        .select_from(text("worklist.case_studies"))
                        .where(text("study_id = :s").bindparams(s=study_id))
                    )
                )
            ).one()

    def case(self, case_id: UUID) -> Case:
        with self.rows() as s:
            return s.get_one(Case, case_id)

    def reads(self, case_id: UUID) -> list[Read]:
        with self.rows() as s:
            return list(s.scalars(select(Read).where(Read.case_id == case_id).order_by(Read.id)))

    def read(self, case_id: UUID) -> Read:
        """The newest read."""
        return self.reads(case_id)[-1]

    def assignments(self, case_id: UUID) -> list[Assignment]:
        with self.rows() as s:
            return list(s.scalars(select(Assignment).where(Assignment.case_id == case_id).order_by(Assignment.id)))

    def alarms(self, *, kind: str | None = None) -> list[Alarm]:
        with self.rows() as s:
            found = s.scalars(select(Alarm).where(Alarm.cleared_at.is_(None)).order_by(Alarm.id))
            return [a for a in found if kind in (None, a.kind)]

    def actions(self, case_id: UUID) -> list[str]:
        with self.rows() as s:
            return list(
                s.scalars(select(AuditEvent.action).where(AuditEvent.case_id == case_id).order_by(AuditEvent.id))
            )

    def set(self, statement: str, **values: Any) -> None:
        """Changes rows by hand, as the owner."""
        with self.rows() as s:
            s.execute(text(statement), values)

    def reader(
        self,
        name: str,
        *groups: UUID,
        capacity: int = 10,
        licences: tuple[str, ...] = ("NO", "AU"),
        on: tuple[UUID, ...] | None = None,
    ) -> tuple[UUID, Actor]:
        """A reader in Sydney with all that Norfjord needs, engaged by `groups` (by Aurora if none are named), on shift for `on`."""
        groups = groups or (self.cast.aurora,)
        now = self.works.clock.now()
        with self.rows() as s:
            user = User(username=f"{name}{next(_numbers)}".lower(), display_name=f"Dr {name}", password_hash="x")
            s.add(user)
            s.flush()
            row = Reader(user_id=user.id, given_name=name, family_name=f"{name}sen", capacity=capacity)
            s.add(row)
            s.flush()
            s.add_all(
                RoleAssignment(user_id=user.id, organization_id=g, role="reader", valid_from=LONG_AGO) for g in groups
            )
            s.add_all(
                Engagement(
                    organization_id=g, reader_id=row.id, is_locum=len(groups) > 1, malpractice_jurisdictions=[],
                    valid_from=LONG_AGO,
                )
                for g in groups
            )  # fmt: skip
            s.add_all(
                Licence(
                    reader_id=row.id, jurisdiction=j, number="1", valid_from=LONG_AGO, valid_until=LATER,
                    verified_at=LONG_AGO,
                )
                for j in licences
            )  # fmt: skip
            s.add(Certificate(reader_id=row.id, subspecialty="neuro", board="EBR", valid_from=LONG_AGO))
            s.add(ReaderLanguage(reader_id=row.id, language="en"))
            s.add(
                ReadingPlace(
                    reader_id=row.id, name="Sydney", jurisdiction="AU", time_zone="Australia/Sydney", is_current=True
                )
            )
            s.add(
                Privilege(
                    organization_id=self.cast.norfjord,
                    facility_id=self.cast.norfjord_facility,
                    reader_id=row.id,
                    subspecialties=[],
                    valid_from=LONG_AGO,
                )
            )
            s.add_all(
                Shift(
                    organization_id=g,
                    reader_id=row.id,
                    starts_at=now - timedelta(hours=4),
                    ends_at=now + timedelta(hours=8),
                )
                for g in (groups if on is None else on)
            )
            actor = Actor("user", user.display_name, user.id, (), tuple(RoleHeld(g, "reader") for g in groups))
            return row.id, actor
