"""WADO-URI (PS3.18 chapter 9): one object, named by query parameters, on the machinery of WADO-RS."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from heliograph.exchange.dicomweb import rendered, wado
from heliograph.exchange.dicomweb.asked import Asked, AskedDep
from heliograph.exchange.dicomweb.door import PREFIX, DoorDep
from heliograph.exchange.dicomweb.negotiate import MediaRange, Offer, accepted, choose
from heliograph.exchange.dicomweb.render_options import (
    MOST_VIEWPORT,
    BadParameter,
    Picture,
    Viewport,
    Window,
    annotation_of,
    number,
    quality_of,
    whole,
)
from heliograph.exchange.dicomweb.retrieve_api import bare_object, retrievable
from heliograph.exchange.dicomweb.syntaxes import DICOM
from heliograph.kit.codecs.dicom import valid_uid
from heliograph.kit.errors import HeliographError
from heliograph.kit.http import ObjectsDep
from heliograph.kit.objects import Objects
from heliograph.records.archive.queries import InstancePlace

router = APIRouter(prefix=PREFIX, tags=["dicomweb"])
_Text = Annotated[str, Query(max_length=200)]
_Uid = Annotated[str, Query(max_length=200)]


class NotDoneHere(HeliographError):
    """This parameter asks for what this archive does not do."""

    status = 501


@retrievable(router, "/wado")
def wado_uri(
    door: DoorDep,
    asked: AskedDep,
    objects: ObjectsDep,
    requestType: Annotated[str, Query(max_length=20)],  # noqa: N803 - the standard's names
    studyUID: _Uid,  # noqa: N803
    objectUID: _Uid,  # noqa: N803
    seriesUID: _Uid = "",  # noqa: N803
    contentType: _Text = "",  # noqa: N803
    transferSyntax: _Text = "",  # noqa: N803
    anonymize: _Text = "",
    annotation: _Text = "",
    rows: _Text = "",
    columns: _Text = "",
    region: _Text = "",
    windowCenter: _Text = "",  # noqa: N803
    windowWidth: _Text = "",  # noqa: N803
    frameNumber: _Text = "",  # noqa: N803
    imageQuality: _Text = "",  # noqa: N803
    presentationUID: _Text = "",  # noqa: N803
) -> Response:
    """One object as a picture, text, PDF or DICOM file (PS3.18 9.4, 9.5)."""
    if requestType != "WADO":
        raise BadParameter("requestType: it is WADO.")
    if not (valid_uid(studyUID) and valid_uid(objectUID) and (not seriesUID or valid_uid(seriesUID))):
        raise BadParameter("studyUID, seriesUID, objectUID: UIDs are wanted.")
    place = door.place_of_object(studyUID, objectUID, seriesUID or None)
    if anonymize not in {"", "no"}:
        raise NotDoneHere("anonymize: objects are not anonymised here.")
    if presentationUID:
        raise NotDoneHere("presentationUID: presentation states are not applied here; retrieve them as DICOM objects.")
    wanted = _types(asked, contentType)
    if _is_dicom(place, wanted, objects):
        return _dicom(asked, objects, place, transferSyntax, [annotation, rows, columns, region, windowCenter])
    if place.frame_table is None:
        return rendered.document_answer(asked, objects, place, wanted)
    written, warnings = annotation_of(annotation)
    how = Picture(
        _window(windowCenter, windowWidth),
        _viewport(rows, columns, region),
        quality_of(imageQuality, "imageQuality"),
        written,
        is_region=True,
    )
    frame = whole(frameNumber, "frameNumber", 1, 999_999) if frameNumber else 1
    shown = rendered.frames_shown(place, [frame])
    animated = [] if frameNumber else rendered.all_frames(place)
    return rendered.answer(asked, objects, shown, how, types=wanted, warnings=warnings, animated=animated)


def _types(asked: Asked, content_type: str) -> tuple[MediaRange, ...]:
    """What is acceptable: `contentType` where it is given, else the Accept header (PS3.18 9.1.2)."""
    return accepted((), (content_type,)) if content_type else asked.types


def _is_dicom(place: InstancePlace, wanted: tuple[MediaRange, ...], objects: Objects) -> bool:
    """Whether the object goes as a DICOM file: where that is asked for, and by default where it is no single picture."""
    best = max(r.quality for r in wanted)
    if any(r.type == DICOM and r.quality == best for r in wanted):
        return True
    if not any(r.type == "*/*" and r.quality == best for r in wanted) or place.number_of_frames == 1:
        return False
    return place.number_of_frames > 1 or not rendered.is_document(objects, place)


def _dicom(asked: Asked, objects: Objects, place: InstancePlace, syntax: str, pictured: list[str]) -> Response:
    if any(pictured):
        raise BadParameter("annotation, rows, columns, region and window are for pictures, not for DICOM objects.")
    offers = [offer for offer in wado.offers_of(place, alone=True) if not offer.is_multipart]
    if syntax and not valid_uid(syntax):
        raise BadParameter("transferSyntax: a UID is wanted.")
    offer: Offer = choose((MediaRange(DICOM, transfer_syntax=syntax),), offers)
    return bare_object(asked, objects, place, offer)


def _window(center: str, width: str) -> Window | None:
    if not center and not width:
        return None
    if not center or not width:
        raise BadParameter("windowCenter, windowWidth: give both.")
    found = Window(number(center, "windowCenter"), number(width, "windowWidth"))
    if found.width < 1:
        raise BadParameter("windowWidth: a width of 1 or more is wanted.")
    return found


def _viewport(rows: str, columns: str, region: str) -> Viewport | None:
    """`rows` and `columns` to fit in, and `region` = left,top,right,bottom as fractions of the image (PS3.18 9.4.1.2.6)."""
    if not (rows or columns or region):
        return None
    height = whole(rows, "rows", 1, MOST_VIEWPORT) if rows else MOST_VIEWPORT
    width = whole(columns, "columns", 1, MOST_VIEWPORT) if columns else MOST_VIEWPORT
    enlarges = bool(rows or columns)
    if not region:
        return Viewport(width, height, enlarges=enlarges)
    parts = [number(part, "region") for part in region.split(",")]
    if len(parts) != 4 or not (0 <= parts[0] < parts[2] <= 1 and 0 <= parts[1] < parts[3] <= 1):
        raise BadParameter("region: give left,top,right,bottom as fractions of the image, from 0 to 1.")
    left, top, right, bottom = parts
    return Viewport(width, height, left, top, right - left, bottom - top, enlarges=enlarges)
