"""The life cycle of a read, and the derived state of a case."""

from __future__ import annotations

import pytest

from heliograph.care.worklist.errors import IllegalStep
from heliograph.care.worklist.states import READ, DeliveryState, case_state, is_finished, next_state

STATES = ("waiting", "ready", "assigned", "reading", "done", "cancelled")
STEPS = sorted({step for _, step in READ})


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("step", STEPS)
def test_every_step_is_in_the_table_or_refused(state: str, step: str) -> None:
    if (state, step) in READ:
        assert next_state(state, step) in STATES
    else:
        with pytest.raises(IllegalStep):
            next_state(state, step)


def test_done_and_cancelled_are_the_end() -> None:
    assert not [pair for pair in READ if pair[0] in ("done", "cancelled")]


HL7, PAGE, ARCHIVE = (lambda s, v=1, c=c: DeliveryState(v, c, s) for c in ("hl7", "page", "archive"))


@pytest.mark.parametrize(
    ("reads", "deliveries", "extra", "state"),
    [
        (["waiting"], [], {}, "arriving"),
        (["ready"], [], {}, "ready"),
        (["ready"], [], {"has_no_reader": True}, "no_reader"),
        (["ready"], [], {"is_arriving": True}, "arriving"),
        (["assigned"], [], {}, "assigned"),
        (["assigned"], [], {"is_arriving": True}, "arriving"),
        (["reading"], [], {"is_arriving": True}, "reading"),
        (["done"], [], {}, "signed"),
        (["done"], [HL7("queued"), PAGE("queued")], {}, "signed"),
        (["done"], [HL7("acknowledged"), PAGE("queued")], {}, "delivered"),
        (["done"], [HL7("acknowledged"), HL7("sent")], {}, "signed"),
        (["done"], [HL7("failed"), PAGE("acknowledged")], {}, "acknowledged"),
        (["done"], [ARCHIVE("acknowledged")], {}, "signed"),  # our own archive is not the site
        (["done"], [HL7("acknowledged"), HL7("queued", 2)], {}, "signed"),  # the addendum counts now
        (["done", "assigned"], [PAGE("acknowledged")], {}, "assigned"),  # an addendum is open
        (["cancelled"], [], {}, "cancelled"),
        (["done", "cancelled"], [], {}, "signed"),
    ],
)
def test_case_state(reads: list[str], deliveries: list[DeliveryState], extra: dict[str, bool], state: str) -> None:
    assert case_state(reads, deliveries, **extra) == state


@pytest.mark.parametrize(
    ("reads", "deliveries", "finished"),
    [
        (["done"], [], False),
        (["done"], [HL7("acknowledged"), PAGE("acknowledged")], True),
        (["done"], [HL7("acknowledged"), PAGE("queued")], False),
        (["done", "ready"], [HL7("acknowledged")], False),
        (["cancelled"], [], True),
        (["done"], [HL7("failed", 1), HL7("acknowledged", 2)], True),
    ],
)
def test_is_finished(reads: list[str], deliveries: list[DeliveryState], finished: bool) -> None:
    assert is_finished(reads, deliveries) is finished
