"""Every HTTP route of the OpenAPI document is called by who may not: without a session, by outsiders, by a machine of another client.

A new route is covered without a word here; one that anybody may call must be written into `PUBLIC`, and why.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, insert, select, text
from sqlalchemy.orm import Session

from heliograph.app.context import Context
from heliograph.app.models import metadata
from heliograph.governance.access.model import Key, RoleAssignment, SignInAttempt, User
from heliograph.governance.access.passwords import token_hash
from heliograph.kit.actor import Actor
from heliograph.records.archive.model import Rejection
from heliograph.records.patients.model import Merge
from heliograph.records.sites.model import Facility, Node, Transfer
from tests.care.reading.help import SERIES, STUDY, Made, make_read, sign, with_session
from tests.cast import _HASH, LONG_AGO, PASSWORD, Cast
from tests.records.archive import files
from tests.web import app_of, sign_in_as, stranger

PUBLIC = {
    ("GET", "/health/live"): "the machine's supervisor asks, before anybody signs in",
    ("GET", "/health/ready"): "the same; it tells no more than the state and whether this is a demonstration",
    ("GET", "/metrics"): "numbers without names; the front door keeps it inside",
    ("POST", "/api/sign-in"): "how a session begins",
}
"""Routes that answer without a session, and why. Beside them only the docs, the OpenAPI document and the static files."""

OWN = {
    ("GET", "/api/session"): "who I am",
    ("DELETE", "/api/session"): "signing out",
    ("POST", "/api/session/prove"): "my own password",
    ("GET", "/api/events"): "an endless stream of ids, filtered by what I may see: tests/app/web/test_live.py",
}
"""Routes about the caller alone: they name no row, so there is nothing of Norfjord's to ask for."""

OPERATORS = ("/api/admin/organizations", "/api/admin/users", "/api/admin/keys")
"""What the operator may do in any organisation: who may sign in and send, never what they see."""

SEARCHES = frozenset(
    {
        *(("GET", f"/dicomweb/{{organization_slug}}/{level}") for level in ("studies", "series", "instances")),
        ("POST", "/api/patients/search"),
        ("POST", "/api/search"),
    }
)
"""They answer anybody who is signed in with what they may see: nothing."""

CAPABILITIES = ("OPTIONS", "/dicomweb/{organization_slug}")
"""What the program can do, the same words for every organisation and caller."""

MASKED = frozenset({("GET", "/api/messages/{message_id}"), ("POST", "/api/messages/{message_id}/replay")})
"""They answer an administrator of the organisation too, without what names or describes a patient."""

STREAMS = ("GET", "/api/events")
ABSENT, FORBIDDEN = 404, 403
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Scene:
    """Norfjord's rows by the names of path parameters, what betrays them, and who asks."""

    app: FastAPI
    cast: Cast
    ids: dict[str, str]
    secrets: tuple[str, ...]
    outsiders: tuple[Actor, ...]
    insiders_without_the_patient: tuple[Actor, ...]
    key: str


@pytest.fixture
def owner(owner_url: str) -> Iterator[Engine]:
    engine = create_engine(owner_url)
    yield engine
    engine.dispose()


def _everything_elsewhere(owner: Engine, cast: Cast) -> Actor:
    """Zed holds every role there is, but in Llano Verde and Borealis: no check of a role alone keeps Zed out."""
    with Session(owner) as s:
        user = User(username="zed", display_name="Zed Outsider", time_zone="UTC", password_hash=_HASH)
        s.add(user)
        s.flush()
        for organization in (cast.llano, cast.borealis):
            for role in ("site_staff", "coordinator", "auditor", "administrator", "reader"):
                s.add(RoleAssignment(user_id=user.id, organization_id=organization, role=role, valid_from=LONG_AGO))
        s.commit()
        return Actor("user", "Zed Outsider", user.id)


