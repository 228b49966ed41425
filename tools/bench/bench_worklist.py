"""My list and the coordinator's board over HTTP with 10,000 open cases, under row-level security.

Fills a database of its own with COPY, starts the web application on a free port, and asks each page many times as a reader with a full
list and as a coordinator. With --explain it prints the plan of the board's first statement as the application role.

    python tools/bench/bench_worklist.py [--cases 10000] [--requests 100] [--explain]
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import uvicorn
from sqlalchemy import make_url, text

from heliograph.app import migrate
from heliograph.app.context import make_context
from heliograph.app.web.main import create_app
from heliograph.care.worklist import board as board_page
from heliograph.governance.access.passwords import hash_password
from heliograph.kit.actor import Actor, RoleHeld
from heliograph.kit.db import postgres
from heliograph.kit.log import set_up_logging
from heliograph.kit.settings import Settings

GOAL_MS = 50.0
PASSWORD = "bench bench bench"  # noqa: S105 - a database that is thrown away
PRIORITIES = ("STAT", "URGENT", "ROUTINE")


def fill(url: str, number: int) -> dict[str, UUID]:
    """A client, a group with forty readers, and `number` open cases, each with patient, order, study, read and grant."""
    now = datetime.now(UTC)
    client, group, place, agreement = uuid4(), uuid4(), uuid4(), uuid4()
    people = {name: uuid4() for name in ("reader", "coordinator")}
    readers = [uuid4() for _ in range(40)]
    conninfo = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(conninfo) as c:
        c.execute(
            "insert into tenancy.organizations (id, slug, name, short_name, kind) values (%s, 'c', 'C', 'C', 'clinic')",
            (client,),
        )
        c.execute(
            "insert into tenancy.organizations (id, slug, name, short_name, kind) values (%s, 'g', 'G', 'G', 'reading_group')",
            (group,),
        )
        c.execute(
            "insert into sites.facilities (id, organization_id, code, name, short_name, jurisdiction, time_zone, report_languages, "
            "patient_id_authority, accession_issuer) values (%s, %s, 'F', 'F', 'F', 'NO', 'Europe/Oslo', '{en}', 'F', 'F')",
            (place, client),
        )
        c.execute(
            "insert into agreements.agreements (id, organization_id, group_organization_id, version, exam_classes, viewing_places, "
            "valid_from) values (%s, %s, %s, 1, '{}', '{AU}', '2020-01-01')",
            (agreement, client, group),
        )
        c.execute(
            "insert into tenancy.grants (organization_id, grantee_organization_id, purpose, valid_from) "
            "values (%s, %s, 'coordination', '2020-01-01')",
            (client, group),
        )
        for name, id_ in people.items():
            c.execute(
                "insert into access.users (id, username, display_name, password_hash) values (%s, %s, %s, %s)",
                (id_, name, name, hash_password(PASSWORD)),
            )
            c.execute(
                "insert into access.role_assignments (user_id, organization_id, role) values (%s, %s, %s)",
                (id_, group, name),
            )
        for i, reader in enumerate(readers):
            user = people["reader"] if i == 0 else uuid4()
            if i:
                c.execute(
                    "insert into access.users (id, username, display_name, password_hash) values (%s, %s, %s, 'x')",
                    (user, f"r{i}", f"Reader {i}"),
                )
            c.execute(
                "insert into people.readers (id, user_id, given_name, family_name, capacity) values (%s, %s, 'R', %s, 1000)",
                (reader, user, f"R{i:03}"),
            )
            c.execute(
                "insert into people.engagements (organization_id, reader_id, malpractice_jurisdictions, valid_from) "
                "values (%s, %s, '{NO}', '2020-01-01')",
                (group, reader),
            )
            c.execute(
                "insert into people.reading_places (reader_id, name, jurisdiction, time_zone, is_current) "
                "values (%s, 'Sydney', 'AU', 'Australia/Sydney', true)",
                (reader,),
            )
            c.execute(
                "insert into rota.shifts (organization_id, reader_id, starts_at, ends_at) values (%s, %s, %s, %s)",
                (group, reader, now - timedelta(hours=1), now + timedelta(hours=8)),
            )
        _copy_cases(c, number, now, client, group, place, agreement, readers)
        c.commit()
        c.autocommit = True
        c.execute("vacuum analyze")  # as autovacuum leaves it within a minute
    return {"client": client, "group": group, **people}


def _copy_cases(
    c: psycopg.Connection,
    number: int,
    now: datetime,
    client: UUID,
    group: UUID,
    place: UUID,
    agreement: UUID,
    readers: list[UUID],
) -> None:
    tables: dict[str, list[tuple[Any, ...]]] = {name: [] for name in COLUMNS}
    for i in range(number):
        patient, order, procedure, study, case, read = (uuid4() for _ in range(6))
        at = now - timedelta(seconds=i % 3600)
        # A reader holds some twenty; most wait for one, as on a very bad day.
        reader = readers[i % 40] if i < 800 else None
        tables["patients.patients"].append(
            (patient, client, f"Family{i}", "Given", f"family{i} given", "1970-01-01", "F")
        )
        tables["patients.identifiers"].append((client, patient, "F", str(i)))
        tables["orders.orders"].append(
            (order, client, place, patient, "hl7", f"A{i}", PRIORITIES[i % 3], "Dr Referrer", at)
        )
        tables["orders.requested_procedures"].append((procedure, client, order, 0, "CT head", "ct_head_wo"))
        tables["archive.studies"].append(
            (study, client, place, patient, f"1.2.3.{i}", ["CT"], 1, 188, at, at, at, "matched")
        )
        tables["worklist.cases"].append(
            (
                case,
                client,
                place,
                patient,
                agreement,
                group,
                PRIORITIES[i % 3],
                "ct_head_wo",
                "CT head",
                at,
                at + timedelta(minutes=30 + i % 900),
                at,
            )
        )
        tables["worklist.case_procedures"].append((case, procedure, client))
        tables["worklist.case_studies"].append((case, study, client))
        tables["worklist.reads"].append(
            (read, client, case, "assigned" if reader else "ready", reader, at, at if reader else None)
        )
        tables["tenancy.grants"].append((client, group, "interpretation", patient, case, agreement, "2020-01-01"))
    for name, rows in tables.items():
        with c.cursor() as cursor, cursor.copy(f"copy {name} ({COLUMNS[name]}) from stdin") as copy:
            for row in rows:
                copy.write_row(row)


COLUMNS = {
    "patients.patients": "id, organization_id, family_name, given_name, name_key, birth_date, sex",
    "patients.identifiers": "organization_id, patient_id, authority, value",
    "orders.orders": "id, organization_id, facility_id, patient_id, source, accession_number, priority, referrer_name, received_at",
    "orders.requested_procedures": "id, organization_id, order_id, position, description, exam_class",
    "archive.studies": "id, organization_id, facility_id, patient_id, study_instance_uid, modalities, number_of_series, "
    "number_of_instances, first_received_at, last_received_at, completed_at, match_state",
    "worklist.cases": "id, organization_id, facility_id, patient_id, agreement_id, group_organization_id, priority, exam_class, "
    "description, clock_started_at, due_at, last_image_at",
    "worklist.case_procedures": "case_id, requested_procedure_id, organization_id",
    "worklist.case_studies": "case_id, study_id, organization_id",
    "worklist.reads": "id, organization_id, case_id, state, reader_id, ready_at, assigned_at",
    "tenancy.grants": "organization_id, grantee_organization_id, purpose, patient_id, case_id, agreement_id, valid_from",
}


def serve(folder: Path, url: str, port: int) -> None:
    """The web application, quietly: what runs in a process of its own."""
    settings = Settings(data_dir=folder / "data")
    set_up_logging("bench", level="WARNING")
    app = create_app(make_context(settings, url, part="bench"))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


@contextmanager
def serving(folder: Path, url: str) -> Iterator[str]:
    """A server process on a free port, so that it does not share an interpreter with who asks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    process = get_context("spawn").Process(target=serve, args=(folder, url, port), daemon=True)
    process.start()
    base, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
    while True:
        try:
            httpx.get(f"{base}/health/live", timeout=2).raise_for_status()
            break
        except httpx.TransportError:
            if time.monotonic() > deadline or not process.is_alive():
                raise
            time.sleep(0.05)
    try:
        yield base
    finally:
        process.terminate()
        process.join(15)


