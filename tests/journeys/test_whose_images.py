"""Whose images these are: a held study is filed and taken back, a wrong birth date signed past and put right, two patients merged."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any

import pydicom
import pytest
from playwright.sync_api import Page, expect
from pydicom.uid import generate_uid

from heliograph.app.demo.cases import DemoCase
from heliograph.app.demo.network import PASSWORD
from heliograph.app.demo.once import filled
from heliograph.app.demo.site import send_images, send_order
from tests.journeys.network import CT_HEAD, Network
from tests.journeys.visitor import Visit
from tools.running import Platform

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("journeys")]


def another(case: DemoCase, number: str, name: str, born: str) -> DemoCase:
    """The same examination of somebody else."""
    return replace(case, patient=replace(case.patient, patient_id=number, name=name, birth_date=born))


def study_of(network: Network, case: DemoCase) -> str:
    """The id of the study with the case's accession, once it is filed and answers its order."""
    found: list[str] = []

    def filed() -> bool:
        hits = network.person("eirik").post("/api/search", {"words": case.accession})
        found[:] = [
            study["id"]
            for hit in hits
            if hit["case_id"]
            for study in network.person("eirik").get(f"/api/cases/{hit['case_id']}")["studies"]
        ]
        return bool(found)

    Platform.until(filed, 40, f"the study of {case.accession} is filed")
    return found[0]


def write(network: Network, read_id: str) -> None:
    """Imogen's whole report, saved and not signed."""
    imogen = network.person("imogen")
    workspace = imogen.post(f"/api/reads/{read_id}/open")
    imogen.put(
        f"/api/reads/{read_id}/draft", {"revision": workspace["draft"]["revision"], "content": filled(workspace)}
    )


def identity(network: Network, study_id: str) -> dict[str, Any]:
    told: dict[str, Any] = network.person("eirik").get(f"/api/studies/{study_id}/identity")
    return told


def give_reason(page: Page, button: str | re.Pattern[str], reason: str) -> None:
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_role("button", name=button).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_held_study_of_two_patients_is_filed_under_one(network: Network, visit: Visit) -> None:
    case = network.exam(CT_HEAD)
    other = network.exam(another(CT_HEAD, "WHO-1", "Moen^Tora", "19700101"))
    network.send_small(other)
    study_id = send_two_patients(network, case, other)
    nadia = visit("nadia").sign_in()
    page = nadia.page
    nadia.goto("/app/board")
    page.get_by_role("button", name="Look").first.click()
    dialog = page.get_by_role("dialog", name="A held study")
    table = dialog.get_by_role("table", name="Whom the images name")
    expect(table).to_contain_text("Moen Tora")
    expect(table.get_by_role("cell", name="Moen Tora (differs)")).to_be_visible()
    table.get_by_role("button", name="File under MOEN, Tora").click()
    expect(page.get_by_role("table", name="Both side by side")).to_contain_text("MOEN, Tora")
    give_reason(page, "File under MOEN, Tora", "Tora was on the table")
    Platform.until(lambda: identity(network, study_id)["patient"]["family_name"] == "Moen", 20, "it is Tora's")
    told = identity(network, study_id)
    assert told["match_state"] != "held"

    nadia.goto(f"/app/identity/{study_id}")
    steps = page.get_by_role("list", name="What was put right")
    expect(steps).to_contain_text("Tora was on the table")
    page.keyboard.press("b")
    give_reason(page, re.compile("Take it back"), "It was not she")
    expect(steps).to_contain_text("It was not she")
    assert not any(step["is_in_force"] for step in identity(network, study_id)["steps"])


def test_a_birth_date_is_flagged_signed_past_with_a_reason_and_put_right(network: Network, visit: Visit) -> None:
    case = network.exam(CT_HEAD)
    network.order(case)
    wrong = replace(case, patient=replace(case.patient, birth_date="19010203"))
    network.send_small(wrong)
    read_id = network.read_of(case, "Tarrant")
    row = next(r for r in network.person("nadia").get("/api/board")["cases"] if r["read_id"] == read_id)
    write(network, read_id)
    imogen = visit("imogen").sign_in()
    imogen.expect(r"(401|409): POST /api/reads/[\w-]+/sign$")
    imogen.goto(f"/app/read/{read_id}")
    checks = imogen.page.get_by_role("region", name="Checks before signing")
    expect(checks).to_contain_text("The images say born 1901-02-03")
    imogen.page.keyboard.press("Control+Enter")
    imogen.page.get_by_role("dialog").get_by_role("textbox", name="Password").fill(PASSWORD)
    imogen.page.keyboard.press("Enter")
    asked = imogen.page.get_by_role("dialog", name="The images disagree with the order")
    expect(asked).to_contain_text("The images say born 1901-02-03")
    give_reason(imogen.page, "Sign all the same", "The site confirmed by phone")
    expect(imogen.page.locator(".rep .signed")).to_contain_text("Signed by Dr Imogen Tarrant")

    eirik = visit("eirik").sign_in()
    page = eirik.page
    eirik.goto(f"/app/case/{row['case_id']}")
    flag = page.get_by_role("group", name="Images disagree with the order")
    expect(flag).to_contain_text("images 03 Feb 1901")
    flag.get_by_role("link", name="Whose images?").click()
    expect(page.get_by_role("cell", name="03 Feb 1901 (differs)")).to_be_visible()
    page.keyboard.press("p")
    dialog = page.get_by_role("dialog", name="Put right by hand")
    right = case.patient.birth_date
    dialog.get_by_label("Value").fill(f"{right[:4]}-{right[4:6]}-{right[6:]}")
    give_reason(page, "Put it right", "Typed wrongly at the scanner")
    expect(page.get_by_role("list", name="What was put right")).to_contain_text("Typed wrongly at the scanner")
    eirik.goto(f"/app/case/{row['case_id']}")
    page.get_by_role("tab", name="Studies").wait_for()
    expect(page.get_by_role("group", name="Images disagree with the order")).to_have_count(0)


