"""Retrieve Capabilities (PS3.18 8.9): what it tells is what the server has."""

from __future__ import annotations

import importlib
import pkgutil
import re
from xml.etree import ElementTree

import httpx
import pytest
from fastapi.routing import APIRoute

from heliograph.exchange import dicomweb
from tests.cast import Cast
from tests.exchange.dicomweb.conftest import Served

_NS = "{http://wadl.dev.java.net/2009/02}"


def _routes() -> set[tuple[str, str]]:
    """(method, path below the root), variables without their kind."""
    return {
        (method, re.sub(r":\w+\}", "}", route.path.removeprefix("/dicomweb/{organization_slug}")) or "/")
        for module in pkgutil.iter_modules(dicomweb.__path__)
        for router in (getattr(importlib.import_module(f"{dicomweb.__name__}.{module.name}"), "router", None),)
        for route in getattr(router, "routes", ())
        if isinstance(route, APIRoute) and route.path.startswith("/dicomweb") and route.include_in_schema
        for method in route.methods
    }


@pytest.mark.parametrize("accept", ["application/vnd.sun.wadl+xml", "*/*", "application/json;q=0.5, application/*"])
def test_wadl_names_every_route(cast: Cast, served: Served, accept: str) -> None:
    answer = served.client(cast.eirik).request("OPTIONS", "/dicomweb/norfjord", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/vnd.sun.wadl+xml")
    tree = ElementTree.fromstring(answer.text)  # noqa: S314 - our own answer
    (base,) = tree.findall(f"{_NS}resources")
    assert base.get("base", "").endswith("/dicomweb/norfjord")
    told = {
        (method.get("name"), "/" + (resource.get("path") or ""))
        for resource in base
        for method in resource.findall(f"{_NS}method")
    }
    assert len(told) > 20
    assert told == _routes()
    store = next(r for r in base if r.get("path") == "studies")
    kinds = [e.get("mediaType") for e in store.findall(f"{_NS}method[@name='POST']/{_NS}request/{_NS}representation")]
    assert 'multipart/related; type="application/dicom+json"' in kinds


def test_json_names_every_route(cast: Cast, served: Served) -> None:
    answer = served.client(cast.eirik).request("OPTIONS", "/dicomweb/norfjord", headers={"Accept": "application/json"})
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    told = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert len(told) > 20
    assert told == _routes()
    assert document["servers"][0]["url"].endswith("/dicomweb/norfjord")
    metadata = document["paths"]["/studies/{study}/metadata"]["get"]
    assert "application/dicom+json" in metadata["responses"]["200"]["content"]


def test_who_may_ask(cast: Cast, served: Served) -> None:
    def ask(client: httpx.Client, where: str = "/dicomweb/norfjord", **headers: str) -> int:
        return client.request("OPTIONS", where, headers=headers).status_code

    assert ask(served.client(None)) == 401
    assert ask(served.client(cast.eirik), "/dicomweb/nowhere") == 404
    assert ask(served.client(cast.eirik), Accept="text/plain") == 406
    # It tells of the program alone: the same words for everybody.
    eirik, harper = (
        served.client(who).request("OPTIONS", "/dicomweb/norfjord").text for who in (cast.eirik, cast.harper)
    )
    assert eirik == harper
