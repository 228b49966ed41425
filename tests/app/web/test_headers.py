"""Security headers, the content policies, and that no page loads anything of another host."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from heliograph.app.context import Context
from heliograph.app.web.static import STATIC
from tests.cast import Cast
from tests.web import sign_in_as, stranger

PAGES = ("/app/", "/viewer/", "/api/docs", "/api/session", "/api/nowhere", "/health/live", "/nowhere")


def _policy(client: TestClient, path: str) -> dict[str, set[str]]:
    header = client.get(path).headers["content-security-policy"]
    return {name: set(values) for name, *values in (part.split() for part in header.split(";") if part.strip())}


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_bears_them(context: Context, path: str) -> None:
    headers = stranger(context).get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == ("SAMEORIGIN" if path.startswith("/viewer") else "DENY")
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers


def test_the_apps_scripts_are_ours_alone(context: Context) -> None:
    policy = _policy(stranger(context), "/app/")
    assert policy["script-src"] == {"'self'"}
    assert policy["connect-src"] == {"'self'"}
    assert policy["frame-ancestors"] == {"'none'"}
    assert policy["object-src"] == policy["base-uri"] == policy["default-src"] == {"'none'"}
    assert policy["form-action"] == {"'self'"}


def test_the_viewer_evaluates_nothing_but_in_its_decoding_worker(context: Context) -> None:
    client = stranger(context)
    policy = _policy(client, "/viewer/viewer")
    assert "'unsafe-eval'" not in policy["script-src"]
    assert "'unsafe-inline'" not in policy["script-src"]
    assert "'wasm-unsafe-eval'" in policy["script-src"]
    assert policy["frame-ancestors"] == {"'self'"}
    workers = re.findall(r'"([^"]+\.js)"', (STATIC / "viewer" / "csp.json").read_text("utf-8"))
    for name in workers:
        assert "'unsafe-eval'" in _policy(client, f"/viewer/{name}")["script-src"]


def test_the_api_may_do_nothing(context: Context, cast: Cast) -> None:
    client = sign_in_as(context, cast.imogen)
    for path in ("/api/session", "/dicomweb/norfjord/studies"):
        policy = _policy(client, path)
        assert policy["default-src"] == policy["frame-ancestors"] == {"'none'"}
        assert "script-src" not in policy


@pytest.mark.parametrize("path", PAGES)
def test_no_policy_lets_another_host_in(context: Context, path: str) -> None:
    for values in _policy(stranger(context), path).values():
        assert not {v for v in values if "." in v or v.startswith("http") or v == "*"}


_LOADS = (
    r"""<(?:script|link|img|iframe|source|object|embed)\b[^>]*?\b(?:src|href|data)\s*=\s*["']?(?:https?:)?//[^"' >]+""",
    r"""@import\s*(?:url\()?["']?(?:https?:)?//[^"')]+""",
    r"""url\(\s*["']?(?:https?:)?//[^"')]+""",
    r"""\b(?:fetch|importScripts|import|EventSource|WebSocket|Worker)\(\s*["'`](?:https?:|wss?:)?//[^"'`]+""",
    r"""\bfrom\s*["'](?:https?:)?//[^"']+""",
)


def _loads(text: str) -> list[str]:
    return [found for pattern in _LOADS for found in re.findall(pattern, text, re.IGNORECASE)]


def test_the_search_for_loads_finds_some() -> None:
    cdn = "https://cdn.example/x"
    for text in (
        f'<script src="{cdn}.js"></script>', f"<link rel=stylesheet href={cdn}.css>", '<img src="//cdn.example/x.png">',
        f'@import "{cdn}.css";', f"background: url({cdn}.png)", f'fetch("{cdn}")', f'import("{cdn}.js")', f'import a from "{cdn}.js"',
    ):  # fmt: skip
        assert len(_loads(text)) >= 1, text
    assert _loads('<a href="https://ohif.org">') == []


