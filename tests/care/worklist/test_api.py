"""The routes of the worklist: what each shows to whom it is for, and that outsiders see nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.care.worklist import jobs
from heliograph.care.worklist.api import router
from heliograph.care.worklist.detail import case_detail
from heliograph.care.worklist.open import complete_read, open_read
from heliograph.care.worklist.queries import search
from heliograph.kit.actor import Actor
from heliograph.kit.clock import FixedClock
from heliograph.kit.errors import NotFound
from tests.care.worklist.scene import Scene
from tests.cast import Cast
from tests.records.sites.web import browser

Browse = Callable[[Actor], TestClient]


@pytest.fixture
def browse(context: Context) -> Browse:
    return lambda who: browser(context, who, router)


def test_my_list_and_its_tabs(scene: Scene, browse: Browse, cast: Cast, clock: FixedClock) -> None:
    stat, routine = scene.ready_case(priority="STAT"), scene.ready_case(priority="ROUTINE")
    reader = browse(cast.imogen)
    body = reader.get("/api/my-list").json()
    assert [i["case_id"] for i in body["items"]] == [str(stat), str(routine)], "due first"
    assert body["counts"] == {"mine": 2, "stat": 1, "due": 1, "late": 0, "arriving": 0, "drafts": 0, "done": 0}
    item = body["items"][0]
    assert item["state"] == "assigned"
    assert (item["promise_minutes"], item["number_of_images"], item["number_of_priors"]) == (30, 188, 0)
    assert item["patient"]["display_name"].startswith("HAUGLAND")
    assert item["patient"]["identifiers"][0]["authority"] == "NORFJORD"
    assert item["patient"]["age_years"] == 68
    assert item["facility"]["time_zone"] == "Europe/Oslo"
    assert (item["modality"], item["referrer"]) == ("CT", "Dr E. Solbakken")
    assert item["accession"].startswith("NF-")
    assert item["due_at"].endswith("Z")
    assert reader.get("/api/next").json()["case_id"] == str(stat)
    clock.advance(timedelta(minutes=31))
    assert [i["case_id"] for i in reader.get("/api/my-list?tab=late").json()["items"]] == [str(stat)]


def test_done_reads_are_under_their_tab(scene: Scene, browse: Browse, cast: Cast) -> None:
    case_id = scene.ready_case()
    with scene.works.begin(cast.imogen) as work:
        read_id = scene.read(case_id).id
        open_read(work, read_id)
        complete_read(work, read_id)
    body = browse(cast.imogen).get("/api/my-list?tab=done").json()
    assert [(i["case_id"], i["state"]) for i in body["items"]] == [(str(case_id), "done")]
    assert body["counts"]["mine"] == 0
    assert browse(cast.imogen).get("/api/next").json() is None


def test_what_was_begun_and_left_is_next_when_nothing_new_waits(scene: Scene, browse: Browse, cast: Cast) -> None:
    case_id = scene.ready_case()
    with scene.works.begin(cast.imogen) as work:
        open_read(work, scene.read(case_id).id)
    assert browse(cast.imogen).get("/api/next").json()["case_id"] == str(case_id)
    other = scene.ready_case(priority="ROUTINE")
    assert browse(cast.imogen).get("/api/next").json()["case_id"] == str(other), "new ones first"


def test_the_board(scene: Scene, browse: Browse, cast: Cast, clock: FixedClock) -> None:
    case_id = scene.ready_case()
    unmatched = scene.images(scene.patient(), accession="NF-none")
    clock.advance(timedelta(minutes=11))
    jobs.raise_unmatched_alarms(scene.works)
    body = browse(cast.nadia).get("/api/board").json()
    assert [(c["case_id"], c["reader"]["name"], c["case_state"]) for c in body["cases"]] == [
        (str(case_id), "Dr Imogen Tarrant", "assigned")
    ]
    assert body["total"] == 1
    (waiting,) = body["unmatched"]
    assert waiting["study"]["id"] == str(unmatched)
    assert (waiting["age_seconds"], waiting["alarm"]) == (660, True)
    assert waiting["reason"] == "No order has this accession number yet."
    assert [(r["name"], r["open"], r["capacity"]) for r in body["who_is_on"]] == [
        ("Dr Anselm Vogt", 0, 10), ("Dr Imogen Tarrant", 1, 10),
    ]  # fmt: skip
    assert [a["kind"] for a in body["alarms"]] == ["unmatched_study"]
    assert body["kept_today"] == {"kept": 0, "of": 0, "median_minutes": None}


def test_the_board_says_why_nobody_reads(scene: Scene, browse: Browse, cast: Cast) -> None:
    scene.set("delete from rota.shifts")
    scene.ready_case()
    (case,) = browse(cast.nadia).get("/api/board").json()["cases"]
    assert case["reader"] is None
    assert case["case_state"] == "no_reader"
    assert "off shift" in case["no_reader_reasons"]


def test_kept_promises_are_counted(scene: Scene, browse: Browse, cast: Cast, clock: FixedClock) -> None:
    case_id = scene.ready_case()
    clock.advance(timedelta(minutes=12))
    with scene.works.begin(cast.imogen) as work:
        read_id = scene.read(case_id).id
        open_read(work, read_id)
        complete_read(work, read_id)
    assert browse(cast.nadia).get("/api/board").json()["kept_today"] == {"kept": 1, "of": 1, "median_minutes": 12}


def test_a_case_page(scene: Scene, browse: Browse, cast: Cast) -> None:
    patient = scene.patient()
    earlier = scene.images(patient, accession="NF-old", age=timedelta(days=300))
    scene.order(patient, accession="NF-1")
    study = scene.images(patient)
    scene.complete(study)
    case_id = scene.case_of(study).id
    for who in (cast.imogen, cast.nadia, cast.eirik, cast.runa):
        body = browse(who).get(f"/api/cases/{case_id}").json()
        assert body["state"] == "assigned"
        assert body["group"]["name"] == "Aurora Reading"
        assert body["organization_slug"] == "norfjord"
        assert [o["accession"] for o in body["orders"]] == ["NF-1"]
        assert [p["exam_class"] for p in body["orders"][0]["procedures"]] == ["ct_head_wo"]
        assert [s["id"] for s in body["studies"]] == [str(study)]
        assert [p["study_id"] for p in body["priors"]] == [str(earlier)]
        assert [r["reader"]["name"] for r in body["reads"]] == ["Dr Imogen Tarrant"]
        assert {c["rule"]: c["outcome"] for c in body["why"]}["licence"] == "pass"


def test_the_timeline_has_each_step_with_its_interval_in_both_zones(
    scene: Scene, browse: Browse, cast: Cast, clock: FixedClock
) -> None:
    patient = scene.patient()
    scene.order(patient, priority="ROUTINE")
    clock.advance(timedelta(seconds=90))
    study = scene.images(patient)
    clock.advance(timedelta(seconds=30))
    scene.complete(study)
    case_id = scene.case_of(study).id
    clock.advance(timedelta(minutes=5))
    with scene.works.begin(cast.imogen) as work:
        open_read(work, scene.read(case_id).id)
    body = browse(cast.nadia).get(f"/api/cases/{case_id}/timeline").json()
    assert (body["site_zone"], body["reader_zone"]) == ("Europe/Oslo", "Australia/Sydney")
    steps = [s["action"] for s in body["steps"]]
    for action in (
        "order.received",
        "study.first_image",
        "study.completed",
        "case.ready",
        "read.assigned",
        "read.opened",
    ):
        assert action in steps
    assert steps.index("read.assigned") < steps.index("read.opened")
    assert sum(s["interval_seconds"] or 0 for s in body["steps"]) == 90 + 30 + 300
    assert {i["kind"]: i["label"] for i in body["intervals"]}["waiting"] == "Waiting for the reader"
    assert body["promise"]["due"].endswith("Z")
    assert "case opened" in [s["text"] for s in body["seen"]]
    assert body["sealed"] is False


def test_reassign_hold_and_hand_back(scene: Scene, browse: Browse, cast: Cast) -> None:
    case_id = scene.ready_case()
    read_id = scene.read(case_id).id
    coordinator, reader = browse(cast.nadia), browse(cast.imogen)
    refused = coordinator.post(
        f"/api/reads/{read_id}/assign", json={"reader_id": str(cast.anselm_reader), "reason": "Try him."}
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "not-eligible")
    assert refused.json()["checks"][0]["text"] == "Not licensed in Norway"
    assert coordinator.post(f"/api/cases/{case_id}/hold", json={"reason": "Ask the site."}).status_code == 204
    assert coordinator.get(f"/api/cases/{case_id}").json()["hold_reason"] == "Ask the site."
    assert reader.get("/api/next").json() is None, "a held case is not next"
    assert coordinator.post(f"/api/cases/{case_id}/resume").status_code == 204
    done = reader.post(f"/api/reads/{read_id}/hand-back", json={"reason": "I know the patient."}).json()
    assert done["reader_id"] is None
    assert done["reason"].startswith("Nobody can read it now.")
    solveig, _ = scene.reader("Solveig")
    given = coordinator.post(f"/api/reads/{read_id}/assign", json={"reader_id": str(solveig), "reason": "She is on."})
    assert given.json() == {"reader_id": str(solveig), "reason": "Assigned by Nadia Rourke, 0 of 10"}
    matrix = coordinator.get(f"/api/readers?case_id={case_id}").json()["readers"]
    assert matrix[0]["is_assigned"]
    assert {r["name"] for r in matrix} == {"Dr Solveig Solveigsen", "Dr Imogen Tarrant", "Dr Anselm Vogt"}


def test_alarms_are_marked_as_seen(scene: Scene, browse: Browse, cast: Cast) -> None:
    scene.set("delete from rota.shifts")
    scene.ready_case()
    (alarm,) = scene.alarms(kind="no_reader")
    assert browse(cast.olga).post(f"/api/alarms/{alarm.id}/seen").status_code == 404
    assert browse(cast.nadia).post(f"/api/alarms/{alarm.id}/seen").status_code == 204
    assert [a.seen_by for a in scene.alarms(kind="no_reader")] == [cast.nadia.id]


def test_the_site_page(scene: Scene, browse: Browse, cast: Cast) -> None:
    case_id = scene.ready_case()
    unmatched = scene.images(scene.patient(), accession="NF-none")
    waiting = scene.order(scene.patient(), accession="NF-wait")
    held = scene.images(scene.patient(), accession="NF-held")
    scene.set("update archive.studies set match_state = 'held', match_reason = 'Two patients' where id = :s", s=held)
    body = browse(cast.eirik).get("/api/site").json()
    rows = {r["case_id"] or r["study_id"] or r["order_id"]: r for r in body["rows"]}
    assert set(rows) == {str(case_id), str(unmatched), str(waiting), str(held)}
    assert [r["is_held"] for r in rows.values()].count(True) == 1
    assert (rows[str(held)]["state_text"], rows[str(held)]["is_held"]) == ("Held", True)
    assert (rows[str(case_id)]["state_text"], rows[str(case_id)]["steps"]["current"]) == ("In queue", 2)
    assert rows[str(unmatched)]["what_happens"] == "No order has this accession number yet."
    assert rows[str(unmatched)]["steps"]["attention"]
    assert rows[str(waiting)]["steps"]["current"] == 0
    assert [f["short_name"] for f in body["facilities"]] == ["Norfjord"]


def test_staff_of_one_facility_see_only_it(scene: Scene, browse: Browse, cast: Cast) -> None:
    case_id = scene.ready_case()
    scene.set("update access.role_assignments set facility_id = gen_random_uuid() where user_id = :u", u=cast.eirik.id)
    staff = browse(cast.eirik)
    assert staff.get("/api/site").json()["rows"] == []
    assert staff.get(f"/api/cases/{case_id}").status_code == 404


def test_search_by_name_identifier_and_accession(scene: Scene, browse: Browse, cast: Cast) -> None:
    case_id = scene.ready_case(accession="NF-77")
    patient = browse(cast.nadia).get(f"/api/cases/{case_id}").json()["patient"]
    for who in (cast.nadia, cast.eirik, cast.imogen, cast.runa):
        client = browse(who)
        for words in (patient["family_name"], patient["identifiers"][0]["value"], "NF-77"):
            found = client.post("/api/search", json={"words": words}).json()
            assert [f["case_id"] for f in found] == [str(case_id)], (who.name, words)
    for outsider in (cast.harper, cast.olga, cast.otto):
        for words in (patient["family_name"], patient["identifiers"][0]["value"], "NF-77"):
            assert browse(outsider).post("/api/search", json={"words": words}).json() == []


def test_without_words_the_newest_cases_of_whole_clients(
    scene: Scene, browse: Browse, cast: Cast, clock: FixedClock
) -> None:
    older = scene.ready_case()
    clock.advance(timedelta(minutes=1))
    newer = scene.ready_case()
    for who in (cast.runa, cast.nadia, cast.eirik):
        found = browse(who).post("/api/search", json={"words": " "}).json()
        assert [f["case_id"] for f in found] == [str(newer), str(older)], who.name
        assert browse(who).post("/api/search", json={"words": "x"}).json() == []
    for who in (cast.imogen, cast.harper, cast.olga, cast.otto):
        assert browse(who).post("/api/search", json={"words": ""}).json() == [], who.name


def test_readers_find_only_patients_whom_they_read(scene: Scene, cast: Cast) -> None:
    """The group's grant lets row-level security show the patient to every reader of it; that is not enough."""
    _, colleague = scene.reader("Solveig", licences=())
    case_id = scene.ready_case(accession="NF-78")
    with scene.works.read(cast.imogen) as work:
        assert [f.case_id for f in search(work, "NF-78")] == [case_id]
    with scene.works.read(colleague) as work:
        assert work.session.scalar(text("select count(*) from worklist.cases")) == 1
        assert search(work, "NF-78") == []
        assert search(work, "haugland") == []
        with pytest.raises(NotFound):
            case_detail(work, case_id)


