"""A destination is tried with something harmless, and what it answered is shown: no report, no patient, nothing queued."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from heliograph.care.delivery import drop, email_notice, hl7, sftp, webhook
from heliograph.care.delivery.channel import Prepared, Result, Try
from heliograph.care.delivery.destinations import administered
from heliograph.care.delivery.errors import CannotBuild, NotTried
from heliograph.governance.access.administering import administering
from heliograph.governance.tenancy.queries import organization
from heliograph.kit.actor import Actor
from heliograph.kit.codecs.hl7 import encode, escape, format_dtm
from heliograph.kit.settings import Settings
from heliograph.kit.work import Work, WorkFactory
from heliograph.records.sites.kinds import EmailSettings, FolderSettings, WebhookSettings
from heliograph.records.sites.queries import EndpointFacts

WORDS = "This is a test of the connection. It holds no report and no patient data."
NAME = "heliograph-test.txt"
SHOWN = 2_000
"""Characters of an answer that are shown."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it. `answer`: what the other side said to the test, as text."""

    is_ok: bool
    words: str
    answer: str | None
    seconds: float


Talk = Callable[[], Result]


def try_destination(works: WorkFactory, settings: Settings, actor: Actor, endpoint_id: UUID) -> Trial:
    """Tries a destination, outside any transaction; that it was tried, and how it went, is recorded.

    Raises: NotFound, NotTried (it can't be: its settings lack something, or it is tried elsewhere).
    """
    with works.begin(administering(actor)) as work:
        facts = administered(work, endpoint_id)
        if facts.kind not in _TRIALS:
            raise NotTried
        try:
            talk = _TRIALS[facts.kind](work, settings, facts)
        except CannotBuild as error:
            raise NotTried(error.detail) from error
    started = time.monotonic()
    result = talk()
    seconds = round(time.monotonic() - started, 3)
    is_ok, words = _verdict(facts, result)
    with works.begin(administering(actor)) as work:
        work.record(
            "endpoint.tested",
            organization_id=facts.organization_id,
            subject_kind="endpoint",
            subject_id=endpoint_id,
            outcome="done" if is_ok else "failed",
            reason=result.outcome if not is_ok else None,
            detail={"kind": facts.kind, "seconds": seconds},
        )
    said = result.answer.decode("utf-8", errors="replace")[:SHOWN].replace("\0", "") if result.answer else None
    return Trial(is_ok, words, said.replace("\r", "\n") if said else None, seconds)


def _verdict(facts: EndpointFacts, result: Result) -> tuple[bool, str]:
    """Any acknowledgement of our very message proves the way there and back, also one that says that such messages are not taken."""
    if result.outcome in ("acknowledged", "stored"):
        return True, {
            "hl7_out": "It answered, and took the test message.",
            "webhook": f"It answered {result.code}.",
            "email": "The mail server took the notice for every recipient.",
        }.get(facts.kind, f"A file named {NAME} is there now.")
    if facts.kind == "hl7_out" and result.outcome in ("refused_AE", "refused_AR"):
        return True, f"It answered {result.code}: it is there, and does not take the test message, which tells nothing."
    return False, result.detail or "It did not work."


def _hl7(work: Work, settings: Settings, to: EndpointFacts) -> Talk:
    """NMD^N02, an application management data message (HL7 v2.5.1 14.3.3): it is about systems, not patients."""
    if not to.host or not to.port:
        raise CannotBuild("This destination has no address.")
    id_ = "TEST" + secrets.token_hex(6).upper()
    text = (
        f"MSH|^~\\&|HELIOGRAPH||{escape(to.application)}|{escape(to.facility_name)}|{format_dtm(work.now)}||NMD^N02^NMD_N02|{id_}|P|2.5.1\r"
        f"NST|N\rNTE|1||{escape(WORDS)}\r"
    )
    prepared = Prepared(encode(text, "ASCII"), "NMD^N02", "", (to.host, to.port))
    return lambda: hl7.talk(settings, _none(to, id_), prepared)


def _webhook(work: Work, settings: Settings, to: EndpointFacts) -> Talk:
    url = WebhookSettings.model_validate(to.settings).url
    keys, id_ = webhook.keys_of(work, settings, to.id), "test_" + secrets.token_hex(12)
    body = webhook.event(id_, settings.public_url, webhook.TEST_TYPE, work.now, None, {"text": WORDS})
    return lambda: webhook.post(settings, url, keys, id_, body)


def _email(work: Work, settings: Settings, to: EndpointFacts) -> Talk:
    email_notice.server(settings)
    mail = email_notice.Mail(tuple(EmailSettings.model_validate(to.settings).recipients))
    id_ = "test." + secrets.token_hex(12)
    message = email_notice.notice(settings, id_, mail, f"Test of notices: {to.name}", f"{WORDS}\n", work.now)
    return lambda: email_notice.send(settings, mail, message)


def _folder(work: Work, settings: Settings, to: EndpointFacts) -> Talk:
    client = organization(work.session, to.organization_id)
    if client is None:
        raise CannotBuild("The organisation is gone.")
    where = Path(client.slug) / FolderSettings.model_validate(to.settings).folder
    return lambda: drop.drop(settings.drop_folder, where, _files())


def _sftp(work: Work, settings: Settings, to: EndpointFacts) -> Talk:
    server = sftp.server_of(work, settings, to)
    return lambda: sftp.put(settings, server, _files())


def _files() -> drop.Files:
    return drop.Files(((NAME, f"{WORDS}\n".encode()),))


def _none(to: EndpointFacts, id_: str) -> Try:
    """A try of no delivery, for a channel's `talk`, which looks at the control id alone."""
    nothing = UUID(int=0)
    return Try(nothing, to.organization_id, nothing, nothing, 0, "hl7", id_)


_TRIALS: Mapping[str, Callable[[Work, Settings, EndpointFacts], Talk]] = {
    "hl7_out": _hl7,
    "webhook": _webhook,
    "email": _email,
    "folder": _folder,
    "sftp": _sftp,
}
