"""Fetch the OHIF viewer and prepare it to live wholly under /viewer/.

The package's `dist/` is built for the root of a host. Rewriting its public path at set-up keeps every request
it makes below /viewer/ (and /dicomweb/), with no fork and no build of our own. Each rewrite is counted: a new
release that differs stops the set-up here instead of failing in a reader's browser.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.stamps import gzip_siblings

PACKAGE = "@ohif/app"
VERSION = "3.13.2"
SHA512 = (
    "5997719a9986eeba85816f5924b71b82bdd70ad2e2d4a0cd3e831a798e4f3dee"
    "a3e06e1f8c48e393271933a0ba664d85f3b04ac457e9abe8dde715d907d13c10"
)
MOUNT = "/viewer/"

# Left out: AI run times we do not use, the microscopy viewer, sign-in helpers, polyfills for dead browsers,
# hosting files, and a service worker whose start-up script would unregister every other one of this origin.
# `app-config.js` is served by the application, from its settings.
LEFT_OUT_FOLDERS = ("ort/", "dicom-microscopy-viewer/", "customizations/")
LEFT_OUT_FILES = {
    "_headers",
    "_redirects",
    "app-config.js",
    "es6-shim.min.js",
    "google.js",
    "init-service-worker.js",
    "oidc-client.min.js",
    "polyfill.min.js",
    "serve.json",
    "silent-refresh.html",
    "sw.js",
}

PUBLIC_PATH = b'__webpack_require__.p = "/";'
MICROSCOPY_IMPORT = b"browserImportFunction('/dicom-microscopy-viewer/"
DECODER = b"var Module=typeof libjpegturbowasm_decode"
EXPECTED = Counter({PUBLIC_PATH: 8, MICROSCOPY_IMPORT: 1})
SERVICE_WORKER_TAG = re.compile(r'<script[^>]*src="/init-service-worker\.js"[^>]*></script>')
ROOTED_ATTRIBUTE = re.compile(r'\b(href|src|content)="/(?!/)')
INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


class ViewerError(Exception):
    """The package is not the one that this preparation was written for."""


def archive_in(cache: Path) -> Path:
    """Where npm puts the package below `cache`."""
    return cache / f"{PACKAGE.removeprefix('@').replace('/', '-')}-{VERSION}.tgz"


def fetch(cache: Path, environment: Mapping[str, str]) -> Path:
    """Download the package with npm unless it is in `cache`; returns the archive, its SHA-512 checked.

    Raises ViewerError when the bytes differ, CalledProcessError when npm fails.
    """
    cache.mkdir(parents=True, exist_ok=True)
    archive = archive_in(cache)
    if not archive.is_file() or _sha512(archive) != SHA512:
        npm = shutil.which("npm", path=environment["PATH"]) or "npm"
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", str(cache)]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    if _sha512(archive) != SHA512:
        archive.unlink()
        raise ViewerError(f"{PACKAGE} {VERSION} was downloaded with other bytes than those we know")
    return archive


def prepare(archive: Path, target: Path) -> None:
    """Write the viewer of `archive` into `target`, rewritten to MOUNT; replaces what was there at the end.

    Raises ViewerError when a place that must be rewritten is not found exactly as often as expected.
    """
    fresh = target.with_name(target.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    found: Counter[bytes] = Counter()
    for name, content in _wanted(archive):
        if name.endswith(".js"):
            for place in EXPECTED:
                found[place] += content.count(place)
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rewrite(name, content))
    if found != EXPECTED:
        raise ViewerError(f"{PACKAGE} {VERSION} is built differently: found {dict(found)}")
    policy = {
        "script-src": script_hashes((fresh / "index.html").read_text()),
        "evaluating-workers": evaluating_workers(fresh),
    }
    (fresh / "csp.json").write_text(json.dumps(policy, indent=2) + "\n")
    gzip_siblings(fresh)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)


def rewrite(name: str, content: bytes) -> bytes:
    """The content of the file `name` with MOUNT for the root of the host."""
    mount = MOUNT.encode()
    if name.endswith(".js"):
        content = content.replace(PUBLIC_PATH, PUBLIC_PATH.replace(b'"/"', b'"' + mount + b'"'))
        return content.replace(MICROSCOPY_IMPORT, MICROSCOPY_IMPORT.replace(b"'/", b"'" + mount))
    if name.endswith(".css"):
        return content.replace(b"url(/", b"url(" + mount)
    if name == "manifest.json":
        return content.replace(b'"/assets/', b'"' + mount + b"assets/")
    return rewrite_page(content.decode()).encode() if name == "index.html" else content


def rewrite_page(page: str) -> str:
    """index.html with every own address below MOUNT and without the service worker.

    Raises ViewerError when the page no longer loads app-config.js or names another host.
    """
    page, workers = SERVICE_WORKER_TAG.subn("", page)
    page, publics = re.subn(r'window\.PUBLIC_URL="/"', f'window.PUBLIC_URL="{MOUNT}"', page)
    page = ROOTED_ATTRIBUTE.sub(rf'\1="{MOUNT}', page)
    if workers != 1 or publics == 0 or f'src="{MOUNT}app-config.js"' not in page:
        raise ViewerError("index.html is built differently: read it and adapt rewrite_page")
    if re.search(r'(href|src)="(https?:)?//', page):
        raise ViewerError("index.html names another host")
    return page


def script_hashes(page: str) -> list[str]:
    """The source expressions (CSP Level 3, 2.3.1) that allow exactly the inline scripts of `page`."""
    hashes = []
    for script in INLINE_SCRIPT.findall(page):
        value = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        hashes.append(f"'sha256-{value}'")
    return hashes


def evaluating_workers(folder: Path) -> list[str]:
    """Names of the scripts that decode images in a worker: their WebAssembly glue compiles code, so their own responses allow it.

    Raises ViewerError when not exactly one is found: then images would stay black under the content policy.
    """
    named = [path.name for path in sorted(folder.glob("*.bundle.*.js")) if not path.name.startswith("app.bundle.")]
    found = [name for name in named if DECODER in (folder / name).read_bytes()]
    if len(found) != 1:
        raise ViewerError(f"{PACKAGE} {VERSION} has {len(found)} decoding workers")
    return found


def _wanted(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Name below `dist/` and content of each file that we ship, and the licence of the whole."""
    with tarfile.open(archive) as package:
        for member in package:
            name = member.name.removeprefix("package/dist/")
            if member.name == "package/LICENSE":
                name = "LICENSE.txt"
            elif name == member.name or ".." in Path(name).parts or name.endswith(".map"):
                continue
            if not member.isfile() or name in LEFT_OUT_FILES or name.startswith(LEFT_OUT_FOLDERS):
                continue
            stream = package.extractfile(member)
            if stream is not None:
                yield name, stream.read()


def _sha512(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha512").hexdigest()
