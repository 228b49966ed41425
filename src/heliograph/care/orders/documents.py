"""Requisition scans and worksheets attached to an order. The bytes are an object; what they are is told by their beginning."""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass
from pathlib import PurePosixPath
from uuid import UUID

from heliograph.care.orders.access import is_staff, may_see_order
from heliograph.care.orders.errors import BadDocument
from heliograph.care.orders.model import Order, OrderDocument
from heliograph.kit.errors import NotFound
from heliograph.kit.objects import Objects
from heliograph.kit.work import Work
from heliograph.records.archive.place import write

LARGEST = 25 * 1024 * 1024
KINDS = ("requisition", "worksheet", "other")
_MAGIC = (
    (b"%PDF-", "application/pdf", "pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png", "png"),
    (b"\xff\xd8\xff", "image/jpeg", "jpg"),
)


@dataclass(frozen=True, slots=True)
class Document:
    """A document with its bytes."""

    name: str
    media_type: str
    data: bytes


def attach_document(work: Work, objects: Objects, order_id: UUID, kind: str, name: str, data: bytes) -> UUID:
    """Keeps a document with the order; durable before the row is. Returns its id.

    Raises:
        NotFound: no such order, or the actor is not of the site's staff.
        BadDocument: empty, too large, or neither PDF, PNG nor JPEG whatever its name says.
    """
    order = work.session.get(Order, order_id)
    if order is None or not is_staff(work, order.organization_id, order.facility_id):
        raise NotFound
    if kind not in KINDS or not data or len(data) > LARGEST:
        raise BadDocument
    found = next(((media, suffix) for magic, media, suffix in _MAGIC if data.startswith(magic)), None)
    if found is None:
        raise BadDocument
    media_type, suffix = found
    key = f"orders/{order.organization_id.hex}/{uuid.uuid4().hex}.{suffix}"
    write(objects, key, data)
    row = OrderDocument(
        organization_id=order.organization_id,
        order_id=order.id,
        kind=kind,
        name=_file_name(name, suffix),
        media_type=media_type,
        object_key=key,
        length=len(data),
        sha256=hashlib.sha256(data).digest(),
        created_by=work.actor.id,
        created_at=work.now,
    )
    work.session.add(row)
    work.session.flush()
    work.record(
        "document.attached",
        organization_id=order.organization_id,
        order_id=order.id,
        patient_id=order.patient_id,
        subject_kind="document",
        subject_id=row.id,
        detail={"kind": kind, "media_type": media_type, "length": len(data)},
    )
    work.touch("order", order.id, order.organization_id)
    return row.id


def read_document(work: Work, objects: Objects, order_id: UUID, document_id: UUID) -> Document:
    """A document of the order; that it was seen is recorded. Raises: NotFound."""
    order, row = work.session.get(Order, order_id), work.session.get(OrderDocument, document_id)
    if order is None or row is None or row.order_id != order.id or not may_see_order(work, order):
        raise NotFound
    data = objects.get(row.object_key)
    work.record(
        "document.viewed",
        organization_id=order.organization_id,
        order_id=order.id,
        patient_id=order.patient_id,
        subject_kind="document",
        subject_id=row.id,
    )
    return Document(row.name, row.media_type, data)


def _file_name(name: str, suffix: str) -> str:
    """The last part of the name, without control characters and marks that mean something in a header or a shell."""
    last = PurePosixPath(name.replace("\\", "/")).name
    clean = re.sub(r"[\x00-\x1f\x7f\"'<>|:*?;]", "", last).strip(". ")[:150]
    return clean or f"document.{suffix}"
