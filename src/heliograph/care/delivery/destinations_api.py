"""Routes of destinations, under administration: how each fares, its secrets, a test, and everything held tried again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, SecretStr

from heliograph.care.delivery import destinations as keep
from heliograph.care.delivery.destinations import Fare, OpenDelivery
from heliograph.care.delivery.trial import Trial, try_destination
from heliograph.governance.access.administering import AdministeringDep
from heliograph.governance.access.door import CurrentUser, WorkDep, require_roles
from heliograph.kit.http import SettingsDep, WorksDep
from heliograph.kit.seal import seal
from heliograph.records.sites.kinds import DESTINATIONS, checked_settings
from heliograph.records.sites.queries import endpoints_of
from heliograph.records.sites.secrets import SecretName, keep_secret

router = APIRouter(prefix="/api", tags=["delivery"])
Administrator = Depends(require_roles("administrator"))


class DestinationLine(BaseModel):
    """A destination of reports in the list."""

    id: UUID
    organization_id: UUID
    facility_id: UUID
    kind: str
    name: str
    is_active: bool
    fare: Fare


class SecretOut(BaseModel):
    """That there is a secret, and until when it is used; never the secret."""

    name: SecretName
    made_at: datetime
    ends_at: datetime | None


class DestinationOut(DestinationLine):
    """All about one destination. `settings` are as its kind has them, whole."""

    host: str | None
    port: int | None
    application: str
    facility_name: str
    charset: str
    settings: dict[str, Any]
    secrets: list[SecretOut]
    open: list[OpenDelivery]


class Reason(BaseModel):
    """Why; kept in the record."""

    reason: str = Field(max_length=500)


class Retried(BaseModel):
    """How many deliveries are tried again."""

    count: int


class NewSecret(BaseModel):
    """A secret to be kept. Without `value` a signing secret is made. The one before stays in force for `overlap_hours` more."""

    name: SecretName
    value: Annotated[SecretStr, Field(max_length=20_000)] | None = None
    overlap_hours: float = Field(24, ge=0, le=24 * 30)


class Shown(BaseModel):
    """The secret that was made, shown this once; null where you gave it."""

    secret: str | None


@router.get("/admin/destinations", dependencies=[Administrator])
def list_destinations(work: AdministeringDep) -> list[DestinationLine]:
    """The destinations of reports of the organisations that you administer, and how they fare."""
    organizations = work.actor.organizations_with("administrator")
    fares = keep.fares(work.session, organizations, work.now)
    return [
        DestinationLine(
            id=one.id,
            organization_id=one.organization_id,
            facility_id=one.facility_id,
            kind=one.kind,
            name=one.name,
            is_active=one.is_active,
            fare=fares[one.id],
        )
        for one in endpoints_of(work.session, organizations)
        if one.kind in DESTINATIONS
    ]


@router.get("/admin/destinations/{destination_id}", dependencies=[Administrator])
def read_destination(work: AdministeringDep, destination_id: UUID) -> DestinationOut:
    """One destination with what waits and how long answers take."""
    found = keep.destination(work, destination_id)
    one = found.endpoint
    return DestinationOut(
        id=one.id,
        organization_id=one.organization_id,
        facility_id=one.facility_id,
        kind=one.kind,
        name=one.name,
        is_active=one.is_active,
        fare=found.fare,
        host=one.host,
        port=one.port,
        application=one.application,
        facility_name=one.facility_name,
        charset=one.charset,
        settings=checked_settings(one.kind, one.settings),
        secrets=[SecretOut.model_validate(s, from_attributes=True) for s in found.secrets],
        open=found.open,
    )


@router.post("/admin/destinations/{destination_id}/test", dependencies=[Administrator])
def post_test(works: WorksDep, settings: SettingsDep, actor: CurrentUser, destination_id: UUID) -> Trial:
    """Sends something harmless there and shows the answer. It is recorded."""
    return try_destination(works, settings, actor, destination_id)


@router.post("/admin/destinations/{destination_id}/retry", dependencies=[Administrator])
def post_retry_held(work: AdministeringDep, destination_id: UUID, body: Reason) -> Retried:
    """Tries everything again that this destination refused or that could not be made."""
    return Retried(count=keep.retry_held(work, destination_id, body.reason))


@router.post("/admin/destinations/{destination_id}/secret", dependencies=[Administrator])
def post_secret(work: WorkDep, settings: SettingsDep, destination_id: UUID, new: NewSecret) -> Shown:
    """Keeps a secret, sealed; nobody is shown it again."""
    keep.administered(work, destination_id)
    value = new.value.get_secret_value() if new.value else None
    box = seal(settings.secrets_key, settings.keys_dir)
    made = keep_secret(work, box, destination_id, new.name, value, overlap=timedelta(hours=new.overlap_hours))
    return Shown(secret=made if value is None else None)
