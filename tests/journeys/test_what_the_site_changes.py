"""A site changes its mind while somebody reads: another priority, a cancellation reach the reader and the board by themselves."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from heliograph.app.demo.cases import DemoCase, order_message
from heliograph.kit.codecs.hl7 import parse_ack
from heliograph.kit.net import mllp
from tests.journeys.network import CT_HEAD, Network
from tests.journeys.visitor import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("journeys")]


def say(network: Network, case: DemoCase, control: str, *, orc: str, status: str, priority: str) -> None:
    """The site's system says something else of the order; answered AA."""
    now = datetime.now(UTC)
    text = order_message(case, now, control_id=f"{control}{case.accession}").decode()
    text = text.replace("ORC|NW|", f"ORC|{orc}|").replace("||SC||", f"||{status}||")
    text = text.replace(f"^^{case.priority}", f"^^{priority}")
    settings = network.platform.settings
    answer = mllp.send(settings.hl7_host, settings.hl7_port, text.encode(), timeout=20, connect_timeout=5)
    assert parse_ack(answer).code == "AA"


def test_another_priority_and_a_cancellation_reach_the_reader(network: Network, visit: Visit) -> None:
    case, read_id = network.ready(CT_HEAD, "R", reader="Tarrant")
    imogen, nadia = visit("imogen").sign_in(), visit("nadia").sign_in()
    imogen.goto(f"/app/read/{read_id}")
    imogen.page.locator("[data-section=findings]").click()
    imogen.page.keyboard.type("No bleed.")
    expect(imogen.page.locator(".saved")).to_contain_text("Saved")
    expect(nadia.page.locator(f"tr[data-id='{read_id}']").get_by_role("img", name="Routine")).to_be_visible()

    say(network, case, "X", orc="XO", status="SC", priority="S")
    changed = imogen.page.get_by_role("alert").filter(has_text="Routine became STAT")
    expect(changed).to_be_visible()
    expect(changed).to_contain_text(re.compile(r"Due \d\d:\d\d"))
    expect(nadia.page.locator(f"tr[data-id='{read_id}']").get_by_role("img", name="STAT")).to_be_visible()
    changed.get_by_role("button", name="Seen").click()
    expect(changed).to_have_count(0)
    # Who writes goes on: nothing that was typed is lost.
    expect(imogen.page.locator("[data-section=findings]")).to_have_text("No bleed.")

    say(network, case, "C", orc="CA", status="CA", priority="S")
    warned = imogen.page.get_by_role("alert").filter(has_text="wants to cancel this order")
    expect(warned).to_be_visible()
    alarm = nadia.page.locator("li, tr", has_text="The site cancelled this order while it is being read")
    expect(alarm.first).to_be_visible()

    board = network.person("nadia").get("/api/board")["cases"]
    nadia.goto(f"/app/case/{next(row['case_id'] for row in board if row['read_id'] == read_id)}")
    nadia.page.get_by_role("tab", name=re.compile("Order")).click()
    nadia.page.get_by_role("button", name="Let it go on").click()
    dialog = nadia.page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("The site wants it read after all")
    dialog.get_by_role("button", name="Let it go on").click()
    expect(dialog).to_have_count(0)
    expect(warned).to_have_count(0)


def test_an_administrator_tries_a_message(network: Network, visit: Visit) -> None:
    case = network.exam(CT_HEAD)
    message = order_message(case, datetime.now(UTC), control_id="TRY-1").decode().replace("\r", "\n")
    astrid = visit("astrid").sign_in()
    astrid.goto("/app/admin/feeds")
    astrid.page.locator("tbody tr").first.click()
    astrid.page.keyboard.press("Enter")
    astrid.page.wait_for_url("**/app/admin/feeds/*")
    page = astrid.page
    place = page.get_by_label("Accession number: stands in").locator("visible=true").first
    place.fill("OBR18")
    place.press("Enter")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("is no place in a message")).to_be_visible()
    page.get_by_role("button", name="Take back").click()

    page.get_by_role("tab", name="Paste a message").click()
    page.get_by_role("textbox", name=re.compile("The message")).fill(message)
    page.get_by_role("button", name="Try it").click()
    became = page.get_by_role("region", name="What it would become")
    expect(became.get_by_role("row").filter(has_text="Accession number").first).to_contain_text(case.accession)
    expect(became).to_contain_text("An order would be made")
    expect(became).to_contain_text("MSA|AA|TRY-1")
    assert case.accession not in page.url
    assert all(row["accession"] != case.accession for row in network.person("nadia").get("/api/board")["cases"])
