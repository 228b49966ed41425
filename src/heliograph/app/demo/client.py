"""A person at a browser, for the demonstration without one: signs in and uses the same API as the pages."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

import httpx

T = TypeVar("T")


class Unexpected(RuntimeError):
    """The server did not answer as it should in the demonstration."""


class Person:
    """A signed-in person."""

    def __init__(self, base_url: str, username: str, password: str) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=30)
        self._password = password
        session = self._json(self._http.post("/api/sign-in", json={"username": username, "password": password}))
        self._http.headers["X-CSRF-Token"] = session["csrf_token"]
        self.name: str = session["user"]["display_name"]

    def __enter__(self) -> Person:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets the connection go; the session stays."""
        self._http.close()

    def session(self) -> dict[str, str]:
        """The headers with which another client is the same person."""
        return {"Cookie": self.cookie, "X-CSRF-Token": self._http.headers["X-CSRF-Token"]}

    @property
    def cookie(self) -> str:
        """The session's cookie, as a header's value."""
        return "; ".join(f"{name}={value}" for name, value in self._http.cookies.items())

    def get(self, path: str) -> Any:
        return self._json(self._http.get(path))

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return self._json(self._http.post(path, json=body or {}))

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self._json(self._http.put(path, json=body))

    def bytes(self, path: str, accept: str = "*/*") -> bytes:
        answer = self._http.get(path, headers={"Accept": accept})
        if answer.status_code != 200:
            raise Unexpected(f"GET {answer.request.url.path} answered {answer.status_code}")
        return answer.content

    def prove(self) -> None:
        """Types the password for signing."""
        self.post("/api/session/prove", {"password": self._password})

    @staticmethod
    def _json(answer: httpx.Response) -> Any:
        if answer.is_success:
            return answer.json() if answer.content else None
        try:
            detail = answer.json().get("detail", "")
        except ValueError:
            detail = ""
        raise Unexpected(f"{answer.request.method} {answer.request.url.path} answered {answer.status_code}: {detail}")


def until(found: Callable[[], T | None], timeout: float, what: str) -> T:
    """Asks every 0.1 s until there is something. Raises Unexpected after `timeout` seconds."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if (value := found()) is not None:
            return value
        time.sleep(0.1)
    raise Unexpected(f"{what} within {timeout:.0f} s")
