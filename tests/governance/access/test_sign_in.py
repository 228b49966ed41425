"""POST /api/sign-in."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pyotp
import pytest
from fastapi.testclient import TestClient
from httpx import Response
from structlog.testing import capture_logs

from heliograph.app.context import Context
from heliograph.governance.access.sign_in import TRIES_PER_ADDRESS, TRIES_PER_NAME, forget_old_attempts
from heliograph.governance.access.users import begin_totp, set_active
from heliograph.kit.actor import Actor, system
from heliograph.kit.clock import FixedClock
from tests.cast import PASSWORD, Cast
from tests.governance.access.conftest import Rows
from tests.web import stranger


def _try(client: TestClient, username: str, password: str = PASSWORD, **more: str) -> Response:
    return client.post("/api/sign-in", json={"username": username, "password": password, **more})


def _second_factor(context: Context, who: Actor) -> pyotp.TOTP:
    assert who.id is not None
    with context.works.begin(system("test")) as work:
        address = begin_totp(work, who.id)
    found = pyotp.parse_uri(address)
    assert isinstance(found, pyotp.TOTP)
    return found


def test_it_works(context: Context, cast: Cast, record: Rows) -> None:
    client = stranger(context)
    answer = _try(client, "imogen")
    assert answer.status_code == 200
    body = answer.json()
    assert body["user"]["display_name"] == "Dr Imogen Tarrant"
    assert [(r["organization_name"], r["role"]) for r in body["roles"]] == [("Aurora Reading", "reader")]
    assert body["reader"]["place"]["name"] == "Sydney"
    assert "list" in body["rooms"]
    assert body["signature_needed"] is True
    assert client.get("/api/session").json()["csrf_token"] == body["csrf_token"]
    assert [(line.outcome, line.actor_name) for line in record("session.signed_in")] == [("done", "Dr Imogen Tarrant")]


def test_a_name_may_be_typed_in_any_case(context: Context, cast: Cast) -> None:
    assert _try(stranger(context), " Imogen ").status_code == 200


def test_wrong_unknown_and_stopped_answer_the_same(context: Context, cast: Cast, record: Rows) -> None:
    assert cast.otto.id is not None
    with context.works.begin(system("test")) as work:
        set_active(work, cast.otto.id, is_active=False)
    client = stranger(context)
    answers = [_try(client, "imogen", "wrong" * 4), _try(client, "nobody"), _try(client, "otto")]
    assert {a.status_code for a in answers} == {401}
    assert len({a.text for a in answers}) == 1
    assert answers[0].json()["code"] == "wrong-credentials"
    assert not client.cookies
    refused = record("session.signed_in")
    assert [(line.outcome, line.reason) for line in refused] == [("refused", "wrong-credentials")] * 3
    assert [line.subject_id for line in refused] == [cast.imogen.id, None, cast.otto.id]


def test_an_unknown_name_takes_as_long(context: Context, cast: Cast) -> None:
    client = stranger(context)
    _try(client, "warm-up")

    def fastest(username: str) -> float:
        took = []
        for _ in range(TRIES_PER_NAME):
            started = time.perf_counter()
            assert _try(client, username, "wrong" * 4).status_code == 401
            took.append(time.perf_counter() - started)
        return min(took)

    known, unknown = fastest("imogen"), fastest("nobody-of-this-name")
    assert 0.5 < known / unknown < 2


def test_a_second_factor_is_asked_and_taken(context: Context, cast: Cast) -> None:
    totp = _second_factor(context, cast.imogen)
    client = stranger(context)
    asked = _try(client, "imogen")
    assert (asked.status_code, asked.json()["code"]) == (401, "totp-needed")
    assert not client.cookies
    code = totp.now()
    assert _try(client, "imogen", totp=f"{code[:3]} {code[3:]}").status_code == 200
    again = _try(client, "imogen", totp=code)
    assert (again.status_code, again.json()["code"]) == (401, "wrong-credentials"), "a code counts once"
    assert _try(client, "imogen", totp=totp.at(int(time.time()) + 30)).status_code == 200


def test_a_wrong_second_factor_is_refused(context: Context, cast: Cast) -> None:
    totp = _second_factor(context, cast.imogen)
    right = {totp.at(int(time.time()) + 30 * step) for step in (-2, -1, 0, 1, 2)}
    wrong = next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555") if code not in right)
    client = stranger(context)
    answer = _try(client, "imogen", totp=wrong)
    assert (answer.status_code, answer.json()["code"]) == (401, "wrong-credentials")
    assert not client.cookies


def test_the_second_factor_is_not_asked_of_who_has_a_wrong_password(context: Context, cast: Cast) -> None:
    _second_factor(context, cast.imogen)
    assert _try(stranger(context), "imogen", "wrong" * 4).json()["code"] == "wrong-credentials"


def test_guessing_a_second_factor_is_limited(context: Context, cast: Cast) -> None:
    totp = _second_factor(context, cast.imogen)
    client = stranger(context)
    for _ in range(TRIES_PER_NAME):
        _try(client, "imogen")  # to be asked for the code is no failure
    for _ in range(TRIES_PER_NAME):
        assert _try(client, "imogen", totp="12345x").status_code == 401
    assert _try(client, "imogen", totp=totp.now()).status_code == 429


def test_tries_for_a_name_are_limited_with_a_doubling_wait(context: Context, cast: Cast, clock: FixedClock) -> None:
    client = stranger(context)
    for _ in range(TRIES_PER_NAME):
        clock.advance(timedelta(seconds=1))
        assert _try(client, "imogen", "wrong" * 4).status_code == 401
    for wait in (30, 60, 120):
        refused = _try(client, "imogen")  # the right password makes no difference
        assert (refused.status_code, refused.json()["code"]) == (429, "too-many-attempts")
        assert refused.headers["retry-after"] == str(wait) == str(refused.json()["retry_after"])
        clock.advance(timedelta(seconds=wait - 1))
        assert _try(client, "imogen").headers["retry-after"] == "1"
        clock.advance(timedelta(seconds=1))
        assert _try(client, "imogen", "wrong" * 4).status_code == 401
    assert _try(client, "eirik").status_code == 200, "others are not limited by it"
    clock.advance(timedelta(minutes=15, seconds=1))
    assert _try(client, "imogen").status_code == 200


def test_success_forgives_what_came_before(context: Context, cast: Cast, clock: FixedClock) -> None:
    client = stranger(context)
    for _ in range(3):
        for _ in range(TRIES_PER_NAME - 1):
            clock.advance(timedelta(seconds=1))
            assert _try(client, "imogen", "wrong" * 4).status_code == 401
        clock.advance(timedelta(seconds=1))
        assert _try(client, "imogen").status_code == 200


def test_many_guesses_at_once_are_no_way_round_the_limit(context: Context, cast: Cast) -> None:
    client = stranger(context)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: _try(client, "imogen", f"wrong {n} wrong").status_code, range(16)))
    assert sorted(answers) == [401] * TRIES_PER_NAME + [429] * (16 - TRIES_PER_NAME)


def test_tries_from_an_address_are_limited(context: Context, cast: Cast, as_owner: Rows, clock: FixedClock) -> None:
    as_owner(
        "insert into access.sign_in_attempts (username_hash, address, at, succeeded) "
        "select sha256(n::text::bytea), 'testclient', :at, false from generate_series(1, :n) n",
        at=clock.now() - timedelta(minutes=1),
        n=TRIES_PER_ADDRESS,
    )
    refused = _try(stranger(context), "imogen")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    clock.advance(timedelta(minutes=15))
    assert _try(stranger(context), "imogen").status_code == 200


def test_secrets_reach_no_log_no_answer_and_no_record(
    context: Context, cast: Cast, caplog: pytest.LogCaptureFixture, as_owner: Rows
) -> None:
    secret = "a-very-secret-word"
    caplog.set_level(logging.DEBUG)
    client = stranger(context)
    with capture_logs() as logged:
        answers = [
            _try(client, "imogen", secret),
            _try(client, secret, secret),  # people type passwords into the name
            _try(client, "imogen", secret, totp=secret),
            client.post("/api/sign-in", json={"username": {"is": secret}, "password": [secret]}),
            client.post("/api/sign-in", content=f'{{"username": "imogen", "password": "{secret}"'),
        ]
    assert [a.status_code for a in answers] == [401, 401, 401, 422, 422]
    assert not [a.text for a in answers if secret in a.text]
    assert secret not in repr(logged)
    assert secret not in caplog.text
    for table in ("audit.events", "access.sign_in_attempts", "access.sessions", "access.users"):
        assert not [row for row in as_owner(f"select t::text from {table} t") if secret in row[0]], table


def test_the_cookies_token_is_kept_nowhere(context: Context, cast: Cast, as_owner: Rows) -> None:
    client = stranger(context)
    _try(client, "imogen")
    token = client.cookies["heliograph_session"]
    for table in ("audit.events", "access.sessions"):
        assert not [row for row in as_owner(f"select t::text from {table} t") if token in row[0]], table


def test_old_tries_are_forgotten(context: Context, cast: Cast, clock: FixedClock, as_owner: Rows) -> None:
    _try(stranger(context), "imogen", "wrong")
    clock.advance(timedelta(minutes=59))
    forget_old_attempts(context.works)
    assert as_owner("select count(*) from access.sign_in_attempts") == [(1,)]
    clock.advance(timedelta(minutes=2))
    forget_old_attempts(context.works)
    assert as_owner("select count(*) from access.sign_in_attempts") == [(0,)]
