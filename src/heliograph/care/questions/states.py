"""The life of a question, as a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from heliograph.care.questions.errors import IllegalStep

QuestionState = Literal["open", "answered", "closed", "withdrawn"]
Step = Literal["answer", "withdraw", "close", "settle"]
LIVE: tuple[QuestionState, ...] = ("open", "answered")

TRANSITIONS: Mapping[tuple[str, Step], QuestionState] = {
    ("open", "answer"): "answered",
    ("open", "withdraw"): "withdrawn",
    ("open", "settle"): "closed",
    ("answered", "answer"): "answered",
    ("answered", "close"): "closed",
    ("answered", "settle"): "closed",
}
"""(state, step) -> state; what is not here is refused. `settle`: what it is about does not wait any more, answered or not."""


def next_state(state: str, step: Step) -> QuestionState:
    """The state of a question after `step`. Raises: IllegalStep."""
    try:
        return TRANSITIONS[state, step]
    except KeyError:
        raise IllegalStep(f"A question that is {state} can't be {_DONE[step]}.") from None


_DONE: Mapping[Step, str] = {"answer": "answered", "withdraw": "withdrawn", "close": "closed", "settle": "closed"}