def test_nothing_that_we_serve_loads_from_another_host(context: Context) -> None:
    client = stranger(context)
    index = client.get("/app/").text
    assert "<html" in index
    assert _loads(index) == []
    files = [
        p for p in (STATIC / "app").rglob("*") if p.suffix in (".html", ".js", ".css", ".mjs", ".svg", ".webmanifest")
    ]
    assert any(p.suffix == ".js" for p in files), "the web app is not built: make setup"
    found: dict[str, list[str]] = {}
    for path in files:
        name = path.relative_to(STATIC / "app").as_posix()
        answer = client.get(f"/app/{name}")
        assert answer.status_code == 200
        if loads := _loads(answer.text):
            found[name] = loads
    assert found == {}


def test_the_page_of_the_api_loads_nothing_at_all(context: Context) -> None:
    client = stranger(context)
    page = client.get("/api/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert _loads(page.text) == []
    assert "<script" not in page.text
    assert not re.findall(r"https?://", page.text)
    for path in client.get("/api/openapi.json").json()["paths"]:
        assert f"<code>{path}</code>" in page.text


def test_a_packed_file_is_sent_packed_to_who_takes_it(context: Context) -> None:
    packed = next(p for p in sorted((STATIC / "viewer").glob("*.js.gz")))
    name = packed.name.removesuffix(".gz")
    client = stranger(context)
    answer = client.get(f"/viewer/{name}", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept-Encoding"
    plain = client.get(f"/viewer/{name}", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert answer.content == plain.content == gzip.decompress(packed.read_bytes())
    assert answer.headers["content-type"].startswith("text/javascript") == plain.headers["content-type"].startswith(
        "text/javascript"
    )


def test_places_inside_the_app_get_its_page(context: Context) -> None:
    client = stranger(context)
    page = client.get("/app/")
    for place in ("/app", "/app/list", "/app/case/01890000-0000-7000-8000-000000000000", "/app/sign-in"):
        answer = client.get(place)
        assert (answer.status_code, answer.text) == (200, page.text)
        assert answer.headers["cache-control"] == "no-cache"
    assert client.get("/app/assets/absent.js").status_code == 404, "a missing file is no page"
    home = client.get("/", follow_redirects=False)
    assert (home.status_code, home.headers["location"]) == (307, "/app/")
    script = re.search(r'src="/app/(assets/[^"]+\.js)"', page.text)
    assert script
    assert "immutable" in client.get(f"/app/{script[1]}").headers["cache-control"]


@pytest.mark.parametrize("root", ["app", "viewer"])
@pytest.mark.parametrize(
    "path",
    [
        "../web/main.py", "..%2fweb%2fmain.py", "%2e%2e/web/main.py", "%2e%2e%2fweb%2fmain.py", "..\\web\\main.py",
        "assets/../../../web/main.py",
        "/etc/passwd", "%2fetc%2fpasswd", "....//web/main.py", "%00", "x%00.js", "a" * 5000 + ".js", "%c0%ae%c0%ae/web/main.py",
    ],
)  # fmt: skip
def test_nothing_outside_is_sent(context: Context, root: str, path: str) -> None:
    answer = stranger(context).get(f"/{root}/{path}")
    assert answer.status_code in (200, 404)
    assert "root:" not in answer.text
    assert "Puts the web server together" not in answer.text
    if answer.status_code == 200:
        page = STATIC / root / "index.html"
        assert answer.content == page.read_bytes(), "the app's own page, and nothing else"


def test_a_link_out_of_the_folder_is_not_followed(context: Context, tmp_path: Path) -> None:
    """What a build leaves there by mistake is not sent either."""
    from starlette.requests import Request

    from heliograph.app.web.static import _send
    from heliograph.kit.errors import NotFound

    folder = tmp_path.resolve() / "static"
    folder.mkdir()
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    (folder / "out.txt").symlink_to(secret)
    with pytest.raises(NotFound):
        _send(folder, "out.txt", Request({"type": "http", "headers": []}))
