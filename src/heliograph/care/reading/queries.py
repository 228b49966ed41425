"""Reading reports. Row-level security decides what rows exist for the actor; `version_for` adds what roles say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import select, text

from heliograph.care.reading.model import Draft, ReportVersion
from heliograph.care.worklist.access import case_for
from heliograph.care.worklist.states import VersionKind, VersionState
from heliograph.kit.db.session import ActorSession
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work

__all__ = [
    "CaseOrder", "DraftBrief", "VersionBrief", "VersionFacts", "accessions_of_case", "drafts_of", "orders_of_case",
    "prior_reports", "reports_of_studies", "studies_of_case", "version", "version_briefs", "version_for", "versions_of_case",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """A signed version. `sections`: id, title, text. `accession`: of the orders that the case answers now."""

    id: UUID
    organization_id: UUID
    report_id: UUID
    case_id: UUID
    read_id: UUID
    number: int
    kind: VersionKind
    state: VersionState
    sections: list[dict[str, Any]]
    text: str
    signed_by: UUID
    signer_name: str
    signer_details: dict[str, Any]
    meaning: str
    signed_at: datetime
    accession: list[str]
    content_sha256: str
    template_id: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Structured answers by the template's field; the text of the sections holds them in words."""


@dataclass(frozen=True, slots=True)
class VersionBrief:
    """A version in a list."""

    id: UUID
    number: int
    kind: VersionKind
    state: VersionState
    signer_name: str
    signed_at: datetime
    case_id: UUID


@dataclass(frozen=True, slots=True)
class DraftBrief:
    """One of the actor's own drafts."""

    read_id: UUID
    report_id: UUID
    revision: int
    saved_at: datetime


@dataclass(frozen=True, slots=True)
class CaseOrder:
    """An order that a case answers, with the procedures of it that the case is about."""

    id: UUID
    accession_number: str | None
    accession_issuer: str | None
    placer_number: str | None
    filler_number: str | None
    patient_class: str | None
    priority: str
    indication: str | None
    procedures: tuple[CaseProcedure, ...]


@dataclass(frozen=True, slots=True)
class CaseProcedure:
    """One requested procedure."""

    id: UUID
    placer_number: str | None
    code: str | None
    description: str
    modality: str | None


_ORDERS = text(
    "select o.id, o.accession_number, o.accession_issuer, o.placer_number, o.filler_number, o.patient_class, o.priority, "
    "o.indication, p.id as procedure_id, p.placer_number as procedure_placer, p.code, p.description, p.modality "
    "from worklist.case_procedures cp join orders.requested_procedures p on p.id = cp.requested_procedure_id "
    "join orders.orders o on o.id = p.order_id where cp.case_id = :case order by o.received_at, o.id, p.position, p.id"
)
_STUDIES = text("select study_id from worklist.case_studies where case_id = :case order by added_at, study_id")
_ACCESSIONS = text(
    "select distinct c.case_id, o.accession_number from worklist.case_procedures c "
    "join orders.requested_procedures p on p.id = c.requested_procedure_id join orders.orders o on o.id = p.order_id "
    "where c.case_id = any(:cases) and o.accession_number is not null order by 1, 2"
)
_OF_STUDIES = text(
    "select distinct on (s.study_id) s.study_id, v.id from worklist.case_studies s "
    "join reading.report_versions v on v.case_id = s.case_id "
    "where s.study_id = any(:studies) and v.state = 'signed' order by s.study_id, v.signed_at desc, v.number desc"
)
_OF_PATIENT = text(
    "select v.id from reading.report_versions v join worklist.cases c on c.id = v.case_id "
    "where c.patient_id = :patient and v.state = 'signed' and v.case_id is distinct from :case "
    "order by v.signed_at desc limit 100"
)


def version(session: ActorSession, version_id: UUID) -> VersionFacts | None:
    """One version, or None: absent and forbidden look the same."""
    row = session.get(ReportVersion, version_id)
    return _facts(row, accessions_of_case(session, [row.case_id])) if row is not None else None


def version_for(work: Work, version_id: UUID) -> VersionFacts:
    """A version of a case that the actor may see: staff and auditors of the site, its coordinators, readers of the patient.

    While the case is provisional, nobody knows for sure whose report it is: then only readers and coordinators see it.

    Raises: NotFound.
    """
    found = version(work.session, version_id)
    if found is None:
        raise NotFound()
    case = case_for(work, found.case_id)
    if case.is_provisional and work.actor.kind == "user" and not work.actor.organizations_with("reader", "coordinator"):
        raise NotFound("This report is held until its study is matched to an order.")
    return found


