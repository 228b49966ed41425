"""STOW-RS and metadata while disks are full, really: 507, nothing half, and service as soon as there is room."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import httpx
import pydicom
import pytest

from heliograph.app.context import Context
from heliograph.exchange.dicomweb.multipart import parts
from heliograph.kit.actor import system
from heliograph.kit.codecs.dicom import dicom_json
from heliograph.kit.settings import Settings
from heliograph.records.archive import metadata, queries, spool
from tests.cast import Cast
from tests.exchange.dicomweb.conftest import Served
from tests.records.archive import files
from tests.records.archive.disks import SmallDisk, small_disk
from tests.records.archive.test_disk_full import OUT_OF_RESOURCES, archived, indexing, leftovers
from tests.records.archive.test_outage import number_filed, until

WHERE = "/dicomweb/norfjord/studies"
DICOM = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b0'}
JSON = {"Content-Type": 'multipart/related; type="application/dicom+json"; boundary=b0'}


@pytest.fixture
def spool_disk(settings: Settings) -> Iterator[SmallDisk]:
    with small_disk(8, settings.spool_dir) as disk:
        yield disk


@pytest.fixture
def objects_disk(settings: Settings) -> Iterator[SmallDisk]:
    with small_disk(8, settings.data_dir / "objects") as disk:
        yield disk


def stow(client: httpx.Client, *contents: bytes) -> httpx.Response:
    body = b"".join(parts("b0", [({"Content-Type": "application/dicom"}, (one,)) for one in contents]))
    return client.post(WHERE, content=body, headers=DICOM)


@pytest.mark.parametrize("how", ["bytes", "names"])
def test_stow_into_a_full_spool(
    context: Context,
    cast: Cast,
    served: Served,
    spool_disk: SmallDisk,
    how: str,
) -> None:
    eirik = served.client(cast.eirik)
    study, _, data = files.series_of(4, size=128)
    spool_disk.fill() if how == "bytes" else spool_disk.take_names()
    answer = stow(eirik, *data)
    assert answer.status_code == 507
    assert [i["00081197"]["Value"] for i in answer.json()["00081198"]["Value"]] == [[OUT_OF_RESOURCES]] * 4
    assert (spool.waiting(spool_disk.at), leftovers(spool_disk.at)) == ([], [])
    spool_disk.free()
    assert stow(eirik, *data).status_code == 200
    with indexing(context):
        until(lambda: number_filed(context, cast, study) == 4)
    assert archived(context, cast, study) == {files.body(one) for one in data}


def test_what_fits_is_stored_and_the_rest_is_told(
    context: Context,
    cast: Cast,
    served: Served,
    spool_disk: SmallDisk,
) -> None:
    small, large = files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1"), files.ct("1.2.3", "1.2.3.1", size=512)
    assert stow(served.client(cast.eirik), files.ct("1.2.3", "1.2.3.2")).status_code == 200
    spool_disk.leave(len(large) // 2)
    answer = stow(served.client(cast.eirik), large, small)
    assert answer.status_code == 202
    assert [i["00081155"]["Value"] for i in answer.json()["00081199"]["Value"]] == [["1.2.3.1.1"]]
    assert [i["00081197"]["Value"] for i in answer.json()["00081198"]["Value"]] == [[OUT_OF_RESOURCES]]
    assert max(len(one.path.read_bytes()) for one in spool.waiting(spool_disk.at)) < len(large)
    assert leftovers(spool_disk.at) == []


@pytest.mark.parametrize("room", [0, 3000])
def test_bulk_data_of_an_upload_meets_a_full_disk(
    context: Context,
    cast: Cast,
    served: Served,
    spool_disk: SmallDisk,
    room: int,
) -> None:
    """Pieces so small that a buffer would hide the full disk until the file is read."""
    data = files.ct("1.2.3", "1.2.3.1", size=32 if not room else 512)
    document = dicom_json(data, bulk_uri=lambda path: f"bulk/{path}")
    pixels = bytes(pydicom.dcmread(io.BytesIO(data)).PixelData)
    bulk = ({"Content-Type": "application/octet-stream", "Content-Location": "bulk/7FE00010"}, (pixels,))
    body = b"".join(
        parts("b0", [({"Content-Type": "application/dicom+json"}, (json.dumps([document]).encode(),)), bulk])
    )
    eirik = served.client(cast.eirik)
    spool_disk.leave(room)
    answer = eirik.post(WHERE, content=body, headers=JSON)
    assert answer.status_code == 507
    assert [p for p in spool_disk.at.rglob("*") if p.is_file() and p.name != ".ballast"] == []
    spool_disk.free()
    assert eirik.post(WHERE, content=body, headers=JSON).status_code == 200
    assert len(spool.waiting(spool_disk.at)) == 1


def test_metadata_is_given_out_from_a_full_object_store(
    objects_disk: SmallDisk,
    context: Context,
    cast: Cast,
    served: Served,
) -> None:
    study, series, data = files.series_of(3)
    files.index(context.works, context.objects, [files.drop(context.settings.spool_dir, cast, one) for one in data])
    objects_disk.fill()
    eirik = served.client(cast.eirik)
    for address in (f"{WHERE}/{study}/metadata", f"{WHERE}/{study}/series/{series}/metadata"):
        answer = eirik.get(address)
        assert (answer.status_code, len(answer.json())) == (200, 3)
    assert list(context.objects.below("metadata")) == []
    assert leftovers(objects_disk.at) == []
    objects_disk.free()
    assert eirik.get(f"{WHERE}/{study}/series/{series}/metadata").status_code == 200
    with context.works.read(system("test", cast.norfjord)) as work:
        found = queries.study_by_uid(work.session, cast.norfjord, study)
        assert found is not None
        (document,) = metadata.series_documents(work.session, found.id)
    assert context.objects.exists(document.key)
