"""A site's system that takes reports over MLLP on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.kit.settings import Settings
from tests.care.delivery.help import Receiver
from tests.cast import Cast


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"delivery_timeout_seconds": 0.5})


@pytest.fixture
def receiver(context: Context, cast: Cast, owner_url: str) -> Iterator[Receiver]:
    """Norfjord's system: answers as its `answers` say, then AA."""
    found = Receiver()
    found.listener.start()
    engine = create_engine(owner_url)
    with engine.begin() as c:
        c.execute(
            text("update sites.endpoints set port = :p, created_at = '2020-01-01' where id = :id"),
            {"p": found.listener.port, "id": cast.hl7_out},
        )
    engine.dispose()
    yield found
    found.listener.stop(grace=1)