def _staff_of_the_other_facility(owner: Engine, cast: Cast) -> Actor:
    """Vera's role at Norfjord is narrowed to its health centre, where this patient never was."""
    with Session(owner) as s:
        place = Facility(
            organization_id=cast.norfjord, code="NFHC", name="Norfjord Health Centre", short_name="Centre",
            jurisdiction="NO", time_zone="Europe/Oslo", patient_id_authority="NORFJORD", accession_issuer="NFHC",
            quiet_seconds=10, report_languages=["en"],
        )  # fmt: skip
        user = User(username="vera", display_name="Vera Moe", time_zone="UTC", password_hash=_HASH)
        s.add_all((place, user))
        s.flush()
        s.add(
            RoleAssignment(
                user_id=user.id, organization_id=cast.norfjord, role="site_staff", facility_id=place.id,
                valid_from=LONG_AGO,
            )
        )  # fmt: skip
        s.commit()
        return Actor("user", "Vera Moe", user.id)


def _rows(context: Context, owner: Engine, cast: Cast, made: Made) -> dict[str, UUID]:
    """One of each thing that a path can name, all Norfjord's."""
    eirik = sign_in_as(context, cast.eirik)
    order_id = _one(owner, "select order_id from orders.order_studies where study_id = :x", made.study_id)
    document = eirik.post(
        f"/api/orders/{order_id}/documents", files={"file": ("scan.pdf", b"%PDF-1.4\n%%EOF", "application/pdf")}
    )
    assert document.status_code == 201, document.text
    version = sign(context, with_session(context, cast.imogen), made.read_id)
    with Session(owner) as s:
        key = Key(
            organization_id=cast.norfjord, facility_id=cast.norfjord_facility, name="CT 1", token_hash=token_hash("n")
        )
        s.add(key)
        s.flush()
        image = files.ct(STUDY, SERIES)
        context.objects.put("held/x.dcm", image)
        held = s.execute(
            insert(metadata.tables["archive.held_objects"])
            .values(
                organization_id=cast.norfjord, facility_id=cast.norfjord_facility, object_key="held/x.dcm", object_length=len(image),
                sha256=b"x", reason="unreadable", detail="x", received_at=LONG_AGO,
            )
            .returning(text("id"))
        ).scalar_one()  # fmt: skip
        alarm = s.execute(
            insert(metadata.tables["worklist.alarms"])
            .values(
                organization_id=cast.norfjord, kind="late_images", subject_kind="case", subject_id=made.case_id,
                case_id=made.case_id, text="x", raised_at=LONG_AGO,
            )
            .returning(text("id"))
        ).scalar_one()  # fmt: skip
        message = s.execute(
            insert(metadata.tables["sites.messages"])
            .values(
                organization_id=cast.norfjord, endpoint_id=cast.hl7_in, direction="in", payload=b"MSH|LARSEN",
                payload_sha256=b"x", fate="processed", received_at=LONG_AGO, order_id=order_id,
            )
            .returning(text("id"))
        ).scalar_one()  # fmt: skip
        question = s.execute(
            insert(metadata.tables["questions.questions"])
            .values(
                organization_id=cast.norfjord, facility_id=cast.norfjord_facility, subject_kind="case", subject_id=made.case_id,
                text="Fall from ladder", asked_by=cast.nadia.id, asked_at=LONG_AGO,
            )
            .returning(text("id"))
        ).scalar_one()  # fmt: skip
        node = Node(
            organization_id=cast.norfjord, facility_id=cast.norfjord_facility, name="Old archive", ae_title="NF_OLD",
            calling_ae="HELIO_NF", host="127.0.0.1", port=1, is_queried=True, is_sent_to=True,
        )  # fmt: skip
        s.add(node)
        s.flush()
        transfer = Transfer(
            organization_id=cast.norfjord, node_id=node.id, facility_id=cast.norfjord_facility, direction="fetch",
            patient_id=_one(owner, "select patient_id from archive.studies where id = :x", made.study_id), case_id=made.case_id,
            state="failed",
        )  # fmt: skip
        s.add(transfer)
        rejection = Rejection(
            organization_id=cast.norfjord,
            study_id=made.study_id,
            kind="quality",
            reason="Fall from ladder",
            made_at=LONG_AGO,
        )
        s.add(rejection)
        patient_id = _one(owner, "select patient_id from archive.studies where id = :x", made.study_id)
        merge = Merge(
            organization_id=cast.norfjord,
            survivor_id=patient_id,
            merged_id=patient_id,
            reason="Fall from ladder",
            made_at=LONG_AGO,
        )
        s.add(merge)
        tables = metadata.tables
        report = s.execute(
            insert(tables["results.site_reports"])
            .values(
                organization_id=cast.norfjord, facility_id=cast.norfjord_facility, patient_id=patient_id, order_id=order_id,
                report_key="x", status="final", result_code="F", description="Fall from ladder", text="Fall from ladder", sections=[],
                held_reason="x", received_at=LONG_AGO,
            )
            .returning(text("id"))
        ).scalar_one()  # fmt: skip
        attachment = s.execute(
            insert(tables["results.site_attachments"])
            .values(
                organization_id=cast.norfjord, report_id=report, name="Larsen.pdf", media_type="application/pdf", length=5,
                sha256=b"x", data=b"%PDF-",
            )
            .returning(text("id"))
        ).scalar_one()  # fmt: skip
        discrepancy = s.execute(
            insert(tables["results.discrepancies"])
            .values(
                organization_id=cast.norfjord, case_id=made.case_id, site_report_id=report, report_version_id=version.id,
                kind="impression", opened_at=LONG_AGO,
            )
            .returning(text("id"))
        ).scalar_one()  # fmt: skip
        doubt = s.execute(
            insert(tables["patients.doubts"])
            .values(
                organization_id=cast.norfjord, patient_id=patient_id, kind="told_differs", raised_at=LONG_AGO,
                told={"family_name": "Larsen", "given_name": "", "birth_date": "1948-03-12", "sex": None},
            )
            .returning(text("id"))
        ).scalar_one()  # fmt: skip
        s.commit()
        merge_id = merge.id
        rejection_id = rejection.id
        key_id, node_id, transfer_id = key.id, node.id, transfer.id
    of_reader = {
        f"{name}_id": _one(owner, f"select id from people.{name}s where reader_id = :x limit 1", cast.imogen_reader)
        for name in ("licence", "certificate", "engagement", "privilege")
    }
    assert cast.imogen.id is not None
    return {
        **of_reader,
        "case_id": made.case_id,
        "read_id": made.read_id,
        "study_id": made.study_id,
        "order_id": order_id,
        "document_id": UUID(document.json()["id"]),
        "version_id": version.id,
        "delivery_id": _one(owner, "select id from delivery.deliveries where case_id = :x limit 1", made.case_id),
        "alarm_id": alarm,
        "message_id": message,
        "held_id": held,
        "question_id": question,
        "facility_id": cast.norfjord_facility,
        "caller_id": cast.caller,
        "endpoint_id": cast.hl7_in,
        "destination_id": cast.hl7_out,
        "node_id": node_id,
        "transfer_id": transfer_id,
        "rejection_id": rejection_id,
        "patient_id": patient_id,
        "merge_id": merge_id,
        "report_id": report,
        "attachment_id": attachment,
        "discrepancy_id": discrepancy,
        "doubt_id": doubt,
        "key_id": key_id,
        "reader_id": cast.imogen_reader,
        "shift_id": _one(owner, "select id from rota.shifts where reader_id = :x limit 1", cast.imogen_reader),
        "user_id": cast.imogen.id,
        "place_id": _one(owner, "select id from people.reading_places where reader_id = :x", cast.imogen_reader),
    }


