"""Comparing the index with the objects, both ways. Nothing is changed: a person decides what a difference means."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import func, select

from heliograph.kit.actor import system
from heliograph.kit.codecs.dicom import DicomError, read_file_meta
from heliograph.kit.db.session import ActorSession
from heliograph.kit.objects import Objects
from heliograph.kit.work import WorkFactory
from heliograph.records.archive.model import DiscardedObject, HeldObject, Instance

Kind = Literal["missing", "wrong length", "changed", "unknown"]
KINDS: tuple[Kind, ...] = ("missing", "wrong length", "changed", "unknown")
PLACES = ("images", "made", "held")
"""Where the archive's objects are; metadata documents are made anew when they are missing."""
_AT_ONCE = 500
_PIECE = 8 << 20


@dataclass(frozen=True, slots=True)
class Difference:
    """One disagreement. `missing`, `wrong length` and `changed` objects are in the index; an `unknown` one is in no index."""

    kind: Kind
    key: str
    instance_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    key: str
    offset: int
    length: int
    data_set: int
    sha256: bytes
    instance_id: UUID | None


def count_indexed(session: ActorSession) -> int:
    """How many objects the index of the actor's organisations names."""
    instances = session.scalar(select(func.count()).select_from(Instance)) or 0
    return instances + (session.scalar(select(func.count()).select_from(HeldObject)) or 0)


def compare(
    works: WorkFactory,
    objects: Objects,
    organizations: Iterable[UUID],
    *,
    deep: bool = False,
    on_each: Callable[[], None] = lambda: None,
) -> Iterator[Difference]:
    """Each difference, organisation by organisation; `deep` also reads every object and compares its digest.

    `organizations` are all that there are: what lies in the folder of another is unknown. It may run while images come: an object is
    placed before its row is committed, so only what was there before the index was read counts as unknown. `on_each` is called for
    each indexed object.
    """
    every: set[str] = set()
    for organization_id in organizations:
        sizes = dict(_sizes(objects, str(organization_id)))
        listed = {str(organization_id)}
        named: set[str] = set()
        for rows in _indexed(works, organization_id):
            # What was filed again may lie in the folder of the id that the organisation had in a database that is lost.
            for other in sorted({folder_of(row.key) for row in rows} - listed):
                sizes.update(_sizes(objects, other))
                listed.add(other)
            for row in rows:
                named.add(row.key)
                found = _check(objects, row, sizes.get(row.key), deep=deep)
                if found is not None:
                    yield Difference(found, row.key, row.instance_id)
                on_each()
        with works.read(system("fsck", organization_id)) as work:  # what is being deleted is known
            named.update(work.session.scalars(select(DiscardedObject.object_key)))
        yield from (Difference("unknown", key) for key in sorted(sizes.keys() - named))
        every |= listed
    for place in PLACES:
        for folder in objects.folders(place):
            if folder not in every:
                yield from (Difference("unknown", key) for key, _ in objects.below(f"{place}/{folder}"))


def unknown_objects(works: WorkFactory, objects: Objects, folder: UUID, organization_id: UUID) -> list[tuple[str, int]]:
    """(key, length in bytes) of each object in `folder` that the organisation's index does not name, oldest first in each place."""
    sizes = dict(_sizes(objects, str(folder)))  # before the index is read: see `compare`
    with works.read(system("fsck", organization_id)) as work:
        for column in (Instance.object_key, HeldObject.object_key, DiscardedObject.object_key):
            query = select(column).where(column.class_.organization_id == organization_id)
            for key in work.session.scalars(query.execution_options(yield_per=5000)):
                sizes.pop(key, None)
    return sorted(sizes.items())


def folder_of(key: str) -> str:
    """The part of a key that names the organisation."""
    return key.split("/", 2)[1] if "/" in key else ""


def _sizes(objects: Objects, folder: str) -> Iterator[tuple[str, int]]:
    for place in PLACES:
        yield from objects.below(f"{place}/{folder}")


def _check(objects: Objects, row: _Row, size: int | None, *, deep: bool) -> Kind | None:
    if size is None:
        # It may have been placed after the listing.
        if not objects.exists(row.key):
            return "missing"
        return _digest(objects, row) if deep else None
    if size < row.offset + row.length:
        return "wrong length"
    return _digest(objects, row) if deep else None


def _digest(objects: Objects, row: _Row) -> Kind | None:
    whole, data_set = hashlib.sha256(), hashlib.sha256()
    data_set_at = row.data_set if row.instance_id is not None else _data_set(objects, row.key)
    at = 0
    while at < row.length:
        piece = objects.get_range(row.key, row.offset + at, min(_PIECE, row.length - at))
        whole.update(piece)
        data_set.update(piece[max(0, data_set_at - at) :])
        at += len(piece)
    # Of an object that could not be read, the digest is that of the whole file.
    wanted = {data_set.digest()} if row.instance_id is not None else {data_set.digest(), whole.digest()}
    return None if row.sha256 in wanted else "changed"


def _indexed(works: WorkFactory, organization_id: UUID) -> Iterator[list[_Row]]:
    """The index in pieces, each read in a transaction of its own."""
    last: UUID | None = None
    while True:
        query = (
            select(Instance).where(Instance.organization_id == organization_id).order_by(Instance.id).limit(_AT_ONCE)
        )
        with works.read(system("fsck", organization_id)) as work:
            found = work.session.scalars(query if last is None else query.where(Instance.id > last)).all()
            rows = [
                _Row(i.object_key, i.object_offset, i.object_length, i.dataset_offset, i.sha256, i.id) for i in found
            ]
        if not rows:
            break
        last = rows[-1].instance_id
        yield rows
    with works.read(system("fsck", organization_id)) as work:
        held = work.session.scalars(select(HeldObject).where(HeldObject.organization_id == organization_id)).all()
        rows = [_Row(h.object_key, 0, h.object_length, 0, h.sha256, None) for h in held]
    yield rows


def _data_set(objects: Objects, key: str) -> int:
    """Where the data set of a held object begins; 0 if that can't be told."""
    try:
        return read_file_meta(memoryview(objects.get(key))).data_set_offset
    except (DicomError, FileNotFoundError):
        return 0
