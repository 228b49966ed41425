"""A person at a browser. What a page must never do is written down while the person works, whatever the test looks at."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from typing import cast
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Response

from heliograph.app.demo.network import PASSWORD

# Told by the page to its console, so that one ear hears it in frames too.
CSP_EAR = (
    "document.addEventListener('securitypolicyviolation', "
    "e => console.error(`CSP: ${e.effectiveDirective} refused ${e.blockedURI}`))"
)
QUIET = r"Failed to load resource"  # the browser's own words for an answer that `_answered` judges


class Visitor:
    """One person in one browser profile, on one page."""

    def __init__(self, browser: Browser, url: str, username: str, *, width: int = 1440, height: int = 900) -> None:
        self.url, self.username = url, username
        self.faults: list[str] = []
        self._expected: list[str] = []
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
            service_workers="block",
        )
        self.context.set_default_timeout(20_000)
        self.context.add_init_script(CSP_EAR)
        self.page = self.open_page()

    def open_page(self) -> Page:
        """Another window of the same person."""
        page = self.context.new_page()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", self._asked)
        page.on("response", self._answered)
        return page

    def expect(self, *faults: str) -> None:
        """These (as regular expressions) belong to what the test does."""
        self._expected += faults

    @property
    def unexpected(self) -> list[str]:
        return [fault for fault in self.faults if not any(re.search(known, fault) for known in self._expected)]

    def sign_in(self) -> Visitor:
        """By the keyboard, as everybody does."""
        self.goto("/app/")
        self.page.wait_for_selector("#username")
        self.page.keyboard.type(self.username)
        self.page.keyboard.press("Tab")
        self.page.keyboard.type(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(re.compile(r"/app/(?!sign-in)\w+"))
        return self

    def goto(self, path: str) -> None:
        self.page.goto(f"{self.url}{path}")

    def row(self, accession_or_name: str) -> Locator:
        """A line of the page's table."""
        return self.page.locator("[role=row], tr", has_text=accession_or_name).first

    def pixels(self, box: Locator) -> NDArray[np.uint8]:
        """What is on the screen in the place of `box`: grey levels [rows, columns]."""
        shot = self.page.screenshot(clip=box.bounding_box() or None, type="png")
        return cast(NDArray[np.uint8], np.asarray(Image.open(BytesIO(shot)).convert("L")))

    def close(self) -> None:
        self.context.close()

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not re.match(QUIET, message.text):
            self.faults.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _asked(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.netloc != urlsplit(self.url).netloc:
            self.faults.append(f"another host: {request.url}")

    def _answered(self, response: Response) -> None:
        # Whether somebody is signed in is asked by a page that doesn't know it yet.
        if response.status >= 400 and not (response.status == 401 and response.url.endswith("/api/session")):
            self.faults.append(f"{response.status}: {response.request.method} {urlsplit(response.url).path}")


Visit = Callable[[str], Visitor]