def _one(owner: Engine, query: str, value: object) -> Any:
    with owner.connect() as c:
        return c.execute(text(query), {"x": value}).scalars().one()


@pytest.fixture
def scene(context: Context, cast: Cast, owner: Engine) -> Scene:
    """A signed case of Kari Larsen at Norfjord, with everything around it."""
    made = make_read(context, cast)
    ids = {name: str(value) for name, value in _rows(context, owner, cast, made).items()}
    places = {
        "organization_slug": "norfjord", "study": STUDY, "series": SERIES, "instance": f"{SERIES}.1", "frames": "1",
        "frame": "1", "requestType": "WADO", "studyUID": STUDY, "objectUID": f"{SERIES}.1", "path": "7FE00010", "language": "en",
    }  # fmt: skip
    with Session(owner) as s:
        s.add(
            Key(
                organization_id=cast.llano, facility_id=cast.llano_facility, name="outside", may_store=True,
                may_read=True, token_hash=token_hash("llano-key"),
            )
        )  # fmt: skip
        s.commit()
    zed = _everything_elsewhere(owner, cast)
    return Scene(
        app_of(context),
        cast,
        {**ids, **places},
        ("LARSEN", "Larsen", "NF-1", "Fall from ladder", STUDY, *(v for n, v in ids.items() if n in PATIENT_IDS)),
        (zed, cast.harper, cast.otto, cast.olga, cast.pat),
        (_staff_of_the_other_facility(owner, cast), cast.astrid, cast.anselm),
        "llano-key",
    )


