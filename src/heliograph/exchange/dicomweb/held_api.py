"""A picture of an object that waits in quarantine. It is not in the archive, so WADO-RS does not know it."""

from __future__ import annotations

import io
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from heliograph.care.orders.access import may_coordinate
from heliograph.exchange.dicomweb.render import NotRenderable, render
from heliograph.governance.access.door import WorkDep, require_roles
from heliograph.kit.codecs.dicom import DicomError, read_file_meta
from heliograph.kit.errors import NotFound
from heliograph.kit.http import ObjectsDep
from heliograph.records.archive.held import held_object
from heliograph.records.archive.held_view import MOST_BYTES, frame_in, held_bytes

router = APIRouter(
    prefix="/api", tags=["images at the door"], dependencies=[Depends(require_roles("site_staff", "coordinator"))]
)


@router.get("/held-objects/{held_id}/preview")
def preview(
    work: WorkDep, objects: ObjectsDep, held_id: UUID, frame: Annotated[int, Query(ge=1, le=100_000)] = 1
) -> Response:
    """A frame as a PNG of at most 512 pixels. The view is recorded."""
    found = held_object(work.session, held_id)
    if found is None or not may_coordinate(work, found.organization_id, found.facility_id):
        raise NotFound
    if found.object_length > MOST_BYTES:
        raise NotRenderable("The object is too large for a preview.")
    data = held_bytes(objects, found.object_key, found.object_length)
    try:
        pixels = frame_in(data, frame)
        syntax = read_file_meta(memoryview(data)).transfer_syntax_uid
        dataset = dcmread(io.BytesIO(data), stop_before_pixels=True)
    except (DicomError, InvalidDicomError) as error:
        raise NotRenderable("The object can't be read.") from error
    if pixels is None:
        raise NotRenderable("The object has no such frame.")
    work.record("object.viewed", organization_id=found.organization_id, subject_kind="held_object", subject_id=held_id)
    picture = render(dataset, pixels, syntax, viewport=(512, 512), picture="image/png")
    return Response(picture, media_type="image/png", headers={"Cache-Control": "no-store"})
