"""Writes the tables of docs/conformance/ from the code: what stands between `<!-- table NAME -->` and `<!-- end -->`.

python -m tools.conformance [--check]    --check: exit 1 where a document is not what the code says
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from fastapi import FastAPI
from pydicom.datadict import keyword_for_tag
from pydicom.uid import UID
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import uid_to_service_class

from heliograph.exchange.dicomweb import qido, stow_json, syntaxes
from heliograph.exchange.dicomweb.api import router
from heliograph.exchange.dicomweb.capabilities import openapi
from heliograph.exchange.dimse import find, retrieve
from heliograph.exchange.dimse.services import services
from heliograph.kit.codecs.dicom import part10, pixels
from heliograph.kit.net.dicom import client, command, contexts, tls
from heliograph.kit.net.dicom.command import C_FIND_RQ, C_GET_RQ, C_MOVE_RQ, N_ACTION_RQ
from heliograph.kit.settings import Settings
from heliograph.records.archive import search_attributes, search_values
from heliograph.records.archive import statuses as store_statuses

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "conformance"
_BLOCK = re.compile(r"<!-- table (\w+) -->\n.*?<!-- end -->", re.DOTALL)
_REQUESTS = {C_FIND_RQ: "C-FIND", C_GET_RQ: "C-GET", C_MOVE_RQ: "C-MOVE", N_ACTION_RQ: "N-ACTION"}


def _table(head: str, rows: Iterable[Iterable[object]]) -> str:
    names = head.split("|")
    lines = [" | ".join(str(cell).replace("|", "\\|").strip() for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in (" | ".join(names), " | ".join("---" for _ in names), *lines))


def _named(uid: str) -> tuple[str, str]:
    name = UID(uid).name
    return (name if name != uid else "(not in the dictionary)", f"`{uid}`")


def storage_classes() -> list[str]:
    """The standard storage SOP classes that are taken and known by name."""
    from pynetdicom import sop_class

    known = {
        uid
        for uid in vars(sop_class).values()
        if isinstance(uid, str) and re.fullmatch(r"1\.2\.840\.10008[0-9.]+", uid)
    }
    return sorted(
        uid for uid in known if uid_to_service_class(uid) is StorageServiceClass and contexts.is_storage(uid)
    )  # fmt: skip


def offered() -> dict[str, str]:
    """Abstract syntaxes besides storage, and the operation of each."""
    nothing = cast(Any, None)  # the offers are looked at, not served
    made = {uid: _REQUESTS[offer.field] for uid, offer in services(nothing, nothing, nothing).items()}
    return {contexts.VERIFICATION: "C-ECHO", **made}


def statuses(module: ModuleType) -> dict[str, int]:
    """DIMSE statuses that a module names."""
    return {
        name: value
        for name, value in vars(module).items()
        if name.isupper() and type(value) is int and (0xA000 <= value <= 0xFFFF or value in {0x0110, 0x0122, 0x0124, 0x0211})
        and not name.startswith(("MOST", "MESSAGE"))
    }  # fmt: skip


def _status_rows() -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = [("C-STORE", "success", "`0x0000`")]
    meanings = {**store_statuses.WARNINGS, **store_statuses.FAILURES}
    del meanings[store_statuses.OTHER_STUDY]  # a C-STORE names no study
    rows += [("C-STORE", meaning, f"`0x{status:04X}`") for status, meaning in sorted(meanings.items())]
    for of, module in (("C-FIND", find), ("C-GET, C-MOVE", retrieve), ("any", command)):
        for name, value in sorted(statuses(module).items(), key=lambda pair: pair[1]):
            rows.append((of, name.replace("_", " ").lower(), f"`0x{value:04X}`"))
    return rows


def routes() -> list[tuple[str, str, str]]:
    """(method, path below the root, what it does) of each DICOMweb route."""
    app = FastAPI(title="DICOMweb", version="1")
    app.include_router(router)
    paths = openapi(app.openapi(), "")["paths"]
    return [
        (m.upper(), p, o["summary"].splitlines()[0]) for p, operations in paths.items() for m, o in operations.items()
    ]


def _limits() -> list[tuple[object, ...]]:
    names = [
        n
        for n in Settings.model_fields
        if n.startswith("dimse_") or n in {"max_upload_mb", "min_free_mb", "quarantine_objects", "quarantine_mb"}
    ]
    fields = [(name, Settings.model_fields[name]) for name in names]
    return [
        (f"`HELIOGRAPH_{n.upper()}`", f.default, f.description or "")
        for n, f in fields
        if isinstance(f.default, int | float)
    ]


def _keys() -> list[tuple[object, ...]]:
    by_level: dict[str, list[str]] = {}
    for tag in sorted(search_attributes._LEVEL_OF):
        by_level.setdefault(search_attributes.level_of(tag), []).append(keyword_for_tag(int(tag, 16)))
    return [(level, " ".join(names)) for level, names in by_level.items()]


TABLES: dict[str, Callable[[], str]] = {
    "storage": lambda: _table("SOP class|UID", map(_named, storage_classes())),
    "services": lambda: _table("SOP class|UID|operation", ((*_named(u), o) for u, o in offered().items())),
    "users": lambda: _table(
        "SOP class|UID", map(_named, (contexts.VERIFICATION, client.PATIENT_FIND, client.STUDY_FIND, client.STUDY_GET, client.STUDY_MOVE))
    ),
    "without_pixels": lambda: _table("transfer syntax|UID", map(_named, sorted(contexts._WITHOUT_PIXELS))),
    "statuses": lambda: _table("operation|meaning|status", _status_rows()),
    "keys": lambda: _table("level|attributes", _keys()),
    "matching": lambda: _table(
        "matching|value representations",
        (
            ("wild card and single value", " ".join(sorted(search_values.WILDCARD_VRS))),
            ("range and single value", " ".join(sorted(search_values.RANGE_VRS))),
            ("number", " ".join(sorted(search_values.NUMBER_VRS))),
            ("single value, list of UIDs", " ".join(sorted(search_values.MATCHED_VRS - search_values.WILDCARD_VRS
                                                           - search_values.RANGE_VRS - search_values.NUMBER_VRS))),
        ),
    ),
    "limits": lambda: _table("setting|default|meaning", _limits()),
    "suites": lambda: _table("TLS 1.2 suite", ((f"`{name}`",) for name in tls._SUITES.split(":"))),
    "implementation": lambda: _table(
        "item|value",
        (("Implementation Class UID", f"`{part10.IMPLEMENTATION_CLASS_UID}`"),
         ("Implementation Version Name", f"`{part10.IMPLEMENTATION_VERSION_NAME}`"),
         ("Application Context Name", "`1.2.840.10008.3.1.1.1`")),
    ),
    "transcoding": lambda: _table(
        "transfer syntax|UID|decoded|made|media type of its frames",
        ((*_named(uid), "yes" if uid in pixels.DECODABLE else "no", "yes" if uid in pixels.ENCODABLE else "no",
          f"`{syntaxes.frame_type(uid)[0]}`") for uid in sorted({*pixels.DECODABLE, *pixels.ENCODABLE, *syntaxes._TYPES})),
    ),
    "routes": lambda: _table("method|below the root|what", ((m, f"`{p}`", what) for m, p, what in routes())),
    "returned": lambda: _table(
        "level|attributes",
        ((level, " ".join(keyword_for_tag(int(tag, 16)) for tag in tags)) for level, tags in qido._OWN.items()),
    ),
    "reasons": lambda: _table(
        "attribute|value|meaning",
        [("FailureReason", f"`0x{n:04X}`", text) for n, text in store_statuses.FAILURES.items()]
        + [("WarningReason", f"`0x{n:04X}`", text) for n, text in store_statuses.WARNINGS.items()],
    ),
    "bulk": lambda: _table(
        "media type|transfer syntax without a parameter", ((f"`{k}`", f"`{u}`") for k, u in stow_json.SYNTAX_OF.items())
    ),
}  # fmt: skip


def filled(text: str) -> str:
    """A document with its tables as the code has them now. Raises KeyError for a table that nobody makes."""
    return _BLOCK.sub(lambda m: f"<!-- table {m[1]} -->\n{TABLES[m[1]]()}\n<!-- end -->", text)


def named(text: str) -> set[str]:
    """The tables that a document has."""
    return {match[1] for match in _BLOCK.finditer(text)}


def main() -> int:
    stale = []
    for path in sorted(FOLDER.glob("*.md")):
        text = path.read_text("utf-8")
        if (now := filled(text)) != text:
            stale.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(now, "utf-8")
    if stale and "--check" in sys.argv:
        print(f"out of date: {', '.join(stale)}; run python -m tools.conformance")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
