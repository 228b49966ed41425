"""Objects that declare no character set though their texts need one: read in the one that their sender is known to write."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from heliograph.kit.db.session import ActorSession
from heliograph.records.archive.examine import Examined, examine
from heliograph.records.sites.queries import fallback_charset


def with_senders_charset(session: ActorSession, batch: Sequence[Examined]) -> list[Examined]:
    """The batch, in which such objects are read again; the others, and their bytes, as they are."""
    known: dict[tuple[UUID, UUID | None], str | None] = {}
    made = []
    for entry in batch:
        if entry.facts is None or not entry.facts.is_undeclared:
            made.append(entry)
            continue
        sender = (entry.file.facility_id, entry.file.caller_id)
        if sender not in known:
            known[sender] = fallback_charset(session, *sender)
        charset = known[sender]
        made.append(examine(entry.file, fallback_charset=charset) if charset else entry)
    return made
