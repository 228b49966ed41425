"""What we make ourselves is filed, never counted, never announced."""

from __future__ import annotations

import pytest

from heliograph.app.context import Context
from heliograph.kit.actor import system
from heliograph.kit.errors import NotFound
from heliograph.records.archive import queries
from heliograph.records.archive.errors import NotAnObject, OtherContent
from heliograph.records.archive.made_here import store_made_here
from heliograph.records.archive.metadata import read_document, series_documents, unpacked
from tests.cast import Cast
from tests.records.archive import files


def filed(context: Context, cast: Cast) -> queries.StudyFacts:
    entry = files.drop(context.settings.spool_dir, cast, files.ct("1.2.3", "1.2.3.4"))
    files.index(context.works, context.objects, [entry])
    with context.works.read(system("test", cast.norfjord)) as work:
        found = queries.study_by_uid(work.session, cast.norfjord, "1.2.3")
    assert found is not None
    return found


def test_it_works(context: Context, cast: Cast) -> None:
    study = filed(context, cast)
    ours = files.ct("1.2.3", "1.2.3.99", sop="1.2.3.99.1")
    for _ in range(2):
        with context.works.begin(system("reading", cast.norfjord)) as work:
            assert store_made_here(work, context.objects, cast.norfjord, study.id, ours) == "1.2.3.99.1"
    with context.works.read(system("test", cast.norfjord)) as work:
        assert queries.study(work.session, study.id) == study
        made = queries.instance_places(work.session, study.id, sop_instance_uid="1.2.3.99.1")
        assert [context.objects.get(p.object_key) for p in made] == [ours]
        documents = series_documents(work.session, study.id)
        assert len(documents) == 2
        assert b"1.2.3.99.1" in unpacked(read_document(work.session, context.objects, documents[-1])) + unpacked(
            read_document(work.session, context.objects, documents[0])
        )


def test_refusals(context: Context, cast: Cast) -> None:
    study = filed(context, cast)
    ours = files.ct("1.2.3", "1.2.3.99", sop="1.2.3.99.1")
    with context.works.begin(system("reading", cast.norfjord)) as work:
        store_made_here(work, context.objects, cast.norfjord, study.id, ours)
    other = files.ct("1.2.3", "1.2.3.99", sop="1.2.3.99.1", fill=3)
    with pytest.raises(OtherContent), context.works.begin(system("reading", cast.norfjord)) as work:
        store_made_here(work, context.objects, cast.norfjord, study.id, other)
    with pytest.raises(NotAnObject), context.works.begin(system("reading", cast.norfjord)) as work:
        store_made_here(work, context.objects, cast.norfjord, study.id, files.ct("1.2.9", "1.2.9.1"))
    with pytest.raises(NotFound), context.works.begin(system("reading", cast.llano)) as work:
        store_made_here(work, context.objects, cast.llano, study.id, ours)
