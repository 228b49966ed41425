"""The names that ids of keys stand for, kept beside the objects: who lost the database still knows whose images they are.

One small document an organisation, `names/<organisation>.json`: its short address, and the codes and titles of its facilities, callers
and nodes. No patient data. A sweep keeps it; `rebuild` reads it where an organisation has another id than its objects' keys say.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from heliograph.governance.tenancy.queries import active_organizations, organization
from heliograph.kit.actor import system
from heliograph.kit.db.session import ActorSession
from heliograph.kit.objects import Objects
from heliograph.kit.work import WorkFactory
from heliograph.records.archive.place import write
from heliograph.records.sites.nodes import nodes_of
from heliograph.records.sites.queries import callers_of, facilities_of

_SETTINGS = ("name", "jurisdiction", "time_zone", "patient_id_authority", "accession_issuer", "is_images_only")


@dataclass(frozen=True, slots=True)
class Names:
    """An organisation as it was named. Callers are (facility's code, called AE, calling AE, address), nodes their AE titles."""

    slug: str
    name: str
    facilities: dict[UUID, str]
    callers: dict[UUID, tuple[str, str, str, str | None]]
    nodes: dict[UUID, str]
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of each facility, by its code: for a person who makes it anew. Identifiers of patients hang on its authority."""


def names_now(session: ActorSession, organization_id: UUID) -> Names | None:
    """What the database says. None: no such organisation."""
    found = organization(session, organization_id)
    if found is None:
        return None
    sites = facilities_of(session, [organization_id], active_only=False)
    facilities = {f.id: f.code for f in sites}
    callers = {
        c.id: (facilities[c.facility_id], c.called_ae, c.calling_ae, c.address)
        for c in callers_of(session, [organization_id])
        if c.facility_id in facilities
    }
    nodes = {n.id: n.ae_title for n in nodes_of(session, [organization_id])}
    settings = {f.code: {name: getattr(f, name) for name in _SETTINGS} for f in sites}
    return Names(found.slug, found.name, facilities, callers, nodes, settings)


def names_kept(objects: Objects, organization_id: UUID) -> Names | None:
    """What is kept beside the objects. None: nothing, or nothing that can be read."""
    try:
        return _from_json(json.loads(objects.get(_key(organization_id))))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def keep_names(works: WorkFactory, objects: Objects, written: dict[UUID, bytes]) -> int:
    """Writes the document of each organisation whose names changed; `written` is what this process knows to be there. Returns how many."""
    with works.read(system("names")) as work:
        ids = [o.id for o in active_organizations(work.session)]
    with works.read(system("names", *ids)) as work:
        documents = {i: _to_json(n) for i in ids if (n := names_now(work.session, i)) is not None}
    kept = 0
    for organization_id, document in documents.items():
        if written.get(organization_id) == document:
            continue
        try:
            is_there = objects.get(_key(organization_id)) == document
        except FileNotFoundError:
            is_there = False
        if not is_there:
            write(objects, _key(organization_id), document)
            kept += 1
        written[organization_id] = document
    return kept


def _key(organization_id: UUID) -> str:
    return f"names/{organization_id}.json"


def _to_json(names: Names) -> bytes:
    document = {
        "slug": names.slug,
        "name": names.name,
        "facilities": {str(i): code for i, code in names.facilities.items()},
        "callers": {str(i): list(caller) for i, caller in names.callers.items()},
        "nodes": {str(i): title for i, title in names.nodes.items()},
        "settings": names.settings,
    }
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True).encode()


def _from_json(document: dict[str, Any]) -> Names:
    return Names(
        str(document["slug"]),
        str(document["name"]),
        {UUID(i): str(code) for i, code in document["facilities"].items()},
        {UUID(i): (str(f), str(called), str(calling), a) for i, (f, called, calling, a) in document["callers"].items()},
        {UUID(i): str(title) for i, title in document["nodes"].items()},
    )
