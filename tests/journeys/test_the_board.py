"""The coordinator's board: what waits for a person comes to it by itself, with the one thing to do."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from tests.journeys.network import CT_HEAD, ULTRASOUND_KENYA, XRAY_TEXAS, Network
from tests.journeys.visitor import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("journeys")]


def test_an_unmatched_study_is_matched_by_hand(network: Network, visit: Visit) -> None:
    nadia = visit("nadia").sign_in()
    case = network.exam(XRAY_TEXAS)
    network.order(case)
    # The accession was mistyped at the scanner.
    network.send_small(replace(case, accession=f"{case.accession}9"))
    waiting = nadia.page.locator(".needs li", has_text="Llano Verde").filter(
        has=nadia.page.get_by_role("button", name="Match")
    )
    waiting.first.get_by_role("button", name="Match").click()
    dialog = nadia.page.get_by_role("dialog")
    candidate = dialog.locator("label", has_text=case.accession)
    expect(candidate).to_contain_text("differs")
    candidate.get_by_role("radio").check()
    dialog.get_by_role("textbox", name=re.compile("Reason")).fill("Accession typed wrongly at the scanner")
    dialog.get_by_role("button", name=re.compile("Match to PRESCOTT-IBE")).click()
    expect(dialog).to_have_count(0)
    expect(waiting).to_have_count(0)
    expect(nadia.row("PRESCOTT-IBE")).to_contain_text("Castellan")


def test_a_case_without_a_reader_says_why(network: Network, visit: Visit) -> None:
    nadia = visit("nadia").sign_in()
    case = network.exam(ULTRASOUND_KENYA)
    network.order(case)
    network.send_small(case)
    line = nadia.row("KAMAU")
    line.get_by_role("button", name="Find reader").click()
    dialog = nadia.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Nobody else may read it now")
    reasons = dialog.locator("tbody tr")
    expect(reasons.first).to_be_visible()
    for reader in reasons.all():
        assert reader.locator(".wy").inner_text().strip(), "each reader has a written reason"
    nadia.page.keyboard.press("Escape")
    expect(nadia.page.locator(".needs")).to_contain_text("Nobody can read it now")


def test_a_refused_delivery_is_raised_and_sent_again(network: Network, visit: Visit) -> None:
    nadia = visit("nadia").sign_in()
    case, read_id = network.ready(CT_HEAD, reader="Tarrant")
    network.site.code = "AE"
    try:
        network.sign(read_id)
        trouble = nadia.page.locator(".needs li", has_text="TVEIT").filter(
            has=nadia.page.get_by_role("button", name="Retry")
        )
        expect(trouble).to_be_visible()
        assert case.accession in network.site.taken
    finally:
        network.site.code = "AA"
    trouble.get_by_role("button", name="Retry").click()
    dialog = nadia.page.get_by_role("dialog")
    expect(dialog).to_contain_text("same message number")
    dialog.get_by_role("textbox").fill("Their interface is up again")
    dialog.get_by_role("button", name="Send again").click()
    expect(trouble).to_have_count(0)
    assert network.site.taken.count(case.accession) == 2
