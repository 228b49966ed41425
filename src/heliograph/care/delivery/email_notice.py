"""A notice by e-mail that a report is ready: a link and no patient data, since nobody knows who reads a mailbox.

An acknowledgement is the mail server's word that it has the notice for each recipient (RFC 5321 4.2.5, 250 after the data): all of
them or none, so that a second try doubles nothing.
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from heliograph.care.delivery.channel import Prepared, Result, Try, connect_timeout
from heliograph.care.delivery.errors import CannotBuild
from heliograph.care.reading.queries import version
from heliograph.kit.errors import NotFound
from heliograph.kit.net.outward import Clock, ended_after, reason, trust
from heliograph.kit.settings import Settings
from heliograph.kit.work import Work
from heliograph.records.sites.kinds import EmailSettings
from heliograph.records.sites.queries import facility

MESSAGE_TYPE = "E-mail"
KINDS = {
    "preliminary": "A preliminary report is ready",
    "final": "A report is ready",
    "addendum": "An addendum to a report is ready",
    "corrected": "A corrected report is ready",
    "withdrawn": "A report was withdrawn",
}


@dataclass(frozen=True, slots=True)
class Mail:
    """Who is told."""

    recipients: tuple[str, ...]


def prepare(work: Work, settings: Settings, one: Try) -> Prepared:
    """The notice, made at the first try. Raises: CannotBuild, NotFound."""
    if one.destination is None:
        raise CannotBuild("This destination has no recipients.")
    host = server(settings)
    to = Mail(tuple(EmailSettings.model_validate(one.destination.settings).recipients))
    if one.kept is not None:
        return Prepared(one.kept, MESSAGE_TYPE, host, to)
    report, site = version(work.session, one.version_id), facility(work.session, one.destination.facility_id)
    if report is None or site is None:
        raise NotFound
    kind = "withdrawn" if one.is_withdrawal else report.kind
    link = f"{settings.public_url.rstrip('/')}/app/case/{one.case_id}"
    text = (
        f"{KINDS[kind]} for {site.name} (version {report.number}).\n\nRead it here, after you have signed in:\n{link}\n\n"
        "This notice holds no patient data. Don't answer it: nobody reads the answers.\n"
    )
    subject = f"{KINDS[kind]}, {site.short_name}"
    return Prepared(notice(settings, one.control_id, to, subject, text, work.now), MESSAGE_TYPE, host, to)


def talk(settings: Settings, one: Try, prepared: Prepared) -> Result:  # noqa: ARG001 (a channel's signature)
    """Hands it to the mail server."""
    return send(settings, prepared.to, prepared.payload)


def notice(settings: Settings, id_: str, to: Mail, subject: str, text: str, at: datetime) -> bytes:
    """The message (RFC 5322); the same id on every try, so that a mailbox can tell a repeat."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = settings.smtp_from or ""
    mail["To"] = ", ".join(to.recipients)
    mail["Subject"] = subject
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{id_}@{(settings.smtp_from or '').rpartition('@')[2].rstrip('>')}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no robot answers
    mail.set_content(text)
    return mail.as_bytes()


def send(settings: Settings, to: Mail, message: bytes) -> Result:
    """One conversation with the mail server; every recipient or none."""
    try:
        with ended_after(settings.delivery_timeout_seconds) as clock, _connect(settings, clock) as smtp:
            return _converse(settings, smtp, to, message)
    except smtplib.SMTPAuthenticationError as error:
        return Result("refused_AE", f"The mail server refused our sign-in ({error.smtp_code}).", str(error.smtp_code))
    except smtplib.SMTPNotSupportedError:
        return Result("refused_AR", "The mail server offers no STARTTLS, or no way to sign in.")
    except smtplib.SMTPConnectError as error:
        return Result("not_connected", f"The mail server is not ready ({error.smtp_code}).", str(error.smtp_code))
    except smtplib.SMTPException:
        return Result("no_answer", "The mail server broke off.")
    except OSError as error:
        return Result("not_connected", f"The mail server could not be reached: {reason(error)}.")


def server(settings: Settings) -> str:
    if not settings.smtp_host or not settings.smtp_from:
        raise CannotBuild("No mail server is set up: HELIOGRAPH_SMTP_HOST and HELIOGRAPH_SMTP_FROM.")
    return f"{settings.smtp_host}:{settings.smtp_port}"


def _connect(settings: Settings, clock: Clock) -> smtplib.SMTP:
    host, port, seconds = settings.smtp_host or "", settings.smtp_port, connect_timeout(settings)
    context: ssl.SSLContext = trust(settings.outgoing_ca_file)
    if settings.smtp_tls == "tls":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=seconds, context=context)
    else:
        smtp = smtplib.SMTP(host, port, timeout=seconds)
    try:
        _watch(smtp, clock)
        if settings.smtp_tls == "starttls":
            smtp.starttls(context=context)
            _watch(smtp, clock)
    except BaseException:
        smtp.close()
        raise
    return smtp


def _watch(smtp: smtplib.SMTP, clock: Clock) -> None:
    if smtp.sock is not None:
        clock.watch(smtp.sock)


def _converse(settings: Settings, smtp: smtplib.SMTP, to: Mail, message: bytes) -> Result:
    if settings.smtp_user:
        smtp.login(settings.smtp_user, settings.smtp_password.get_secret_value() if settings.smtp_password else "")
    smtp.ehlo_or_helo_if_needed()
    sender = (settings.smtp_from or "").rpartition("<")[2].rstrip(">")
    code, _ = smtp.mail(sender)
    if code != 250:
        return _refused(code, "our address as the sender")
    for number, recipient in enumerate(to.recipients, start=1):
        code, _ = smtp.rcpt(recipient)
        if code not in (250, 251):
            smtp.rset()
            return _refused(code, f"recipient {number} of {len(to.recipients)}; nobody was told")
    code, answer = smtp.data(message)
    return Result("acknowledged", None, str(code), answer) if code == 250 else _refused(code, "the notice")


def _refused(code: int, what: str) -> Result:
    """4xx asks for another try, 5xx is final (RFC 5321 4.2.1)."""
    words = f"The mail server refused {what} ({code})."
    return Result("no_answer" if 400 <= code < 500 else "refused_AE", words, str(code))
