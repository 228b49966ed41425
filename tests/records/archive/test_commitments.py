"""Storage commitments in the database: one row a transaction, one caller's is not another's, tries are counted and bounded."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from heliograph.app.context import Context
from heliograph.kit.actor import system
from heliograph.kit.clock import FixedClock
from heliograph.kit.errors import NotFound
from heliograph.records.archive import commitments
from heliograph.records.archive.commitments import GRACE, TransactionTaken
from tests.cast import Cast

ONE = [("1.2.840.10008.5.1.4.1.1.2", "2.999.1")]


def ask(context: Context, cast: Cast, caller: UUID, references: list[tuple[str, str]] = ONE) -> UUID:
    with context.works.begin(system("t", cast.norfjord)) as work:
        return commitments.ask(work, cast.norfjord, caller, ("NF_CT1", "HELIO_NF"), "2.999.7", references)


def due(context: Context, cast: Cast) -> list[UUID]:
    with context.works.read(system("t", cast.norfjord)) as work:
        return [found[0] for found in commitments.due(work.session, work.now)]


def test_a_transaction_is_one_row_of_its_caller(context: Context, cast: Cast) -> None:
    first, other = uuid4(), uuid4()
    assert ask(context, cast, first) == ask(context, cast, first)
    assert ask(context, cast, first) != ask(context, cast, other)
    with pytest.raises(TransactionTaken):
        ask(context, cast, first, [("1.2.840.10008.5.1.4.1.1.2", "2.999.2")])


def test_one_try_at_a_time_and_none_before_it_is_due(context: Context, cast: Cast, clock: FixedClock) -> None:
    asked = ask(context, cast, uuid4())
    works, actor = context.works, system("t", cast.norfjord)
    with works.begin(actor) as work:
        assert commitments.claim(work, asked, only_due=True) is None
    clock.advance(GRACE)
    assert due(context, cast) == [asked]
    with works.begin(actor) as work:
        assert commitments.claim(work, asked, only_due=True) is not None
    with works.begin(actor) as work:
        assert commitments.claim(work, asked, only_due=True) is None
    assert due(context, cast) == []


def test_tries_end_after_a_day(context: Context, cast: Cast, clock: FixedClock) -> None:
    asked = ask(context, cast, uuid4())
    tries = 0
    while tries < 1000:
        clock.advance(timedelta(minutes=1))
        with context.works.read(system("t", cast.norfjord)) as work:
            if commitments.commitment(work.session, asked) is None:
                break
        if due(context, cast):
            with context.works.begin(system("t", cast.norfjord)) as work:
                commitments.claim(work, asked, only_due=True)
                commitments.note_undelivered(work, asked, "Nobody listens.")
            tries += 1
        else:
            clock.advance(timedelta(minutes=14))
    assert 20 < tries < 200


def test_another_organisation_sees_none(context: Context, cast: Cast, clock: FixedClock) -> None:
    asked = ask(context, cast, uuid4())
    clock.advance(GRACE)
    with context.works.read(system("t", cast.llano)) as work:
        assert commitments.commitment(work.session, asked) is None
        assert commitments.due(work.session, work.now) == []
        with pytest.raises(NotFound):
            commitments.claim(work, asked, only_due=True)
