"""Often asked, seldom told."""

from __future__ import annotations

from heliograph.kit.seldom import Seldom


def test_one_goes_through_and_the_rest_are_counted() -> None:
    now = [100.0]
    seldom = Seldom(60, lambda: now[0])
    assert [seldom.times("a"), seldom.times("a"), seldom.times("b"), seldom.times("a")] == [1, 0, 1, 0]
    now[0] += 60
    assert [seldom.times("a"), seldom.times("b"), seldom.times("a")] == [3, 1, 0]


def test_keys_do_not_grow_without_end() -> None:
    seldom = Seldom(60)
    assert {seldom.times(number) for number in range(20_000)} == {1}
    assert len(seldom._held) <= 10_000
