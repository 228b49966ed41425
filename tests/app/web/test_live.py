"""GET /api/events on a real server: who hears what, what follows a lost connection, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.governance.access.users import set_active
from heliograph.kit.actor import system
from tests.app.web.live_server import Running, listening, serving
from tests.cast import Cast


@pytest.fixture
def web(context: Context, cast: Cast) -> Iterator[Running]:
    with serving(context) as running:
        yield running


def _touch(context: Context, topic: str, id_: object, *organizations: object) -> None:
    with context.works.begin(system("test")) as work:
        work.touch(topic, id_, *organizations)  # type: ignore[arg-type]


def test_it_works(web: Running, context: Context, cast: Cast) -> None:
    id_ = uuid4()
    with web.sign_in(cast.eirik) as eirik, listening(eirik) as stream:
        assert stream.next() == ("resync", {})
        _touch(context, "case", id_, cast.norfjord)
        assert stream.next() == ("changed", {"topic": "case", "id": str(id_)}), "the ids and nothing else"


def test_an_outsider_hears_nothing(web: Running, context: Context, cast: Cast) -> None:
    hidden, shown = uuid4(), uuid4()
    with (
        web.sign_in(cast.harper) as harper, listening(harper) as at_llano,
        web.sign_in(cast.nadia) as nadia, listening(nadia) as coordinator,
        web.sign_in(cast.imogen) as imogen, listening(imogen) as reader,
        web.sign_in(cast.astrid) as astrid, listening(astrid) as administrator,
        web.sign_in(cast.pat) as pat, listening(pat) as operator,
        web.sign_in(cast.olga) as olga, listening(olga) as elsewhere,
    ):  # fmt: skip
        everybody = (at_llano, coordinator, reader, administrator, operator, elsewhere)
        for stream in everybody:
            assert stream.next() == ("resync", {})
        _touch(context, "case", hidden, cast.norfjord)
        assert coordinator.next() == ("changed", {"topic": "case", "id": str(hidden)})
        _touch(context, "case", shown, cast.llano, cast.aurora)
        changed = ("changed", {"topic": "case", "id": str(shown)})
        assert at_llano.next() == coordinator.next() == reader.next() == changed
        assert all(stream.silent() for stream in (at_llano, reader, administrator, operator, elsewhere))


def test_what_is_rolled_back_is_not_told(web: Running, context: Context, cast: Cast) -> None:
    second = uuid4()
    with web.sign_in(cast.eirik) as eirik, listening(eirik) as stream:
        stream.next()
        with pytest.raises(ZeroDivisionError), context.works.begin(system("test")) as work:
            work.touch("case", uuid4(), cast.norfjord)
            work._send_touched()
            raise ZeroDivisionError
        _touch(context, "order", second, cast.norfjord)
        assert stream.next() == ("changed", {"topic": "order", "id": str(second)})


def test_a_lost_connection_to_the_database_is_followed_by_resync(web: Running, context: Context, cast: Cast) -> None:
    id_ = uuid4()
    with web.sign_in(cast.eirik) as eirik, listening(eirik) as stream:
        stream.next()
        engine = create_engine(context.database_url)
        with engine.connect() as connection:
            ear = "query ilike 'listen%' and datname = current_database()"
            sql = f"select count(pg_terminate_backend(pid)) from pg_stat_activity where {ear}"
            assert connection.scalar(text(sql)) == 1
        engine.dispose()
        assert stream.next() == ("resync", {})
        _touch(context, "case", id_, cast.norfjord)
        assert stream.next() == ("changed", {"topic": "case", "id": str(id_)})


def test_a_stream_ends_with_its_session(web: Running, context: Context, cast: Cast) -> None:
    with web.sign_in(cast.eirik) as eirik, listening(eirik) as stream:
        stream.next()
        assert eirik.delete("/api/session").status_code == 204
        assert stream.ended.wait(10)
        _touch(context, "case", uuid4(), cast.norfjord)
        assert stream.silent()


def test_a_stream_ends_when_its_person_is_stopped_elsewhere(web: Running, context: Context, cast: Cast) -> None:
    assert cast.eirik.id is not None
    with web.sign_in(cast.eirik) as eirik, listening(eirik) as stream:
        stream.next()
        with context.works.begin(system("elsewhere")) as work:
            set_active(work, cast.eirik.id, is_active=False)
        assert stream.ended.wait(10)


def test_a_stranger_gets_no_stream(web: Running, cast: Cast) -> None:
    import httpx

    assert httpx.get(f"{web.url}/api/events").status_code == 401


def test_ctrl_c_ends_within_four_seconds_with_a_stream_open(web: Running, cast: Cast) -> None:
    with web.sign_in(cast.eirik) as eirik, listening(eirik) as stream:
        stream.next()
        started = time.monotonic()
        web.server.should_exit = True  # what its signal handler does
        web.thread.join(10)
        assert not web.thread.is_alive()
        assert time.monotonic() - started < 4
        assert stream.ended.wait(5)
