"""The set-up: a step runs once for each content of its inputs; the viewer is rewritten as a whole."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import tarfile
from pathlib import Path

import pytest

from tools import viewer
from tools.stamps import Stamp, digest, gzip_siblings, source_files

VIEWER = Path(__file__).resolve().parents[2] / "src" / "heliograph" / "app" / "static" / "viewer"

PAGE = (
    '<script>window.PUBLIC_URL="/"</script><link href="/app.css">'
    '<script src="/app-config.js"></script><script type="module" src="/init-service-worker.js"></script>'
)


def test_a_stamp_is_current_only_for_its_inputs_and_products(tmp_path: Path) -> None:
    source, product = tmp_path / "source", tmp_path / "product"
    source.write_text("one")
    product.write_text("made")

    def stamp() -> Stamp:
        return Stamp(tmp_path / "stamp", digest([source]), product)

    assert not stamp().current()
    stamp().write()
    assert stamp().current()
    source.write_text("two")
    assert not stamp().current()
    source.write_text("one")
    assert stamp().current()
    product.unlink()
    assert not stamp().current()


def test_a_digest_tells_names_contents_and_facts_apart(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("a")
    two.write_text("a")
    assert len({digest([one]), digest([two]), digest([one, two]), digest([one], "3.11"), digest([])}) == 5


def test_results_and_hidden_folders_are_no_sources(tmp_path: Path) -> None:
    for name in ("src/a.ts", "node_modules/x/b.js", "dist/c.js", ".vite/d.js", "e.tsbuildinfo"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert list(source_files(tmp_path)) == [tmp_path / "src" / "a.ts"]


def test_compressed_siblings_hold_the_same_and_come_out_the_same(tmp_path: Path) -> None:
    script = tmp_path / "app.js"
    script.write_text("let a = 1;\n" * 500)
    (tmp_path / "small.js").write_text("1")
    (tmp_path / "image.png").write_bytes(bytes(5000))
    assert gzip_siblings(tmp_path) == 1
    first = (tmp_path / "app.js.gz").read_bytes()
    assert gzip.decompress(first) == script.read_bytes()
    gzip_siblings(tmp_path)
    assert (tmp_path / "app.js.gz").read_bytes() == first


def test_the_page_is_moved_below_the_mount() -> None:
    page = viewer.rewrite_page(PAGE)
    assert 'href="/viewer/app.css"' in page
    assert 'src="/viewer/app-config.js"' in page
    assert 'PUBLIC_URL="/viewer/"' in page
    assert "service-worker" not in page


@pytest.mark.parametrize(
    "broken",
    [
        PAGE.replace("/init-service-worker.js", "/worker.js"),
        PAGE.replace("/app-config.js", "/config.js"),
        PAGE.replace("PUBLIC_URL", "PUBLIC"),
        PAGE + '<link href="https://fonts.example.org/a.css">',
        PAGE + '<script src="//cdn.example.org/a.js"></script>',
    ],
)
def test_a_page_built_differently_is_refused(broken: str) -> None:
    with pytest.raises(viewer.ViewerError):
        viewer.rewrite_page(broken)


def test_a_package_with_other_bundles_is_refused_and_the_old_viewer_stays(tmp_path: Path) -> None:
    dist = tmp_path / "package" / "dist"
    dist.mkdir(parents=True)
    (dist / "index.html").write_text(PAGE)
    (dist / "app.bundle.js").write_bytes(viewer.PUBLIC_PATH)
    archive = tmp_path / "app.tgz"
    with tarfile.open(archive, "w:gz") as package:
        package.add(tmp_path / "package", "package")
    target = tmp_path / "viewer"
    target.mkdir()
    (target / "kept").touch()
    with pytest.raises(viewer.ViewerError, match="built differently"):
        viewer.prepare(archive, target)
    assert (target / "kept").exists()


def test_the_prepared_viewer_asks_for_nothing_at_the_root() -> None:
    page = (VIEWER / "index.html").read_text()
    assert re.findall(r'(?:href|src|content)="(/(?!viewer/)[^"]*)"', page) == []
    for path in VIEWER.glob("*.css"):
        assert re.findall(r"url\(/(?!viewer/)", path.read_text()) == [], path.name
    for path in VIEWER.glob("*.js"):
        assert viewer.PUBLIC_PATH not in path.read_bytes(), path.name
    assert not (VIEWER / "sw.js").exists()
    assert not (VIEWER / "app-config.js").exists()


def test_the_content_policy_knows_each_inline_script() -> None:
    scripts = re.findall(r"<script>(.*?)</script>", (VIEWER / "index.html").read_text(), re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    policy = json.loads((VIEWER / "csp.json").read_text())
    assert policy["script-src"] == [f"'sha256-{value}'" for value in hashes]
    assert len(hashes) == 2


def test_only_the_decoding_worker_may_evaluate_code() -> None:
    policy = json.loads((VIEWER / "csp.json").read_text())
    assert len(policy["evaluating-workers"]) == 1
    assert not policy["evaluating-workers"][0].startswith("app.")
    assert (VIEWER / policy["evaluating-workers"][0]).is_file()