NOT_FOUND, FORBIDDEN = 404, 403


@pytest.mark.parametrize(
    ("who", "status"),
    [("otto", NOT_FOUND), ("olga", NOT_FOUND), ("harper", NOT_FOUND), ("pat", FORBIDDEN), ("astrid", FORBIDDEN)],
)
def test_outsiders_see_no_case(scene: Scene, browse: Browse, cast: Cast, who: str, status: int) -> None:
    case_id = scene.ready_case()
    client = browse(getattr(cast, who))
    for path in ("", "/timeline", "/readers"):
        assert client.get(f"/api/cases/{case_id}{path}").status_code == status, path
    assert client.post(f"/api/cases/{case_id}/addendum", json={"reason": "x"}).status_code == status


def test_outsiders_steer_nothing(scene: Scene, browse: Browse, cast: Cast) -> None:
    case_id = scene.ready_case()
    read_id, study = scene.read(case_id).id, scene.images(scene.patient(), accession="NF-none")
    olga = browse(cast.olga)
    calls: list[tuple[str, dict[str, str]]] = [
        (f"/api/cases/{case_id}/hold", {"reason": "x"}),
        (f"/api/cases/{case_id}/resume", {}),
        (f"/api/reads/{read_id}/assign", {"reason": "x"}),
        (f"/api/studies/{study}/read-provisionally", {}),
    ]
    for path, body in calls:
        assert olga.post(path, json=body).status_code == 404, path
        assert browse(cast.eirik).post(path, json=body).status_code == 403, path
    assert olga.get(f"/api/readers?case_id={case_id}").status_code == 404
    assert browse(cast.otto).post(f"/api/reads/{read_id}/hand-back", json={"reason": "x"}).status_code == 404
    assert scene.read(case_id).reader_id == cast.imogen_reader


