"""Which studies a caller may see through this door, and that seeing them is on record."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, text, true

from heliograph.governance.access.narrowing import narrowed
from heliograph.governance.access.sessions import Known
from heliograph.governance.tenancy.queries import organization_by_slug
from heliograph.kit.actor import Actor
from heliograph.kit.db.session import ActorSession
from heliograph.kit.errors import NotAllowed, NotFound
from heliograph.kit.work import WorkFactory
from heliograph.records.archive.search import Scope, study_by_uid
from heliograph.records.archive.views import record_view

BELIEVED_SECONDS = 30.0
_MOST_REMEMBERED = 20_000

# Row-level security shows a reading group every patient that it has a grant for. This door is narrower: the client's own people and
# its coordinators see its studies; a reader those of patients whose reads are or were theirs (priors included). A held study may be
# somebody else's: a reader sees it only where it is a part of the case itself.
_OF_ACTOR = """
    (studies.organization_id = any((select tenancy.actor_organizations())::uuid[])
     and (studies.organization_id <> all(cast(:narrowed as uuid[])) or studies.facility_id = any(cast(:facilities as uuid[]))))
    or exists (
        select 1 from tenancy.grants g
        where g.patient_id = studies.patient_id and g.grantee_organization_id = any(cast(:coordinated as uuid[]))
          and g.valid_from <= now() and (g.valid_until is null or g.valid_until > now()))
    or exists (
        select 1 from people.readers p
        join worklist.reads r on r.reader_id = p.id
        join worklist.cases c on c.id = r.case_id
        where p.user_id = :user_id and c.patient_id = studies.patient_id
          and (studies.match_state <> 'held'
               or exists (select 1 from worklist.case_studies s where s.case_id = c.id and s.study_id = studies.id)))
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A study that the caller may see; the view is recorded."""

    study_id: UUID
    organization_id: UUID
    revision: int
    """Of the study, then: what is remembered of its objects is of one revision (see `Places`)."""


def only_for(actor: Actor) -> ColumnElement[bool]:
    """The condition on studies that `actor`'s roles add to row-level security."""
    if actor.kind != "user":
        return true()
    own = narrowed(actor)
    values = {
        "coordinated": list(actor.organizations_with("coordinator")),
        "user_id": actor.id,
        "narrowed": list(own.organizations),
        "facilities": list(own.facilities),
    }
    condition: ColumnElement[bool] = text(f"({_OF_ACTOR})").bindparams(**values)  # type: ignore[assignment]
    return condition


def scope_for(actor: Actor, organization_id: UUID) -> Scope:
    """Those studies of an organisation that `actor` may search."""
    whole = actor.kind != "user" or organization_id not in narrowed(actor).organizations
    return Scope(organization_id, only_for(actor), whole=whole)


def organization_of(session: ActorSession, slug: str) -> UUID:
    """The organisation of a DICOMweb root. Raises NotFound."""
    found = organization_by_slug(session, slug)
    if found is None or not found.is_active:
        raise NotFound
    return found.id


def check_may_read(known: Known) -> None:
    """Raises NotAllowed for a key that may only store."""
    if not known.may_read:
        raise NotAllowed("This key may store images but not read them.", action="images.viewed")


class Gate:
    """Remembers for half a minute which studies a session may see, so that frames need no database. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[tuple[UUID, str, str], tuple[float, Seen]] = {}

    def remembered(self, known: Known, slug: str, uid: str) -> Seen | None:
        """The study, if this caller passed lately and may read: the view is on record. Nothing is asked, and nothing refused."""
        who = known.actor.session_id or known.actor.id
        if who is None or not known.may_read:
            return None
        with self._lock:
            found = self._seen.get((who, slug, uid))
        return found[1] if found is not None and found[0] > time.monotonic() else None

    def pass_study(self, works: WorkFactory, known: Known, slug: str, uid: str) -> Seen:
        """The study, after recording the view.

        Raises:
            NotFound: absent, or not for this caller: both look the same, and the attempt is on record.
            NotAllowed: the key may not read.
        """
        check_may_read(known)
        actor = known.actor
        who = actor.session_id or actor.id
        key = (who, slug, uid) if who is not None else None
        now = time.monotonic()
        if (seen := self.remembered(known, slug, uid)) is not None:
            return seen
        with works.begin(actor) as work:
            organization_id = organization_of(work.session, slug)
            found = study_by_uid(work.session, Scope(organization_id, only_for(actor)), uid)
            if found is None:
                raise NotFound(action="images.viewed", organization_id=organization_id)
            seen = Seen(found[0], organization_id, found[1])
            record_view(work, seen.study_id)
        if key is not None:
            with self._lock:
                if len(self._seen) >= _MOST_REMEMBERED:
                    self._seen.clear()
                self._seen[key] = (now + BELIEVED_SECONDS, seen)
        return seen
