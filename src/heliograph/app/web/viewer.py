"""The viewer's own configuration: OHIF loads `app-config.js` before it starts, and ours is our extension, which sets `window.config`.

It is the same for everyone: data sources are made in the browser from the organisation named in the address, and what a person may
see is decided by each DICOMweb request. So nothing here tells one client of another.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from heliograph.app.web.static import STATIC
from heliograph.kit.errors import NotFound

EXTENSION = STATIC / "viewer-extension" / "heliograph.js"

router = APIRouter(include_in_schema=False)


@router.get("/viewer/app-config.js")
@router.get("/viewer/heliograph.js")
def extension(request: Request) -> Response:
    """The extension as one classic script. Asked anew each time: it has no hash in its name, and a viewer lives for a shift."""
    if not EXTENSION.is_file():
        raise NotFound("The viewer's extension is not built here. Run `make setup`.")
    headers = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    packed = EXTENSION.with_name(EXTENSION.name + ".gz")
    # A packed copy older than the script would serve yesterday's extension after a build by hand.
    if (
        "gzip" in request.headers.get("accept-encoding", "")
        and packed.is_file()
        and packed.stat().st_mtime >= EXTENSION.stat().st_mtime
    ):
        return FileResponse(packed, media_type="text/javascript", headers={**headers, "Content-Encoding": "gzip"})
    return FileResponse(EXTENSION, media_type="text/javascript", headers=headers)