def versions_of_case(session: ActorSession, case_id: UUID) -> list[VersionFacts]:
    """All versions of a case's report, from 1."""
    rows = session.scalars(
        select(ReportVersion).where(ReportVersion.case_id == case_id).order_by(ReportVersion.number)
    ).all()
    accessions = accessions_of_case(session, [case_id])
    return [_facts(row, accessions) for row in rows]


def version_briefs(session: ActorSession, case_ids: Iterable[UUID]) -> dict[UUID, list[VersionBrief]]:
    """The versions of several cases, from 1, for lists."""
    found: dict[UUID, list[VersionBrief]] = {}
    rows = session.execute(
        select(
            ReportVersion.id,
            ReportVersion.number,
            ReportVersion.kind,
            ReportVersion.state,
            ReportVersion.signer_name,
            ReportVersion.signed_at,
            ReportVersion.case_id,
        )
        .where(ReportVersion.case_id.in_(list(case_ids)))
        .order_by(ReportVersion.case_id, ReportVersion.number)
    )
    for row in rows:
        found.setdefault(row.case_id, []).append(
            VersionBrief(
                id=row.id,
                number=row.number,
                kind=cast("VersionKind", row.kind),
                state=cast("VersionState", row.state),
                signer_name=row.signer_name,
                signed_at=row.signed_at,
                case_id=row.case_id,
            )
        )
    return found


def prior_reports(session: ActorSession, patient_id: UUID, case_id: UUID | None = None) -> list[VersionFacts]:
    """The signed reports of a patient's other cases, newest first."""
    ids = list(session.scalars(_OF_PATIENT, {"patient": patient_id, "case": case_id}))
    rows = {r.id: r for r in session.scalars(select(ReportVersion).where(ReportVersion.id.in_(ids)))}
    accessions = accessions_of_case(session, [r.case_id for r in rows.values()])
    return [_facts(rows[i], accessions) for i in ids if i in rows]


def reports_of_studies(session: ActorSession, study_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """The newest signed version that interprets each study: study id -> version id."""
    return {row.study_id: row.id for row in session.execute(_OF_STUDIES, {"studies": list(study_ids)})}


def drafts_of(session: ActorSession, user_id: UUID) -> list[DraftBrief]:
    """The drafts of a person, newest first. Only the author sees any."""
    rows = session.scalars(select(Draft).where(Draft.author_id == user_id).order_by(Draft.saved_at.desc()))
    return [DraftBrief(d.read_id, d.report_id, d.revision, d.saved_at) for d in rows]


def orders_of_case(session: ActorSession, case_id: UUID) -> list[CaseOrder]:
    """The orders that a case answers, each with its procedures."""
    rows = session.execute(_ORDERS, {"case": case_id}).all()
    procedures: dict[UUID, list[CaseProcedure]] = {}
    for r in rows:
        one = CaseProcedure(r.procedure_id, r.procedure_placer, r.code, r.description, r.modality)
        procedures.setdefault(r.id, []).append(one)
    first = {r.id: r for r in reversed(rows)}
    return [
        CaseOrder(
            r.id, r.accession_number, r.accession_issuer, r.placer_number, r.filler_number, r.patient_class, r.priority,
            r.indication, tuple(procedures[r.id]),
        )
        for r in (first[i] for i in procedures)
    ]  # fmt: skip


def studies_of_case(session: ActorSession, case_id: UUID) -> list[UUID]:
    """The studies that a case interprets, in the order in which they joined."""
    return list(session.scalars(_STUDIES, {"case": case_id}))


def accessions_of_case(session: ActorSession, case_ids: Iterable[UUID]) -> dict[UUID, list[str]]:
    """The accession numbers that each case answers."""
    found: dict[UUID, list[str]] = {}
    for case_id, accession in session.execute(_ACCESSIONS, {"cases": list(set(case_ids))}):
        found.setdefault(case_id, []).append(accession)
    return found


def _facts(row: ReportVersion, accessions: dict[UUID, list[str]]) -> VersionFacts:
    return VersionFacts(
        id=row.id,
        organization_id=row.organization_id,
        report_id=row.report_id,
        case_id=row.case_id,
        read_id=row.read_id,
        number=row.number,
        kind=cast("VersionKind", row.kind),
        state=cast("VersionState", row.state),
        sections=list(row.content["sections"]),
        text=row.text,
        signed_by=row.signed_by,
        signer_name=row.signer_name,
        signer_details=row.signer_details,
        meaning=row.meaning,
        signed_at=row.signed_at,
        accession=accessions.get(row.case_id, []),
        content_sha256=row.content_sha256.hex(),
        template_id=str((row.content.get("template") or {}).get("id", "")),
        fields=row.content.get("fields") or {},
    )