def test_outsiders_lists_are_empty_and_roles_are_asked(scene: Scene, browse: Browse, cast: Cast) -> None:
    scene.ready_case()
    assert browse(cast.otto).get("/api/my-list").json()["items"] == []
    assert browse(cast.otto).get("/api/next").json() is None
    board = browse(cast.olga).get("/api/board").json()
    assert (board["cases"], board["total"], board["unmatched"], board["alarms"]) == ([], 0, [], [])
    assert browse(cast.harper).get("/api/site").json()["rows"] == []
    for who, path in (
        (cast.eirik, "/api/board"), (cast.imogen, "/api/board"), (cast.nadia, "/api/my-list"), (cast.nadia, "/api/site"),
        (cast.astrid, "/api/my-list"), (cast.runa, "/api/board"),
    ):  # fmt: skip
        assert browse(who).get(path).status_code == 403, (who.name, path)
    assert browse(cast.pat).post("/api/search", json={"words": "haugland"}).status_code == 403


def test_without_a_session_nothing(context: Context, scene: Scene, browse: Browse, cast: Cast) -> None:
    case_id: UUID = scene.ready_case()
    client = browse(cast.nadia)
    client.cookies.clear()
    for path in ("/api/my-list", "/api/board", "/api/site", f"/api/cases/{case_id}"):
        assert client.get(path).status_code == 401
    assert client.post("/api/search", json={"words": "haugland"}).status_code == 401


def test_a_change_needs_the_sessions_token(scene: Scene, browse: Browse, cast: Cast) -> None:
    case_id = scene.ready_case()
    client = browse(cast.nadia)
    client.headers["X-CSRF-Token"] = "wrong"
    assert client.post(f"/api/cases/{case_id}/hold", json={"reason": "x"}).status_code == 403
