"""What a DICOMweb root can do (PS3.18 8.9), told from the routes that it has, so that the two can't differ. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

WADL: Final = "application/vnd.sun.wadl+xml"
OPENAPI: Final = "application/json"
_ROOT: Final = "/dicomweb/{organization_slug}"
_METHODS: Final = ("get", "head", "post", "options")
_JSON: Final = ("application/dicom+json", "application/json")
_BY_END: Final = {
    "/metadata": _JSON,
    "/rendered": ("image/jpeg", "image/png", "text/html", "application/pdf"),
    "/thumbnail": ("image/jpeg", "image/png"),
    "/frames/{frames}": ('multipart/related; type="application/octet-stream"', 'multipart/related; type="image/jpeg"',
                         'multipart/related; type="image/jls"', 'multipart/related; type="image/jp2"'),
    "/bulkdata/{path}": ("application/octet-stream", 'multipart/related; type="application/octet-stream"'),
    "/studies": _JSON,
    "/series": _JSON,
    "/instances": _JSON,
    "/wado": ("image/jpeg", "application/dicom"),
}  # fmt: skip
_STORED: Final = ('multipart/related; type="application/dicom"', 'multipart/related; type="application/dicom+json"',
                  "application/dicom")  # fmt: skip


def openapi(whole: Mapping[str, Any], root: str) -> dict[str, Any]:
    """The OpenAPI 3 document of the DICOMweb root at the address `root`, out of the `whole` server's."""
    paths: dict[str, Any] = {}
    for path, operations in whole["paths"].items():
        if not path.startswith(_ROOT):
            continue
        below = path[len(_ROOT) :] or "/"
        paths[below] = {
            method: {
                "summary": operation.get("description") or operation.get("summary", ""),
                "parameters": [p for p in operation.get("parameters", ()) if p["name"] != "organization_slug"],
                **({"requestBody": {"content": {kind: {} for kind in _STORED}}} if method == "post" else {}),
                "responses": {"200": {"description": "", "content": {kind: {} for kind in _answers(below, method)}}},
            }
            for method, operation in operations.items()
            if method in _METHODS
        }
    info = {"title": "DICOMweb", "version": whole["info"]["version"]}
    return {"openapi": whole["openapi"], "info": info, "servers": [{"url": root}], "paths": paths}


def _answers(path: str, method: str) -> tuple[str, ...]:
    """Media types of the answers, the usual ones; what an object can be had as depends on it (Accept)."""
    if path == "/":
        return (WADL, OPENAPI)
    if method == "post":
        return _JSON
    for end, kinds in _BY_END.items():
        if path.endswith(end) or re.sub(r":\w+\}", "}", path).endswith(end):
            return kinds
    return ('multipart/related; type="application/dicom"',)


def wadl(document: Mapping[str, Any]) -> str:
    """The same as a WADL document (W3C submission of 31 August 2009)."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<application xmlns="http://wadl.dev.java.net/2009/02" xmlns:xsd="http://www.w3.org/2001/XMLSchema">',
        f"<resources base={quoteattr(document['servers'][0]['url'])}>",
    ]
    for path, operations in document["paths"].items():
        lines.append(f"<resource path={quoteattr(path.strip('/'))}>")
        names = {p["name"] for o in operations.values() for p in o["parameters"] if p["in"] == "path"}
        lines += [
            f'<param name={quoteattr(n)} style="template" required="true" type="xsd:string"/>' for n in sorted(names)
        ]
        for method, operation in operations.items():
            lines += _method(method, operation)
        lines.append("</resource>")
    return "\n".join([*lines, "</resources>", "</application>", ""])


def _method(method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<method name={quoteattr(method.upper())}>"
    yield f"<doc>{escape(operation['summary'].strip())}</doc>"
    yield "<request>"
    for parameter in operation["parameters"]:
        if parameter["in"] != "path":
            required = json.dumps(bool(parameter.get("required")))
            style = "query" if parameter["in"] == "query" else "header"
            yield f'<param name={quoteattr(parameter["name"])} style="{style}" required="{required}" type="xsd:string"/>'
    for kind in operation.get("requestBody", {}).get("content", ()):
        yield f"<representation mediaType={quoteattr(kind)}/>"
    yield "</request>"
    yield "<response>"
    for kind in operation["responses"]["200"]["content"]:
        yield f"<representation mediaType={quoteattr(kind)}/>"
    yield "</response>"
    yield "</method>"
