"""The main job: an order and images come in over HL7 and DICOM, a reader reads and signs them in a browser, the site sees the report."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import expect

from heliograph.app.demo.network import PASSWORD
from tests.journeys.network import CT_WITH_BLEED, Network
from tests.journeys.visitor import Visit
from tools.running import Platform

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("journeys")]
FINDINGS = "Hyperdense collection along the left convexity, 7 mm. Midline shift 4 mm to the right."
IMPRESSION = "Acute left subdural haematoma."


def test_a_study_is_read(network: Network, visit: Visit) -> None:
    imogen, eirik = visit("imogen").sign_in(), visit("eirik").sign_in()
    case = network.exam(CT_WITH_BLEED)

    # Her list is open before anything was sent; the case comes to it by itself.
    network.order(case)
    images = network.send_phantom(case)
    row = imogen.row("HAUGLAND")
    expect(row).to_contain_text("CT head", timeout=40_000)
    network.read_of(case, "Tarrant")
    imogen.page.keyboard.press("j")
    imogen.page.keyboard.press("Enter")
    imogen.page.wait_for_url("**/app/read/*")

    # The exam is on the screen.
    left = imogen.page.locator("aside.left")
    expect(left).to_contain_text("images", timeout=20_000)

    def all_are_listed() -> bool:
        """Images still come after a STAT was opened; the list follows. One that was begun says "31 of 32 not seen"."""
        counted = re.findall(r"(?:of )?(\d+) (?:images|not seen)", left.inner_text())
        return sum(map(int, counted)) == images

    Platform.until(all_are_listed, 40, "every series is listed with all its images")
    expect(left).to_contain_text("PRIOR")
    slot = imogen.page.locator(".mid .slot")
    screen: list[NDArray[np.uint8]] = []

    def head_is_drawn() -> bool:
        screen[:] = [imogen.pixels(slot)]
        return is_head(screen[0])

    Platform.until(head_is_drawn, 60, "the CT slice is on the screen")
    box = slot.bounding_box()
    assert box
    imogen.page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.5)
    first = screen[0]
    for _ in range(6):
        imogen.page.mouse.wheel(0, 120)
        imogen.page.wait_for_timeout(60)
    Platform.until(lambda: differs(first, imogen.pixels(slot)), 20, "the wheel scrolls to other slices")

    # She writes; what she wrote is there after a reload.
    imogen.page.locator("[data-section=findings]").click()
    imogen.page.keyboard.type(FINDINGS)
    imogen.page.locator("[data-section=impression]").click()
    imogen.page.keyboard.type(IMPRESSION)
    imogen.page.keyboard.press("Alt+n")
    saved = imogen.page.locator(".saved")
    expect(saved).to_contain_text("Saved")
    imogen.page.reload()
    expect(imogen.page.locator("[data-section=findings]")).to_have_text(FINDINGS)
    expect(imogen.page.locator("[data-section=impression]")).to_have_text(IMPRESSION)

    # The first signature of a session asks for the password.
    imogen.expect(r"401: POST /api/reads/[\w-]+/sign$")
    imogen.page.keyboard.press("Control+Enter")
    imogen.page.get_by_role("dialog").get_by_role("textbox", name="Password").fill(PASSWORD)
    imogen.page.keyboard.press("Enter")
    expect(imogen.page.locator(".rep .signed")).to_contain_text("Signed by Dr Imogen Tarrant", timeout=20_000)
    imogen.page.keyboard.press("n")
    imogen.page.wait_for_url("**/app/list*")
    expect(imogen.row(case.accession)).to_have_count(0)

    # The site's page shows it without a reload; the PDF opens; the site confirms it.
    line = eirik.row("HAUGLAND")
    line.click()
    expect(eirik.page.locator(".rp")).to_contain_text(IMPRESSION, timeout=20_000)
    href = eirik.page.locator(".rp").get_by_role("link", name="PDF").get_attribute("href")
    pdf = eirik.context.request.get(f"{network.url}{href}")
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.body().startswith(b"%PDF-")
    eirik.page.keyboard.press("a")
    expect(line).to_contain_text("Seen", timeout=20_000)
    assert case.accession in network.site.taken

    # Everything that happened stands on the case's page, with its intervals.
    eirik.goto(f"/app/case/{eirik.page.url.split('case=')[1]}")
    page = eirik.page.locator("main")
    for step in ("Order", "First image", "Last image", "ssigned", "opened", "igned", "Delivered", "cknowledged"):
        expect(page).to_contain_text(step)
    assert eirik.page.get_by_text(re.compile(r"^\+\d")).count() >= 6, "the interval before each step"
    verdict = network.verify_record()
    assert verdict.is_whole
    assert verdict.size > 20


def is_head(screen: NDArray[np.uint8]) -> bool:
    """A CT slice of a head: neither black nor one grey, a bright ring of bone around grey brain, air outside."""
    if len(np.unique(screen)) < 60 or (screen > 200).mean() < 0.005:
        return False
    rows, columns = np.nonzero(screen > 200)
    height, width = np.ptp(rows), np.ptp(columns)
    return bool(height > screen.shape[0] * 0.3 and width > screen.shape[1] * 0.15)


def differs(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> bool:
    """Whether another picture is shown, not only another number in a corner."""
    return bool((np.abs(before.astype(int) - after.astype(int)) > 24).mean() > 0.01)
