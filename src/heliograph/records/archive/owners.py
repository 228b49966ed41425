"""Whose the objects are that a rebuild finds: the organisation, facilities and callers that the ids in their keys mean now.

Most keys bear ids that the database knows. Where it was made anew, it knows none of them: the names kept beside the objects tell who
they were, and a person says that the organisation of that short address is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from heliograph.kit.actor import system
from heliograph.kit.objects import Objects
from heliograph.kit.work import WorkFactory
from heliograph.records.archive.fsck import PLACES
from heliograph.records.archive.names import Names, names_kept, names_now
from heliograph.records.archive.place import Origin


@dataclass(frozen=True, slots=True)
class Owner:
    """An organisation, and what ids in keys of `folder` mean in it. `usual` is for keys that tell no facility, or one that is gone."""

    folder: UUID
    organization_id: UUID
    slug: str
    facilities: dict[UUID, UUID] = field(default_factory=dict)
    callers: dict[UUID, UUID] = field(default_factory=dict)
    usual: UUID | None = None
    is_certain: bool = False
    """`usual` was chosen by a person, not taken because there is no other."""

    def facility_of(self, origin: Origin) -> UUID | None:
        """Where the object is filed. None: nobody can tell."""
        if origin.facility_id is None:
            return self.usual
        return self.facilities.get(origin.facility_id) or (self.usual if self.is_certain else None)

    def caller_of(self, origin: Origin) -> UUID | None:
        """Who sent it, if that is known still."""
        return self.callers.get(origin.caller_id) if origin.caller_id else None


def folders_of(objects: Objects) -> list[UUID]:
    """The ids of organisations in keys of objects."""
    found: set[UUID] = set()
    for place in PLACES:
        for name in objects.folders(place):
            try:
                found.add(UUID(name))
            except ValueError:  # a person's own folder
                continue
    return sorted(found)


def owner_of(
    works: WorkFactory, objects: Objects, folder: UUID, organization_id: UUID, *, usual: UUID | None = None
) -> Owner:
    """What the ids in keys of `folder` mean in the organisation `organization_id`; `usual` as a person chose it.

    Raises:
        LookupError: there is no such organisation.
    """
    with works.read(system("rebuild", organization_id)) as work:
        now = names_now(work.session, organization_id)
    if now is None:
        raise LookupError(organization_id)
    only = next(iter(now.facilities)) if len(now.facilities) == 1 else None
    if folder == organization_id:
        then = now
    else:
        then = names_kept(objects, folder) or Names("", "", {}, {}, {})
    by_code = {code: i for i, code in now.facilities.items()}
    by_caller = {caller: i for i, caller in now.callers.items()}
    by_title = {title: i for i, title in now.nodes.items()}
    callers = {i: by_caller[caller] for i, caller in then.callers.items() if caller in by_caller}
    callers |= {i: by_title[title] for i, title in then.nodes.items() if title in by_title}
    return Owner(
        folder,
        organization_id,
        now.slug,
        {i: by_code[code] for i, code in then.facilities.items() if code in by_code},
        callers,
        usual or only,
        is_certain=usual is not None,
    )
