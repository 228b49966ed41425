"""What a message would become, for who connects a sender: value by value, the answer, and what would be made. Nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import structlog

from heliograph.care.orders.exam_classes import classify, modality_of
from heliograph.care.orders.rules import priority_of
from heliograph.exchange.hl7 import answers
from heliograph.exchange.hl7.answers import Conditions
from heliograph.exchange.hl7.feed import Feed, Taken
from heliograph.exchange.hl7.inbound import is_answer, remark_of, take_effect
from heliograph.exchange.hl7.mapped import Found, Scope, look
from heliograph.exchange.hl7.orm import side_of
from heliograph.exchange.hl7.pid import SEXES, Site, birth_date_of, identifier_of, names_of, site_of
from heliograph.exchange.hl7.refuse import FAILED, NOT_HL7, TAKEN, Refusal, is_ignored, refusal_of, unacceptable
from heliograph.exchange.hl7.senders import DATABASE_AWAY, actor_of, names
from heliograph.kit.actor import Actor
from heliograph.kit.codecs.hl7 import NULL, BadDtm, Message, NotHl7, OrderGroup, parse, parse_dtm
from heliograph.kit.db.session import ActorSession
from heliograph.kit.errors import HeliographError
from heliograph.kit.work import Entry, WorkFactory
from heliograph.records.sites.mapping import Value
from heliograph.records.sites.received import look as look_in_log

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SeenPath:
    """A place that was looked at. `value` None: nothing stands there; `is_null`: the sender asks to delete."""

    path: str
    value: str | None
    is_null: bool


@dataclass(frozen=True, slots=True)
class SeenValue:
    """A value: what was found and where, what it means here, what was looked at, and what is wrong with it."""

    name: str
    label: str
    value: str | None
    path: str | None
    meaning: str | None
    tried: tuple[SeenPath, ...]
    is_null: bool = False
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class SeenOrder:
    """One order of the message."""

    control: str | None
    status: str | None
    values: tuple[SeenValue, ...]


@dataclass(frozen=True, slots=True)
class SeenRefusal:
    """Why the message would not be taken: code of HL7 table 0357, place, words."""

    code: str
    place: str | None
    words: str


@dataclass(frozen=True, slots=True)
class SeenAnswer:
    """What would be answered: `accept` at once, `application` when it is processed."""

    kind: Literal["accept", "application"]
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class SeenEffect:
    """A line that the record would get."""

    action: str
    fields: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class MessagePreview:
    """All that a person sees of a pasted message."""

    message_type: str | None
    control_id: str | None
    version: str | None
    patient: tuple[SeenValue, ...]
    orders: tuple[SeenOrder, ...]
    refused: SeenRefusal | None
    answers: tuple[SeenAnswer, ...]
    effects: tuple[SeenEffect, ...]
    warnings: tuple[str, ...]


class _Undone(Exception):
    """The trial is over: all of it is rolled back."""


def preview(works: WorkFactory, text: str, feed: Feed, now: datetime) -> MessagePreview:
    """What `text`, pasted by a person, would become as a message of `feed`. It is tried in a transaction that is rolled back."""
    payload = text.strip("\x0b\x1c \t\r\n").encode()
    try:
        message = parse(payload, "UNICODE UTF-8", override="UNICODE UTF-8")
    except NotHl7:
        answer = SeenAnswer("application", "AR", _readable(answers.refused(payload, NOT_HL7, now)))
        return MessagePreview(None, None, None, (), (), _refused(NOT_HL7), (answer,), (), ())
    site = site_of(feed)
    effects: list[SeenEffect] = []
    warnings = list(_warnings(message, feed))
    taken, refusal = None, unacceptable(message, feed.endpoint)
    if is_answer(message):
        refusal = None
        warnings.append("This is an acknowledgement; it has no effect and is not answered.")
    elif refusal is None and is_ignored(message, feed.endpoint):
        taken = Taken()
        warnings.append("The feed ignores this kind of message: it would be acknowledged and have no effect.")
    elif refusal is None:
        taken, refusal, effects, known = _tried(works, message, payload, feed)
        warnings += known
    if taken is not None and (remark := remark_of(taken, message)):
        warnings.append(remark)
    return MessagePreview(
        message_type="^".join(part for part in (message.type, message.trigger) if part) or None,
        control_id=message.control_id,
        version=message.version,
        patient=tuple(_patient(message, site)),
        orders=tuple(_group(message, group, site) for group in message.groups()),
        refused=_refused(refusal) if refusal else None,
        answers=() if is_answer(message) else tuple(_answers(message, feed, taken, refusal, now)),
        effects=tuple(effects),
        warnings=tuple(warnings),
    )


def _tried(
    works: WorkFactory, message: Message, payload: bytes, feed: Feed
) -> tuple[Taken | None, Refusal | None, list[SeenEffect], list[str]]:
    """Does what the message says, notes what would be on record, and takes it all back."""
    effects: list[SeenEffect] = []
    warnings: list[str] = []
    taken: Taken | None = None
    refusal: Refusal | None = None

    def note(session: ActorSession, actor: Actor, at: datetime, entry: Entry) -> None:  # noqa: ARG001 - as Recorder
        fields = entry.detail.get("fields") or ()
        effects.append(SeenEffect(entry.action, tuple(str(f) for f in fields), entry.reason))

    endpoint = feed.endpoint
    try:
        with replace(works, recorder=note).begin(actor_of(feed, None)) as work:
            known = look_in_log(work.session, endpoint, message.control_id or "", payload, work.now)
            if known.fate is not None:
                warnings.append(
                    "This very message came before: it would be answered as then, and not be processed again."
                )
            if known.is_taken:
                refusal = TAKEN
            else:
                try:
                    taken = take_effect(work, message, feed)
                except DATABASE_AWAY:
                    raise
                except HeliographError as error:
                    refusal = refusal_of(error)
                except Exception as error:  # noqa: BLE001 - as the door does: such a message is refused and kept
                    log.warning("hl7.preview_failed", endpoint=str(endpoint.id), error=type(error).__name__)
                    refusal = FAILED
            raise _Undone
    except _Undone:
        pass
    return taken, refusal, [] if refusal else list(dict.fromkeys(effects)), warnings


def _warnings(message: Message, feed: Feed) -> Iterator[str]:
    endpoint = feed.endpoint
    if names(message) != (endpoint.application, endpoint.facility_name):
        yield "MSH-3 and MSH-4 are not this feed's: over the wire it would be another sender's, or nobody's."
    if not endpoint.is_active:
        yield "This feed is stopped: over the wire its messages are refused."
    if not message.known_charset:
        yield "MSH-18 names a character set that nobody knows; the feed's own would be used."
    if "\ufffd" in message.coding.unescape(message.payload.decode("utf-8", errors="replace")):
        yield "The text holds characters that were lost before it was pasted."


def _answers(
    message: Message, feed: Feed, taken: Taken | None, refusal: Refusal | None, now: datetime
) -> Iterator[SeenAnswer]:
    """As the door answers, in original and enhanced mode."""
    conditions = Conditions.of(message)
    is_response = feed.endpoint.order_answer == "order_response"
    early = refusal is not None and (refusal is TAKEN or unacceptable(message, feed.endpoint) is not None)
    if conditions.is_deferred and conditions.wants_accept(good=not early):
        text = (
            answers.refused(message, refusal, now, code=refusal.at_commit)
            if early and refusal is not None
            else answers.committed(message, now)
        )
        yield SeenAnswer("accept", refusal.at_commit if early and refusal is not None else "CA", _readable(text))
    if (conditions.is_deferred and early) or not conditions.wants_application(good=refusal is None):
        return
    if refusal is not None:
        yield SeenAnswer(
            "application",
            refusal.code,
            _readable(answers.refused(message, refusal, now, order_response=is_response and not early)),
        )
    elif taken is not None:
        is_response = is_response and not is_ignored(message, feed.endpoint)
        text = answers.accepted(message, now, order_response=is_response, unable=taken.unable)
        yield SeenAnswer("application", "AA", _readable(text))


def _patient(message: Message, site: Site) -> Iterator[SeenValue]:
    pid = message.segment("PID")
    if pid is None:
        return
    found = look(site.mapping.values["patient_id"], Scope(message))
    value, meaning, warning = None, None, None
    try:
        value, authority = identifier_of(pid, site)
        meaning = authority or site.patient_id_authority
    except HeliographError as error:
        warning = error.detail
    yield SeenValue("patient_id", "Patient identifier", value, found.path, meaning, _paths(found), warning=warning)
    sent_names = names_of(pid.repetitions(5))
    told = ", ".join(part for part in sent_names if part) if sent_names else None
    yield _plain("name", "Name", "PID-5", told, pid.text(5))
    try:
        birth, warning = birth_date_of(pid, message, site), None
        if birth is None and pid.text(7):
            warning = "Not a whole date: it is left out."
    except HeliographError as error:
        birth, warning = None, error.detail
    is_null = pid.get(7) is NULL
    yield _plain(
        "birth_date", "Birth date", "PID-7", birth.isoformat() if birth else None, pid.text(7), warning, is_null
    )
    sex = pid.text(8)
    yield _plain("sex", "Sex", "PID-8", SEXES.get((sex or "").strip().upper()), sex, None, pid.get(8) is NULL)


def _plain(
    name: str,
    label: str,
    path: str,
    value: str | None,
    sent: str | None,
    warning: str | None = None,
    is_null: bool = False,
) -> SeenValue:
    tried = (SeenPath(path, sent, is_null),)
    return SeenValue(name, label, value, path if sent else None, None, tried, is_null, warning)


def _group(message: Message, group: OrderGroup, site: Site) -> SeenOrder:
    scope = Scope(message, group)
    values = [v for v in site.mapping.values.values() if v.reads != "identifier"]
    found = {v.name: look(v, scope) for v in values}
    return SeenOrder(
        control=group.orc.text(1) if group.orc else None,
        status=group.orc.text(5) if group.orc else None,
        values=tuple(_seen(v, found, message, site) for v in values),
    )


def _seen(value: Value, all_found: dict[str, Found], message: Message, site: Site) -> SeenValue:
    found = all_found[value.name]
    warning = None
    if found.differing is not None:
        one, other = found.differing
        warning = f"{other} says something else than {one}: refused, since both must agree."
    return SeenValue(
        value.name,
        value.label,
        found.text,
        found.path,
        _meaning(value, all_found, message, site),
        _paths(found),
        found.is_null,
        warning,
    )


def _meaning(value: Value, all_found: dict[str, Found], message: Message, site: Site) -> str | None:
    """What the value is here, where that is not its text."""
    found = all_found[value.name]
    if value.name == "procedure":
        code, modality = all_found["procedure_code"].text, _modality(all_found["modality"].text, site)
        if not (found.text or code):
            return None
        return classify(found.text or code, code=code, modality=modality, body_part=all_found["body_part"].text).name
    if found.text is None:
        return None
    if value.name == "priority":
        priority, is_default = priority_of(found.texts, site.mapping.priorities)
        return f"{priority}, since nobody knows the code" if is_default else priority
    if value.name == "modality":
        return modality_of(_modality(found.text, site), all_found["procedure"].text)
    if value.name == "laterality":
        return side_of(found.texts)
    if value.reads == "time":
        try:
            return parse_dtm(found.text, ZoneInfo(site.time_zone), message.zone).iso()
        except BadDtm:
            return None
    return None


def _modality(sent: str | None, site: Site) -> str | None:
    return site.mapping.modalities.get((sent or "").upper(), sent)


def _paths(found: Found) -> tuple[SeenPath, ...]:
    return tuple(SeenPath(t.path, t.value if isinstance(t.value, str) else None, t.value is NULL) for t in found.tried)


def _refused(refusal: Refusal) -> SeenRefusal:
    place = refusal.fault.location
    return SeenRefusal(refusal.fault.code, str(place) if place else None, refusal.fault.text or "")


def _readable(answer: bytes) -> str:
    return answer.decode("utf-8", errors="replace").replace("\r", "\n").strip()
