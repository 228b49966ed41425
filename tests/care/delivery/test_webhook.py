"""Webhooks: signed so that a receiver can check it, without patient data unless asked, never into our own network."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.care.delivery.webhook import read_answer, sign
from heliograph.kit.actor import system
from heliograph.kit.clock import FixedClock
from heliograph.kit.settings import Settings
from heliograph.records.sites.errors import BadSite
from heliograph.records.sites.secrets import signing_bytes
from tests.care.delivery.help import alarms, attempts, rows
from tests.care.delivery.ways import destination, secret, signed, tried
from tests.cast import Cast
from tests.kit.net.test_http_out import OK, Talk, says, server


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"outgoing_networks": "127.0.0.0/8"})


def _hook(context: Context, cast: Cast, owner_url: str, port: int, **more: object) -> UUID:
    return destination(context, cast, owner_url, "webhook", {"url": f"http://127.0.0.1:{port}/in?token=t", **more})


def _read(request: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
    return {name.lower(): value for name, _, value in lines}, body


def verified(secret_text: str, headers: dict[str, str], body: bytes) -> bool:
    """As Standard Webhooks have a receiver do it, written from its specification."""
    key = base64.b64decode(secret_text.removeprefix("whsec_"))
    signed_content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, signed_content, hashlib.sha256).digest()).decode()
    return any(
        one.partition(",")[2] == wanted for one in headers["webhook-signature"].split(" ") if one.startswith("v1,")
    )


def test_it_works(context: Context, cast: Cast, owner_url: str) -> None:
    with server(OK) as (port, taken):
        hook = _hook(context, cast, owner_url, port)
        whsec = secret(context, cast, hook, "signing", None)
        made = signed(context, cast)
        row, result = tried(context, cast, "webhook")
    assert result is not None
    assert (result.outcome, row.state, row.acknowledgement_code) == ("acknowledged", "acknowledged", "200")
    (request,) = taken
    headers, body = _read(request)
    assert verified(whsec, headers, body)
    assert not verified(whsec, headers, body + b" ")
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert headers["content-type"].startswith("application/cloudevents+json")
    event = json.loads(body)
    assert (event["specversion"], event["type"], event["id"]) == (
        "1.0",
        "heliograph.report.final",
        headers["webhook-id"],
    )
    assert event["data"]["organization"] == "norfjord"
    assert event["data"]["url"].endswith(f"/app/case/{made.case_id}")
    assert event["data"]["study_instance_uids"]
    for word in ("Larsen", "LARSEN", "Kari", 'NF-1"', "1948", "Fall from ladder"):
        assert word not in body.decode(), word
    with context.works.read(system("t", cast.norfjord)) as work:
        kept = work.session.execute(text("select * from sites.messages where endpoint_id = :e"), {"e": hook}).one()
    assert (kept.payload, kept.message_type, kept.peer) == (body, "CloudEvent", f"127.0.0.1:{port}")


def test_the_report_itself_goes_where_it_is_asked_for(context: Context, cast: Cast, owner_url: str) -> None:
    with server(OK) as (port, taken):
        secret(context, cast, _hook(context, cast, owner_url, port, with_report=True), "signing", None)
        signed(context, cast)
        tried(context, cast, "webhook")
    event = json.loads(_read(taken[0])[1])
    assert event["data"]["hl7"].startswith("MSH|")
    assert "LARSEN" in event["data"]["hl7"].upper()


def test_a_second_try_is_the_same_event_signed_anew(
    context: Context, cast: Cast, owner_url: str, clock: FixedClock
) -> None:
    answers = [b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"]
    talk: Talk = lambda line, _: line.sendall(answers.pop(0))  # noqa: E731
    with server(talk) as (port, taken):
        secret(context, cast, _hook(context, cast, owner_url, port), "signing", None)
        signed(context, cast)
        row, result = tried(context, cast, "webhook")
        assert result is not None
        assert (result.outcome, row.state) == ("no_answer", "queued")
        clock.advance(timedelta(minutes=1))
        row, result = tried(context, cast, "webhook")
    assert row.state == "acknowledged"
    (first, second) = (_read(one) for one in taken)
    assert first[1] == second[1]
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    assert attempts(context, cast, row.id) == ["no_answer", "acknowledged"]


def test_two_secrets_sign_while_one_takes_the_others_place(
    context: Context, cast: Cast, owner_url: str, clock: FixedClock
) -> None:
    with server(OK) as (port, taken):
        hook = _hook(context, cast, owner_url, port)
        old = secret(context, cast, hook, "signing", None)
        clock.advance(timedelta(minutes=1))
        new = secret(context, cast, hook, "signing", None, overlap=timedelta(hours=24))
        signed(context, cast)
        tried(context, cast, "webhook")
        headers, body = _read(taken[0])
        assert len(headers["webhook-signature"].split(" ")) == 2
        assert verified(old, headers, body)
        assert verified(new, headers, body)
        clock.advance(timedelta(hours=25))
        with context.works.begin(system("t", cast.norfjord)) as work:
            work.session.execute(
                text(
                    "update delivery.deliveries set state = 'queued', next_attempt_at = null where channel = 'webhook'"
                )
            )
            work.record("test", organization_id=cast.norfjord)
        tried(context, cast, "webhook")
    headers, body = _read(taken[1])
    assert verified(new, headers, body)
    assert not verified(old, headers, body)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "acknowledged"), (204, "acknowledged"), (302, "refused_AE"), (307, "refused_AE"), (400, "refused_AE"), (404, "refused_AE"),
     (410, "refused_AR"), (408, "no_answer"), (429, "no_answer"), (500, "no_answer"), (503, "no_answer")],
)  # fmt: skip
def test_what_an_answer_means(status: int, outcome: str) -> None:
    assert read_answer(status, b"the patient Larsen is unknown").outcome == outcome
    assert "Larsen" not in (read_answer(status, b"Larsen").detail or "")


def test_a_gone_webhook_is_held_with_an_alarm(context: Context, cast: Cast, owner_url: str) -> None:
    with server(says(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")) as (port, _):
        secret(context, cast, _hook(context, cast, owner_url, port), "signing", None)
        signed(context, cast)
        row, _ = tried(context, cast, "webhook")
    assert (row.state, row.hold_kind) == ("held", "refused")
    assert any(kind == "delivery_failed" for kind, _ in alarms(context, cast))


@pytest.mark.parametrize(
    "url", ["https://169.254.169.254/latest", "https://10.0.0.1/", "https://[::1]/", "http://192.0.2.1/"]
)
def test_our_own_network_is_not_called(context: Context, cast: Cast, owner_url: str, url: str) -> None:
    hook = destination(context, cast, owner_url, "webhook", {"url": url})
    secret(context, cast, hook, "signing", None)
    signed(context, cast)
    row, result = tried(context, cast, "webhook")
    assert result is not None
    assert (result.outcome, row.state) == ("refused_AR", "held")
    assert "not allowed" in (row.last_error or "")


def test_without_a_secret_nothing_is_sent(context: Context, cast: Cast, owner_url: str) -> None:
    with server(OK) as (port, taken):
        _hook(context, cast, owner_url, port)
        signed(context, cast)
        row, result = tried(context, cast, "webhook")
    assert (result, row.state, taken) == (None, "failed", [])
    assert "no signing secret" in row.last_error


def test_an_address_that_can_not_be_called_is_not_taken(context: Context, cast: Cast, owner_url: str) -> None:
    for url in ("ftp://a/", "https://u:p@a/", "nonsense"):
        with pytest.raises(BadSite):
            destination(context, cast, owner_url, "webhook", {"url": url})


def test_a_signature_is_as_the_specification_has_it() -> None:
    """The example of the Standard Webhooks libraries."""
    key = signing_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    assert (
        sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_nothing_is_told_of_a_secret(context: Context, cast: Cast, owner_url: str) -> None:
    hook = destination(context, cast, owner_url, "webhook", {"url": "https://hooks.example/"})
    whsec = secret(context, cast, hook, "signing", None)
    with context.works.read(system("t", cast.norfjord)) as work:
        sealed = work.session.scalar(text("select sealed from sites.endpoint_secrets"))
        record = work.session.execute(
            text("select detail from audit.events where action = 'endpoint.secret_changed'")
        ).all()
    assert whsec.encode() not in bytes(sealed)
    assert whsec not in str(record)
    assert rows(context, cast, "webhook") == []
