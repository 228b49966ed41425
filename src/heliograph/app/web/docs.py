"""`/api/docs`: the OpenAPI document as one plain page, made here. It loads nothing, from us or from anybody else, and runs no script."""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
details { border-top: 1px solid #8884; padding: .4rem 0 } summary { cursor: pointer }
code, pre { font-family: ui-monospace, monospace; font-size: .92em } table { border-collapse: collapse; margin: .4rem 0 }
td, th { text-align: left; vertical-align: top; padding: .15rem 1rem .15rem 0 } th { font-weight: 600 }
.m { display: inline-block; min-width: 4.2rem; font-weight: 600 } .q { opacity: .7 }
"""


@router.get("/api/docs", response_class=HTMLResponse)
def docs(request: Request) -> HTMLResponse:
    """Every route by tag, with what it takes and gives."""
    return HTMLResponse(page(request.app.openapi()), headers={"Cache-Control": "no-cache"})


def page(document: dict[str, Any]) -> str:
    """The page of one OpenAPI 3.1 document."""
    info = document["info"]
    rows = _operations(document)
    parts = [
        f"<h1>{escape(info['title'])} {escape(info['version'])}: the API</h1>",
        "<p>The contract itself is <a href='/api/openapi.json'>openapi.json</a> (OpenAPI 3.1). Times are UTC. People sign in by "
        "<code>POST /api/sign-in</code> and send the session's <code>csrf_token</code> as <code>X-CSRF-Token</code> with every change; "
        "machines send <code>Authorization: Bearer</code> with their key. A refusal is a problem document (RFC 9457) with a "
        "stable <code>code</code>.</p>",
    ]
    for tag, group in groupby(rows, key=lambda row: row[0]):
        parts.append(f"<h2>{escape(tag)}</h2>")
        parts += [_operation(path, method, operation) for _, path, method, operation in group]
    parts.append("<h2>shapes</h2>")
    shapes: dict[str, Any] = document.get("components", {}).get("schemas", {})
    parts += [_shape(name, schema) for name, schema in sorted(shapes.items())]
    title = escape(info["title"])
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title} API</title>"
        f"<meta name='viewport' content='width=device-width'><style>{_STYLE}</style>{''.join(parts)}</html>"
    )


def _operations(document: dict[str, Any]) -> list[tuple[str, str, str, dict[str, Any]]]:
    rows = [
        ((operation.get("tags") or ["other"])[0], path, method.upper(), operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return sorted(rows, key=lambda row: row[:3])


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    told = escape(operation.get("description") or operation.get("summary") or "").replace("\n\n", "<br>")
    takes = [
        (
            f"{p['name']} <span class='q'>in {p['in']}{', required' if p.get('required') else ''}</span>",
            _type(p.get("schema", {})),
        )
        for p in operation.get("parameters", [])
    ]
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        takes.append((f"body <span class='q'>{escape(media)}</span>", _type(content.get("schema", {}))))
    gives = [
        (
            escape(status),
            " ".join(_type(c.get("schema", {})) for c in answer.get("content", {}).values())
            or escape(answer["description"]),
        )
        for status, answer in operation.get("responses", {}).items()
    ]
    return (
        f"<details><summary><span class='m'>{method}</span> <code>{escape(path)}</code></summary><p>{told}</p>"
        f"{_table('Takes', takes)}{_table('Answers', gives)}</details>"
    )


def _shape(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (f"{escape(field)}{'' if field in required else ' <span class=q>optional</span>'}", _type(of))
        for field, of in schema.get("properties", {}).items()
    ]
    told = escape(schema.get("description", ""))
    return f"<details id='{escape(name)}'><summary><code>{escape(name)}</code></summary><p>{told}</p>{_table('Member', rows)}</details>"


def _table(head: str, rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    body = "".join(f"<tr><td><code>{left}</code></td><td>{right}</td></tr>" for left, right in rows)
    return f"<table><tr><th>{head}</th><th></th></tr>{body}</table>"


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words, with links to the shapes."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[-1])
        return f"<a href='#{name}'>{name}</a>"
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_type(o) for o in options)
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(v))}</code>" for v in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    words = [escape(str(schema.get("type", "anything"))), escape(schema.get("format", ""))]
    limits = [
        f"{k} {escape(str(schema[k]))}"
        for k in ("minLength", "maxLength", "minimum", "maximum", "pattern")
        if k in schema
    ]
    return " ".join(w for w in words if w) + (f" <span class='q'>({', '.join(limits)})</span>" if limits else "")
