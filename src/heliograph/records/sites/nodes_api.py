"""Routes of DICOM nodes, under administration."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from heliograph.governance.access.door import ReadDep, WorkDep, require_roles
from heliograph.records.sites import nodes
from heliograph.records.sites.api import Made, Port, Text, Title
from heliograph.records.sites.nodes import NodeFacts, Tls

router = APIRouter(prefix="/api", tags=["sites"])
Administrator = Depends(require_roles("administrator"))


class NewNode(BaseModel):
    """A DICOM node that we call: an archive, a workstation."""

    organization_id: UUID
    facility_id: UUID | None = None
    name: Text
    ae_title: Title
    calling_ae: Title
    host: Text
    port: Port
    tls: Tls = "off"
    is_destination: bool = False
    is_queried: bool = False
    is_sent_to: bool = False


class NodeChange(BaseModel):
    """What may change of a node; what is left out stays."""

    facility_id: UUID | None = None
    name: Text | None = None
    ae_title: Title | None = None
    calling_ae: Title | None = None
    host: Text | None = None
    port: Port | None = None
    tls: Tls | None = None
    is_destination: bool | None = None
    is_queried: bool | None = None
    is_sent_to: bool | None = None
    is_active: bool | None = None


@router.get("/admin/nodes", dependencies=[Administrator])
def list_nodes(work: ReadDep) -> list[NodeFacts]:
    """The DICOM nodes of the organisations that you administer, active or not."""
    return nodes.nodes_of(work.session, work.actor.organizations_with("administrator"))


@router.post("/admin/nodes", dependencies=[Administrator], status_code=201)
def make_node(work: WorkDep, new: NewNode) -> Made:
    """Makes a node known."""
    values = new.model_dump()
    return Made(id=nodes.add_node(work, values.pop("organization_id"), values))


@router.patch("/admin/nodes/{node_id}", dependencies=[Administrator], status_code=204)
def change_node(work: WorkDep, node_id: UUID, change: NodeChange) -> Response:
    """Changes a node. An empty facility means that each request names one."""
    sent: dict[str, Any] = change.model_dump(exclude_unset=True)
    values = {name: value for name, value in sent.items() if value is not None or name == "facility_id"}
    nodes.change_node(work, node_id, values)
    return Response(status_code=204)
