"""Destinations of a kind at Norfjord, for the tests of each way out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.care.delivery.deliver import Result
from heliograph.kit.seal import seal
from heliograph.records.sites.administer import add_endpoint
from heliograph.records.sites.secrets import SecretName, keep_secret
from tests.care.delivery.help import rows, try_
from tests.care.reading.help import Made, make_read, sign, with_session
from tests.cast import Cast


def destination(
    context: Context, cast: Cast, owner_url: str, kind: str, settings: dict[str, Any], **values: Any
) -> UUID:
    """An endpoint of Norfjord's facility, which is owed what is signed from now on."""
    with context.works.begin(cast.astrid) as work:
        made = add_endpoint(
            work, cast.norfjord_facility, {"kind": kind, "name": f"A {kind}", "application": "", "facility_name": "",
                                           "settings": settings, **values}
        )  # fmt: skip
    engine = create_engine(owner_url)
    with engine.begin() as c:
        c.execute(text("update sites.endpoints set created_at = '2020-01-01' where id = :id"), {"id": made})
    engine.dispose()
    return made


def secret(
    context: Context, cast: Cast, endpoint: UUID, name: SecretName, value: str | None, overlap: timedelta = timedelta()
) -> str:
    box = seal(context.settings.secrets_key, context.settings.keys_dir)
    with context.works.begin(cast.astrid) as work:
        return keep_secret(work, box, endpoint, name, value, overlap=overlap)


def signed(context: Context, cast: Cast) -> Made:
    """A case of Norfjord whose report was just signed."""
    made = make_read(context, cast)
    sign(context, with_session(context, cast.imogen), made.read_id)
    return made


def tried(context: Context, cast: Cast, channel: str) -> tuple[Any, Result | None]:
    """One try of the last row of a channel, and the row after it."""
    row = rows(context, cast, channel)[-1]
    result = try_(context, cast, row.id)
    return rows(context, cast, channel)[-1], result
