"""The ear that listens in every journey hears what it should: another host, a broken content policy, an error, a refusal."""

from __future__ import annotations

import pytest

from tests.journeys.visitor import Visit
from tools.running import Platform

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("journeys")]


@pytest.mark.parametrize(
    ("misdeed", "heard"),
    [
        ("new Image().src = 'http://127.0.0.2:9/pixel.png'", "CSP: img-src refused"),
        ("document.body.append(Object.assign(document.createElement('script'), {text: '1'}))", "CSP: script-src"),
        ("console.error('something is wrong')", "console: something is wrong"),
        ("setTimeout(() => { throw new Error('thrown') })", "error: thrown"),
        ("fetch('/api/board')", "401: GET /api/board"),
        ("location.href = 'http://127.0.0.2:9/elsewhere'", "another host: http://127.0.0.2:9/elsewhere"),
    ],
)
def test_it_is_heard(visit: Visit, misdeed: str, heard: str) -> None:
    somebody = visit("imogen")
    somebody.goto("/app/sign-in")
    somebody.page.wait_for_selector("#username")
    assert somebody.unexpected == []
    somebody.page.evaluate(f"() => {{ {misdeed} }}")

    def is_heard() -> bool:
        somebody.page.wait_for_timeout(50)
        return any(heard in fault for fault in somebody.unexpected)

    Platform.until(is_heard, 10, f"{heard} is heard")
    somebody.expect(".")
