"""The message log: found by what one knows of a message, shown without patient data unless one asks and may, on record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import create_engine, insert, text

from heliograph.app.context import Context
from heliograph.governance.access.model import RoleAssignment
from heliograph.kit.actor import system
from heliograph.kit.clock import FixedClock
from heliograph.records.sites.messages import log_message
from heliograph.records.sites.messages_api import router
from heliograph.records.sites.model import Facility
from tests.cast import LONG_AGO, Cast
from tests.records.sites.web import browser

PAYLOAD = b"MSH|^~\\&|NFRIS|NORFJORD|||||ORM^O01|1|P|2.3.1\rPID|1||NF-1||Bakke^Solveig\r"
ANSWER = b"MSH|^~\\&|\rMSA|AE|1\r"


def keep(context: Context, cast: Cast, **values: Any) -> UUID:
    """A message of Norfjord's feed that was refused, unless `values` say otherwise."""
    told: dict[str, Any] = {
        "organization_id": cast.norfjord, "endpoint_id": cast.hl7_in, "direction": "in", "payload": PAYLOAD, "answer": ANSWER,
        "acknowledgement": "AE", "fate": "rejected", "fault": "PID^1^7: no date", "control_id": "1", "message_type": "ORM^O01",
        "peer": "10.1.2.3", **values,
    }  # fmt: skip
    with context.works.begin(system("hl7", cast.norfjord)) as work:
        return log_message(work, **told)


def found(client: Any, query: str = "") -> list[str]:
    """The control ids that a search gives."""
    answer = client.get(f"/api/messages{query}")
    assert answer.status_code == 200, answer.text
    return [one["control_id"] for one in answer.json()["messages"]]


def test_it_works(context: Context, cast: Cast) -> None:
    id_ = keep(context, cast)
    keep(context, cast, organization_id=None, endpoint_id=None)  # of an unknown sender: nobody's
    for who in (cast.eirik, cast.nadia):
        client = browser(context, who, router)
        page = client.get("/api/messages?direction=in&fate=rejected").json()
        (line,) = page["messages"]
        assert page["next"] is None
        assert (line["id"], line["endpoint"], line["fault"]) == (str(id_), "Norfjord RIS", "PID^1^7: no date")
        assert "Bakke" not in client.get("/api/messages").text
        masked = client.get(f"/api/messages/{id_}").json()
        assert (masked["is_masked"], masked["may_unmask"], masked["size"]) == (True, True, len(PAYLOAD))
        assert [s["line"] for s in masked["segments"]][1] == "PID|1||***||***^***"
        assert masked["answer"][1]["line"] == "MSA|AE|1"
        clear = client.get(f"/api/messages/{id_}?clear=true").json()
        assert clear["is_masked"] is False
        assert clear["segments"][1]["line"] == "PID|1||NF-1||Bakke^Solveig"
        assert clear["segments"][1]["fields"][2] == {
            "number": 5, "name": "Patient Name", "value": "Bakke^Solveig", "is_masked": False,
        }  # fmt: skip
    assert recorded(context, cast) == [
        ("message.viewed", "Dr Eirik Solbakken"), ("message.unmasked", "Dr Eirik Solbakken"),
        ("message.viewed", "Nadia Rourke"), ("message.unmasked", "Nadia Rourke"),
    ]  # fmt: skip


def recorded(context: Context, cast: Cast, outcome: str = "done") -> list[tuple[str, str]]:
    """Action and actor of what people did with messages."""
    with context.works.read(system("t", cast.norfjord)) as work:
        rows = work.session.execute(
            text(
                "select action, actor_name from audit.events where action like 'message.%' and outcome = :o "
                "and actor_kind = 'user' order by id"
            ),
            {"o": outcome},
        )
        return [(r[0], r[1]) for r in rows]


def test_it_is_searched(context: Context, cast: Cast, clock: FixedClock) -> None:
    order, begin = uuid4(), clock.now()
    for n, values in enumerate(
        (
            {"control_id": "A-1", "fate": "processed", "order_id": order},
            {"control_id": "A-2", "message_type": "ADT^A08", "fate": "duplicate"},
            {
                "control_id": "A%",
                "direction": "out",
                "endpoint_id": cast.hl7_out,
                "message_type": "ORU^R01",
                "fate": "sent",
            },
            {"control_id": "B-1", "message_type": "ORMX"},
        )
    ):
        clock.at = begin + timedelta(minutes=n)
        keep(context, cast, **values)
    client = browser(context, cast.nadia, router)
    assert found(client) == ["B-1", "A%", "A-2", "A-1"]
    assert found(client, "?type=ORM") == ["A-1"]
    assert found(client, "?type=ADT^A08") == ["A-2"]
    assert found(client, "?control_id=A") == ["A%", "A-2", "A-1"]
    assert found(client, "?control_id=A%25") == ["A%"]
    assert found(client, "?fate=sent&fate=duplicate") == ["A%", "A-2"]
    assert found(client, "?direction=out") == ["A%"]
    assert found(client, f"?endpoint_id={cast.hl7_out}") == ["A%"]
    assert found(client, f"?order_id={order}") == ["A-1"]
    since, until = ((begin + timedelta(minutes=m)).isoformat().replace("+00:00", "Z") for m in (1, 3))
    assert found(client, f"?since={since}&until={until}") == ["A%", "A-2"]
    assert found(client, "?control_id=nothing") == []
    assert {f["name"] for f in client.get("/api/messages/feeds").json()} >= {"Norfjord RIS"}


