"""Field reports J04, J06 and J08: nothing from outside becomes markup, is called, or is repeated where it does not belong."""

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
from tests.exchange.dicomweb.odd import Archive, image
from tests.exchange.dicomweb.test_dicomweb import post
from tests.exchange.dicomweb.test_stow import JSON_KIND, metadata_body
from tests.exchange.dicomweb.test_stow import send as stow
from tests.kit.codecs import dicom_bytes as wire
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
    "/api/messages?text={}",
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


@pytest.fixture
def archive(context: Context, cast: Cast, served: Served) -> Archive:
    return Archive(context, cast, served.client(cast.eirik))


SECRETS = ("Hemmelig", "SECRET-77", "19480312", "geheim")


def test_no_door_repeats_a_patient_in_an_error_or_the_log(
    archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Field report J08: whatever is wrong with an object or a query, no name or number of a patient is in answers or in the log."""
    secret = [
        wire.text(0x00100010, "PN", SECRETS[0]),
        wire.text(0x00100030, "DA", SECRETS[2]),
        wire.text(0x00081030, "LO", SECRETS[3]),
    ]
    odd = [
        image("1.2.1", None, *secret, wire.text(0x00100020, "LO", "OTHER"), patient=SECRETS[1]),
        image("1.2.2", None, *secret, wire.text(0x00200013, "IS", SECRETS[1]), patient=SECRETS[1]),
        image("1.2.3", None, *secret, patient=SECRETS[1])[:-1],
        image("1.2.4", None, *secret, wire.text(0x00080018, "UI", "1.2.x"), patient=SECRETS[1]),
        image("1.2.5", None, *secret, wire.element(0x00081140, "SQ", SECRETS[1].encode()), patient=SECRETS[1]),
        SECRETS[1].encode() * 40,
    ]
    answers = [post(archive.client, [one]).text for one in odd]
    archive.send(tmp_path, *odd[:3])
    queries = [{"PatientBirthDate": f"{SECRETS[1]}-x"}, {"StudyDate": SECRETS[0]}, {"Rows": SECRETS[1]}]
    paths = [f"studies/{SECRETS[1]}/metadata", f"studies/1.2.2/series/1.2.2.1/instances/1.2.2.1.1/frames/{SECRETS[1]}"]
    answers += [archive.client.get("/dicomweb/norfjord/studies", params=query).text for query in queries[:2]]
    answers += [archive.client.get("/dicomweb/norfjord/instances", params=query).text for query in queries]
    answers += [archive.client.get(f"/dicomweb/norfjord/{path}").text for path in paths]
    held = archive.rows("select reason || ' ' || detail from archive.held_objects")
    records = archive.rows("select coalesce(reason, '') || detail::text from audit.events")
    shown = capsys.readouterr()
    told = [*answers, shown.out, shown.err, caplog.text, *(row[0] for row in held), *(row[0] for row in records)]
    assert [f"{secret}: {at}" for at, text in enumerate(told) for secret in SECRETS if secret in text] == []
    assert len(held) >= 2