def test_two_patients_are_merged_and_made_two_again(network: Network, visit: Visit) -> None:
    first = network.exam(another(CT_HEAD, "TWO-1", "Solheim^Astri", "19520717"))
    second = network.exam(another(CT_HEAD, "TWO-2", "Solhjem^Astri", "19520717"))
    for one in (first, second):
        network.order(one)
        network.send_small(one)
    study_of(network, first)
    moved = study_of(network, second)

    eirik = visit("eirik").sign_in()
    page = eirik.page
    page.get_by_role("link", name="Patients").wait_for()
    page.keyboard.press("g")
    page.keyboard.press("p")
    page.get_by_label("Identifier or name").fill("solheim")
    page.get_by_label("Born").fill("1952-07-17")
    found = page.get_by_role("list", name="Patients found")
    expect(found).to_contain_text("SOLHJEM, Astri")
    expect(found).to_contain_text("the name is alike")
    assert "solheim" not in page.url.lower()
    found.get_by_role("link", name=re.compile("SOLHEIM")).click()
    expect(page.get_by_test_id("patient-name")).to_have_text("SOLHEIM, Astri")
    near = page.get_by_role("list", name="May be the same person")
    near.get_by_role("button", name="Compare with SOLHJEM, Astri").click()
    expect(page.get_by_role("table", name="Both side by side")).to_contain_text("1 study, 1 order, no report")
    give_reason(page, "Merge into SOLHEIM, Astri", "Two cards of one person")
    studies = page.get_by_role("table", name="Studies")
    expect(studies).to_contain_text(second.accession)
    assert identity(network, moved)["patient"]["family_name"] == "Solheim"
    merges = page.get_by_role("list", name="Merges")
    expect(merges).to_contain_text("Two cards of one person")

    merges.get_by_role("link", name="SOLHJEM, Astri").click()
    expect(page.get_by_text("This patient was merged and goes on as")).to_be_visible()
    page.get_by_role("link", name="SOLHEIM, Astri").first.click()
    merges.get_by_role("button", name="Take back").click()
    give_reason(page, re.compile("Make them two again"), "Two persons after all")
    expect(merges).to_contain_text("Taken back by")
    expect(studies).not_to_contain_text(second.accession)
    assert identity(network, moved)["patient"]["family_name"] == "Solhjem"


def test_whom_a_message_leaves_in_doubt_is_settled(network: Network, visit: Visit) -> None:
    network.order(network.exam(another(CT_HEAD, "DOUBT-1", "Fossum^Liv", "19610430")))
    refused = network.exam(another(CT_HEAD, "DOUBT-1", "Berge^Una", "19881224"))
    assert send_order(network.platform.settings, refused, f"O{refused.accession}").code == "AE"
    nadia = visit("nadia").sign_in()
    page = nadia.page
    nadia.goto("/app/board")
    page.get_by_role("link", name="Patient in doubt").first.click()
    doubts = page.get_by_role("list", name="In doubt")
    expect(doubts).to_contain_text("BERGE, Una")
    doubts.get_by_role("button", name="Look at FOSSUM, Liv").click()
    dialog = page.get_by_role("dialog", name="Are they the same person?")
    expect(dialog.get_by_role("cell", name="24 Dec 1988 (differs)")).to_be_visible()
    dialog.get_by_text("Two persons", exact=True).click()
    expect(dialog).to_contain_text("the message stays refused")
    give_reason(page, re.compile("Two persons: leave"), "Another person by phone")
    expect(page.get_by_text("FOSSUM, Liv")).to_have_count(0)


def send_two_patients(network: Network, case: DemoCase, other: DemoCase) -> str:
    """A study whose second image names somebody else: it is held. Its id."""
    files = network.send_small(case)
    ds = pydicom.dcmread(files[0])
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.PatientID, ds.PatientName = other.patient.patient_id, other.patient.name
    ds.PatientBirthDate, ds.InstanceNumber = other.patient.birth_date, "9"
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    files[0].with_name("other.dcm").write_bytes(out.getvalue())
    send_images(network.platform.settings, case, [files[0].with_name("other.dcm")])
    found: list[str] = []

    def held() -> bool:
        rows = network.person("nadia").get("/api/board")["unmatched"]
        found[:] = [
            r["study"]["id"]
            for r in rows
            if r["study"]["accession"] == case.accession and r["study"]["match_state"] == "held"
        ]
        return bool(found)

    Platform.until(held, 40, "the study is held")
    return found[0]
