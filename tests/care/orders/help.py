"""Studies and orders for tests of orders."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from heliograph.app.context import Context
from heliograph.care.orders.incoming import IncomingPatient, IncomingProcedure, OrderMessage
from heliograph.care.orders.receive import receive_order
from heliograph.kit.actor import system
from heliograph.records.archive.model import Study
from heliograph.records.patients.identify import identify
from heliograph.records.sites.queries import facility
from tests.cast import Cast


def message(**changes) -> OrderMessage:
    """An order for Solveig Bakke, NF-7001, accession A1."""
    facts = {
        "control": "new",
        "patient": IncomingPatient("NF-7001", names=("Bakke", "Solveig"), birth_date=date(1977, 11, 15), sex="F"),
        "placer_number": "P-1",
        "filler_number": "F-1",
        "accession_number": "A1",
        "priority": "ROUTINE",
        "procedures": (IncomingProcedure("CT hode", code="CTHEAD", modality="CT"),),
    }
    return OrderMessage(**{**facts, **changes})


def receive(context: Context, cast: Cast, order: OrderMessage):
    with context.works.begin(system("hl7", cast.norfjord)) as work:
        place = facility(work.session, cast.norfjord_facility)
        assert place is not None
        received = receive_order(work, place, order)
        work.record("message.processed", organization_id=cast.norfjord)
    return received


def make_study(
    context: Context,
    cast: Cast,
    *,
    uid: str = "2.999.1",
    accession: str | None = "A1",
    patient: str | None = "NF-7001",
    name: str = "Bakke^Solveig",
    state: str = "unmatched",
) -> UUID:
    """A study as indexing files it, without instances."""
    with context.works.begin(system("index", cast.norfjord)) as work:
        known = (
            identify(
                work,
                cast.norfjord,
                "NORFJORD",
                patient,
                names=tuple(name.split("^")),
                birth_date=date(1977, 11, 15),
                sex="F",
            )
            if patient
            else None
        )
        row = Study(
            organization_id=cast.norfjord,
            facility_id=cast.norfjord_facility,
            patient_id=known.id if known else None,
            study_instance_uid=uid,
            accession_number=accession,
            accession_issuer="NORFJORD",
            dicom_patient_id=patient,
            dicom_patient_name=name,
            dicom_birth_date=date(1977, 11, 15),
            dicom_sex="F",
            modalities=["CT"],
            number_of_instances=3,
            first_received_at=work.now,
            last_received_at=work.now,
            match_state=state,
        )
        work.session.add(row)
        work.session.flush()
        work.record("study.first_image", organization_id=cast.norfjord, study_id=row.id)
        return row.id


def state_of(context: Context, cast: Cast, study_id: UUID):
    with context.works.read(system("t", cast.norfjord)) as work:
        row = work.session.get(Study, study_id)
        assert row is not None
        return row.match_state, row.match_reason, row.patient_id
