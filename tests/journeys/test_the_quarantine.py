"""What can't be filed waits for a person, who sees why and what is in it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.journeys.network import CT_HEAD, CT_WITH_BLEED, Network
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


def test_one_of_those_that_are_alike_is_dismissed_alone(network: Network, visit: Visit) -> None:
    nadia = visit("nadia").sign_in()
    case = network.exam(CT_HEAD)
    uids = [network.send_corrected(case, file) for file in network.send_small(case)]
    held_id = held(nadia, *uids, alike=2)
    nadia.goto(f"/app/quarantine/{held_id}")
    expect(nadia.page.get_by_role("region", name="Object")).to_contain_text("2 objects of this study")
    expect(nadia.page.get_by_text(re.compile(r"of 2048 MB kept"))).to_be_visible()
    dismiss(nadia, "This one alone")
    expect(nadia.page.get_by_text("Dismissed. Its bytes are kept")).to_be_visible()
    left = held(nadia, *uids, alike=1)
    assert left != held_id
    nadia.goto(f"/app/quarantine/{left}")
    looked = nadia.page.get_by_role("region", name="Object")
    expect(looked).to_contain_text(uids[0] if uids[0] in looked.inner_text() else uids[1])
    dismiss(nadia)
    expect(nadia.page.locator(f"tr[data-id='{left}']")).to_have_count(0)


def test_two_persons_are_looked_at_side_by_side_before_they_are_one(network: Network, visit: Visit) -> None:
    nadia = visit("nadia").sign_in()
    other = network.exam(CT_WITH_BLEED)
    network.order(other)
    case = network.exam(CT_HEAD)
    uid = network.send_corrected(case, network.send_small(case)[0], patient_id=other.patient.patient_id)
    held_id = held(nadia, uid)
    nadia.expect(r"^409: POST /api/held-objects/.*/accept")
    nadia.goto(f"/app/quarantine/{held_id}")
    nadia.page.get_by_role("region", name="Object").wait_for()
    nadia.page.keyboard.press("a")
    dialog = nadia.page.get_by_role("dialog")
    row = dialog.get_by_role("row", name=re.compile("^Name"))
    expect(row).to_contain_text("CORRECTED, Name")
    expect(row).to_contain_text("HAUGLAND, Ingrid Marie")
    born = dialog.get_by_role("row", name=re.compile("^Born"))
    expect(born).to_contain_text("30 Jan 1949")
    expect(born).to_contain_text("14 Mar 1958")
    nadia.page.keyboard.press("Escape")  # the dialog's alone: what it was opened from stays
    expect(dialog).to_have_count(0)
    expect(nadia.page.get_by_role("region", name="Object")).to_be_visible()
    assert held(nadia, uid) == held_id
    dismiss(nadia)
    expect(nadia.page.locator(f"tr[data-id='{held_id}']")).to_have_count(0)


def dismiss(person: Visitor, which: str = "") -> None:
    """With the key, for a usual reason; `which` says how many where there is a choice."""
    person.page.keyboard.press("x")
    dialog = person.page.get_by_role("dialog")
    if which:
        dialog.get_by_text(which).click()
    dialog.get_by_role("button", name="Sent by mistake").click()
    dialog.get_by_role("button", name="Dismiss").click()
    expect(dialog).to_have_count(0)


def held(person: Visitor, *uids: str, alike: int = 1) -> str:
    """The id of what is held under one of these SOP Instance UIDs, when so many are alike; filing takes a moment."""
    for _ in range(100):
        found = [h["id"] for h in person.page.evaluate(LIST) if h["sop_instance_uid"] in uids and h["alike"] == alike]
        if found:
            return str(found[0])
        person.page.wait_for_timeout(100)
    raise AssertionError("it was not held")
