"""What can't be filed waits for a person, who sees why and what is in it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.journeys.network import CT_HEAD, Network
from tests.journeys.visitor import Visit, Visitor

LIST = "fetch('/api/held-objects').then(answer => answer.json())"
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("journeys")]


def test_a_corrected_image_is_looked_at_and_dismissed(network: Network, visit: Visit) -> None:
    nadia = visit("nadia").sign_in()
    case = network.exam(CT_HEAD)
    uid = network.send_corrected(case, network.send_small(case)[0])
    nadia.goto("/app/quarantine")
    nadia.page.locator("tr[data-id]").first.wait_for()
    line = nadia.page.locator(f"tr[data-id='{held(nadia, uid)}']")
    line.click()
    nadia.page.keyboard.press("Enter")
    looked = nadia.page.get_by_role("region", name="Object")
    expect(looked).to_contain_text("same pixels")
    beside = looked.get_by_role("row", name=re.compile("Patient's Name")).first
    expect(beside).to_contain_text("Corrected^Name")
    picture = looked.get_by_role("img")
    expect(picture).to_have_js_property("complete", value=True)
    assert picture.evaluate("image => image.naturalWidth") > 0
    nadia.page.keyboard.press("x")
    dialog = nadia.page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("The first one is right")
    dialog.get_by_role("button", name="Dismiss").click()
    expect(line).to_have_count(0)


def held(person: Visitor, uid: str) -> str:
    """The id of what is held under a SOP Instance UID; filing takes a moment."""
    for _ in range(100):
        found = [h["id"] for h in person.page.evaluate(LIST) if h["sop_instance_uid"] == uid]
        if found:
            return str(found[0])
        person.page.wait_for_timeout(100)
    raise AssertionError("it was not held")
