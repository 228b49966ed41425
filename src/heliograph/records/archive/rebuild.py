"""Making the index anew from the objects: what no row names is read and filed again, where its key says that it came from.

It goes the way of indexing, batch by batch, each a transaction: killed and begun again it goes on where it was, and it may run while
images come. What it must not do is make work again that was done: see `refile`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.exc import DataError, InterfaceError, OperationalError

from heliograph.kit.actor import system
from heliograph.kit.log import log
from heliograph.kit.objects import Objects
from heliograph.kit.work import WorkFactory
from heliograph.records.archive.examine import UNREADABLE, Examined, examine
from heliograph.records.archive.fsck import unknown_objects
from heliograph.records.archive.owners import Owner
from heliograph.records.archive.place import origin_of
from heliograph.records.archive.refile import Item, Rebuilt, refile
from heliograph.records.archive.spool import SpooledObject

_log = log(__name__)

BATCH, BATCH_BYTES = 200, 1 << 29
_PLACES = ("images", "held", "made")  # an object of ours needs its study, a held one the one that it differs from
_PIECE = 8 << 20


@dataclass(frozen=True)
class Rebuild:
    """How to: `wait` is for how long after it came a study is taken for new, and waits for its order; `dry_run` rolls all back."""

    works: WorkFactory
    objects: Objects
    scratch: Path
    """Where objects of a bucket are put to be read."""
    wait: timedelta = timedelta(days=3)
    dry_run: bool = False


def rebuild(
    how: Rebuild,
    owner: Owner,
    unknown: Sequence[tuple[str, int]] | None = None,
    *,
    on_each: Callable[[int], None] = lambda _n: None,
) -> Rebuilt:
    """Files what the index of `owner` does not name of its folder; `on_each` is told how many objects are dealt with.

    Raises:
        OperationalError: the database went away. What is filed stays so; the next run goes on.
        OutOfSpace, OSError: the object store or the scratch folder.
    """
    done = Rebuilt()
    how.scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    if unknown is None:
        unknown = unknown_objects(how.works, how.objects, owner.folder, owner.organization_id)
    for place in _PLACES:
        wanted = [(key, length) for key, length in unknown if key.startswith(f"{place}/")]
        for batch in _batches(wanted):
            with TemporaryDirectory(dir=how.scratch, prefix="rebuild-") as folder:
                items = list(_read(how.objects, owner, batch, Path(folder), done))
                if items:
                    done.add(_commit(how, owner, place, items))
            on_each(len(batch))
    if not how.dry_run and any(done.detail().values()):
        with how.works.begin(system("rebuild", owner.organization_id)) as work:
            work.record(
                "archive.rebuilt",
                organization_id=owner.organization_id,
                subject_kind="organization",
                subject_id=owner.organization_id,
                detail=done.detail(),
            )
    return done


def _batches(wanted: Sequence[tuple[str, int]]) -> Iterator[list[tuple[str, int]]]:
    batch: list[tuple[str, int]] = []
    size = 0
    for key, length in wanted:
        if batch and (len(batch) >= BATCH or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((key, length))
        size += length
    if batch:
        yield batch


def _read(
    objects: Objects, owner: Owner, batch: Sequence[tuple[str, int]], folder: Path, done: Rebuilt
) -> Iterator[Item]:
    for number, (key, length) in enumerate(batch):
        origin = origin_of(key)
        if origin is None:
            done.left["its key is none of ours"] += 1
            continue
        facility_id = owner.facility_of(origin)
        if facility_id is None:
            done.left["its facility is not known"] += 1
            continue
        path = objects.path_of(key) or _fetched(objects, key, length, folder / f"{number}.dcm")
        file = SpooledObject(
            path, owner.organization_id, facility_id, owner.caller_of(origin), origin.received_at, origin.id, length
        )
        try:
            yield Item(key, examine(file))
        except FileNotFoundError:
            done.left["it went away"] += 1


def _fetched(objects: Objects, key: str, length: int, path: Path) -> Path:
    with path.open("wb") as file:
        for at in range(0, length, _PIECE):
            file.write(objects.get_range(key, at, min(_PIECE, length - at)))
    return path


def _commit(how: Rebuild, owner: Owner, place: str, items: Sequence[Item]) -> Rebuilt:
    """One transaction; if it fails, halves of it, so that one object does not keep others from being filed."""
    done = Rebuilt()
    begin = how.works.read if how.dry_run else how.works.begin
    try:
        with begin(system("rebuild", owner.organization_id)) as work:
            before = work.now - how.wait
            refile(work, how.objects, owner.organization_id, place, items, before, done, dry_run=how.dry_run)
            if not how.dry_run:
                work.record("archive.objects_refiled", organization_id=owner.organization_id, detail=done.detail())
    except (OperationalError, InterfaceError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever one object does, the others must be filed
        if len(items) > 1:
            done, middle = Rebuilt(), len(items) // 2
            for half in (items[:middle], items[middle:]):
                done.add(_commit(how, owner, place, half))
            return done
        return _set_aside(how, owner, place, items[0], error)
    return done


def _set_aside(how: Rebuild, owner: Owner, place: str, item: Item, error: Exception) -> Rebuilt:
    is_values = isinstance(error, DataError)
    _log.error(
        "an object could not be filed", key=item.key, why=type(error).__name__, exc_info=None if is_values else error
    )
    if is_values and item.entry.facts is not None:
        entry = Examined(
            item.entry.file, None, item.entry.sha256, UNREADABLE, "the index can't keep a value of this object"
        )
        return _commit(how, owner, place, [Item(item.key, entry)])
    return Rebuilt(left=Counter({f"it could not be filed ({type(error).__name__})": 1}))
