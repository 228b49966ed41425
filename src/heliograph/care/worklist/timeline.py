"""A case's timeline: the record of the case, its studies and its orders, in words, with the interval between every two steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from heliograph.care.worklist.access import case_for
from heliograph.care.worklist.schemas import Promise, Timeline, TimelineInterval, TimelineSight, TimelineStep
from heliograph.care.worklist.states import CHANNEL_NAMES
from heliograph.governance.audit.queries import EventLine, events_for_case, tree_size
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.sites.queries import facility

Words = str | Callable[[EventLine], str]


def _images(event: EventLine) -> str:
    number = event.detail.get("instances") or event.detail.get("images")
    return f"{number} image{'' if number == 1 else 's'}" if number else "Images"


def _is_fetch(event: EventLine) -> bool:
    return event.detail.get("direction") == "fetch"


def _counted(event: EventLine) -> str:
    return f"{event.detail.get('received') or 0} objects"


def _hidden(event: EventLine) -> str:
    return (
        f"{_images(event)} rejected by a note"
        if event.detail.get("by_note")
        else f"{_images(event)} hidden: {event.reason}"
    )


TRIES = frozenset({"delivery.refused", "delivery.no_answer", "delivery.failed"})
STEPS: Mapping[str, Words] = {
    "order.received": "Order received",
    "order.entered": "Order entered by hand",
    "order.changed": "Order changed",
    "order.cancelled": "Order cancelled",
    "order.cancel_requested": "The site wants to cancel the order",
    "order.cancel_refused": "The site cancelled the order after its report",
    "order.kept": "The order goes on",
    "order.replaced": "Another order took its place",
    "study.first_image": "First image",
    "study.last_image": "Last image",
    "study.completed": lambda e: f"Complete, {_images(e)}",
    "study.matched": lambda e: "Matched to its order" + (f": {e.reason}" if e.reason else ""),
    "study.unmatched": lambda e: "Not matched" + (f": {e.reason}" if e.reason else ""),
    "images.rejected": _hidden,
    "images.restored": lambda e: f"{_images(e)} shown again: {e.reason}",
    "study.deleted": lambda e: f"{_images(e)} deleted: {e.reason}",
    "study.deletion_undone": lambda e: f"Deletion undone: {e.reason}",
    "study.purged": lambda e: f"{_images(e)} gone for good",
    "question.asked": "The site was asked",
    "question.answered": "The site answered",
    "question.withdrawn": "The question to the site was taken back",
    "question.closed": lambda e: "The question to the site was closed" + (f": {e.reason}" if e.reason else ""),
    "case.created": "Case made",
    "case.matched": "Provisional case matched to its order",
    "case.clock_started": lambda e: f"Clock set: {e.reason}",
    "case.ready": lambda e: "Ready while images arrive" if e.detail.get("is_arriving") else "Ready",
    "case.images_joined": lambda e: f"{_images(e)} joined before it was opened",
    "case.late_images": lambda e: f"{_images(e)} came late",
    "case.priority_changed": lambda e: f"Priority {e.detail.get('before')} became {e.detail.get('now')}",
    "case.exam_changed": "Exam changed",
    "site_report.received": lambda e: f"The site reported: {e.detail.get('status', '')}".replace(
        "appended", "addendum"
    ),
    "discrepancy.opened": lambda e: (
        "The site concludes otherwise" + (": the other side" if e.detail.get("side_differs") else "")
    ),
    "discrepancy.closed": lambda e: (
        f"Discrepancy closed: {e.detail.get('outcome', '')}" + (f", {e.reason}" if e.reason else "")
    ),
    "case.identity_changed": lambda e: f"{e.reason}",
    "case.held": lambda e: f"On hold: {e.reason}",
    "case.resumed": "Hold ended",
    "case.addendum_opened": lambda e: f"Addendum opened: {e.reason}",
    "case.cancelled": lambda e: f"Cancelled: {e.reason}",
    "case.closed": "Closed: everything is done and acknowledged",
    "read.assigned": lambda e: str(e.detail.get("why", "Assigned")),
    "read.reassigned": lambda e: f"{e.detail.get('why', 'Reassigned')}: {e.reason}" if e.reason else "Reassigned",
    "read.no_reader": lambda e: e.reason or "No eligible reader",
    "read.handed_back": lambda e: f"Handed back: {e.reason}",
    "read.no_longer_eligible": lambda e: f"Taken back: {e.reason}",
    "read.opened": "Opened, rules run again: still eligible",
    "draft.edited": "Being written",
    "report.signed": lambda e: f"Signed, version {e.detail.get('number', 1)} {e.detail.get('kind', '')}".rstrip(),
    "report.addendum_signed": lambda e: f"Addendum signed, version {e.detail.get('number', '')}".rstrip(" ,"),
    "delivery.queued": lambda e: f"Delivery queued{_channel(e)}",
    "delivery.sent": lambda e: f"Sent{_channel(e)}",
    "delivery.acknowledged": lambda e: f"Delivered{_channel(e)}",
    "delivery.refused": lambda e: f"Refused by the site{_channel(e)}" + (f". {e.reason}" if e.reason else ""),
    "delivery.no_answer": lambda e: f"No answer from the site{_channel(e)}",
    "delivery.failed": lambda e: f"Can't be sent{_channel(e)}" + (f". {e.reason}" if e.reason else ""),
    "delivery.held": lambda e: f"Held{_channel(e)}: {e.reason}",
    "delivery.retried": lambda e: f"To be tried now{_channel(e)}: {e.reason}",
    "delivery.sent_anew": lambda e: f"To be sent anew{_channel(e)}: {e.reason}",
    "delivery.cancelled": lambda e: f"Delivery cancelled{_channel(e)}: {e.reason}",
    "report.told": lambda e: f"Told by {e.detail.get('way', 'a person')}",
    "report.acknowledged": "Seen and confirmed by the site",
    "report.withdrawn": lambda e: f"Report withdrawn: {e.reason}",
}
SIGHTS: Mapping[str, Words] = {
    "images.viewed": "images opened",
    "patient.viewed": "patient seen",
    "report.viewed": "report read",
    "report.acknowledged": "report confirmed",
    "read.opened": "case opened",
    "report.signed": "report signed",
    "report.addendum_signed": "addendum signed",
    "document.viewed": "document opened",
    "question.viewed": "question to the site seen",
    "transfer.asked": lambda e: "priors asked for" if _is_fetch(e) else "study to be sent on",
    "transfer.asked_again": lambda e: "priors asked for again" if _is_fetch(e) else "study to be sent on again",
    "transfer.done": lambda e: f"priors fetched, {_counted(e)}" if _is_fetch(e) else f"study sent on, {_counted(e)}",
    "transfer.partial": lambda e: f"not all came: {e.reason}" if _is_fetch(e) else f"not all was sent on: {e.reason}",
    "transfer.failed": lambda e: f"no priors came: {e.reason}" if _is_fetch(e) else f"study not sent on: {e.reason}",
    "transfer.cancelled": "transfer cancelled",
}
BARS = (
    ("order.received", "study.first_image", "order", "Order to first image"),
    ("study.first_image", "study.last_image", "images", "Images"),
    ("study.last_image", "case.ready", "completing", "To ready"),
    ("case.ready", "read.assigned", "assigning", "To a reader"),
    ("read.assigned", "read.opened", "waiting", "Waiting for the reader"),
    ("read.opened", "report.signed", "reading", "Reading"),
    ("report.signed", "delivery.acknowledged", "delivery", "Delivery"),
    ("delivery.acknowledged", "report.acknowledged", "confirming", "Until confirmed"),
)

_STUDIES = text("select study_id from worklist.case_studies where case_id = :id")
_ORDERS = text(
    "select distinct p.order_id from worklist.case_procedures cp join orders.requested_procedures p "
    "on p.id = cp.requested_procedure_id where cp.case_id = :id"
)
_READER_ZONE = text(
    "select p.time_zone from worklist.reads r join people.reading_places p on p.reader_id = r.reader_id and p.is_current "
    "where r.case_id = :id order by r.id desc limit 1"
)


def timeline(work: Work, case_id: UUID) -> Timeline:
    """The timeline, in UTC with the two zones to show it in. Raises: NotFound."""
    session, case = work.session, case_for(work, case_id)
    place = facility(session, case.facility_id)
    if place is None:
        raise NotFound()
    values = {"id": case_id}
    studies, orders = list(session.scalars(_STUDIES, values)), list(session.scalars(_ORDERS, values))
    events = events_for_case(session, case_id, studies, orders)
    steps = _steps([e for e in events if _is_step(e)])
    has_promise = case.clock_started_at is not None and case.due_at is not None
    return Timeline(
        site_zone=place.time_zone,
        reader_zone=session.scalar(_READER_ZONE, values),
        steps=steps,
        seen=[
            TimelineSight(at=e.at, actor=e.actor_name, text=_sight(e), outcome=e.outcome)
            for e in reversed(events)
            if e.action in SIGHTS or not (e.outcome == "done" or _is_step(e))
        ],
        intervals=_bars(steps),
        promise=Promise(begin=case.clock_started_at, due=case.due_at) if has_promise else None,  # type: ignore[arg-type]
        sealed=bool(events) and all(e.position is not None for e in events),
        tree_size=tree_size(session),
    )


def _is_step(event: EventLine) -> bool:
    """A try that failed is a step of its delivery; what else was refused or failed did not move the case."""
    return event.action in STEPS and (event.outcome == "done" or event.action in TRIES)


def _steps(events: Sequence[EventLine]) -> list[TimelineStep]:
    made: list[TimelineStep] = []
    for event in events:
        before = made[-1].at if made else None
        made.append(
            TimelineStep(
                at=event.at,
                action=event.action,
                text=_said(STEPS[event.action], event),
                actor=event.actor_name,
                interval_seconds=(event.at - before).total_seconds() if before else None,
                outcome=event.outcome,
            )
        )
    return made


def _bars(steps: Sequence[TimelineStep]) -> list[TimelineInterval]:
    """The stretches of the bar: from the last time that something began before its end, to the first end."""
    first: dict[str, datetime] = {}
    for step in steps:
        action = "report.signed" if step.action == "report.addendum_signed" else step.action
        first.setdefault("order.received" if action == "order.entered" else action, step.at)
    bars = []
    for begin, end, kind, label in BARS:
        if begin in first and end in first and first[end] > first[begin]:
            bars.append(TimelineInterval(kind=kind, label=label, begin=first[begin], until=first[end]))
    return bars


def _sight(event: EventLine) -> str:
    words: Any = SIGHTS.get(event.action) or STEPS.get(event.action) or event.action.replace(".", " ").replace("_", " ")
    said = _said(words, event) if event.outcome == "done" else event.action.replace(".", " ").replace("_", " ")
    return (
        said if event.outcome == "done" else f"{event.outcome}: {said}" + (f", {event.reason}" if event.reason else "")
    )


def _said(words: Words, event: EventLine) -> str:
    return words if isinstance(words, str) else words(event)


def _channel(event: EventLine) -> str:
    channel = event.detail.get("channel")
    return f", {CHANNEL_NAMES[str(channel)]}" if str(channel) in CHANNEL_NAMES else ""
