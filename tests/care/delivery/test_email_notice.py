"""Notices by e-mail: a link and no patient data; every recipient or none; TLS as it is set up."""

from __future__ import annotations

import email
import email.policy
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from heliograph.app.context import Context
from heliograph.records.sites.errors import BadSite
from tests.care.delivery.help import alarms
from tests.care.delivery.smtp_server import Mailbox
from tests.care.delivery.ways import destination, signed, tried
from tests.cast import Cast
from tests.kit.net.dicom.certificates import issue

TO = {"recipients": ["desk@norfjord.example", "night@norfjord.example"]}
Open = Callable[..., Mailbox]


@pytest.fixture
def mailbox(context: Context) -> Iterator[Open]:
    """Opens a mail server and points the settings at it."""
    opened: list[Mailbox] = []

    def open_(tls: str = "none", **values: Any) -> Mailbox:
        box = Mailbox(**values)
        opened.append(box)
        told = {
            "smtp_host": "127.0.0.1",
            "smtp_port": box.port,
            "smtp_tls": tls,
            "smtp_from": "Heliograph <no-reply@read.example>",
        }
        for name, value in told.items():
            setattr(context.settings, name, value)
        return box

    yield open_
    for box in opened:
        box.stop()


def _told(context: Context, cast: Cast, owner_url: str) -> UUID:
    return destination(context, cast, owner_url, "email", TO)


def _server_context(context: Context, folder: Path) -> ssl.SSLContext:
    authority = issue(folder, "authority", is_authority=True)
    ours = issue(folder, "mail", authority)
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(ours.certificate, ours.key)
    context.settings.outgoing_ca_file = authority.certificate
    return found


def test_it_works(context: Context, cast: Cast, owner_url: str, mailbox: Open) -> None:
    box = mailbox()
    _told(context, cast, owner_url)
    made = signed(context, cast)
    row, result = tried(context, cast, "email")
    assert result is not None
    assert (result.outcome, row.state) == ("acknowledged", "acknowledged"), result
    ((sender, recipients, data),) = box.mails
    assert (sender, recipients) == ("no-reply@read.example", TO["recipients"])
    mail = email.message_from_bytes(data, policy=email.policy.default)
    assert mail["Subject"].startswith("A report is ready")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == f"<{row.message_control_id}@read.example>"
    text = mail.get_content()
    assert f"/app/case/{made.case_id}" in text
    for word in ("LARSEN", "Larsen", "Kari", "NF-1", "Fall from ladder", "CT"):
        assert word not in text + mail["Subject"], word


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_over_tls_with_a_sign_in(
    context: Context, cast: Cast, owner_url: str, mailbox: Open, tmp_path: Path, tls: str
) -> None:
    box = mailbox(tls, context=_server_context(context, tmp_path), is_tls=tls == "tls", login=("helio", "secret"))
    context.settings.smtp_user, context.settings.smtp_password = "helio", SecretStr("secret")
    _told(context, cast, owner_url)
    signed(context, cast)
    row, result = tried(context, cast, "email")
    assert row.state == "acknowledged", result
    assert len(box.mails) == 1
    assert ("STARTTLS" in box.commands) == (tls == "starttls")


def test_a_server_that_is_not_trusted_gets_nothing(
    context: Context, cast: Cast, owner_url: str, mailbox: Open, tmp_path: Path
) -> None:
    box = mailbox("starttls", context=_server_context(context, tmp_path))
    context.settings.outgoing_ca_file = None
    _told(context, cast, owner_url)
    signed(context, cast)
    row, result = tried(context, cast, "email")
    assert result is not None
    assert (result.outcome, row.state, box.mails) == ("not_connected", "queued", [])
    assert "certificate is not trusted" in row.last_error


def test_without_starttls_nothing_goes_in_the_clear(
    context: Context, cast: Cast, owner_url: str, mailbox: Open
) -> None:
    box = mailbox("starttls")
    _told(context, cast, owner_url)
    signed(context, cast)
    row, _ = tried(context, cast, "email")
    assert (row.state, box.mails) == ("held", [])
    assert not any(c.startswith("MAIL") for c in box.commands)


@pytest.mark.parametrize(
    ("replies", "outcome", "state"),
    [
        ({"rcpt to:<night@norfjord.example>": b"550 unknown"}, "refused_AE", "queued"),
        ({"rcpt to:<night@norfjord.example>": b"451 grey"}, "no_answer", "queued"),
        ({"MAIL": b"550 no"}, "refused_AE", "queued"),
        ({"end of data": b"452 full"}, "no_answer", "queued"),
        ({"end of data": b"554 spam"}, "refused_AE", "queued"),
        ({"banner": b"554 go away"}, "not_connected", "queued"),
    ],
)
def test_what_the_mail_server_says(
    context: Context, cast: Cast, owner_url: str, mailbox: Open, replies: dict[str, bytes], outcome: str, state: str
) -> None:
    """One recipient that is refused is enough: nobody is told twice by the next try."""
    box = mailbox(replies=replies)
    _told(context, cast, owner_url)
    signed(context, cast)
    row, result = tried(context, cast, "email")
    assert result is not None
    assert (result.outcome, row.state, box.mails) == (outcome, state, [])
    assert "norfjord.example" not in (row.last_error or "")


def test_nobody_there(context: Context, cast: Cast, owner_url: str, mailbox: Open) -> None:
    mailbox().stop()
    _told(context, cast, owner_url)
    signed(context, cast)
    row, result = tried(context, cast, "email")
    assert result is not None
    assert (result.outcome, row.state) == ("not_connected", "queued")


def test_a_server_that_says_nothing_is_left(context: Context, cast: Cast, owner_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for name, value in {
            "smtp_host": "127.0.0.1", "smtp_port": silent.getsockname()[1], "smtp_tls": "none", "smtp_from": "a@read.example",
            "delivery_timeout_seconds": 0.4,
        }.items():  # fmt: skip
            setattr(context.settings, name, value)
        _told(context, cast, owner_url)
        signed(context, cast)
        row, result = tried(context, cast, "email")
    assert result is not None
    assert (result.outcome, row.state) in {("not_connected", "queued"), ("no_answer", "queued")}


def test_without_a_mail_server_it_fails_with_an_alarm(context: Context, cast: Cast, owner_url: str) -> None:
    _told(context, cast, owner_url)
    signed(context, cast)
    row, result = tried(context, cast, "email")
    assert (result, row.state) == (None, "failed")
    assert "HELIOGRAPH_SMTP_HOST" in row.last_error
    assert any(kind == "delivery_failed" for kind, _ in alarms(context, cast))


@pytest.mark.parametrize("wrong", ["", "a", "a@b\r\nBcc: x@y", "a@b,c@d", "<a@b>", "a b@c"])
def test_what_is_no_recipient(context: Context, cast: Cast, owner_url: str, wrong: str) -> None:
    with pytest.raises(BadSite):
        destination(context, cast, owner_url, "email", {"recipients": [wrong]})