PATIENT_IDS = frozenset(
    {"case_id", "read_id", "study_id", "order_id", "document_id", "version_id", "delivery_id", "alarm_id", "message_id", "held_id",
     "transfer_id", "rejection_id", "patient_id", "merge_id", "question_id", "report_id",
     "attachment_id", "discrepancy_id", "doubt_id"}
)  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A request as it would work for who may make it."""

    method: str
    route: str
    path: str
    query: dict[str, str]
    body: dict[str, Any] | None
    is_multipart: bool

    @property
    def key(self) -> tuple[str, str]:
        return self.method, self.route

    @property
    def is_list(self) -> bool:
        """Names no row: it may answer an outsider, with the outsider's own alone."""
        if self.key in SEARCHES or self.key == CAPABILITIES:
            return True
        return self.method == "GET" and "{" not in self.route and not self.query.keys() - {"q"}

    @property
    def is_about_patients(self) -> bool:
        return self.route.startswith("/dicomweb") or any(f"{{{name}}}" in self.route for name in PATIENT_IDS)

    def by(self, client: Any, **headers: str) -> httpx.Response:
        request: dict[str, Any] = {"json": self.body}
        if self.is_multipart:
            request = {"files": {"file": ("scan.pdf", b"%PDF-1.4\n%%EOF", "application/pdf")}}
        elif self.route.startswith("/dicomweb") and self.method == "POST":
            headers |= {"content-type": 'multipart/related; type="application/dicom"; boundary=b'}
            request = {"content": b"--b\r\nContent-Type: application/dicom\r\n\r\nx\r\n--b--\r\n"}
        answer: httpx.Response = client.request(self.method, self.path, params=self.query, headers=headers, **request)
        return answer


def calls(scene: Scene) -> list[Call]:
    """Every operation of the document, filled with Norfjord's ids, with a valid body."""
    document = scene.app.openapi()
    made = []
    for route, operations in document["paths"].items():
        for method, operation in operations.items():
            path = route
            query: dict[str, str] = {}
            for parameter in operation.get("parameters", []):
                name, schema = parameter["name"], parameter.get("schema", {})
                if parameter["in"] == "path":
                    assert name in scene.ids, f"name a row of Norfjord's for the parameter {name} of {route}"
                    path = path.replace(f"{{{name}}}", scene.ids[name])
                elif parameter["in"] == "query" and parameter.get("required"):
                    query[name] = (
                        "Larsen" if name == "q" else scene.ids.get(name) or str(_value(name, schema, document, scene))
                    )
            content = operation.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema")
            body = _value("", schema, document, scene) if schema else None
            made.append(Call(method.upper(), route, path, query, body, "multipart/form-data" in content))
    return made


_BY_NAME: dict[str, Any] = {
    "slug": "outsiders-house", "kind": None, "role": "coordinator", "jurisdiction": "NO", "time_zone": "Europe/Oslo", "language": "nb",
    "username": "mallory", "password": "correct horse battery staple", "birth_date": "1948-03-12", "sex": "F", "report_languages": ["en"],
    "revision": 0, "ends_at": "2026-11-25T11:00:00Z", "starts_at": "2026-11-25T10:00:00Z", "promises": {"STAT": 30},
    "viewing_places": ["NO"], "instances": 5, "quiet_seconds": 90,
    "words": "Larsen",
}  # fmt: skip


