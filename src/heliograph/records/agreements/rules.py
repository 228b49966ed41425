"""What an agreement covers and promises. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

Priority = Literal["TRAUMA1", "STROKE", "STAT", "ASAP", "URGENT", "PREOP", "TIMED", "ROUTINE", "SCREEN"]
PRIORITIES: tuple[Priority, ...] = get_args(Priority)
"""From the most to the least urgent."""


def coverage(exam_classes: Sequence[str], exam_class: str, subspecialty: str) -> int:
    """How exactly an agreement covers an exam: 3 names its class, 2 its subspecialty, 1 all exams, 0 not at all."""
    if not exam_classes:
        return 1
    if exam_class in exam_classes:
        return 3
    return 2 if f"subspecialty:{subspecialty}" in exam_classes else 0


def promised_minutes(promises: Mapping[str, int], priority: str) -> int | None:
    """Minutes for `priority`; where the agreement says nothing of it, those of the next more urgent priority that it names, else of
    the next less urgent one: in doubt the stricter promise. None: it promises nothing.

    >>> (
    ...     promised_minutes({"STAT": 30, "ROUTINE": 720}, "TRAUMA1"),
    ...     promised_minutes({"STAT": 30, "ROUTINE": 720}, "PREOP"),
    ... )
    (30, 30)
    """
    if priority in promises:
        return promises[priority]
    place = PRIORITIES.index(priority) if priority in PRIORITIES else len(PRIORITIES) - 1
    for other in (*reversed(PRIORITIES[:place]), *PRIORITIES[place:]):
        if other in promises:
            return promises[other]
    return None
