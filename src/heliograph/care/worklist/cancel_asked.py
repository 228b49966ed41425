"""A site cancels an order whose images are here: what nobody reads waits, who reads it is warned, and coordinators decide."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from heliograph.care.worklist import holds
from heliograph.care.worklist.alarms import clear_alarm, raise_alarm
from heliograph.care.worklist.assign import assign_automatically
from heliograph.care.worklist.cases import reads_of
from heliograph.care.worklist.model import Case
from heliograph.care.worklist.recording import record_case
from heliograph.care.worklist.sources import order_facts
from heliograph.care.worklist.states import ACTIVE
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work

ALARM = "cancel_requested"
HOLD = "The site wants to cancel this order."
_READING = "The site cancelled this order while it is being read: tell the reader, then cancel it or let it go on."
_WAITING = "The site cancelled this order after its images came: cancel it or let it go on. Until then nobody reads it."
_REPORTED = "The site cancelled an order that is reported already: the report stays. Ask the site what it wants."


def cancel_asked(work: Work, order_id: UUID, cases: Iterable[Case], *, is_reported: bool) -> None:
    """Alarms coordinators; a case (locked) that nobody has open is held, one that somebody reads is marked on their page.

    Raises: NotFound: no such order.
    """
    order = order_facts(work.session, order_id)
    if order is None:
        raise NotFound()
    found = list(cases)
    reading = any(r.state == "reading" for case in found for r in reads_of(work, case.id))
    words = _REPORTED if is_reported else _READING if reading else _WAITING
    case_id = found[0].id if found else None
    raise_alarm(work, order.organization_id, ALARM, "order", order_id, words, case_id=case_id)
    for case in found:
        if not is_reported and not reading and not holds.is_on_hold(work.session, case.id):
            holds.hold(work, case, HOLD)
        record_case(work, "case.cancel_requested", case, order_id=order_id, is_reported=is_reported or None)


def cancel_settled(work: Work, order_id: UUID, cases: Iterable[Case]) -> None:
    """It was decided: the alarm ends, and so does the hold that came with it; a read without a reader is offered at once."""
    if not clear_alarm(work, ALARM, order_id):
        return
    for case in cases:
        if holds.reason(work.session, case.id) == HOLD:
            holds.resume(work, case)
            for read in reads_of(work, case.id):
                if read.state in ACTIVE:
                    assign_automatically(work, case, read)
