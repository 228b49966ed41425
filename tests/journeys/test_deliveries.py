"""A coordinator steps in where a report did not arrive, with the keyboard alone; every step is told on the case."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import expect

from tests.journeys.network import CT_HEAD, Network
from tests.journeys.visitor import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("journeys")]
SHOTS = os.environ.get("HELIOGRAPH_SHOTS")


def test_a_refused_report_is_told_by_phone_sent_anew_and_withdrawn(network: Network, visit: Visit) -> None:
    case, read = network.ready(CT_HEAD, reader="Tarrant")
    network.site.code = "AR"
    try:
        network.sign(read)
        nadia = visit("nadia").sign_in()
        (found,) = network.person("nadia").post("/api/search", {"words": case.accession})
        nadia.goto(f"/app/case/{found['case_id']}")
        page = nadia.page
        expect(page.get_by_role("tab", name="Deliveries")).to_be_visible()
        page.keyboard.press("3")
        table = page.get_by_role("table", name="Deliveries")
        line = table.get_by_role("row").filter(has_text="HL7")
        expect(line).to_contain_text("Held", timeout=30_000)
        for _ in range(2):
            page.keyboard.press("ArrowDown")
        while "HL7" not in (table.locator("tr.sel").inner_text()):
            page.keyboard.press("ArrowUp")
        expect(line.get_by_role("list", name="Tries")).to_contain_text("Refused. It answered AR")
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/held.png")

        page.keyboard.press("t")
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Who took it").fill("Dr Solbakken")
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/tell.png")
        page.keyboard.press("Enter")
        expect(page.get_by_role("region", name="Told by a person")).to_contain_text("Dr Solbakken, by phone")

        network.site.code = "AA"
        page.keyboard.press("n")
        dialog.get_by_role("textbox").fill("The site put it right")
        dialog.get_by_role("button", name="Send anew").click()
        expect(line).to_contain_text("Acknowledged", timeout=30_000)

        page.get_by_role("button", name="Withdraw the report").click()
        dialog.get_by_role("textbox").fill("Written about another patient")
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/withdraw.png")
        dialog.get_by_role("button", name="Withdraw").click()
        gone = table.get_by_role("row").filter(has_text="v1 withdrawn").filter(has_text="HL7")
        expect(gone).to_contain_text("Acknowledged", timeout=30_000)
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/withdrawn.png")
            page.emulate_media(color_scheme="dark")
            page.set_viewport_size({"width": 2560, "height": 1440})
            page.screenshot(path=f"{SHOTS}/dark-2560.png")
        page.keyboard.press("ArrowDown")
        expect(page.get_by_text("Report withdrawn: Written about another patient").first).to_be_visible()
    finally:
        network.site.code = "AA"
