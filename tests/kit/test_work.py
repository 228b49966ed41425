"""Work refuses to commit what nobody recorded."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select, text

from heliograph.app.context import Context
from heliograph.app.models import SCHEMAS
from heliograph.governance.audit.model import AuditEvent, Pending
from heliograph.governance.tenancy.model import Organization
from heliograph.kit.actor import system
from heliograph.kit.errors import NotFound
from heliograph.kit.work import BOOKKEEPING, UnrecordedChange
from tests.cast import Cast

ROBOT = system("test")


def _organization() -> Organization:
    return Organization(slug="x", name="X", short_name="X", kind="clinic")


def test_it_works(context: Context) -> None:
    with context.works.begin(ROBOT) as work:
        work.session.add(_organization())
        work.record("organization.added")
    with context.works.read(ROBOT) as work:
        assert work.session.scalar(select(Organization.slug)) == "x"
        assert work.session.scalar(select(AuditEvent.action)) == "organization.added"
        assert work.session.scalar(select(text("count(*)")).select_from(Pending)) == 1


def test_an_unrecorded_orm_change_is_refused(context: Context) -> None:
    with pytest.raises(UnrecordedChange, match=r"tenancy\.organizations"), context.works.begin(ROBOT) as work:
        work.session.add(_organization())
    _assert_nothing(context)


def test_an_unrecorded_core_change_is_refused(context: Context) -> None:
    with pytest.raises(UnrecordedChange), context.works.begin(ROBOT) as work:
        work.session.execute(insert(Organization).values(slug="x", name="X", short_name="X", kind="clinic"))
    _assert_nothing(context)


def test_an_unrecorded_copy_is_refused(context: Context) -> None:
    with pytest.raises(UnrecordedChange), context.works.begin(ROBOT) as work:
        raw = work.session.connection().connection.driver_connection
        assert raw is not None
        with (
            raw.cursor() as cursor,
            cursor.copy("copy tenancy.organizations (slug, name, short_name, kind) from stdin") as copy,
        ):
            copy.write_row(("x", "X", "X", "clinic"))
    _assert_nothing(context)


def test_a_lock_without_a_change_needs_no_record(context: Context, cast: Cast) -> None:
    with context.works.begin(ROBOT) as work:
        work.session.scalar(select(Organization).where(Organization.id == cast.norfjord).with_for_update())


def test_a_job_commits_and_rolls_back_with_its_row(context: Context) -> None:
    with pytest.raises(RuntimeError), context.works.begin(ROBOT) as work:
        work.enqueue("some.task", id="1")
        raise RuntimeError
    with context.works.begin(ROBOT) as work:
        work.enqueue("some.task", id="2")
    with context.works.read(ROBOT) as work:
        assert [r[0] for r in work.session.execute(text("select args->>'id' from jobs.procrastinate_jobs"))] == ["2"]


def test_a_refusal_is_recorded_though_its_own_transaction_is_gone(context: Context, cast: Cast) -> None:
    with pytest.raises(NotFound), context.works.begin(cast.harper):
        raise NotFound(action="case.open")
    with context.works.read(ROBOT) as work:
        line = work.session.scalars(select(AuditEvent)).one()
        assert (line.action, line.outcome, line.actor_id, line.reason) == (
            "case.open",
            "refused",
            cast.harper.id,
            "not-found",
        )


def _assert_nothing(context: Context) -> None:
    with context.works.read(ROBOT) as work:
        assert work.session.scalar(select(text("count(*)")).select_from(Organization)) == 0


def test_every_table_but_bookkeeping_notes_its_changes(context: Context) -> None:
    with context.works.read(ROBOT) as work:
        rows = work.session.execute(
            text(
                "select n.nspname, c.relname, exists (select 1 from pg_trigger t where t.tgrelid = c.oid and t.tgname = 'note_change') "
                "from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r' and n.nspname = any(:schemas)"
            ),
            {"schemas": list(SCHEMAS)},
        ).all()
    assert {(s, t) for s, t, noted in rows if not noted} == BOOKKEEPING


def test_what_an_earlier_transaction_changed_does_not_count(context: Context) -> None:
    """Counters of PostgreSQL's statistics would: they are flushed a second later."""
    with context.works.begin(ROBOT) as work:
        work.session.add(_organization())
        work.record("organization.added")
    for _ in range(3):
        with context.works.begin(ROBOT) as work:
            work.session.execute(text("select id from tenancy.organizations for update"))
