"""One platform with its network, and one Chromium, for all journeys; skipped where there is no Chromium or no built web app."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.journeys.network import Network, SiteSystem
from tests.journeys.visitor import Visit, Visitor
from tools.running import Platform

CHROMIUM = Path("/usr/bin/chromium")
SCREENS = Path("test-results") / "journeys"
FAILED = pytest.StashKey[bool]()
STATIC = Path(__file__).resolve().parents[2] / "src" / "heliograph" / "app" / "static"
ARGUMENTS = (
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-background-networking",
    "--disable-component-update", "--no-first-run",
)  # fmt: skip


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed")
    if not (STATIC / "app" / "index.html").exists():
        pytest.skip("the web app is not built: make setup")
    with sync_playwright() as playwright:
        expect.set_options(timeout=20_000)  # a machine may be busy
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def network(browser: Browser) -> Iterator[Network]:
    """The demonstration's organisations and people, without its cases; studies are complete after a second."""
    folder = Path(tempfile.mkdtemp(prefix="heliograph-journeys-"))  # pytest's own are closed to PostgreSQL's account
    site = SiteSystem()
    platform = Platform(folder, delivery_timeout_seconds="5")
    network = Network(platform, site, folder / "made")
    try:
        platform.prepare(results_port=site.port, quiet_seconds=1)
        platform.start()
        platform.wait_ready()
        yield network
        network.close()
        platform.stop()
    finally:
        site.stop()
        platform.clean_up()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def visit(browser: Browser, network: Network, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """`visit("imogen")`: somebody sits down at a browser. Afterwards no page may have done what none may do.

    Where a test fails, what each person saw last is in test-results/journeys/.
    """
    visitors: list[Visitor] = []

    def sit_down(username: str) -> Visitor:
        visitor = Visitor(browser, network.url, username)
        visitors.append(visitor)
        return visitor

    yield sit_down
    faults = [f"{visitor.username}: {fault}" for visitor in visitors for fault in visitor.unexpected]
    if request.node.stash.get(FAILED, True):
        SCREENS.mkdir(parents=True, exist_ok=True)
        for number, visitor in enumerate(visitors):
            visitor.page.screenshot(path=SCREENS / f"{request.node.name}-{number}-{visitor.username}.png")
    for visitor in visitors:
        visitor.close()
    assert faults == []
