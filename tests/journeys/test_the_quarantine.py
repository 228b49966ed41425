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


def test_a_correction_is_taken_with_one_key_and_taken_back(network: Network, visit: Visit) -> None:
    nadia = visit("nadia").sign_in()
    case = network.exam(CT_HEAD)
    uid = network.send_corrected(case, network.send_small(case)[0])
    held_id = held(nadia, uid)
    nadia.goto(f"/app/quarantine/{held_id}")
    looked = nadia.page.get_by_role("region", name="Object")
    expect(looked).to_contain_text("Accept takes them for the whole study")
    study = nadia.page.evaluate(f"fetch('/api/held-objects/{held_id}').then(a => a.json())")["filed_study_id"]
    nadia.page.keyboard.press("a")
    expect(nadia.page.get_by_text("Taken for the whole study")).to_be_visible()
    expect(nadia.page.locator(f"tr[data-id='{held_id}']")).to_have_count(0)
    identity = f"fetch('/api/studies/{study}/identity').then(a => a.json())"
    (step,) = nadia.page.evaluate(identity)["steps"]
    assert (step["kind"], step["is_in_force"]) == ("resent", True)
    assert [c["value"] for c in step["changes"] if c["name"] == "Patient's Name"] == ["Corrected^Name"]
    nadia.page.get_by_role("button", name=re.compile("Undo")).click()
    expect(nadia.page.get_by_text("Taken back. The study is as it was")).to_be_visible()
    assert not any(s["is_in_force"] for s in nadia.page.evaluate(identity)["steps"])


def held(person: Visitor, uid: str) -> str:
    """The id of what is held under a SOP Instance UID; filing takes a moment."""
    for _ in range(100):
        found = [h["id"] for h in person.page.evaluate(LIST) if h["sop_instance_uid"] == uid]
        if found:
            return str(found[0])
        person.page.wait_for_timeout(100)
    raise AssertionError("it was not held")
