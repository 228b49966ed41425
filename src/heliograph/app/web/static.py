"""The web app under /app and the viewer under /viewer: prebuilt files, sent compressed where a `.gz` lies beside."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, RedirectResponse, Response

from heliograph.kit.errors import NotFound

STATIC = Path(__file__).resolve().parents[1] / "static"
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".json": "application/json",
          ".svg": "image/svg+xml", ".woff2": "font/woff2", ".html": "text/html; charset=utf-8"}  # fmt: skip
_FOREVER = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


def _send(folder: Path, name: str, request: Request, *, page: str = "index.html") -> Response:
    """A file of `folder`, or its page: paths without a file are places inside the single-page app."""
    try:
        wanted = (folder / name).resolve()
        is_page = not wanted.is_file()
    except (ValueError, OSError) as error:  # a null byte, a name that is too long
        raise NotFound() from error
    if not wanted.is_relative_to(folder):
        raise NotFound()
    if is_page:
        if "." in name.rsplit("/", 1)[-1]:
            raise NotFound()
        wanted = folder / page
        if not wanted.is_file():
            raise NotFound("The web app is not built here. Run `make setup`.")
    media = _TYPES.get(wanted.suffix) or mimetypes.guess_type(wanted.name)[0] or "application/octet-stream"
    hashed = (
        not is_page
        and wanted.suffix != ".html"
        and ("assets/" in name or ".bundle." in name or wanted.suffix == ".wasm")
    )
    headers = {"Cache-Control": _FOREVER if hashed else "no-cache"}
    packed = wanted.with_name(wanted.name + ".gz")
    if packed.is_file():
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            wanted = packed
    return FileResponse(wanted, media_type=media, headers=headers)


@router.get("/")
def home() -> Response:
    return RedirectResponse("/app/")


@router.get("/app")
@router.get("/app/{name:path}")
def app_file(request: Request, name: str = "") -> Response:
    return _send(STATIC / "app", name, request)


@router.get("/viewer")
@router.get("/viewer/{name:path}")
def viewer_file(request: Request, name: str = "") -> Response:
    return _send(STATIC / "viewer", name, request)
