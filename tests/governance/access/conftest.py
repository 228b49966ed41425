"""What the tests of access share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import create_engine, text

Rows = Callable[..., Sequence[Any]]


@pytest.fixture
def record(owner_url: str) -> Rows:
    """The record's lines of one action, as the owner sees them: (action, outcome, actor_name, organization_id, subject_id, reason)."""

    def lines(action: str) -> Sequence[Any]:
        engine = create_engine(owner_url)
        with engine.connect() as connection:
            found = connection.execute(
                text(
                    "select action, outcome, actor_name, organization_id, subject_id, reason from audit.events "
                    "where action = :action order by id"
                ),
                {"action": action},
            ).all()
        engine.dispose()
        return found

    return lines


@pytest.fixture
def as_owner(owner_url: str) -> Rows:
    """Runs SQL as the owner of the tables; gives the rows, if any."""

    def run(sql: str, **values: Any) -> Sequence[Any]:
        engine = create_engine(owner_url)
        with engine.begin() as connection:
            result = connection.execute(text(sql), values)
            rows = result.all() if result.returns_rows else []
        engine.dispose()
        return rows

    return run
