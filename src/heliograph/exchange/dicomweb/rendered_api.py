"""Routes of pictures: rendered resources and thumbnails of studies, series, instances and frames (PS3.18 10.4.1.1.3, 10.4.1.1.5)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from heliograph.exchange.dicomweb import rendered, wado
from heliograph.exchange.dicomweb.asked import AskedDep
from heliograph.exchange.dicomweb.door import PREFIX, DoorDep
from heliograph.exchange.dicomweb.negotiate import Offer, choose
from heliograph.exchange.dicomweb.render_options import (
    Picture,
    Viewport,
    annotation_of,
    quality_of,
    viewport_of,
    window_of,
)
from heliograph.exchange.dicomweb.rendered import Shown
from heliograph.exchange.dicomweb.retrieve_api import retrievable
from heliograph.exchange.dicomweb.syntaxes import frame_type
from heliograph.kit.errors import NotFound
from heliograph.kit.http import ObjectsDep
from heliograph.records.archive.queries import InstancePlace

router = APIRouter(prefix=PREFIX, tags=["dicomweb"])

_STUDY = "/studies/{study}"
_SERIES = f"{_STUDY}/series/{{series}}"
_INSTANCE = f"{_SERIES}/instances/{{instance}}"
_THUMBNAIL = (Offer("image/jpeg"), Offer("image/png"))
_Text = Annotated[str, Query(max_length=120)]


class Wanted:
    """The rendering parameters of one request (PS3.18 8.3.5), read when `picture` is asked for, behind the gate."""

    def __init__(
        self,
        window: _Text = "",
        viewport: _Text = "",
        quality: _Text = "",
        annotation: _Text = "",
        iccprofile: _Text = "",
    ) -> None:
        self._texts = window, viewport, quality, annotation
        self._icc = iccprofile

    @property
    def picture(self) -> tuple[Picture, list[str]]:
        """How to draw, and warnings about what is not done. Raises BadParameter."""
        window, viewport, quality, annotation = self._texts
        written, warnings = annotation_of(annotation)
        if self._icc not in {"", "no"}:
            warnings.append("iccprofile: no profile is put into pictures here")
        return Picture(window_of(window), viewport_of(viewport), quality_of(quality), written), warnings


WantedDep = Annotated[Wanted, Depends(Wanted)]


@retrievable(router, f"{_STUDY}/rendered")
def rendered_study(door: DoorDep, asked: AskedDep, objects: ObjectsDep, wanted: WantedDep, study: str) -> Response:
    """A picture of each object of a study as parts; bare, one of them."""
    return _of_many(asked, objects, wanted, door.all_places(study))


@retrievable(router, f"{_SERIES}/rendered")
def rendered_series(
    door: DoorDep, asked: AskedDep, objects: ObjectsDep, wanted: WantedDep, study: str, series: str
) -> Response:
    """A picture of each object of a series as parts; bare, the one in the middle, or all of them as an animated GIF."""
    return _of_many(asked, objects, wanted, door.all_places(study, series))


@retrievable(router, f"{_INSTANCE}/rendered")
def rendered_instance(
    door: DoorDep, asked: AskedDep, objects: ObjectsDep, wanted: WantedDep, study: str, series: str, instance: str
) -> Response:
    """The first frame as a picture, all of them as an animated GIF; a PDF as it is; a structured report as text."""
    place = door.place(study, series, instance)
    if place.frame_table is None:
        return rendered.document_answer(asked, objects, place)
    how, warnings = wanted.picture
    return rendered.answer(
        asked, objects, [Shown(place, 1)], how, warnings=warnings, animated=rendered.all_frames(place)
    )


@retrievable(router, f"{_INSTANCE}/frames/{{frames}}/rendered")
def rendered_frames(
    door: DoorDep,
    asked: AskedDep,
    objects: ObjectsDep,
    wanted: WantedDep,
    study: str,
    series: str,
    instance: str,
    frames: str,
) -> Response:
    """Frames as pictures (PS3.18 8.3.5): JPEG, PNG or GIF; several as parts."""
    place = door.place(study, series, instance)
    how, warnings = wanted.picture
    shown = rendered.frames_shown(place, wado.frame_numbers(frames))
    return rendered.answer(asked, objects, shown, how, warnings=warnings, animated=shown)


@retrievable(router, f"{_STUDY}/thumbnail")
@retrievable(router, f"{_SERIES}/thumbnail")
def thumbnail(
    door: DoorDep,
    asked: AskedDep,
    objects: ObjectsDep,
    study: str,
    series: str | None = None,
    viewport: _Text = "",
) -> Response:
    """A small picture of the middle of a study or series."""
    shown = rendered.shown_of(door.all_places(study, series))
    if not shown:
        raise NotFound
    still = [one for one in shown if not frame_type(one.place.transfer_syntax_uid)[0].startswith("video/")] or shown
    return _small(asked, objects, rendered.middle_frame(still[len(still) // 2].place), viewport)


@retrievable(router, f"{_INSTANCE}/thumbnail")
@retrievable(router, f"{_INSTANCE}/frames/{{frames}}/thumbnail")
def instance_thumbnail(
    door: DoorDep,
    asked: AskedDep,
    objects: ObjectsDep,
    study: str,
    series: str,
    instance: str,
    frames: str = "1",
    viewport: _Text = "",
) -> Response:
    """A small picture of a frame: the first of those named."""
    place = door.place(study, series, instance)
    return _small(asked, objects, rendered.frames_shown(place, wado.frame_numbers(frames))[0], viewport)


def _of_many(asked: AskedDep, objects: ObjectsDep, wanted: Wanted, places: list[InstancePlace]) -> Response:
    how, warnings = wanted.picture
    shown = rendered.shown_of(places)
    if not shown and len(places) == 1:
        return rendered.document_answer(asked, objects, places[0])
    middle = shown[len(shown) // 2] if shown else None
    return rendered.answer(asked, objects, shown, how, warnings=warnings, representative=middle, animated=shown)


def _small(asked: AskedDep, objects: ObjectsDep, shown: Shown, viewport: str) -> Response:
    how = Picture(viewport=viewport_of(viewport, small=True) or Viewport(128, 128, enlarges=False))
    media = choose(asked.types, _THUMBNAIL).type
    return rendered.picture_answer(asked, objects, shown, how, media)