def test_it_is_read_page_by_page(context: Context, cast: Cast) -> None:
    for n in range(7):  # all at one time: their ids tell them apart
        keep(context, cast, control_id=f"C-{n}")
    client = browser(context, cast.nadia, router)
    seen: list[str] = []
    after: str | None = None
    for size in (3, 3, 1):
        page = client.get("/api/messages", params={"limit": 3, **({"after": after} if after else {})}).json()
        assert len(page["messages"]) == size
        seen += [m["control_id"] for m in page["messages"]]
        after = page["next"]
        keep(context, cast, control_id="later", direction="out") if size == 3 and len(seen) == 3 else None
    assert after is None
    assert seen == [f"C-{n}" for n in reversed(range(7))]
    for wrong in ("x", "MjAyNg", "Zm9vIGJhcg", "\u00e4"):
        assert client.get("/api/messages", params={"after": wrong}).json()["code"] == "bad-place-in-list"


def test_an_administrator_finds_messages_and_sees_no_patient(context: Context, cast: Cast) -> None:
    id_ = keep(context, cast)
    astrid = browser(context, cast.astrid, router)
    assert found(astrid) == ["1"]
    shown = astrid.get(f"/api/messages/{id_}").json()
    assert (shown["is_masked"], shown["may_unmask"]) == (True, False)
    assert "Bakke" not in str(shown)
    assert astrid.get(f"/api/messages/{id_}?clear=true").status_code == 403
    assert astrid.get(f"/api/messages/{id_}/file").status_code == 403
    assert recorded(context, cast, "refused") == [
        ("message.unmasked", "Astrid Vik"), ("message.downloaded", "Astrid Vik"),
    ]  # fmt: skip


def test_its_bytes_are_given_exactly(context: Context, cast: Cast) -> None:
    odd = b"\x00MSH|^~\\&|N\xe4|\r\r\nPID|\xff\r"
    id_, other = keep(context, cast, payload=odd), keep(context, cast, answer=None)
    client = browser(context, cast.eirik, router)
    answer = client.get(f"/api/messages/{id_}/file")
    assert (answer.status_code, answer.content) == (200, odd)
    assert answer.headers["content-disposition"] == f'attachment; filename="message-{id_}.hl7"'
    assert answer.headers["cache-control"] == "no-store"
    assert client.get(f"/api/messages/{id_}/file?part=answer").content == ANSWER
    assert client.get(f"/api/messages/{other}/file?part=answer").status_code == 404
    assert recorded(context, cast) == [("message.downloaded", "Dr Eirik Solbakken")] * 2


@pytest.mark.parametrize(("who", "status"), [("harper", 404), ("olga", 404), ("imogen", 403), ("pat", 403)])
def test_an_outsider_reads_no_message(context: Context, cast: Cast, who: str, status: int) -> None:
    id_ = keep(context, cast)
    client = browser(context, getattr(cast, who), router)
    for path in ("", "?clear=true", "/file"):
        assert client.get(f"/api/messages/{id_}{path}").status_code == status
    listed = client.get("/api/messages")
    assert listed.status_code == 403 or listed.json()["messages"] == []
    feeds = client.get("/api/messages/feeds")
    assert feeds.status_code == 403 or "Norfjord RIS" not in feeds.text


def test_staff_of_one_facility_find_its_messages_alone(context: Context, cast: Cast, owner_url: str) -> None:
    """Eirik, narrowed to another facility of Norfjord; as its administrator too, he finds all of them, masked."""
    id_ = keep(context, cast)
    engine = create_engine(owner_url)
    with engine.begin() as c:
        place = c.execute(
            insert(Facility)
            .values(
                organization_id=cast.norfjord, code="NFHC", name="Health Centre", short_name="Centre", jurisdiction="NO",
                time_zone="Europe/Oslo", patient_id_authority="NORFJORD", accession_issuer="NFHC", report_languages=["en"],
            )
            .returning(Facility.id)
        ).scalar_one()  # fmt: skip
        c.execute(
            text("update access.role_assignments set facility_id = :f where user_id = :u and role = 'site_staff'"),
            {"f": place, "u": cast.eirik.id},
        )
    client = browser(context, cast.eirik, router)
    assert found(client) == []
    assert client.get(f"/api/messages/{id_}").status_code == 404
    with engine.begin() as c:
        c.execute(
            insert(RoleAssignment).values(
                user_id=cast.eirik.id, organization_id=cast.norfjord, role="administrator", valid_from=LONG_AGO
            )
        )
    engine.dispose()
    client = browser(context, cast.eirik, router)
    assert found(client) == ["1"]
    assert client.get(f"/api/messages/{id_}").json()["may_unmask"] is False
    assert client.get(f"/api/messages/{id_}?clear=true").status_code == 403
