"""Every page in both themes by axe-core: no violation of WCAG 2.0 and 2.1, levels A and AA. The viewer in its frame is another's page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.journeys.network import CT_HEAD, MR_KENYA, ULTRASOUND_KENYA, Network
from tests.journeys.visitor import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("journeys")]
AXE = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
# As the page's own button does; the button itself lies behind an open dialog.
SET_THEME = """
scheme => Object.assign(document.documentElement.dataset, { theme: scheme, mantineColorScheme: scheme })
"""
RUN = """
async () => (await axe.run(document, {
  iframes: false,
  runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] },
})).violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.target.join(' ')} ${n.failureSummary.split('\\n')[1].trim()}`))
"""


@pytest.fixture(scope="module")
def full(network: Network) -> dict[str, str]:
    """Something on every page: a case to read, a signed one, one without a reader, an unmatched study. Their ids."""
    _waiting, read_id = network.ready(CT_HEAD, reader="Tarrant")
    _signed, signed = network.ready(CT_HEAD, reader="Tarrant")
    version = network.sign(signed)
    nobody = network.exam(ULTRASOUND_KENYA)
    network.order(nobody)
    network.send_small(nobody)
    network.send_small(network.exam(MR_KENYA))
    again = network.exam(CT_HEAD)
    network.send_corrected(again, network.send_small(again)[0])
    case = network.person("nadia").get(f"/api/cases/{version['case_id']}")
    ids = {"study": case["studies"][0]["id"], "patient": case["patient"]["id"]}
    return {"read": read_id, "case": version["case_id"], **ids}


OPENS = {"j Enter v": ".mg-f"}
"""What keys open where that is no dialog: the fields of a message."""

# Who sees what: address, what must be there, and keys that open something, mostly a dialog over it.
PAGES: dict[str, list[tuple[str, str, str | None]]] = {
    "imogen": [
        ("/app/list", "tr[data-id]", "b"),
        ("/app/read/{read}", "[data-section=findings]", None),
        ("/app/case/{case}", ".matrix", None),
        ("/app/_kit", "main", None),
    ],
    "nadia": [
        ("/app/board", "tr[data-id]", "m"),
        ("/app/board", "tr[data-id]", "j a"),
        ("/app/case/{case}", ".matrix", None),
        ("/app/messages", "tr[data-id]", "?"),
        ("/app/messages", "tr[data-id]", "j Enter v"),
        ("/app/quarantine", "tr[data-id]", "j Enter ?"),
        ("/app/hidden/{study}", ".hi-d table", "h"),
        ("/app/transfers", "main .panel", "?"),
        ("/app/identity/{study}", ".two", "f"),
        ("/app/identity/{study}", ".two", "p"),
        ("/app/patients", "main .panel", None),
        ("/app/patients/{patient}", "main table", "m"),
    ],
    "eirik": [("/app/site?case={case}", ".rp .ra", "o"), ("/app/case/{case}", ".matrix", None)],
    "astrid": [
        (f"/app/admin/{section}", "main .panel", None)
        for section in (
            "facilities",
            "callers",
            "nodes",
            "feeds",
            "destinations",
            "agreements",
            "readers",
            "shifts",
            "users",
        )
    ]
    + [("/app/admin/deletions", "main .panel .empty", "n")],
}


def violations(page: Page) -> list[str]:
    """What axe finds on the page as it stands."""
    page.evaluate(AXE.read_text("utf-8"))
    found: list[Any] = page.evaluate(RUN)
    return [str(one) for one in found]


def in_both_themes(page: Page, where: str) -> list[str]:
    """The violations in the dark and in the light theme."""
    found = []
    for scheme in ("dark", "light"):
        page.evaluate(SET_THEME, scheme)
        found += [f"{where}, {scheme}: {one}" for one in violations(page)]
    return found


def test_sign_in(visit: Visit) -> None:
    somebody = visit("imogen")
    somebody.goto("/app/sign-in")
    somebody.page.wait_for_selector("#username")
    assert in_both_themes(somebody.page, "sign in") == []


@pytest.mark.parametrize("who", PAGES)
def test_pages(full: dict[str, str], visit: Visit, who: str) -> None:
    person = visit(who).sign_in()
    found = []
    for path, there, key in PAGES[who]:
        person.goto(path.format(**full))
        person.page.locator(there).first.wait_for()
        person.page.wait_for_timeout(300)
        found += in_both_themes(person.page, path)
        if key:
            for one in key.split():
                person.page.keyboard.press(one)
                person.page.wait_for_timeout(300)
            person.page.locator(OPENS.get(key, "[role=dialog]")).first.wait_for()
            found += in_both_themes(person.page, f"{path}, after {key}")
    assert not found, "\n".join(found)


def test_axe_finds_what_is_wrong(visit: Visit) -> None:
    somebody = visit("imogen")
    somebody.goto("/app/sign-in")
    somebody.page.wait_for_selector("#username")
    somebody.page.evaluate("document.querySelector('label[for=username]').remove()")
    assert [one for one in violations(somebody.page) if one.startswith("label:")]
