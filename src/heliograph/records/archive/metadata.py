"""Metadata documents: the DICOM JSON of all instances of a series, made once, so that a thousand slices are one read.

The key holds how many instances the document covers, and the study's revision: when more come, or something is put right or hidden,
the next request makes the next document. Rows are never written for it, so making one is no change that needs a record.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import cast, func, select
from sqlalchemy import types as sql

from heliograph.kit.codecs.dicom import corrected
from heliograph.kit.db.session import ActorSession
from heliograph.kit.log import log
from heliograph.kit.objects import ObjectMissing, Objects, ObjectsAway
from heliograph.records.archive.model import Instance, Series, Study
from heliograph.records.archive.overlay import Overlay, overlays
from heliograph.records.archive.place import write

_log = log(__name__)
_BULK = '"BulkDataURI": "bulkdata/'


@dataclass(frozen=True, slots=True)
class SeriesDocument:
    """A series and the version of its metadata document, good as an entity tag."""

    series_id: UUID
    series_instance_uid: str
    number_of_instances: int
    revision: int = 0

    @property
    def key(self) -> str:
        """Where the document is, gzip-compressed."""
        revision = f"-r{self.revision}" if self.revision else ""
        return f"{folder_of(self.series_id)}/{self.number_of_instances}{revision}.json.gz"


def folder_of(series_id: UUID) -> str:
    """Below which all documents of a series are, of whatever number and revision."""
    return f"metadata/{series_id}"


def series_documents(
    session: ActorSession, study_id: UUID, series_instance_uid: str | None = None
) -> list[SeriesDocument]:
    """The documents of a study, or of one of its series, in series order."""
    query = (
        select(Series.id, Series.series_instance_uid, Series.number_of_instances, Study.revision)
        .join(Study, Study.id == Series.study_id)
        .where(Series.study_id == study_id)
        .order_by(Series.series_number, Series.id)
    )
    if series_instance_uid is not None:
        query = query.where(Series.series_instance_uid == series_instance_uid)
    return [SeriesDocument(*row) for row in session.execute(query)]


def read_document(session: ActorSession, objects: Objects, document: SeriesDocument) -> bytes:
    """The gzip-compressed JSON array of a series, made now if it does not exist.

    BulkDataURIs are relative to the series' metadata resource (RFC 3986 5.2): `instances/<uid>/bulkdata/<path>`.
    It is made of the database alone: where the object store is full or away, it is given out and not kept.
    """
    try:
        return objects.get(document.key)
    except (ObjectMissing, ObjectsAway):
        pass
    made, count = _make(session, document.series_id)
    exact = SeriesDocument(document.series_id, document.series_instance_uid, count, document.revision)
    try:
        write(objects, exact.key, made)
    except OSError as error:
        _log.warning("a metadata document could not be kept", why=type(error).__name__)
    return made


def instance_metadata(session: ActorSession, study_id: UUID, series_uid: str, sop_uid: str) -> str | None:
    """The JSON object of one instance; its BulkDataURIs are relative to its metadata resource. None: no such instance."""
    header = session.scalar(
        select(cast(Instance.header, sql.Text))
        .join(Series, Series.id == Instance.series_id)
        .where(
            Instance.study_id == study_id,
            Series.series_instance_uid == series_uid,
            Instance.sop_instance_uid == sop_uid,
            Instance.rejection_id.is_(None),
        )
    )
    overlay = overlays(session, [study_id]).get(study_id)
    return _right(header, overlay) if header is not None and overlay else header


def study_document(session: ActorSession, objects: Objects, documents: Sequence[SeriesDocument]) -> str:
    """The JSON array of all instances of a study; BulkDataURIs are relative to the study's metadata resource."""
    parts = []
    for document in documents:
        if document.number_of_instances:
            text = unpacked(read_document(session, objects, document)).decode()
            below = f'"BulkDataURI": "series/{document.series_instance_uid}/instances/'
            parts.append(text[1:-1].replace('"BulkDataURI": "instances/', below))
    return "[" + ",".join(parts) + "]"


def unpacked(document: bytes) -> bytes:
    """A document without its compression."""
    return gzip.decompress(document)


def _make(session: ActorSession, series_id: UUID) -> tuple[bytes, int]:
    rows = session.execute(
        select(Instance.sop_instance_uid, cast(Instance.header, sql.Text))
        .where(Instance.series_id == series_id, Instance.rejection_id.is_(None))
        .order_by(func.coalesce(Instance.instance_number, 2**31 - 1), Instance.sop_instance_uid)
    ).all()
    # jsonb and `json` print one space after each colon, and quotes in values are escaped: the text can be edited safely.
    study_id = select(Series.study_id).where(Series.id == series_id)
    overlay = next(iter(overlays(session, session.scalars(study_id)).values()), None)
    headers = [(uid, _right(header, overlay) if overlay else header) for uid, header in rows]
    parts = [header.replace(_BULK, f'"BulkDataURI": "instances/{uid}/bulkdata/') for uid, header in headers]
    return gzip.compress(("[" + ",".join(parts) + "]").encode(), compresslevel=3, mtime=0), len(parts)


def _right(header: str, overlay: Overlay) -> str:
    document = corrected(json.loads(header), overlay.values, overlay.correction)
    return json.dumps(document, ensure_ascii=False, allow_nan=False)
