"""Two people can't write one report: the second sees who has it, a coordinator gives it on, a reader hands it back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.journeys.network import CT_HEAD, MR_KENYA, Network
from tests.journeys.visitor import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("journeys")]
READERS = {"imogen": "Tarrant", "katriina": "Lehtola"}  # the two who may read heads for the clinic in Kenya


def test_the_second_sees_who_has_it_and_a_coordinator_gives_it_on(network: Network, visit: Visit) -> None:
    _case, read_id = network.ready(MR_KENYA)
    board = network.person("nadia").get("/api/board")["cases"]
    holder = next(row["reader"]["name"] for row in board if row["read_id"] == read_id)
    first_name, second_name = sorted(READERS, key=lambda name: not holder.endswith(READERS[name]))
    first = visit(first_name).sign_in()
    first.expect(r"404: GET /api/(cases|reads)/", r"404: GET /dicomweb/")  # not theirs to see any more
    first.goto(f"/app/read/{read_id}")
    first.page.locator("[data-section=findings]").click()
    first.page.keyboard.type("Begun by the first reader.")
    expect(first.page.locator(".saved")).to_contain_text("Saved")

    # Nobody's page shows it to whom it was not given; the coordinator gives it on, with a reason.
    nadia = visit("nadia").sign_in()
    nadia.row("WAIRIMU").click()
    nadia.page.keyboard.press("a")
    dialog = nadia.page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"is with {holder}")
    dialog.get_by_role("radio", name=re.compile(READERS[second_name])).check()
    dialog.get_by_role("textbox", name=re.compile("Reason")).fill("Reader asked for it")
    dialog.get_by_role("button", name=re.compile("^Give")).click()
    expect(nadia.row("WAIRIMU")).to_contain_text(READERS[second_name])

    # The first reader's page says so at once, and what was typed is not lost.
    expect(first.page.get_by_role("alert")).to_contain_text("to another reader")
    expect(first.page.locator("[data-section=findings]")).to_have_attribute("contenteditable", "false")
    expect(first.page.locator(".saved")).to_contain_text("kept in this browser")

    second = visit(second_name).sign_in()
    line = second.row("WAIRIMU")
    expect(line).to_be_visible()
    line.click()
    second.page.keyboard.press("Enter")
    second.page.wait_for_url("**/app/read/*")
    expect(second.page.locator("[data-section=findings]")).to_be_visible()


def test_the_same_report_in_two_windows(network: Network, visit: Visit) -> None:
    """Opening it again takes it over; the first window says so and stops writing."""
    _case, read_id = network.ready(CT_HEAD, reader="Tarrant")
    imogen = visit("imogen").sign_in()
    imogen.expect(r"409: PUT /api/reads/[\w-]+/draft$")
    imogen.goto(f"/app/read/{read_id}")
    imogen.page.locator("[data-section=findings]").click()
    imogen.page.keyboard.type("In the first window.")
    expect(imogen.page.locator(".saved")).to_contain_text("Saved")
    again = imogen.open_page()
    again.goto(f"{network.url}/app/read/{read_id}")
    expect(again.locator("[data-section=findings]")).to_have_text("In the first window.")
    again.locator("[data-section=impression]").click()
    again.keyboard.type("In the second window.")
    expect(again.locator(".saved")).to_contain_text("Saved")
    imogen.page.bring_to_front()
    imogen.page.locator("[data-section=findings]").click()
    imogen.page.keyboard.type(" More.")
    expect(imogen.page.locator(".rep")).to_contain_text("opened in another window")
    again.bring_to_front()
    again.reload()
    expect(again.locator("[data-section=impression]")).to_have_text("In the second window.")


def test_handed_back_by_a_key_with_a_reason(network: Network, visit: Visit) -> None:
    case, read_id = network.ready(CT_HEAD, "S", reader="Tarrant")
    imogen = visit("imogen").sign_in()
    imogen.page.locator(f"tr[data-id='{read_id}']").click()
    imogen.page.keyboard.press("b")
    dialog = imogen.page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("I know the patient")
    dialog.get_by_role("button", name="Hand back").click()
    expect(imogen.page.locator(f"tr[data-id='{read_id}']")).to_have_count(0)

    # Nobody else may read it now: the board asks for a reader and says why not each of them.
    nadia = visit("nadia").sign_in()
    found = nadia.page.locator("tr", has_text="TVEIT").filter(has=nadia.page.get_by_role("button", name="Find reader"))
    expect(found.first).to_be_visible()
    assert case.accession
