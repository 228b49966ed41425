"""Who knows whose images these are is at the site: a coordinator asks, the technologist answers, the coordinator sees it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from playwright.sync_api import Locator, expect

from tests.journeys.network import CT_HEAD, Network
from tests.journeys.test_accessibility import in_both_themes
from tests.journeys.test_the_quarantine import held
from tests.journeys.visitor import Visit, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("journeys")]
WHOSE = "Whose images are these?"


def test_a_study_without_an_order_is_asked_about_and_the_answer_comes_by_itself(network: Network, visit: Visit) -> None:
    nadia, eirik = visit("nadia").sign_in(), visit("eirik").sign_in()
    case = network.exam(CT_HEAD)
    case = replace(
        case, procedure=(case.procedure[0], f"CT of {case.accession}")
    )  # other tests leave studies that wait
    network.send_small(case)
    waiting = nadia.page.locator(".needs li", has_text=case.procedure[1]).filter(
        has=nadia.page.get_by_role("button", name="Match")
    )
    waiting.get_by_role("button", name="Match").click()
    asked = panel(nadia)
    expect(asked).to_contain_text("Nothing was asked yet")
    asked.get_by_role("button", name="Ask the site").click()
    box = asked.get_by_role("textbox", name=re.compile("Your question to Norfjord"))
    expect(box).to_be_focused()
    asked.get_by_role("button", name=WHOSE).click()
    box.press("End")
    box.type(f" {case.accession}")
    box.press("Control+Enter")
    expect(asked).to_contain_text("waits for an answer")
    assert in_both_themes(nadia.page, "the dialog with a question") == []
    nadia.page.keyboard.press("Escape")
    chip = waiting.locator(".chip", has_text="asked")
    expect(chip).to_be_visible()

    line = opened(question(eirik, f"{WHOSE} {case.accession}"))
    expect(line).to_contain_text(f"accession {case.accession}")
    line.get_by_role("button", name="We are looking into it").click()
    eirik.page.keyboard.press("r")
    answer = line.get_by_role("textbox", name="Your answer")
    expect(answer).to_be_focused()
    expect(answer).to_have_value("We are looking into it")
    assert in_both_themes(eirik.page, "the site's page with a question") == []
    answer.fill("The patient of bed 4, we send the order")
    answer.press("Control+Enter")
    expect(line).to_have_count(0)

    answered = waiting.locator(".chip", has_text="answered")
    expect(answered).to_be_visible()
    waiting.get_by_role("button", name="Match").click()
    expect(asked.locator("li")).to_contain_text("The patient of bed 4, we send the order")
    expect(asked.locator("li")).to_contain_text("Solbakken")
    asked.get_by_role("button", name="Close the question").click()
    expect(asked.locator("li")).to_contain_text("Closed by Nadia Rourke")
    nadia.page.keyboard.press("Escape")
    expect(answered).to_have_count(0)


def test_an_object_in_quarantine_is_asked_about_by_key_and_the_question_taken_back(
    network: Network, visit: Visit
) -> None:
    nadia, eirik = visit("nadia").sign_in(), visit("eirik").sign_in()
    case = network.exam(CT_HEAD)
    held_id = held(nadia, network.send_corrected(case, network.send_small(case)[0]))
    nadia.goto(f"/app/quarantine/{held_id}")
    asked = panel(nadia)
    asked.get_by_role("button", name="Ask the site").wait_for()
    nadia.page.keyboard.press("q")
    words = f"Which name is right, {case.accession}?"
    box = asked.get_by_role("textbox")
    box.fill(words)
    box.press("Control+Enter")
    chip = nadia.page.locator(f"tr[data-id='{held_id}'] .chip", has_text="asked")
    expect(chip).to_be_visible()
    expect(question(eirik, words)).to_contain_text("in quarantine")
    asked.get_by_role("button", name="Take back").click()
    expect(asked.get_by_role("alert")).to_contain_text("The site is not asked any more")
    asked.get_by_role("button", name="Take it back").click()
    expect(asked.locator("li")).to_contain_text("Taken back by Nadia Rourke")
    expect(chip).to_have_count(0)
    expect(question(eirik, words)).to_have_count(0)


def panel(person: Visitor) -> Locator:
    """What was asked of the site, on the page or in its dialog."""
    return person.page.get_by_role("region", name="Questions to the site")


def question(person: Visitor, words: str) -> Locator:
    """A question on the site's page."""
    person.page.wait_for_url(re.compile("/app/site"))
    return person.page.get_by_role("region", name="Questions to you").locator("li", has_text=words)


def opened(line: Locator) -> Locator:
    """The same, with its box: only that of the first is open by itself."""
    line.wait_for()
    if not line.get_by_role("textbox").count():
        line.get_by_role("button", name="Answer", exact=True).click()
    return line
