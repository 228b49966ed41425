"""Images are hidden by a person and restored; a study is deleted and brought back: by the keyboard, and nobody sees them meanwhile."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.journeys.network import CT_HEAD, Network
from tests.journeys.visitor import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("journeys")]


def test_images_are_hidden_and_restored(network: Network, visit: Visit) -> None:
    case, read_id = network.ready(CT_HEAD)
    eirik = visit("eirik").sign_in()
    row = next(r for r in network.person("nadia").get("/api/board")["cases"] if r["read_id"] == read_id)
    study_id = network.person("eirik").get(f"/api/cases/{row['case_id']}")["studies"][0]["id"]
    eirik.goto(f"/app/case/{row['case_id']}")
    eirik.page.get_by_role("tab", name="Studies").click()
    eirik.page.get_by_role("link", name="Images", exact=True).click()
    panel = eirik.page.get_by_role("region", name="Images of the study")
    expect(panel).to_contain_text("Nothing of this study is hidden")
    eirik.page.keyboard.press("h")
    dialog = eirik.page.get_by_role("dialog")
    dialog.get_by_text("Single images").click()
    dialog.get_by_label("Image numbers").fill("2")
    dialog.get_by_label("Reason").fill("Motion")
    dialog.get_by_role("button", name="Hide 1 image").click()
    now = panel.get_by_role("list", name="Hidden now")
    expect(now).to_contain_text("Motion")
    assert shown(network, study_id) == 1
    eirik.page.keyboard.press("r")
    eirik.page.get_by_role("dialog").get_by_role("textbox").fill("Rejected by mistake")
    eirik.page.keyboard.press("Tab")
    eirik.page.get_by_role("dialog").get_by_role("button", name="Restore").click()
    expect(panel.get_by_role("list", name="Hidden before")).to_contain_text("Rejected by mistake")
    assert shown(network, study_id) == 2
    assert case.accession


def test_a_study_is_deleted_and_brought_back(network: Network, visit: Visit) -> None:
    case, read_id = network.ready(CT_HEAD)
    row = next(r for r in network.person("nadia").get("/api/board")["cases"] if r["read_id"] == read_id)
    study = network.person("eirik").get(f"/api/cases/{row['case_id']}")["studies"][0]
    astrid = visit("astrid").sign_in()
    astrid.goto("/app/admin/deletions")
    astrid.page.get_by_role("button", name="Delete a study").first.wait_for()
    astrid.page.keyboard.press("n")
    dialog = astrid.page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Organisation").click()
    astrid.page.get_by_role("option", name="Norfjord").click()
    dialog.get_by_role("textbox", name="Accession number").fill(case.accession)
    astrid.page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Delete 1.").or_(dialog.get_by_role("button", name="Delete 2.")).click()
    confirm = astrid.page.get_by_role("dialog", name="Delete this study")
    expect(confirm).not_to_contain_text(case.patient.name.split("^")[0])
    confirm.get_by_label("Reason").fill("Asked for by the patient")
    expect(confirm.get_by_role("button", name="Delete Enter")).to_be_disabled()
    confirm.get_by_label("The last 4 characters").fill(study["study_instance_uid"][-4:])
    astrid.page.keyboard.press("Enter")
    line = astrid.page.get_by_role("row").filter(has_text=study["study_instance_uid"])
    expect(line).to_contain_text("waits")
    assert shown(network, study["id"]) == 0
    line.get_by_role("button", name="Undo").click()
    astrid.page.get_by_role("dialog").get_by_role("textbox").fill("Another study was meant")
    astrid.page.keyboard.press("Tab")
    astrid.page.get_by_role("dialog").get_by_role("button", name="Undo").click()
    expect(line).to_contain_text("undone")
    assert shown(network, study["id"]) == 2


def shown(network: Network, study_id: str) -> int:
    """How many images of the study are shown."""
    found: int = network.person("eirik").get(f"/api/studies/{study_id}/hidden")["number_of_instances"]
    return found
