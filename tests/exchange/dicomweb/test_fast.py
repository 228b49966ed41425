"""Frames answered before the router: the same answers, to the same people, for as long as they may have them."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.governance.access.door import COOKIE
from tests.cast import Cast
from tests.exchange.dicomweb.conftest import Served
from tests.exchange.dicomweb.test_dicomweb import filed
from tests.exchange.dicomweb.test_wado_rs import EVLE, INSTANCE, MULTI, body_of, lossless_jpeg
from tests.records.archive import files

FRAME = f"{INSTANCE}/frames/1"
BARE = {"Accept": "application/octet-stream"}
NOT_COMPARED = {"date", "content-type", "server"}


@pytest.fixture
def eirik(context: Context, cast: Cast, served: Served) -> httpx.Client:
    """A person of the site who has seen the one frame there is."""
    filed(context, cast, [files.ct("1.2.3", "1.2.3.1", 1, sop="1.2.3.1.1", size=32)])
    made = served.client(cast.eirik)
    assert made.get(FRAME, headers=BARE).status_code == 200
    served.routed.clear()
    return made


def headers(answer: httpx.Response) -> dict[str, str]:
    return {k: v for k, v in answer.headers.items() if k not in NOT_COMPARED}


@pytest.mark.parametrize("accept", ["application/octet-stream", f"{MULTI}; transfer-syntax=*", f"{MULTI}", "*/*"])
def test_the_same_answer_as_by_the_route(eirik: httpx.Client, served: Served, accept: str) -> None:
    # The answer to a query without meaning is the route's.
    routed = eirik.get(f"{FRAME}?a=b", headers={"Accept": accept})
    assert served.routed == [FRAME]
    at_once = eirik.get(FRAME, headers={"Accept": accept})
    assert served.routed == [FRAME]
    assert (at_once.status_code, headers(at_once)) == (routed.status_code, headers(routed)) == (200, headers(routed))
    if "boundary=" in routed.headers["content-type"]:
        assert body_of(at_once) == body_of(routed)
    else:
        assert (at_once.content, at_once.headers["content-type"]) == (routed.content, routed.headers["content-type"])
    tag = routed.headers["etag"]
    again = eirik.get(FRAME, headers={"Accept": accept, "If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert served.routed == [FRAME]


def test_what_is_refused_or_asked_in_part(eirik: httpx.Client, served: Served) -> None:
    whole = eirik.get(FRAME, headers=BARE)
    assert served.routed == []
    part = eirik.get(FRAME, headers=BARE | {"Range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, whole.content[2:6])
    assert part.headers["content-range"] == f"bytes 2-5/{len(whole.content)}"
    assert eirik.get(FRAME, headers=BARE | {"Range": "bytes=999999-"}).status_code == 416
    assert eirik.get(FRAME, headers={"Accept": "image/jph"}).status_code == 406
    assert eirik.get(FRAME, headers={"Accept": "application/dicom, image/png"}).status_code == 400
    assert eirik.get(f"{INSTANCE}/frames/2", headers=BARE).status_code == 404
    assert eirik.get(f"{INSTANCE}/frames/0", headers=BARE).status_code == 404
    head = eirik.head(FRAME, headers=BARE)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", whole.headers["etag"])


def test_nobody_else_has_them_after_one_who_may(
    context: Context, cast: Cast, eirik: httpx.Client, served: Served
) -> None:
    assert eirik.get(FRAME).status_code == 200
    assert served.client(None).get(FRAME).status_code == 401
    forged = served.client(None)
    forged.cookies.set(COOKIE, "x" * 22)
    assert forged.get(FRAME).status_code == 401
    outsider = served.client(cast.harper)
    assert outsider.get("/dicomweb/norfjord/studies").json() == []  # known now, as one who sees nothing
    for _ in range(2):
        assert outsider.get(FRAME).status_code == 404
    other_root = FRAME.replace("/norfjord/", "/llano-verde/")
    assert eirik.get(other_root).status_code == 404
    store_only, outside = served.key(may_read=False), served.key(outside=True)
    for token, status in ((store_only, 403), (outside, 404), ("nonsense", 401)):
        for _ in range(2):
            asked = served.client(None).get(FRAME, headers={"Authorization": f"Bearer {token}"})
            assert asked.status_code == status
    # A key is looked at before a cookie, even of one who may.
    assert eirik.get(FRAME, headers={"Authorization": "Bearer nonsense"}).status_code == 401


def test_a_key_that_may_read(eirik: httpx.Client, served: Served) -> None:
    key = served.client(None)
    key.headers["Authorization"] = f"Bearer {served.key()}"
    first = key.get(FRAME, headers=BARE)
    assert served.routed == [FRAME]  # its view is not on record yet
    assert key.get(FRAME, headers=BARE).content == first.content
    assert served.routed == [FRAME]


def test_each_person_is_on_record_once_and_signing_out_takes_images_away(
    context: Context, cast: Cast, eirik: httpx.Client, served: Served, owner_url: str
) -> None:
    engine = create_engine(owner_url)
    with engine.begin() as c:
        views = c.scalar(text("select count(*) from audit.events where action = 'images.viewed'"))
        assert views == 1
    assert eirik.get(FRAME).status_code == 200
    with engine.begin() as c:
        c.execute(text("update access.sessions set ended_at = now()"))
    served.sessions.forget_all()  # as every process does when a session ends
    assert eirik.get(FRAME).status_code == 401
    assert eirik.get(FRAME).status_code == 401
    engine.dispose()


def test_what_must_be_decoded_goes_to_the_route(context: Context, cast: Cast, served: Served) -> None:
    data, native = lossless_jpeg()
    filed(context, cast, [data])
    eirik = served.client(cast.eirik)
    for _ in range(2):
        ((kind, content),) = body_of(eirik.get(FRAME, headers={"Accept": f"{MULTI}; transfer-syntax={EVLE}"}))
        assert (kind, content) == (f"application/octet-stream; transfer-syntax={EVLE}", native)
    assert served.routed == [FRAME, FRAME]
