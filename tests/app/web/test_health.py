"""Health, readiness and metrics."""

from __future__ import annotations

import re
import shutil

from sqlalchemy import create_engine, text

from heliograph.app.context import Context, make_context
from tests.cast import PASSWORD, Cast
from tests.web import sign_in_as, stranger


def test_it_works(context: Context) -> None:
    client = stranger(context)
    assert client.get("/health/live").json() == {"status": "live"}
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert not {"database", "objects"} & ready.json().keys()


def test_not_ready_with_an_old_schema(context: Context, owner_url: str) -> None:
    engine = create_engine(owner_url)
    with engine.begin() as connection:
        connection.execute(text("update public.alembic_version set version_num = '0001'"))
    engine.dispose()
    answer = stranger(context).get("/health/ready")
    assert answer.status_code == 503
    assert "heliograph migrate" in answer.json()["database"]
    assert stranger(context).get("/health/live").status_code == 200, "it lives none the less: no restart helps"


def test_not_ready_without_a_database(context: Context) -> None:
    lost = make_context(context.settings, "postgresql+psycopg://nobody:hunter2@127.0.0.1:1/none")
    answer = stranger(lost).get("/health/ready")
    lost.engine.dispose()
    assert (answer.status_code, answer.json()["database"]) == (503, "does not answer")
    assert "hunter2" not in answer.text


def test_not_ready_when_objects_can_not_be_written(context: Context) -> None:
    folder = context.objects.folder
    assert folder is not None
    shutil.rmtree(folder)
    folder.write_text("no folder any more")
    answer = stranger(context).get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["objects"].startswith("can't be written")


def test_metrics_tell_routes_and_no_ids(context: Context, cast: Cast) -> None:
    eirik = sign_in_as(context, cast.eirik)
    id_ = "01890000-0000-7000-8000-00000000abcd"
    eirik.get(f"/api/orders/{id_}")
    eirik.get("/dicomweb/norfjord/studies/2.25.47110815471108154711/metadata")
    eirik.post("/api/search", json={"words": "SOLBERG"})
    eirik.get("/api/SOLBERG/nowhere")
    eirik.get("/app/case/SOLBERG")
    eirik.post("/api/sign-in", json={"username": "SOLBERG", "password": PASSWORD})
    told = eirik.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain")
    assert 'route="/api/orders/{order_id}"' in told.text
    for secret in (id_, "47110815471108154711", "SOLBERG", "norfjord", "Eirik", str(cast.norfjord)):
        assert secret not in told.text
    routes = set(re.findall(r'route="([^"]*)"', told.text))
    assert "/api/sign-in" in routes
    assert "heliograph_unsealed_events" in told.text


def test_the_record_that_waits_is_counted(context: Context, cast: Cast) -> None:
    eirik = sign_in_as(context, cast.eirik)
    waiting = re.search(r"^heliograph_unsealed_events (\S+)$", eirik.get("/metrics").text, re.MULTILINE)
    assert waiting
    assert float(waiting[1]) == 1
