"""A case whose images are all rejected is nobody's to read, says why, and comes back with its images."""

from __future__ import annotations

from uuid import UUID

from heliograph.app.context import Context
from heliograph.care.worklist.hidden_images import HOLD
from tests.care.reading.help import SERIES, add_images, make_read
from tests.cast import Cast
from tests.web import sign_in_as


def test_it_leaves_the_readers_list_and_comes_back(context: Context, cast: Cast) -> None:
    made = make_read(context, cast)
    eirik, imogen, nadia = (sign_in_as(context, who) for who in (cast.eirik, cast.imogen, cast.nadia))

    def mine() -> list[str]:
        return [item["read_id"] for item in imogen.get("/api/my-list").json()["items"]]

    def told() -> tuple[str | None, str | None]:
        (row,) = nadia.get("/api/board").json()["cases"]
        assert UUID(row["case_id"]) == made.case_id
        return row["hold_reason"], nadia.get(f"/api/cases/{made.case_id}").json()["hold_reason"]

    def hide(**what: object) -> str:
        body = {"kind": "worklist", "reason": "Another patient", **what}
        answer = eirik.post(f"/api/studies/{made.study_id}/reject", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def restore(rejection: str) -> None:
        answer = eirik.post(f"/api/rejections/{rejection}/restore", json={"reason": "It was right"})
        assert answer.status_code == 200, answer.text

    assert (mine(), told()) == ([str(made.read_id)], (None, None))
    uids = [i["sop_instance_uid"] for i in eirik.get(f"/api/studies/{made.study_id}/instances?series={SERIES}").json()]
    first = hide(sop_instance_uids=uids[:1])
    assert (mine(), told()) == ([str(made.read_id)], (None, None))  # some are left
    rest = hide()
    assert (mine(), told()) == ([], (HOLD, HOLD))
    assert imogen.get("/api/next").json() is None
    assert imogen.post(f"/api/reads/{made.read_id}/open").status_code == 409
    restore(first)
    assert (mine(), told()) == ([str(made.read_id)], (None, None))
    restore(rest)
    hide()
    add_images(context, cast, (7,))  # sent again under new UIDs
    assert (mine(), told()) == ([str(made.read_id)], (None, None))


def test_a_persons_hold_is_left_alone(context: Context, cast: Cast) -> None:
    made = make_read(context, cast)
    eirik, nadia = sign_in_as(context, cast.eirik), sign_in_as(context, cast.nadia)
    assert nadia.post(f"/api/cases/{made.case_id}/hold", json={"reason": "The site calls back"}).status_code == 204
    body = {"kind": "worklist", "reason": "Another patient"}
    rejection = eirik.post(f"/api/studies/{made.study_id}/reject", json=body).json()["id"]
    assert eirik.post(f"/api/rejections/{rejection}/restore", json={"reason": "It was right"}).status_code == 200
    assert nadia.get(f"/api/cases/{made.case_id}").json()["hold_reason"] == "The site calls back"