def _value(name: str, schema: dict[str, Any], document: dict[str, Any], scene: Scene) -> Any:
    """A value that the schema takes; ids are Norfjord's."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    if name == "organization_id":
        return str(scene.cast.norfjord)
    if name == "group_organization_id":
        return str(scene.cast.aurora)
    if name in scene.ids and name.endswith("_id"):
        return scene.ids[name]
    if _BY_NAME.get(name) is not None:
        return _BY_NAME[name]
    if "enum" in schema:
        return schema["enum"][0]
    if options := schema.get("anyOf"):
        return _value(name, next(o for o in options if o.get("type") != "null"), document, scene)
    kind = schema.get("type")
    if kind == "object":
        required = schema.get("required", ())
        properties = schema.get("properties", {})
        return {n: _value(n, p, document, scene) for n, p in properties.items() if n in required}
    if kind == "array":
        return [_value(name, schema["items"], document, scene)] if schema.get("minItems") else []
    if schema.get("format") == "date-time":
        return "2026-11-25T00:00:00Z"
    if schema.get("format") == "uuid":
        return str(uuid4())
    return {"integer": 1, "number": 1, "boolean": False}.get(kind or "", f"word{next(_numbers)}"[:12])


def _allow_many_sign_ins(owner: Engine) -> None:
    with Session(owner) as s:
        for row in s.scalars(select(SignInAttempt)):
            s.delete(row)
        s.commit()


def test_the_document_is_whole(scene: Scene) -> None:
    """Every route that the application has below /api, /dicomweb, /health and /metrics stands in the document that is walked here."""
    told = {(c.method, c.route) for c in calls(scene)}
    for key in (*PUBLIC, *OWN):
        assert key in told, f"{key} is listed here and is gone"
    hidden = {
        (method, route.path)
        for route in _leaves(scene.app.routes)
        if not getattr(route, "include_in_schema", True)
        for method in (getattr(route, "methods", None) or ())
        if method != "HEAD"
    }
    below = {
        (m, p) for m, p in hidden if p.startswith(("/api", "/dicomweb", "/health", "/metrics")) and (m, p) not in told
    }
    assert {p for _, p in below} <= {"/api/docs", "/api/openapi.json"}, below


def _leaves(routes: Any) -> Iterator[Any]:
    for route in routes:
        inner = getattr(route, "routes", None)
        if inner:
            yield from _leaves(inner)
        elif hasattr(route, "path"):
            yield route


def test_signed_out_every_route_answers_401(scene: Scene) -> None:
    client = stranger(scene.app)
    wrong = {
        call.key: status
        for call in calls(scene)
        if call.key not in PUBLIC and (status := call.by(client).status_code) != 401
    }
    assert wrong == {}


def test_what_is_public_tells_nothing(scene: Scene) -> None:
    client = stranger(scene.app)
    for call in calls(scene):
        if call.key in PUBLIC and call.method == "GET":
            answer = call.by(client)
            assert answer.status_code in (200, 503), call.key
            assert _betrayed(scene, answer) == [], call.key


def test_outsiders_are_refused_everywhere(scene: Scene, owner: Engine) -> None:
    """With the ids of Norfjord's rows and valid bodies: 403 or 404; a route that lists gives only the outsider's own."""
    before = _counts(owner)
    for outsider in scene.outsiders:
        _allow_many_sign_ins(owner)
        client = sign_in_as(scene.app, outsider)
        # Signing asks for the password before it looks for the read, whether there is one or not.
        assert client.post("/api/session/prove", json={"password": PASSWORD}).status_code == 200
        wrong = {}
        for call in calls(scene):
            if call.key in OWN or call.key == ("POST", "/api/sign-in"):
                continue
            if outsider is scene.cast.pat and call.route.startswith(OPERATORS):
                continue
            answer = call.by(client)
            allowed = (200, FORBIDDEN, ABSENT) if call.is_list else (FORBIDDEN, ABSENT)
            if call.key not in PUBLIC and answer.status_code not in allowed:
                wrong[call.key] = (answer.status_code, answer.text[:200])
            if betrayed := _betrayed(scene, answer):
                wrong[call.key] = (answer.status_code, f"tells of Norfjord: {betrayed}")
        assert wrong == {}, outsider.name
    assert _counts(owner) == before, "an outsider changed something of Norfjord's"


def test_who_belongs_here_without_the_patient_sees_no_patient(scene: Scene, owner: Engine) -> None:
    """Norfjord's administrator, staff of its other facility, and a reader of the group whom nobody gave the read."""
    _allow_many_sign_ins(owner)
    for half in scene.insiders_without_the_patient:
        client = sign_in_as(scene.app, half)
        assert client.post("/api/session/prove", json={"password": PASSWORD}).status_code == 200
        wrong = {}
        for call in calls(scene):
            if call.key in OWN or call.key == ("POST", "/api/sign-in") or not (call.is_about_patients or call.is_list):
                continue
            if call.method == "POST" and call.route.startswith("/dicomweb") and half.name == "Vera Moe":
                continue  # she sends her own facility's images to this root
            answer = call.by(client)
            shown = call.is_list or (call.key in MASKED and half is scene.cast.astrid)
            allowed = (200, FORBIDDEN, ABSENT) if shown else (FORBIDDEN, ABSENT)
            if call.key not in PUBLIC and answer.status_code not in allowed:
                wrong[call.key] = (answer.status_code, answer.text[:200])
            masked = half is scene.cast.astrid and call.route.startswith("/api/messages")
            betrayed = set(_betrayed(scene, answer)) - ({scene.ids["message_id"]} if masked else set())
            if betrayed:
                wrong[call.key] = (answer.status_code, f"tells of the patient: {betrayed}")
        assert wrong == {}, half.name


