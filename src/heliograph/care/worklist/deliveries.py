"""What lists show of reports and deliveries: rows of rooms above, read by their tables' names, since those rooms may not be imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from heliograph.care.worklist.schemas import DeliveryBrief, VersionBrief
from heliograph.care.worklist.states import DeliveryState
from heliograph.kit.db.session import ActorSession

_DELIVERY = """
    select d.id, d.case_id, d.report_version_id as version_id, d.version_number, d.channel, d.state, d.attempts, d.next_attempt_at,
           d.sent_at, d.acknowledged_at, d.acknowledgement_code, d.last_error, d.hold_reason, e.name as endpoint
    from delivery.deliveries d left join sites.endpoints e on e.id = d.endpoint_id
"""
_OF_CASES = text(_DELIVERY + "where d.case_id = any(:cases) order by d.version_number desc, d.channel, d.id")
_TROUBLED = text(
    _DELIVERY  # noqa: S608 (constants only)
    + "where d.organization_id = any(:orgs) and (d.state in ('failed', 'held') or (d.state = 'queued' and d.attempts > 0)) "
    # A report that waits for its order is one trouble, by however many ways it will go.
    "and not (d.hold_kind = 'provisional' and exists (select 1 from delivery.deliveries o where o.hold_kind = 'provisional' "
    "and o.report_version_id = d.report_version_id and o.id < d.id)) "
    "order by d.next_attempt_at nulls first, d.id limit 100"
)
_VERSIONS = text(
    "select id, case_id, number, kind, state, signer_name, signed_at from reading.report_versions where case_id = any(:cases) "
    "order by case_id, number"
)


def deliveries_of(session: ActorSession, cases: Sequence[UUID]) -> dict[UUID, list[DeliveryBrief]]:
    """The deliveries of some cases, the newest version first."""
    found: dict[UUID, list[DeliveryBrief]] = {}
    for row in session.execute(_OF_CASES, {"cases": list(cases)}):
        found.setdefault(row.case_id, []).append(_brief(row))
    return found


def states_of(deliveries: Sequence[DeliveryBrief]) -> list[DeliveryState]:
    """As the case's state asks for them."""
    return [DeliveryState(d.version_number, d.channel, d.state) for d in deliveries]


def troubled(session: ActorSession, organizations: Sequence[UUID]) -> list[tuple[UUID, DeliveryBrief]]:
    """Deliveries that failed, are held or are being tried again, with their cases."""
    return [(row.case_id, _brief(row)) for row in session.execute(_TROUBLED, {"orgs": list(organizations)})]


def versions_of(session: ActorSession, cases: Sequence[UUID]) -> dict[UUID, list[VersionBrief]]:
    """The signed versions of some cases, from 1."""
    found: dict[UUID, list[VersionBrief]] = {}
    for row in session.execute(_VERSIONS, {"cases": list(cases)}):
        found.setdefault(row.case_id, []).append(VersionBrief.model_validate(row, from_attributes=True))
    return found


def next_step(delivery: DeliveryBrief, phone: str | None) -> str:
    """What a coordinator can do, in words."""
    call = f" Call {phone}." if phone else ""
    if delivery.state == "held" and delivery.acknowledgement_code in ("AE", "AR", "CE", "CR"):
        return f"Not sent again until a person says so.{call}"
    if delivery.state == "held":
        return delivery.hold_reason or "Held."
    if delivery.state == "failed":
        return f"Not delivered.{call}"
    if delivery.next_attempt_at is None:
        return "Being tried."
    return f"It is tried again by itself.{call}"


def _brief(row: Row[Any]) -> DeliveryBrief:
    destination = {"archive": "Archive", "page": "Site page"}.get(row.channel) or row.endpoint or "Site system"
    values = {k: v for k, v in row._mapping.items() if k not in ("case_id", "endpoint")}
    return DeliveryBrief(**values, destination=destination)
