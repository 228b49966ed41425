"""A view is on record once per actor, study and session."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from heliograph.app.context import Context
from heliograph.governance.access.model import SessionRow
from heliograph.kit.actor import Actor, machine, system
from heliograph.kit.errors import NotFound
from heliograph.records.archive import queries
from heliograph.records.archive.views import record_view
from tests.cast import Cast
from tests.records.archive import files


def with_session(owner_url: str, actor: Actor, context: Context) -> Actor:
    engine = create_engine(owner_url)
    with Session(engine) as s:
        row = SessionRow(
            token_hash=f"{actor.id}".encode(),
            csrf_token="c",
            user_id=actor.id,
            expires_at=context.works.clock.now() + timedelta(hours=1),
        )
        s.add(row)
        s.commit()
        session_id = row.id
    engine.dispose()
    return replace(actor, session_id=session_id)


def filed(context: Context, cast: Cast) -> UUID:
    entry = files.drop(context.settings.spool_dir, cast, files.ct("1.2.3", "1.2.3.4"))
    files.index(context.works, context.objects, [entry])
    with context.works.read(system("test", cast.norfjord)) as work:
        found = queries.study_by_uid(work.session, cast.norfjord, "1.2.3")
    assert found is not None
    return found.id


def views(owner_url: str) -> list[str]:
    engine = create_engine(owner_url)
    with Session(engine) as s:
        rows = s.execute(text("select actor_name from audit.events where action = 'images.viewed' order by id")).all()
    engine.dispose()
    return [row.actor_name for row in rows]


def test_it_works(context: Context, cast: Cast, owner_url: str) -> None:
    study = filed(context, cast)
    eirik, runa = with_session(owner_url, cast.eirik, context), with_session(owner_url, cast.runa, context)
    told = []
    for actor in (eirik, eirik, runa):
        with context.works.begin(actor) as work:
            told.append(record_view(work, study))
    assert told == [True, False, True]
    assert views(owner_url) == [eirik.name, runa.name]


def test_a_key_is_recorded_once_in_twelve_hours(context: Context, cast: Cast, owner_url: str) -> None:
    study = filed(context, cast)
    key = machine("key viewer", cast.caller, cast.norfjord)
    for _ in range(2):
        with context.works.begin(key) as work:
            record_view(work, study)
    assert views(owner_url) == ["key viewer"]


def test_an_outsider_has_nothing_to_see(context: Context, cast: Cast, owner_url: str) -> None:
    study = filed(context, cast)
    with pytest.raises(NotFound), context.works.begin(cast.harper) as work:
        record_view(work, study)
    assert views(owner_url) == []
