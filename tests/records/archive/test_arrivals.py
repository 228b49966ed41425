"""Other content under one SOP Instance UID, sent at the same moment: each but the first is told of (field report C01)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from heliograph.app.context import Context
from heliograph.kit.actor import system
from heliograph.records.archive import indexer, spool
from heliograph.records.archive.arrivals import Arrivals
from heliograph.records.archive.look import look
from tests.cast import Cast
from tests.records.archive import files


@pytest.fixture
def arrivals(context: Context) -> Iterator[Arrivals]:
    made = Arrivals(context.works)
    yield made
    made.close()


def test_of_many_at_once_one_is_the_first(context: Context, cast: Cast, arrivals: Arrivals) -> None:
    def send(data: bytes) -> str | None:
        with spool.incoming(context.settings.spool_dir, cast.norfjord, cast.norfjord_facility, None) as entry:
            entry.write(data)
            header = look(entry).header
            assert header is not None
            return arrivals.commit(entry, header)

    for number in range(8):
        data = [files.ct("1.2.3", "1.2.3.1", sop=f"1.2.3.1.{number}", fill=fill) for fill in range(4)]
        with ThreadPoolExecutor(len(data)) as pool:
            told = list(pool.map(send, data))
        assert (told.count(None), told.count("warning")) == (1, 3)
        indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=0)
        with context.works.read(system("test", cast.norfjord)) as work:
            assert len(files.held_objects(work.session)) == 3 * (number + 1)
        assert send(data[told.index(None)]) is None, "what was told to be first is what is filed"


def test_another_organisation_may_use_the_same_uid(context: Context, cast: Cast, arrivals: Arrivals) -> None:
    """Equal UIDs of two organisations are unrelated, and neither is told of the other."""
    for organization, facility, fill in (
        (cast.norfjord, cast.norfjord_facility, 0),
        (cast.llano, cast.llano_facility, 1),
    ):
        with spool.incoming(context.settings.spool_dir, organization, facility, None) as entry:
            entry.write(files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1", fill=fill))
            header = look(entry).header
            assert header is not None
            assert arrivals.commit(entry, header) is None
        indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=0)
