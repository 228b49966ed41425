"""The board and my list find their rows by index, as the application role under row-level security, among thousands of cases."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.care.worklist import board, queries
from heliograph.kit.actor import Actor, RoleHeld
from tools.bench.bench_worklist import fill


@pytest.fixture
def ids(owner_url: str) -> dict[str, object]:
    return dict(fill(owner_url, 3000))


def _plan(context: Context, ids: dict[str, object], role: str, sql: str, **values: object) -> str:
    actor = Actor("user", role, ids[role], (), (RoleHeld(ids["group"], role),))  # type: ignore[arg-type]
    with context.works.read(actor) as work:
        assert work.session.scalar(text("select current_user")) == "heliograph_app"
        return "\n".join(work.session.scalars(text(f"explain (costs off) {sql}"), values))


def test_the_board_reads_open_cases_in_the_order_of_their_deadlines(context: Context, ids: dict[str, object]) -> None:
    plan = _plan(
        context, ids, "coordinator", board._OPEN.text,
        clients=[ids["client"], ids["group"]], groups=[ids["group"]], limit=100,
    )  # fmt: skip
    assert "ix_cases_open" in plan
    assert "Seq Scan on cases" not in plan
    assert "Seq Scan on reads" not in plan


def test_my_list_reads_one_readers_reads(context: Context, ids: dict[str, object]) -> None:
    with context.works.read(Actor("system", "test")) as work:
        reader = work.session.scalar(text("select id from people.readers limit 1"))
    plan = _plan(context, ids, "reader", queries._MINE.text, reader=reader)
    assert "ix_reads_reader" in plan
    assert "Seq Scan on reads" not in plan


def test_unmatched_studies_are_found_by_their_own_index(context: Context, ids: dict[str, object]) -> None:
    plan = _plan(context, ids, "coordinator", board._UNMATCHED.text, clients=[ids["client"]])
    assert "ix_studies_waiting" in plan
