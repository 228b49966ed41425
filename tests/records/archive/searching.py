"""Studies to search for, each different in one way, and a search of them in one line."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import pydicom
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid
from sqlalchemy import ColumnElement

from heliograph.app.context import Context
from heliograph.kit.actor import Actor, system
from heliograph.records.archive.search import Key, Level, Options, Scope, Search, matching, prepare
from heliograph.records.archive.search_attributes import tag_of
from heliograph.records.archive.search_results import Match, Wanted, described, page
from tests.cast import Cast
from tests.records.archive import files


def made(study: str, series: str | None = None, number: int = 1, **attributes: Any) -> bytes:
    """A CT slice with these attributes besides, or instead; None takes one away. Its UIDs begin with the study's."""
    series = series or f"{study}.1"
    ds = pydicom.dcmread(io.BytesIO(files.ct(study, series, number, sop=f"{series}.{number}")))
    for keyword, value in attributes.items():
        if value is None:
            ds.pop(int(tag_of(keyword), 16), None)
        else:
            setattr(ds, keyword, value)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def item(**attributes: Any) -> Dataset:
    """An item of a sequence."""
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def items(*datasets: Dataset) -> Sequence:
    return Sequence(datasets)


def filed(context: Context, cast: Cast, *data: bytes) -> None:
    """Files them as Norfjord's."""
    with tempfile.TemporaryDirectory() as folder:
        files.index(context.works, context.objects, [files.drop(Path(folder), cast, one) for one in data])


def keys_of(**keys: str) -> list[Key]:
    """Keys by keyword; `Sequence__Keyword` is a key of its items."""
    return [Key(tuple(tag_of(k) for k in name.split("__")), text) for name, text in keys.items()]


def searched(
    context: Context,
    cast: Cast,
    level: Level,
    keys: list[Key],
    *,
    wanted: Wanted | None = None,
    options: Options | None = None,
    actor: Actor | None = None,
    only: ColumnElement[bool] | None = None,
    limit: int = 100,
    offset: int = 0,
) -> tuple[Search, list[Match]]:
    """The search and what it finds, as the platform acting for Norfjord unless said otherwise."""
    search, scope = prepare(level, keys, options), Scope(cast.norfjord, only)
    with context.works.read(actor or system("test", cast.norfjord)) as work:
        ids = matching(work.session, scope, search, limit=limit, offset=offset)
        found = described(work.session, scope, level, ids, wanted or Wanted({}))
        assert page(work.session, scope, search, wanted or Wanted({}), limit=limit, offset=offset) == found
        return search, found


def studies(context: Context, cast: Cast, options: Options | None = None, **keys: str) -> set[str]:
    """The Study Instance UIDs that a search at study level finds; every key is one that is matched on."""
    search, found = searched(context, cast, "STUDY", keys_of(**keys), options=options)
    assert search.unsupported == ()
    return {match.study_instance_uid for match in found}


def new_uid() -> str:
    return generate_uid()
