"""Being signed in: the cookie, its ends."""

from __future__ import annotations

from heliograph.app.context import Context
from tests.cast import Cast
from tests.web import sign_in_as, stranger


def test_it_works(context: Context, cast: Cast) -> None:
    imogen = sign_in_as(context, cast.imogen)
    answer = imogen.get("/api/session")
    assert answer.status_code == 200
    assert answer.json()["user"]["username"] == "imogen"
