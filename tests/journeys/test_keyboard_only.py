"""A reader without a mouse: signs in, chooses, opens, writes, fills in, signs, goes on."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from heliograph.app.demo.network import PASSWORD
from tests.journeys.network import CT_HEAD, Network
from tests.journeys.visitor import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("journeys")]


def focused(page: Page) -> str:
    """The section or field that has the keyboard."""
    name: str = page.evaluate(
        "(() => { const e = document.activeElement; "
        "return e?.dataset.section ?? e?.closest('[data-field]')?.dataset.field ?? e?.tagName ?? '' })()"
    )
    return name


def tab_to(page: Page, wanted: str, most: int = 60) -> None:
    """Tab until the keyboard is in `wanted`."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if focused(page) == wanted:
            return
    raise AssertionError(f"Tab does not come to {wanted}")


def test_a_report_by_the_keyboard_alone(network: Network, visit: Visit) -> None:
    # Urgent, so that they are the first two to read of whatever else waits.
    reads = [network.ready(CT_HEAD, "S", reader="Tarrant")[1] for _ in range(2)]
    imogen = visit("imogen").sign_in()
    imogen.expect(r"401: POST /api/reads/[\w-]+/sign$")
    page = imogen.page
    expect(page.locator("tr[data-id]").nth(1)).to_be_visible()

    chosen = page.locator("tr[aria-selected=true]")
    page.keyboard.press("j")
    page.keyboard.press("k")
    before = chosen.get_attribute("data-id")
    page.keyboard.press("j")
    expect(chosen).not_to_have_attribute("data-id", before or "")
    page.keyboard.press("k")
    expect(chosen).to_have_attribute("data-id", before or "")

    page.keyboard.press("n")
    page.wait_for_url("**/app/read/*")
    first = page.url.rsplit("/", 1)[1]
    expect(page.locator("[data-section=findings]")).to_be_visible()
    tab_to(page, "findings")
    page.keyboard.type("No haemorrhage.\nNo mass.")
    tab_to(page, "impression")
    page.keyboard.type("Normal CT of the head.")

    # A required field stops the signature, and the keyboard is put there.
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Not signed").first).to_be_visible()
    page.keyboard.press("Alt+n")
    expect(page.locator(".saved")).to_contain_text("Saved")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator(".rep .signed")).to_contain_text("Signed by")

    # The next one, and its signature asks for no password.
    page.keyboard.press("n")
    page.wait_for_url(lambda url: "/app/read/" in url and not url.endswith(first))
    expect(page.locator("[data-section=findings]")).to_be_visible()
    tab_to(page, "findings")
    page.keyboard.type("Normal.")
    tab_to(page, "impression")
    page.keyboard.type("No acute finding.")
    page.keyboard.press("Alt+n")
    expect(page.locator(".saved")).to_contain_text("Saved")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".rep .signed")).to_contain_text("Signed by")
    assert first in reads
