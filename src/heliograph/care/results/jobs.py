"""Jobs of site reports."""

from __future__ import annotations

from uuid import UUID

from heliograph.care.results.attachments import keep_attachment as keep_now
from heliograph.kit.objects import Objects
from heliograph.kit.work import WorkFactory


def keep_attachment(works: WorkFactory, objects: Objects, *, organization_id: str, attachment_id: str) -> None:
    """`results.keep_attachment`: makes a document that came with a report an object."""
    keep_now(works, objects, UUID(organization_id), UUID(attachment_id))
