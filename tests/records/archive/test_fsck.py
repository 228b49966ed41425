"""Index and objects are compared both ways, and each kind of difference is found."""

from __future__ import annotations

from sqlalchemy import select

from heliograph.app.context import Context
from heliograph.kit.actor import system
from heliograph.records.archive.fsck import Difference, compare
from heliograph.records.archive.model import HeldObject, Instance
from tests.cast import Cast
from tests.records.archive import files


def differences(context: Context, cast: Cast, *, deep: bool = False) -> list[Difference]:
    return list(compare(context.works, context.objects, [cast.norfjord, cast.llano], deep=deep))


def instances(context: Context, cast: Cast) -> list[Instance]:
    with context.works.read(system("test", cast.norfjord)) as work:
        return list(work.session.scalars(select(Instance).order_by(Instance.id)))


def filled(context: Context, cast: Cast) -> list[Instance]:
    """Three images in the index, and two held objects: one with another content, one that is none."""
    one = files.ct("2.999.1", "2.999.1.1", 1, sop="2.999.1.1.1")
    for data in (
        one,
        files.ct("2.999.1", "2.999.1.1", 2),
        files.ct("2.999.1", "2.999.1.1", 3),
        files.ct("2.999.1", "2.999.1.1", 1, sop="2.999.1.1.1", fill=9),
        b"no DICOM at all",
    ):
        files.index(context.works, context.objects, [files.drop(context.settings.spool_dir, cast, data)])
    with context.works.read(system("test", cast.norfjord)) as work:
        assert len(work.session.scalars(select(HeldObject)).all()) == 2
    return instances(context, cast)


def test_it_works(context: Context, cast: Cast) -> None:
    filled(context, cast)
    assert differences(context, cast) == []
    assert differences(context, cast, deep=True) == []


def test_each_difference_is_found(context: Context, cast: Cast) -> None:
    gone, short, changed = filled(context, cast)
    context.objects.delete(gone.object_key)
    context.objects.put(short.object_key, context.objects.get(short.object_key)[:-2])
    data = bytearray(context.objects.get(changed.object_key))
    data[-1] ^= 1
    context.objects.put(changed.object_key, bytes(data))
    stray = f"images/{cast.norfjord}/20261125/0130/{'0' * 32}.dcm"
    context.objects.put(stray, b"x")
    missing = Difference("missing", gone.object_key, gone.id)
    shorter = Difference("wrong length", short.object_key, short.id)
    unknown = Difference("unknown", stray)
    assert set(differences(context, cast)) == {missing, shorter, unknown}
    other = Difference("changed", changed.object_key, changed.id)
    assert set(differences(context, cast, deep=True)) == {missing, shorter, unknown, other}
