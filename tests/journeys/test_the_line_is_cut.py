"""The line to the server is cut in mid-report: not a word is lost."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.journeys.network import CT_HEAD, Network
from tests.journeys.visitor import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("journeys")]


@pytest.mark.parametrize("reload", [False, True], ids=["the page stays", "the page is closed meanwhile"])
def test_not_a_word_is_lost(network: Network, visit: Visit, reload: bool) -> None:
    _case, read_id = network.ready(CT_HEAD, reader="Tarrant")
    imogen = visit("imogen").sign_in()
    imogen.expect("ERR_INTERNET_DISCONNECTED", r"(?s)^console: .*/viewer/")  # the viewer asks on for what it prefetches
    imogen.goto(f"/app/read/{read_id}")
    findings = imogen.page.locator("[data-section=findings]")
    findings.click()
    imogen.page.keyboard.type("Before the cut.")
    expect(imogen.page.locator(".saved")).to_contain_text("Saved")

    imogen.context.set_offline(True)
    imogen.page.keyboard.type(" While the line is cut.")
    expect(imogen.page.locator(".saved")).to_contain_text("Kept in this browser")
    imogen.page.keyboard.type(" Still cut.")
    imogen.page.keyboard.press("Control+Enter")
    expect(imogen.page.get_by_text("Not signed: no line to the server.")).to_be_visible()
    if reload:
        imogen.page.close()
        imogen.context.set_offline(False)
        imogen.page = imogen.open_page()
        imogen.goto(f"/app/read/{read_id}")
    else:
        imogen.page.wait_for_timeout(1500)
        imogen.context.set_offline(False)
    expect(imogen.page.locator(".saved")).to_contain_text("Saved")
    whole = "Before the cut. While the line is cut. Still cut."
    expect(imogen.page.locator("[data-section=findings]")).to_have_text(whole)

    # The server has it: another browser of the same person shows it.
    elsewhere = visit("imogen").sign_in()
    elsewhere.goto(f"/app/read/{read_id}")
    expect(elsewhere.page.locator("[data-section=findings]")).to_have_text(whole)
