"""A case's page: everything that belongs to one case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import text

from heliograph.care.orders.disagree import disagreements
from heliograph.care.worklist.access import case_for
from heliograph.care.worklist.deliveries import deliveries_of, states_of, versions_of
from heliograph.care.worklist.lists import banner_of, facility_brief, minutes_between
from heliograph.care.worklist.queries import why
from heliograph.care.worklist.schemas import (
    AlarmBrief,
    CaseDetail,
    Check,
    DocumentBrief,
    ImagesSay,
    Named,
    OrderBrief,
    PriorBrief,
    ProcedureBrief,
    ReadBrief,
    StudyBrief,
)
from heliograph.care.worklist.states import case_state
from heliograph.governance.tenancy.queries import organizations
from heliograph.kit.db.session import ActorSession
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.agreements.rules import Priority
from heliograph.records.archive.queries import priors_of, study_briefs
from heliograph.records.patients.queries import banner
from heliograph.records.people.queries import names_of
from heliograph.records.sites.queries import facility

_READS = text(
    "select id, kind, state, reader_id, assigned_at, opened_at, done_at, due_at from worklist.reads where case_id = :id order by id"
)
_STUDIES = text("select study_id from worklist.case_studies where case_id = :id order by added_at, study_id")
_ORDER_IDS = text(
    "select distinct p.order_id from worklist.case_procedures cp join orders.requested_procedures p "
    "on p.id = cp.requested_procedure_id where cp.case_id = :id"
)
_ORDERS = text(
    "select id, accession_number as accession, placer_number, filler_number, priority, status, source, indication, notes, referrer_name, "
    "referrer_phone, ordered_at, received_at from orders.orders where id = any(:ids) order by received_at, id"
)
_PROCEDURES = text(
    "select id, order_id, description, code, modality, exam_class, laterality from orders.requested_procedures "
    "where order_id = any(:ids) and not is_cancelled order by position, id"
)
_DOCUMENTS = text(
    "select id, order_id, name, kind, media_type from orders.order_documents where order_id = any(:ids) order by created_at, id"
)
_ALARMS = text(
    "select id, kind, text, case_id, study_id, raised_at, seen_by, subject_id from worklist.alarms "
    "where case_id = :id and cleared_at is null order by raised_at desc"
)
_HOLD = text("select reason from worklist.case_intervals where case_id = :id and kind = 'hold' and ended_at is null")
_REPORTS = text(
    "select distinct on (cs.study_id) cs.study_id, v.id from worklist.case_studies cs join reading.report_versions v "
    "on v.case_id = cs.case_id where cs.study_id = any(:ids) and v.state = 'signed' order by cs.study_id, v.number desc"
)


def case_detail(work: Work, case_id: UUID) -> CaseDetail:
    """The case as its page shows it. Raises: NotFound."""
    session, case = work.session, case_for(work, case_id)
    place = facility(session, case.facility_id)
    if place is None:
        raise NotFound()
    reads = session.execute(_READS, {"id": case_id}).all()
    names = names_of(session, {r.reader_id for r in reads})
    study_ids = list(session.scalars(_STUDIES, {"id": case_id}))
    briefs = study_briefs(session, study_ids)
    alarms = session.execute(_ALARMS, {"id": case_id}).all()
    deliveries = deliveries_of(session, [case_id]).get(case_id, [])
    owners = organizations(session, [i for i in (case.organization_id, case.group_organization_id) if i])
    shown = banner(session, case.patient_id, place.time_zone, work.now) if case.patient_id else None
    verdict = why(session, case_id)
    group = owners.get(case.group_organization_id) if case.group_organization_id else None
    return CaseDetail(
        id=case.id,
        organization_id=case.organization_id,
        organization_name=owners[case.organization_id].name,
        organization_slug=owners[case.organization_id].slug,
        priority=cast("Priority", case.priority),
        state=case_state(
            [r.state for r in reads],
            states_of(deliveries),
            is_arriving=case.is_arriving,
            has_no_reader=any(a.kind == "no_reader" for a in alarms),
        ),
        due_at=case.due_at,
        clock_started_at=case.clock_started_at,
        promise_minutes=minutes_between(case.clock_started_at, case.due_at),
        closed_at=case.closed_at,
        is_provisional=case.is_provisional,
        is_arriving=case.is_arriving,
        late_images_at=case.late_images_at,
        hold_reason=session.scalar(_HOLD, {"id": case_id}),
        exam=case.description,
        exam_class=case.exam_class,
        patient=banner_of(shown) if shown else None,
        facility=facility_brief(place),
        group=Named(id=group.id, name=group.name) if group else None,
        reads=[_read(r, names) for r in reads],
        orders=order_briefs(session, list(session.scalars(_ORDER_IDS, {"id": case_id}))),
        studies=[StudyBrief.model_validate(briefs[i], from_attributes=True) for i in study_ids if i in briefs],
        disagreements=[
            ImagesSay(
                study_id=d.study_id,
                order_id=d.order_id,
                field=d.what.field,
                in_order=d.what.in_order,
                in_images=d.what.in_images,
            )
            for d in disagreements(session, study_ids)
        ],
        priors=_priors(session, case.patient_id, study_ids),
        versions=versions_of(session, [case_id]).get(case_id, []),
        deliveries=deliveries,
        alarms=[AlarmBrief.model_validate(a, from_attributes=True) for a in alarms],
        why=[Check.model_validate(c, from_attributes=True) for c in verdict.checks] if verdict else [],
    )


def order_briefs(session: ActorSession, order_ids: Sequence[UUID]) -> list[OrderBrief]:
    """Orders with their procedures and documents, the first received first."""
    values = {"ids": list(order_ids)}
    procedures: dict[UUID, list[ProcedureBrief]] = {}
    for row in session.execute(_PROCEDURES, values):
        procedures.setdefault(row.order_id, []).append(ProcedureBrief.model_validate(row, from_attributes=True))
    documents: dict[UUID, list[DocumentBrief]] = {}
    for row in session.execute(_DOCUMENTS, values):
        documents.setdefault(row.order_id, []).append(DocumentBrief.model_validate(row, from_attributes=True))
    return [
        OrderBrief(**row._mapping, procedures=procedures.get(row.id, []), documents=documents.get(row.id, []))
        for row in session.execute(_ORDERS, values)
    ]


def _read(row: Any, names: dict[UUID, str]) -> ReadBrief:
    return ReadBrief(
        id=row.id,
        kind=row.kind,
        state=row.state,
        reader=Named(id=row.reader_id, name=names.get(row.reader_id, "")) if row.reader_id else None,
        assigned_at=row.assigned_at,
        opened_at=row.opened_at,
        done_at=row.done_at,
        due_at=row.due_at,
    )


def _priors(session: ActorSession, patient_id: UUID | None, current: Sequence[UUID]) -> list[PriorBrief]:
    if patient_id is None:
        return []
    found = priors_of(session, patient_id, current)
    reports = {r.study_id: r.id for r in session.execute(_REPORTS, {"ids": [p.id for p in found]})}
    return [
        PriorBrief(
            study_id=p.id,
            study_instance_uid=p.study_instance_uid,
            description=p.study_description,
            modalities=p.modalities,
            study_date=p.study_date,
            report_version_id=reports.get(p.id),
        )
        for p in found
    ]
