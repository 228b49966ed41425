"""What delivery announces."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from heliograph.kit.events import Event


@dataclass(frozen=True, slots=True)
class DeliveryAcknowledged(Event):
    """A destination has the version: its own acknowledgement says so."""

    organization_id: UUID
    case_id: UUID
    delivery_id: UUID


@dataclass(frozen=True, slots=True)
class DeliveryCancelled(Event):
    """A person ended it: nothing is sent there any more."""

    organization_id: UUID
    case_id: UUID
    delivery_id: UUID
