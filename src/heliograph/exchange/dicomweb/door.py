"""One caller at one DICOMweb root, and what all its routes answer with. Each answer about a study has passed the gate (`visible`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, cast

from fastapi import Depends, Request

from heliograph.exchange.dicomweb.frames import Places
from heliograph.exchange.dicomweb.visible import Gate, Seen
from heliograph.governance.access.door import KnownDep
from heliograph.governance.access.sessions import Known
from heliograph.kit.errors import NotFound
from heliograph.kit.http import SettingsDep, WorksDep
from heliograph.kit.settings import Settings
from heliograph.kit.work import WorkFactory
from heliograph.records.archive.queries import InstancePlace, instance_places

PREFIX = "/dicomweb/{organization_slug}"
JSON = "application/dicom+json"
# Revalidated at each use, so that signing out takes images away; an equal tag costs no bytes.
PRIVATE = "private, no-cache"
# What is told is a tree; to look for circles in it would cost as much again as writing it.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))


class Door:
    """One caller at one DICOMweb root, for one request."""

    def __init__(
        self, request: Request, organization_slug: str, known: Known, works: WorkFactory, settings: Settings
    ) -> None:
        self.slug, self.known, self.works, self.settings = organization_slug, known, works, settings
        self.gate, self.places = _memory(request)

    @property
    def root(self) -> str:
        """The address of this DICOMweb root, as people and machines reach it."""
        return f"{self.settings.public_url.rstrip('/')}/dicomweb/{self.slug}"

    def study(self, uid: str) -> Seen:
        """The study, if this caller may see it; the view is on record."""
        return self.gate.pass_study(self.works, self.known, self.slug, uid)

    def place(self, study_uid: str, series_uid: str, sop_uid: str) -> InstancePlace:
        """Where an instance is."""
        seen = self.study(study_uid)
        return self.places.find(self.works, self.known.actor, seen, series_uid, sop_uid)

    def place_of_object(self, study_uid: str, sop_uid: str, series_uid: str | None = None) -> InstancePlace:
        """Where an instance is, named without its series."""
        seen = self.study(study_uid)
        with self.works.read(self.known.actor) as work:
            found = instance_places(
                work.session, seen.study_id, series_instance_uid=series_uid, sop_instance_uid=sop_uid
            )
        if not found:
            raise NotFound
        return found[0]

    def all_places(self, study_uid: str, series_uid: str | None = None) -> list[InstancePlace]:
        """Where the instances of a study or series are; NotFound when there are none."""
        seen = self.study(study_uid)
        with self.works.read(self.known.actor) as work:
            found = instance_places(work.session, seen.study_id, series_instance_uid=series_uid)
        if not found:
            raise NotFound
        return found


def remembered(
    request: Request, known: Known, slug: str, study_uid: str, series_uid: str, sop_uid: str
) -> InstancePlace | None:
    """What `Door.place` would say, if it is remembered: nothing is asked, and nothing refused."""
    gate, places = _memory(request)
    seen = gate.remembered(known, slug, study_uid)
    return places.remembered(seen, series_uid, sop_uid) if seen else None


def _memory(request: Request) -> tuple[Gate, Places]:
    """What this process remembers for all callers."""
    state = request.app.state
    if not hasattr(state, "dicomweb"):
        state.dicomweb = (Gate(), Places())
    return cast("tuple[Gate, Places]", state.dicomweb)


# Asynchronous, as it never waits: the framework would make each in a thread.
async def _door(
    request: Request, organization_slug: str, known: KnownDep, works: WorksDep, settings: SettingsDep
) -> Door:
    return Door(request, organization_slug, known, works, settings)


DoorDep = Annotated[Door, Depends(_door)]


def tag_of(*parts: str) -> str:
    """A strong entity tag of what the parts name."""
    return '"' + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32] + '"'


def version_of(place: InstancePlace) -> tuple[str, ...]:
    """What of an object an entity tag names: its bytes, and what is put right of them."""
    return (place.sha256.hex(), str(place.overlay.id)) if place.overlay else (place.sha256.hex(),)


def dumps(value: list[dict[str, Any]] | Mapping[str, Any]) -> str:
    """DICOM JSON as text: compact, and never NaN."""
    return _ENCODER.encode(value)
