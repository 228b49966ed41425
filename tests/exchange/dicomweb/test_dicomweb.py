"""STOW, QIDO and WADO over a real server: bytes as sent, standard answers, and who may see what."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pydicom
import requests
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom.encaps import get_frame
from pydicom.uid import generate_uid
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from heliograph.app.context import Context
from heliograph.exchange.dicomweb.multipart import parts
from heliograph.kit.actor import system
from heliograph.kit.codecs.dicom import dicom_json
from heliograph.records.archive import indexer, queries, spool
from tests.cast import Cast
from tests.exchange.dicomweb.conftest import Served
from tests.records.archive import files

TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def post(client: httpx.Client, data: list[bytes], where: str = "/dicomweb/norfjord/studies") -> httpx.Response:
    body = b"".join(parts("b0undary", [({"Content-Type": "application/dicom"}, (one,)) for one in data]))
    kind = 'multipart/related; type="application/dicom"; boundary=b0undary'
    return client.post(where, content=body, headers={"Content-Type": kind})


def index(context: Context) -> None:
    indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=0)


def filed(context: Context, cast: Cast, data: list[bytes]) -> None:
    for one in data:
        files.drop(context.settings.spool_dir, cast, one)
    index(context)


def study_id(context: Context, cast: Cast, uid: str) -> UUID:
    with context.works.read(system("test", cast.norfjord)) as work:
        found = queries.study_by_uid(work.session, cast.norfjord, uid)
    assert found is not None
    return found.id


def grant_to_aurora(owner_url: str, cast: Cast, uid: str, *, read_by: UUID | None) -> None:
    """What the worklist does when a case is offered: a grant for the patient; and a read of `read_by`."""
    engine = create_engine(owner_url)
    with Session(engine) as s:
        v = {"o": cast.norfjord, "g": cast.aurora, "u": uid, "f": cast.norfjord_facility, "r": read_by}
        s.execute(
            text(
                "insert into tenancy.grants (organization_id, grantee_organization_id, purpose, patient_id, valid_from) "
                "select :o, :g, 'interpretation', patient_id, '2020-01-01' from archive.studies where study_instance_uid = :u"
            ),
            v,
        )
        if read_by:
            s.execute(
                text(
                    "with c as (insert into worklist.cases "
                    "(organization_id, facility_id, patient_id, priority, exam_class, description) "
                    "select :o, :f, patient_id, 'STAT', 'ct-head', 'CT head' from archive.studies "
                    "where study_instance_uid = :u returning id) "
                    "insert into worklist.reads (organization_id, case_id, reader_id, state) select :o, c.id, :r, 'assigned' from c"
                ),
                v,
            )
        s.commit()
    engine.dispose()


def as_key(served: Served, **may: bool) -> DICOMwebClient:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {served.key(**may)}"
    return DICOMwebClient(served.norfjord, session=session)


def test_dicomweb_client_stores_finds_and_retrieves(context: Context, cast: Cast, served: Served) -> None:
    study, series, data = files.series_of(4)
    client = as_key(served)
    answer = client.store_instances([pydicom.dcmread(io.BytesIO(one)) for one in data])
    assert len(answer.ReferencedSOPSequence) == 4
    assert "FailedSOPSequence" not in answer
    index(context)
    (found,) = client.search_for_studies(search_filters={"PatientID": "NF-1"})
    assert found["0020000D"]["Value"] == [study]
    assert found["00201208"]["Value"] == [4]
    (of,) = client.search_for_series(study)
    assert (of["0020000E"]["Value"], of["00080060"]["Value"], of["00201209"]["Value"]) == ([series], ["CT"], [4])
    instances = client.search_for_instances(study, series)
    assert [i["00200013"]["Value"][0] for i in instances] == [1, 2, 3, 4]
    metadata = client.retrieve_series_metadata(study, series)
    assert [m["00080018"]["Value"][0] for m in metadata] == [i["00080018"]["Value"][0] for i in instances]
    assert len(client.retrieve_study_metadata(study)) == 4
    first = instances[0]["00080018"]["Value"][0]
    assert client.retrieve_instance_metadata(study, series, first)["00100020"]["Value"] == ["NF-1"]
    kept = client.retrieve_instance(study, series, first)
    assert kept.SOPInstanceUID == first
    (frame,) = client.retrieve_instance_frames(study, series, first, [1])
    assert frame == pydicom.dcmread(io.BytesIO(data[0])).PixelData
    assert len(client.retrieve_series(study, series)) == 4


def test_what_is_retrieved_is_what_was_sent(context: Context, cast: Cast, served: Served) -> None:
    study, series, data = files.series_of(2)
    eirik = served.client(cast.eirik)
    assert post(eirik, data).status_code == 200
    kept = [w.path.read_bytes() for w in spool.waiting(context.settings.spool_dir)]
    assert kept == data
    index(context)
    sop = pydicom.dcmread(io.BytesIO(data[0])).SOPInstanceUID
    url = f"/dicomweb/norfjord/studies/{study}/series/{series}/instances/{sop}"
    bare = eirik.get(url, headers={"Accept": "application/dicom"})
    assert bare.content == data[0]
    whole = eirik.get(f"/dicomweb/norfjord/studies/{study}")
    assert all(one in whole.content for one in data)
    assert whole.headers["content-type"].startswith('multipart/related; type="application/dicom"; boundary=')


def test_metadata_is_strict_json_equal_to_the_files(context: Context, cast: Cast, served: Served) -> None:
    study, series, data = files.series_of(3)
    filed(context, cast, data)
    eirik = served.client(cast.eirik)
    url = f"/dicomweb/norfjord/studies/{study}/series/{series}/metadata"
    answer = eirik.get(url)
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"] == "application/dicom+json"

    def no_constants(_name: str) -> None:
        raise AssertionError

    found = json.loads(answer.text, parse_constant=no_constants)
    for got, one in zip(found, data, strict=True):
        uid = got["00080018"]["Value"][0]
        expected = dicom_json(one, bulk_uri=lambda path, uid=uid: f"instances/{uid}/bulkdata/{path}")
        assert got == expected
    plain = eirik.get(url, headers={"Accept-Encoding": "identity"})
    assert plain.json() == found
    unchanged = eirik.get(url, headers={"If-None-Match": answer.headers["etag"]})
    assert unchanged.status_code == 304
    filed(context, cast, [files.ct(study, series, 9)])
    more = eirik.get(url, headers={"If-None-Match": answer.headers["etag"]})
    assert (more.status_code, len(more.json())) == (200, 4)
    of_study = eirik.get(f"/dicomweb/norfjord/studies/{study}/metadata").json()
    uri = of_study[0]["7FE00010"]["BulkDataURI"]
    assert uri.startswith(f"series/{series}/instances/")
    pixels = eirik.get(f"/dicomweb/norfjord/studies/{study}/{uri}", headers={"Accept": "application/octet-stream"})
    assert pixels.content == pydicom.dcmread(io.BytesIO(data[0])).PixelData


URLS = [
    "/studies/1.2.3/series",
    "/studies/1.2.3/instances",
    "/studies/1.2.3/series/1.2.3.1/instances",
    "/studies/1.2.3/metadata",
    "/studies/1.2.3/series/1.2.3.1/metadata",
    "/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1/metadata",
    "/studies/1.2.3",
    "/studies/1.2.3/series/1.2.3.1",
    "/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1",
    "/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1/frames/1",
    "/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1/bulkdata/7FE00010",
    "/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1/rendered",
    "/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1/frames/1/rendered",
    "/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1/thumbnail",
    "/studies/1.2.3/thumbnail",
    "/studies/1.2.3/series/1.2.3.1/thumbnail",
]


def test_outsiders_find_nothing_anywhere(context: Context, cast: Cast, served: Served) -> None:
    filed(context, cast, [files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1")])
    eirik, nobody = served.client(cast.eirik), served.client(None)
    outsiders = {
        a.name: served.client(a) for a in (cast.harper, cast.otto, cast.olga, cast.pat, cast.astrid, cast.imogen)
    }
    foreign = {"Authorization": f"Bearer {served.key(outside=True)}"}
    storing = {"Authorization": f"Bearer {served.key(may_read=False)}"}
    for url in URLS:
        where = f"/dicomweb/norfjord{url}"
        assert eirik.get(where).status_code == 200, url
        missing = eirik.get(where.replace("1.2.3", "1.2.9"))
        assert (missing.status_code, missing.json()["code"]) == (404, "not-found"), url
        for name, outsider in outsiders.items():
            answer = outsider.get(where)
            assert (answer.status_code, answer.json()) == (404, missing.json()), (name, url)
        assert nobody.get(where).status_code == 401, url
        assert nobody.get(where, headers=foreign).status_code == 404, url
        assert nobody.get(where, headers=storing).status_code == 403, url


def test_lists_show_outsiders_nothing(context: Context, cast: Cast, served: Served) -> None:
    filed(context, cast, [files.ct("1.2.3", "1.2.3.1")])
    for actor in (cast.harper, cast.otto, cast.olga, cast.pat, cast.astrid, cast.imogen):
        assert served.client(actor).get("/dicomweb/norfjord/studies").json() == [], actor.name
    assert served.client(cast.nadia).get("/dicomweb/norfjord/studies").json() != []
    assert served.client(cast.eirik).get("/dicomweb/nowhere/studies").status_code == 404


def test_a_reader_sees_what_is_theirs_to_read_and_its_priors(
    context: Context, cast: Cast, served: Served, owner_url: str
) -> None:
    current = files.ct("1.2.3", "1.2.3.1", patient="NF-1")
    prior = files.ct("1.2.4", "1.2.4.1", patient="NF-1")
    other = files.ct("1.2.5", "1.2.5.1", patient="NF-2")
    filed(context, cast, [current, prior, other])
    grant_to_aurora(owner_url, cast, "1.2.3", read_by=cast.imogen_reader)
    grant_to_aurora(owner_url, cast, "1.2.5", read_by=None)
    imogen, anselm = served.client(cast.imogen), served.client(cast.anselm)
    listed = imogen.get("/dicomweb/norfjord/studies").json()
    assert {study["0020000D"]["Value"][0] for study in listed} == {"1.2.3", "1.2.4"}
    for uid, status in (("1.2.3", 200), ("1.2.4", 200), ("1.2.5", 404)):
        assert imogen.get(f"/dicomweb/norfjord/studies/{uid}/series").status_code == status
        # A colleague of the same group has the grant, but not the read.
        assert anselm.get(f"/dicomweb/norfjord/studies/{uid}/series").status_code == 404
    assert anselm.get("/dicomweb/norfjord/studies").json() == []


def test_a_held_study_is_no_prior_for_a_reader(context: Context, cast: Cast, served: Served, owner_url: str) -> None:
    """Under the patient's identifier, and likely somebody else's: those who may mend it see it, a reader does not."""
    filed(context, cast, [files.ct("1.2.3", "1.2.3.1", patient="NF-1")])
    filed(context, cast, [files.ct("1.2.4", "1.2.4.1", patient="NF-1", name="Strand^Berit", birth_date="19700101")])
    grant_to_aurora(owner_url, cast, "1.2.3", read_by=cast.imogen_reader)
    imogen, eirik = served.client(cast.imogen), served.client(cast.eirik)
    assert [study["0020000D"]["Value"] for study in imogen.get("/dicomweb/norfjord/studies").json()] == [["1.2.3"]]
    assert imogen.get("/dicomweb/norfjord/studies/1.2.4/series").status_code == 404
    assert eirik.get("/dicomweb/norfjord/studies/1.2.4/series").status_code == 200


def test_views_and_refusals_are_on_record(context: Context, cast: Cast, served: Served, owner_url: str) -> None:
    filed(context, cast, [files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1")])
    eirik = served.client(cast.eirik)
    for url in URLS:
        eirik.get(f"/dicomweb/norfjord{url}")
    served.client(cast.harper).get("/dicomweb/norfjord/studies/1.2.3/series")
    engine = create_engine(owner_url)
    with Session(engine) as s:
        rows = s.execute(
            text("select actor_name, outcome, study_id from audit.events where action = 'images.viewed' order by id")
        ).all()
    engine.dispose()
    assert [(r.actor_name, r.outcome) for r in rows] == [(cast.eirik.name, "done"), (cast.harper.name, "refused")]
    assert rows[0].study_id == study_id(context, cast, "1.2.3")


def storable() -> list[tuple[str, bytes, Any]]:
    """pydicom's packaged images that can be filed: name, file, data set. Some share UIDs: those get new ones."""
    found: dict[str, tuple[str, bytes, Any]] = {}
    for path in sorted(TEST_FILES.rglob("*.dcm")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ds, data = pydicom.dcmread(path), path.read_bytes()
                if "PixelData" not in ds or not ds.file_meta.TransferSyntaxUID or not ds.StudyInstanceUID:
                    continue
                if ds.SOPInstanceUID in found:
                    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
                    buffer = io.BytesIO()
                    ds.save_as(buffer)
                    data = buffer.getvalue()
            except (AttributeError, EOFError, ValueError, pydicom.errors.InvalidDicomError):
                continue
        found[ds.SOPInstanceUID] = (path.name, data, ds)
    return list(found.values())


MEDIA = {
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    "1.2.840.10008.1.2": "application/octet-stream",
    "1.2.840.10008.1.2.1": "application/octet-stream",
    "1.2.840.10008.1.2.1.99": "application/octet-stream",
    "1.2.840.10008.1.2.2": "application/octet-stream",
}


def test_frames_of_every_transfer_syntax(context: Context, cast: Cast, served: Served) -> None:
    images = storable()
    eirik = served.client(cast.eirik)
    for at in range(0, len(images), 20):
        answer = post(eirik, [data for _, data, _ in images[at : at + 20]])
        assert answer.status_code in {200, 202}, answer.text
    index(context)
    seen: set[str] = set()
    with context.works.read(system("test", cast.norfjord)) as work:
        rows = work.session.execute(
            text(
                "select i.sop_instance_uid, s.series_instance_uid, t.study_instance_uid from archive.instances i "
                "join archive.series s on s.id = i.series_id join archive.studies t on t.id = i.study_id "
                "where i.frame_table is not null"
            )
        ).all()
    stored = {r.sop_instance_uid: r for r in rows}
    rendered: list[str] = []
    not_rendered: list[str] = []
    for name, _, ds in images:
        row = stored.get(ds.SOPInstanceUID)
        syntax = str(ds.file_meta.TransferSyntaxUID)
        if row is None or syntax not in MEDIA:
            continue
        url = (
            f"/dicomweb/norfjord/studies/{row.study_instance_uid}/series/{row.series_instance_uid}"
            f"/instances/{row.sop_instance_uid}"
        )
        answer = eirik.get(f"{url}/frames/1", headers={"Accept": f"{MEDIA[syntax]}; transfer-syntax=*"})
        if answer.status_code != 200:
            assert answer.json()["code"] == "no-such-frame", (name, answer.text)
            continue
        assert answer.headers["content-type"].startswith(MEDIA[syntax]), name
        multipart = eirik.get(f"{url}/frames/1", headers={"Accept": 'multipart/related; type="*/*"; transfer-syntax=*'})
        assert answer.content in multipart.content
        if ds.file_meta.TransferSyntaxUID.is_encapsulated:
            frame = get_frame(ds.PixelData, 0, number_of_frames=int(ds.get("NumberOfFrames", 1)))
            assert answer.content == frame, name
        elif ds.BitsAllocated >= 8 and syntax != "1.2.840.10008.1.2.2":
            assert ds.PixelData.startswith(answer.content), name
        elif syntax == "1.2.840.10008.1.2.2" and ds.BitsAllocated == 16:
            size = len(answer.content)
            assert np.frombuffer(answer.content, "<u2").tolist() == np.frombuffer(ds.PixelData[:size], ">u2").tolist()
        seen.add(syntax)
        picture = eirik.get(f"{url}/thumbnail", headers={"Accept": "image/png"})
        assert picture.status_code in {200, 406}, name
        if picture.status_code == 406:
            not_rendered.append(name)
        if picture.status_code == 200:
            rendered.append(name)
            assert max(Image.open(io.BytesIO(picture.content)).size) <= 128
    assert len(seen) >= 10, seen
    assert len(rendered) >= 9 * len(not_rendered), not_rendered


def test_a_rendered_slice_shows_its_window(context: Context, cast: Cast, served: Served) -> None:
    filed(context, cast, [files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1", size=64)])
    url = "/dicomweb/norfjord/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1/rendered"
    eirik = served.client(cast.eirik)
    answer = eirik.get(f"{url}?window=40,80", headers={"Accept": "image/png"})
    assert answer.headers["content-type"] == "image/png"
    shown = np.asarray(Image.open(io.BytesIO(answer.content))).ravel()
    values = (np.arange(64 * 64) % 2000).astype(float) - 1024
    assert np.all(shown[values <= 0] == 0)
    assert np.all(shown[values >= 80] == 255)
    by_header = eirik.get(url, headers={"Accept": "image/png"})
    assert np.abs(np.asarray(Image.open(io.BytesIO(by_header.content))).ravel().astype(int) - shown).max() <= 3
    assert eirik.get(f"{url}?viewport=10,10").headers["content-type"] == "image/jpeg"
    assert eirik.get(f"{url}?window=a,b").status_code == 400


def test_frames_that_are_not_there(context: Context, cast: Cast, served: Served) -> None:
    filed(context, cast, [files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1")])
    url = "/dicomweb/norfjord/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1/frames"
    eirik = served.client(cast.eirik)
    assert eirik.get(f"{url}/2").status_code == 404
    assert eirik.get(f"{url}/0").status_code == 404
    assert eirik.get(f"{url}/x").status_code == 400
    answer = eirik.get(f"{url}/1")
    assert eirik.get(f"{url}/1", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_stow_tells_what_it_cannot_take(context: Context, cast: Cast, served: Served) -> None:
    eirik = served.client(cast.eirik)
    good, bad = files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1"), b"no DICOM"
    answer = post(eirik, [good, bad])
    assert answer.status_code == 202
    body = answer.json()
    assert body["00081199"]["Value"][0]["00081155"]["Value"] == ["1.2.3.1.1"]
    assert body["00081198"]["Value"][0]["00081197"]["Value"] == [0xC000]
    assert post(eirik, [bad]).status_code == 409
    other = post(eirik, [good], "/dicomweb/norfjord/studies/1.9")
    assert other.status_code == 409
    assert other.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xA900]
    assert post(eirik, [good], "/dicomweb/norfjord/studies/1.2.3").status_code == 200
    assert (
        eirik.post("/dicomweb/norfjord/studies", content=b"x", headers={"Content-Type": "text/plain"}).status_code
        == 415
    )
    cut = eirik.post(
        "/dicomweb/norfjord/studies",
        content=b"--b\r\n\r\n" + good,
        headers={"Content-Type": "multipart/related; boundary=b"},
    )
    assert (cut.status_code, len(cut.json()["00081198"]["Value"])) == (409, 1)
    # Two are filed; what could not be read goes to quarantine, each time as it came, and what names another study is not kept.
    assert len(spool.waiting(context.settings.spool_dir)) == 5
    assert [p for p in context.settings.spool_dir.rglob("*.part") if p.is_file()] == []


def test_stow_of_one_bare_object(context: Context, cast: Cast, served: Served) -> None:
    data = files.ct("1.2.3", "1.2.3.1")
    kind = {"Content-Type": "application/dicom"}
    answer = served.client(cast.eirik).post("/dicomweb/norfjord/studies", content=data, headers=kind)
    assert answer.status_code == 200
    (kept,) = spool.waiting(context.settings.spool_dir)
    assert kept.path.read_bytes() == data
    assert (kept.organization_id, kept.facility_id) == (cast.norfjord, cast.norfjord_facility)


def test_who_may_store(context: Context, cast: Cast, served: Served) -> None:
    data = [files.ct("1.2.3", "1.2.3.1")]
    for actor in (cast.harper, cast.imogen, cast.nadia, cast.astrid, cast.pat):
        assert post(served.client(actor), data).status_code == 404, actor.name
    assert post(served.client(None), data).status_code == 401
    without_csrf = served.client(cast.eirik)
    del without_csrf.headers["X-CSRF-Token"]
    assert post(without_csrf, data).status_code == 403
    for may, status in (({"may_store": False}, 403), ({"outside": True}, 404), ({}, 200)):
        client = served.client(None)
        client.headers["Authorization"] = f"Bearer {served.key(**may)}"
        assert post(client, data).status_code == status
    assert len(spool.waiting(context.settings.spool_dir)) == 1


def test_a_full_disk_is_told_as_507(context: Context, cast: Cast, served: Served) -> None:
    context.settings.min_free_mb = 1 << 40
    answer = post(served.client(cast.eirik), [files.ct("1.2.3", "1.2.3.1")])
    assert answer.status_code == 507
    assert answer.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xA700]


def test_an_upload_beyond_the_limit_is_refused(context: Context, cast: Cast, served: Served) -> None:
    context.settings.max_upload_mb = 1
    data = [files.ct("1.2.3", "1.2.3.1", n, size=512) for n in range(4)]
    assert post(served.client(cast.eirik), data).status_code == 413
