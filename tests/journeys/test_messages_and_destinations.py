"""A coordinator finds a message, looks at it, and has it processed again; an administrator sets up where reports go, and tries it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.journeys.network import CT_HEAD, Network
from tests.journeys.visitor import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("journeys")]


def test_a_message_is_found_looked_at_and_processed_again(network: Network, visit: Visit) -> None:
    case = network.exam(CT_HEAD)
    network.order(case)
    family = case.patient.name.split("^")[0]
    nadia = visit("nadia").sign_in()
    nadia.goto("/app/messages")
    page = nadia.page
    page.get_by_label("Control id").fill(f"O{case.accession}")
    page.keyboard.press("Enter")
    line = page.locator("tr[data-id]")
    expect(line).to_have_count(1)
    expect(line).to_contain_text("Processed")
    line.click()
    page.keyboard.press("Enter")
    message = page.get_by_role("region", name="Message")
    expect(message).to_contain_text("patient data masked")
    expect(message).to_contain_text(case.accession)
    expect(message).not_to_contain_text(family)
    page.keyboard.press("u")
    expect(message).to_contain_text(family)
    expect(message).to_contain_text("patient data shown; recorded")
    page.keyboard.press("v")
    expect(message.get_by_role("row", name=re.compile("PID-5 Patient Name"))).to_contain_text(family)
    page.keyboard.press("u")
    expect(message).not_to_contain_text(family)
    page.keyboard.press("r")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("The mapping was put right")
    dialog.get_by_role("button", name="Process again").click()
    expect(page.get_by_text("Processed again", exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="Message")).to_contain_text(
        "the message that was processed again by this one"
    )
    expect(page.locator("tr[data-id]")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Message")).to_have_count(0)
    page.get_by_role("button", name="Everything").click()
    expect(page.get_by_label("Control id")).to_have_value("")
    expect(page.locator("tr[data-id]").first).to_be_visible()


def test_a_destination_is_tried_and_a_webhook_set_up(network: Network, visit: Visit) -> None:
    astrid = visit("astrid").sign_in()
    astrid.goto("/app/admin/destinations")
    page = astrid.page
    page.locator("tr[data-id]").first.wait_for()
    page.locator("tr[data-id]", has_text="HL7").first.click()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Not delivered")).to_be_visible()
    page.keyboard.press("t")
    expect(page.get_by_role("status").filter(has_text="It answered, and took the test message")).to_contain_text(
        "MSA|AA|TEST"
    )
    page.get_by_role("link", name="All destinations").click()
    page.locator("tr[data-id]").first.wait_for()
    page.keyboard.press("n")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Kind").first.click()
    page.get_by_role("option", name="Webhook").click()
    page.keyboard.press("Control+Enter")
    expect(dialog).to_contain_text("New destination: Webhook")
    name = f"Portal {network.exam(CT_HEAD).accession}"
    dialog.get_by_label("Facility").first.click()
    page.get_by_role("option").first.click()
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("Address").fill("https://127.0.0.1:9/in")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Without one nothing is sent.")).to_be_visible()
    page.get_by_role("button", name="Give one").click()
    page.keyboard.press("Control+Enter")
    expect(page.locator("code")).to_contain_text(re.compile(r"^whsec_[A-Za-z0-9+/=]{40,}$"))
    page.keyboard.press("t")
    expect(page.get_by_role("status").filter(has_text="has not allowed it")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Signing secret")).to_be_visible()
    expect(page.locator("code")).to_have_count(0)
    page.get_by_role("link", name="All destinations").click()
    expect(page.locator("tr[data-id]", has_text=name)).to_contain_text("nothing yet")
