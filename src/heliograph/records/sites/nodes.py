"""DICOM nodes that we call: keeping them is for administrators of the organisation, using them for who looks after it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from heliograph.kit.db.session import ROW_LOCK, ActorSession
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.sites.errors import BadSite, NodeTaken
from heliograph.records.sites.model import Facility, Node
from heliograph.records.sites.queries import facts
from heliograph.records.sites.rules import ae_title

Tls = Literal["off", "on", "verify"]
_HOST = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?$|^[0-9A-Fa-f:.]{2,45}$")


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """A DICOM node elsewhere; see the table."""

    id: UUID
    organization_id: UUID
    facility_id: UUID | None
    name: str
    ae_title: str
    calling_ae: str
    host: str
    port: int
    tls: Tls
    is_destination: bool
    is_queried: bool
    is_sent_to: bool
    is_active: bool


def node_for(session: ActorSession, organization_id: UUID, title: str) -> NodeFacts | None:
    """The organisation's active node with this AE title; spaces and NULs around it mean nothing. None: unknown to it.

    What it may be used for is in its `is_...` flags.
    """
    row = session.scalar(
        select(Node).where(Node.organization_id == organization_id, Node.ae_title == title.strip(" \0"), Node.is_active)
    )
    return facts(NodeFacts, row) if row is not None else None


def node(session: ActorSession, node_id: UUID) -> NodeFacts | None:
    """One node, active or not. None: absent or forbidden."""
    row = session.get(Node, node_id)
    return facts(NodeFacts, row) if row is not None else None


def nodes_of(session: ActorSession, organizations: Iterable[UUID], *, active_only: bool = False) -> list[NodeFacts]:
    """The nodes of organisations, by name."""
    query = select(Node).where(Node.organization_id.in_(list(organizations))).order_by(Node.name, Node.id)
    if active_only:
        query = query.where(Node.is_active)
    return [facts(NodeFacts, row) for row in session.scalars(query)]


def add_node(work: Work, organization_id: UUID, values: Mapping[str, Any]) -> UUID:
    """Makes a node known; `values` are columns. Returns its id. Raises: NotFound, BadSite, NodeTaken."""
    if not work.actor.holds("administrator", organization_id):
        raise NotFound
    row = Node(organization_id=organization_id, **values)
    _check(work, row)
    work.session.add(row)
    _flush(work)
    _record(work, "node.added", row, {})
    return row.id


def change_node(work: Work, node_id: UUID, values: Mapping[str, Any]) -> None:
    """Changes columns of a node. Raises: NotFound, BadSite, NodeTaken."""
    row = work.session.get(Node, node_id, with_for_update=ROW_LOCK)
    if row is None or not work.actor.holds("administrator", row.organization_id):
        raise NotFound
    before = {name: getattr(row, name) for name in values}
    with work.session.no_autoflush:
        for name, value in values.items():
            setattr(row, name, value)
        _check(work, row)
    changed = sorted(name for name, value in before.items() if getattr(row, name) != value)
    if not changed:
        return
    _flush(work)
    _record(work, "node.changed", row, {"fields": changed})


def _check(work: Work, row: Node) -> None:
    """Puts the row in order, or says what is wrong."""
    row.name, row.host = row.name.strip(), row.host.strip().strip("[]")
    if not row.name:
        raise BadSite("A node needs a name.")
    try:
        row.ae_title, row.calling_ae = ae_title(row.ae_title), ae_title(row.calling_ae)
    except ValueError as error:
        raise BadSite(f"{error}.") from error
    if not _HOST.fullmatch(row.host):
        raise BadSite("The host is neither a name nor an IP address.")
    if row.facility_id is not None:
        facility = work.session.get(Facility, row.facility_id)
        if facility is None or facility.organization_id != row.organization_id:
            raise NotFound


def _flush(work: Work) -> None:
    try:
        work.session.flush()
    except IntegrityError as error:
        raise NodeTaken from error


def _record(work: Work, action: str, row: Node, detail: dict[str, Any]) -> None:
    work.record(action, organization_id=row.organization_id, subject_kind="node", subject_id=row.id, detail=detail)
    work.touch("node", row.id, row.organization_id)
