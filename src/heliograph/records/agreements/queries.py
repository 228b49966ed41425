"""Facts of agreements. No patient data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, text

from heliograph.kit.db.session import ActorSession


@dataclass(frozen=True, slots=True)
class AgreementFacts:
    """One version of an agreement: the client `organization_id` has its exams read by the group.

    `exam_classes` are ids of exam classes or `subspecialty:<name>`; empty means all. `promises` are minutes per priority.
    """

    id: UUID
    organization_id: UUID
    group_organization_id: UUID
    group_name: str
    version: int
    exam_classes: tuple[str, ...]
    read_kind: str
    viewing_places: tuple[str, ...]
    includes_coordination: bool
    allows_provisional_stat: bool
    valid_from: datetime
    valid_until: datetime | None
    promises: Mapping[str, int] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """How checks cite it."""
        return f"agreement with {self.group_name} v{self.version}"


_SELECT = """
select a.id, a.organization_id, a.group_organization_id, o.short_name as group_name, a.version, a.exam_classes, a.read_kind,
       a.viewing_places, a.includes_coordination, a.allows_provisional_stat, a.valid_from, a.valid_until,
       coalesce((select jsonb_object_agg(p.priority, p.minutes) from agreements.promises p where p.agreement_id = a.id), '{}') as promises
from agreements.agreements a join tenancy.organizations o on o.id = a.group_organization_id
"""


_HOLDING = text(
    _SELECT  # noqa: S608 - constants
    + """where a.organization_id = :organization and a.valid_from <= :at and (a.valid_until is null or a.valid_until > :at)
    and not exists (
        select 1 from agreements.agreements n
        where n.organization_id = a.organization_id and n.group_organization_id = a.group_organization_id
          and n.version > a.version and n.valid_from <= :at
    )
    order by a.created_at, a.id"""
)
_ONE = text(_SELECT + "where a.id = :id")
_ALL = text(
    _SELECT
    + """where a.organization_id = any(:ids) or a.group_organization_id = any(:ids)
    order by a.organization_id, a.group_organization_id, a.version desc"""
)


def agreements_for(session: ActorSession, organization_id: UUID, at: datetime) -> list[AgreementFacts]:
    """The agreements of a client that hold at `at`: the newest valid version for each group, the oldest relation first."""
    return [_facts(r) for r in session.execute(_HOLDING, {"organization": organization_id, "at": at}).mappings()]


def agreement(session: ActorSession, agreement_id: UUID) -> AgreementFacts | None:
    """One version, valid or not."""
    row = session.execute(_ONE, {"id": agreement_id}).mappings().one_or_none()
    return _facts(row) if row else None


def agreements_of(session: ActorSession, organizations: Sequence[UUID]) -> list[AgreementFacts]:
    """Every version in which one of `organizations` is client or group, the newest first."""
    return [_facts(r) for r in session.execute(_ALL, {"ids": list(organizations)}).mappings()]


def _facts(row: RowMapping) -> AgreementFacts:
    values = dict(row)
    for name in ("exam_classes", "viewing_places"):
        values[name] = tuple(values[name])
    return AgreementFacts(**values)