def measure(base: str, who: str, path: str, requests: int) -> dict[str, Any]:
    """The 95th percentile of `requests` requests of a signed-in person, in ms."""
    with httpx.Client(base_url=base, timeout=30) as client:
        client.post("/api/sign-in", json={"username": who, "password": PASSWORD}).raise_for_status()
        times, size = list[float](), 0
        for i in range(requests + 5):
            begin = time.perf_counter()
            answer = client.get(path)
            taken = (time.perf_counter() - begin) * 1000
            answer.raise_for_status()
            size = len(answer.content) // 1024
            if i >= 5:
                times.append(taken)
    p95 = statistics.quantiles(times, n=20)[18]
    print(f"{path:28} p95 {p95:7.1f} ms   median {statistics.median(times):7.1f} ms   {size} KiB", file=sys.stderr)
    return {
        "name": f"worklist {path} p95",
        "value": round(p95, 1),
        "unit": "ms",
        "better": "lower",
        "goal": GOAL_MS,
        "peers": {},
    }


def explain(settings: Settings, url: str, ids: dict[str, UUID]) -> str:
    """The plan of the board's first statement, as the coordinator sees it through the application role."""
    context = make_context(settings, url, part="explain")
    actor = Actor("user", "coordinator", ids["coordinator"], (), (RoleHeld(ids["group"], "coordinator"),))
    with context.works.read(actor) as work:
        rows = work.session.scalars(
            text("explain (analyze, costs off) " + board_page._OPEN.text),
            {"clients": [ids["client"], ids["group"]], "groups": [ids["group"]], "limit": 200},
        ).all()
    context.engine.dispose()
    return "\n".join(rows)


def main(argv: list[str] | None = None) -> int:
    """Measures and prints; the figures as JSON on stdout."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--explain", action="store_true", help="print the plan of the board's first statement")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, postgres.start(Path(folder), quick=True) as running:
        migrate.upgrade(running.owner_url, running.app_url)
        ids = fill(running.owner_url, options.cases)
        settings = Settings(data_dir=Path(folder) / "data")
        if options.explain:
            print(explain(settings, running.app_url, ids), file=sys.stderr)
        with serving(Path(folder), running.app_url) as base:
            figures = [
                measure(base, "reader", "/api/my-list", options.requests),
                measure(base, "coordinator", "/api/board", options.requests),
            ]
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
