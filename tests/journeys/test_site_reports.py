"""Reports that a site sends: its own final beside ours, a prior beside the images, one that waits; seen as people see them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from heliograph.app.demo.cases import DemoCase, order_message
from heliograph.kit.codecs.hl7 import parse_ack
from heliograph.kit.net import mllp
from tests.journeys.conftest import SCREENS
from tests.journeys.network import CT_HEAD, Network
from tests.journeys.visitor import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("journeys")]
THEME = "scheme => Object.assign(document.documentElement.dataset, { theme: scheme, mantineColorScheme: scheme })"
PDF = base64.b64encode(b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n").decode()


def report(
    network: Network, case: DemoCase, *observations: str, status: str = "F", accession: str | None = None
) -> None:
    """The site's own report of the case, or under another accession number a prior."""
    now = datetime.now(UTC)
    order = order_message(case, now, control_id=f"R{now:%H%M%S%f}").decode()
    head, pid, *_ = [line for line in order.split("\r") if line.startswith(("MSH", "PID"))]
    obr = next(line for line in order.split("\r") if line.startswith("OBR")).split("|")
    obr += [""] * (33 - len(obr))
    if accession:
        obr[2], obr[3], obr[18] = "", accession, accession
    obr[22], obr[25], obr[32] = f"{now:%Y%m%d%H%M%S}+0000", status, "7719&Varga&Ilona&&&Dr"
    lines = [head.replace("ORM^O01", "ORU^R01"), pid, "|".join(obr)]
    lines += [f"OBX|{n}|{text}||||||{status}" for n, text in enumerate(observations, 1)]
    settings = network.platform.settings
    answer = mllp.send(
        settings.hl7_host, settings.hl7_port, "\r".join(lines).encode() + b"\r", timeout=20, connect_timeout=5
    )
    told = parse_ack(answer)
    assert told.code == "AA", told


def test_a_site_that_concludes_otherwise_is_seen_and_closed(network: Network, visit: Visit) -> None:
    case, read_id = network.ready(CT_HEAD, reader="Tarrant")
    report(network, case, "TX|X&IMP^CT^L||Old infarct on the left.", accession=f"P{case.accession[2:]}")
    board = network.person("nadia").get("/api/board")["cases"]
    case_id = next(row["case_id"] for row in board if row["accession"] == case.accession)
    imogen = visit("imogen").sign_in()
    page = imogen.page
    imogen.goto(f"/app/read/{read_id}")
    page.get_by_role("button", name="CT").filter(has_text=", final").first.click()
    expect(page.get_by_role("region", name="Report of the site")).to_contain_text("Old infarct on the left.")
    page.screenshot(path=SCREENS / "site-report-reading.png")
    network.sign(read_id)
    report(network, case, "TX|X&GDT^CT^L||Subdural collection along the left convexity.", "TX|X&IMP^CT^L||Acute left subdural haematoma.",
           f"ED|PDF^Signed report^L||RIS^Application^PDF^Base64^{PDF}")  # fmt: skip
    report(network, case, "TX|X&ADT^CT^L||Telephoned to the ward at 12:50.")
    nadia = visit("nadia").sign_in()
    page = nadia.page
    nadia.goto(f"/app/case/{case_id}")
    page.get_by_role("tab", name="From the site").click()
    shown = page.get_by_role("region", name="Reports of the site")
    expect(shown).to_contain_text("Acute left subdural haematoma.")
    expect(shown).to_contain_text("Telephoned to the ward")
    expect(shown.get_by_role("link", name="Signed report.pdf")).to_have_attribute("download", "Signed report.pdf")
    for width, height in ((1440, 900), (2560, 1440)):
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.evaluate(THEME, scheme)
            page.screenshot(path=SCREENS / f"site-reports-{width}-{scheme}.png")
    with page.expect_download() as saved:
        shown.get_by_role("link", name="Signed report.pdf").click()
    assert saved.value.suggested_filename == "Signed report.pdf"
    shown.get_by_role("button", name="Close").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Major difference").click()
    expect(dialog.locator("button[type=submit]")).to_be_disabled()
    dialog.get_by_role("textbox").fill("Missed by us; the ward was called.")
    page.screenshot(path=SCREENS / "site-reports-close.png")
    dialog.locator("button[type=submit]").click()
    expect(page.get_by_role("region", name="Closed discrepancy")).to_contain_text("Missed by us")


def test_a_report_that_fits_no_order_for_certain_is_filed(network: Network, visit: Visit) -> None:
    case, _ = network.ready(CT_HEAD)
    from dataclasses import replace

    other = replace(
        case, patient=replace(case.patient, patient_id=f"W{case.accession}", name="Moen^Tora", birth_date="19700101")
    )
    report(network, other, "TX|X&IMP^CT^L||Nothing acute.")
    nadia = visit("nadia").sign_in()
    page = nadia.page
    nadia.goto("/app/patients")
    page.get_by_role("button", name="File the report of MOEN").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_placeholder("Choose an order of this patient, or none").click()
    page.get_by_role("option", name="No order here").click()
    dialog.get_by_label("Reason").fill("An older examination of hers.")
    page.screenshot(path=SCREENS / "site-reports-held.png")
    dialog.get_by_role("button", name="File it").click()
    expect(page.get_by_role("list", name="Reports that wait")).to_have_count(0)
