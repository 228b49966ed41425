"""Field reports J04 and J06: nothing from outside becomes markup, and no address from outside is ever called."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from heliograph.app.context import Context
from heliograph.kit.codecs.dicom import dicom_json
from heliograph.records.archive import spool
from tests.cast import Cast
from tests.exchange.dicomweb.conftest import Served
from tests.exchange.dicomweb.test_stow import JSON_KIND, metadata_body
from tests.exchange.dicomweb.test_stow import send as stow
from tests.records.archive import files
from tests.web import sign_in_as, stranger

WEB = Path(__file__).resolve().parents[3] / "web"
SCRIPT = "<img src=x onerror=alert(1)>"
RAW = re.compile(
    r"dangerouslySetInner[H]TML|\.(inner|outer)[H]TML\b|insertAdjacent[H]TML|document\.wri[t]e|srcDo[c]\b|new Functio[n]\("
)


def test_no_page_renders_raw_html() -> None:
    """Field report J04: React escapes what it is given; nothing goes around it, in the pages or in the viewer's extension."""
    sources = [
        p for folder in ("src", "viewer") for p in (WEB / folder).rglob("*") if p.suffix in {".ts", ".tsx", ".html"}
    ]
    assert len(sources) > 100
    assert {p.name: found[0] for p in sources if (found := RAW.search(p.read_text("utf-8")))} == {}
    assert RAW.search("element.innerHTML = x")


PATHS = [
    "/app/{}",
    "/app/?next={}",
    "/viewer/?StudyInstanceUIDs={}",
    "/api/{}",
    "/api/search?text={}",
    "/api/cases/{}",
    "/dicomweb/norfjord/studies/{}/metadata",
    "/dicomweb/norfjord/studies?PatientName={}&{}=1&StudyDate={}",
    "/dicomweb/{}/studies",
    "/{}",
]


@pytest.mark.parametrize("path", PATHS)
def test_no_answer_repeats_markup_of_its_address(context: Context, cast: Cast, path: str) -> None:
    """Field report J04: signed in or not, what stands in an address never comes back as markup."""
    for client in (stranger(context), sign_in_as(context, cast.eirik)):
        answer = client.get(path.replace("{}", quote(SCRIPT, safe="")))
        is_page = "html" in answer.headers.get("content-type", "")
        assert not (is_page and "onerror" in answer.text)
        assert SCRIPT not in answer.text
        assert not any(SCRIPT in value for value in answer.headers.values())
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.fixture
def inside() -> Iterator[tuple[int, list[object]]]:
    """A service on loopback that nobody may be made to call: its port, and who did."""
    calls: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        stop = threading.Event()

        def listen() -> None:
            while not stop.is_set():
                try:
                    connection, address = server.accept()
                except TimeoutError:
                    continue
                calls.append(address)
                connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        yield server.getsockname()[1], calls
        stop.set()
        thread.join(5)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{}/latest/meta-data",
        "https://127.0.0.1:{}/",
        "http://[::ffff:127.0.0.1]:{}/",
        "//127.0.0.1:{}/x",
        "file:///etc/hostname",
        "../../../../../../etc/hostname",
        "http://localhost:{}/dicomweb/norfjord/studies/1/bulkdata/7FE00010",
    ],
)
def test_bulk_data_that_did_not_come_with_it_is_not_fetched(
    context: Context, cast: Cast, served: Served, inside: tuple[int, list[object]], address: str
) -> None:
    """Field report J06: a BulkDataURI means a part of the same body, or the object fails (0xC000) with nothing called and nothing kept."""
    port, calls = inside
    document = dicom_json(files.ct("1.2.3", "1.2.3.1"), bulk_uri=lambda _path: address.replace("{}", str(port)))
    answer = stow(served.client(cast.eirik), metadata_body([document], []), JSON_KIND)
    assert answer.status_code == 409
    assert answer.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xC000]
    assert calls == []
    assert [one for one in spool.waiting(context.settings.spool_dir) if not one.is_refused] == []
    with socket.create_connection(("127.0.0.1", port)) as probe:
        probe.recv(1)  # the trap works: it ends the connection once it has noted it
    assert len(calls) == 1