def test_a_key_of_another_client_opens_nothing(scene: Scene) -> None:
    client = stranger(scene.app)
    wrong = {}
    for call in calls(scene):
        if call.key in PUBLIC or call.key == STREAMS:
            continue
        answer = call.by(client, authorization=f"Bearer {scene.key}")
        listed = (call.key in SEARCHES and answer.text == "[]") or (
            call.key == CAPABILITIES and not _betrayed(scene, answer)
        )
        if not listed and (answer.status_code not in (401, FORBIDDEN, ABSENT) or _betrayed(scene, answer)):
            wrong[call.key] = (answer.status_code, answer.text[:200])
    assert wrong == {}


def test_it_works(scene: Scene, owner: Engine) -> None:
    """The same addresses answer somebody of the cast, or the refusals above would prove nothing."""
    _allow_many_sign_ins(owner)
    cast = scene.cast
    clients = [sign_in_as(scene.app, who) for who in (cast.eirik, cast.nadia, cast.imogen, cast.astrid, cast.runa)]
    with Session(owner) as s:  # Astrid administers Aurora's readers too
        s.add(
            RoleAssignment(
                user_id=cast.astrid.id, organization_id=cast.aurora, role="administrator", valid_from=LONG_AGO
            )
        )
        s.commit()
    clients.append(sign_in_as(scene.app, cast.astrid))
    wrong = {}
    for call in calls(scene):
        if call.method != "GET" or call.key == STREAMS or call.key in UNANSWERED:
            continue
        statuses = {call.by(client).status_code for client in clients}
        if 200 not in statuses:
            wrong[call.key] = statuses
    assert wrong == {}


UNANSWERED = {
    ("GET", "/dicomweb/{organization_slug}/studies/{study}/series/{series}/instances/{instance}/bulkdata/{path}"),
    ("GET", "/api/reads/{read_id}/checks"),
    ("GET", "/api/held-objects/{held_id}/other-person"),
}
"""Not 200 here even for who may: this CT has no bulk data beside its pixels, what is signed has no draft to check, and what is held names
nobody else (tests/care/orders/test_mend.py has one that does)."""


def _betrayed(scene: Scene, answer: httpx.Response) -> list[str]:
    return [s for s in scene.secrets if s in answer.text and s not in str(answer.request.url)]


def _counts(owner: Engine) -> dict[str, int]:
    """Rows of each table but those that a refusal or a look may add to."""
    noted = ("audit.", "access.sessions", "access.sign_in_attempts", "access.passed_views")
    with owner.connect() as c:
        return {
            t.fullname: c.execute(text(f"select count(*) from {t.fullname}")).scalar_one()
            for t in metadata.sorted_tables
            if not t.fullname.startswith(noted)
        }
