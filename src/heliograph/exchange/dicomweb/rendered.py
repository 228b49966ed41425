"""Rendered resources (PS3.18 8.7.4, 10.4.1.1.3): which frames of which objects are shown, as which media type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastapi import Response
from PIL import Image
from pydicom import Dataset
from pydicom.datadict import dictionary_VR

from heliograph.exchange.dicomweb import multipart, report_text
from heliograph.exchange.dicomweb.asked import Asked, streamed, unchanged, whole
from heliograph.exchange.dicomweb.bulk import document, document_type
from heliograph.exchange.dicomweb.door import tag_of, version_of
from heliograph.exchange.dicomweb.frames import NoSuchFrame, frames_of, head_of
from heliograph.exchange.dicomweb.negotiate import MediaRange, Offer, choose, refuse_mixed
from heliograph.exchange.dicomweb.render import NotRenderable, drawn, encoded, header_of
from heliograph.exchange.dicomweb.render_options import Picture
from heliograph.kit.codecs.dicom import FrameTable
from heliograph.kit.objects import Objects
from heliograph.records.archive.overlay import source_of
from heliograph.records.archive.queries import InstancePlace

MOST_SHOWN = 1000
MOST_ANIMATED = 400
_MOST_ANIMATED_PIXELS = 150_000_000
STILL = ("image/jpeg", "image/png", "image/gif")


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame, from 1, of an object."""

    place: InstancePlace
    number: int


def shown_of(places: Sequence[InstancePlace]) -> list[Shown]:
    """One frame, the first, of each object that has pictures."""
    return [Shown(place, 1) for place in places if place.number_of_frames and place.frame_table is not None]


def frames_shown(place: InstancePlace, numbers: Sequence[int]) -> list[Shown]:
    """Frames of one object. Raises NoSuchFrame."""
    if place.frame_table is None:
        raise NoSuchFrame
    frames = FrameTable.from_bytes(place.frame_table).frames
    if not all(1 <= number <= frames for number in numbers):
        raise NoSuchFrame
    return [Shown(place, number) for number in numbers]


def image(objects: Objects, shown: Shown, how: Picture, media: str) -> bytes:
    """One frame as a picture. Raises NotRenderable, NoSuchFrame, BadParameter."""
    return encoded([_drawn(objects, shown, how)], media, how.quality)


def answer(
    asked: Asked,
    objects: Objects,
    shown: Sequence[Shown],
    how: Picture,
    *,
    types: Sequence[MediaRange] | None = None,
    representative: Shown | None = None,
    warnings: Sequence[str] = (),
    animated: Sequence[Shown] = (),
) -> Response:
    """Frames as pictures: each as a part, or one bare: the only one, or `representative` of them.

    `animated` are the frames of an animation, where a GIF is wanted.

    Raises:
        NotRenderable, NotAcceptable, MixedMediaTypes, BadParameter
    """
    types = asked.types if types is None else types
    refuse_mixed(types)
    if not shown:
        raise NotRenderable("There are no pictures here.")
    one = shown[0] if len(shown) == 1 else representative
    forms = [False, True] if len(shown) == 1 else [True, False] if one else [True]
    offer = choose(types, [Offer(media, is_multipart) for is_multipart in forms for media in STILL])
    names = [
        f"{'/'.join(version_of(s.place))}/{s.number}" for s in (shown if offer.is_multipart or one is None else [one])
    ]
    tag = tag_of(*names, repr(how), str(offer), str(len(animated)))
    if offer.is_multipart:
        tag = f"W/{tag}"
    if asked.has(tag):
        return unchanged(tag)
    if not offer.is_multipart and one is not None:
        if offer.type == "image/gif" and len(animated) > 1:
            body = _animation(objects, animated, how)
        else:
            body = image(objects, one, how, offer.type)
        return whole(asked, offer.type, tag, body, warnings=warnings)
    if len(shown) > MOST_SHOWN:
        raise NotRenderable("These are too many pictures for one answer.")
    boundary = multipart.new_boundary()
    parts = multipart.parts(
        boundary, (({"Content-Type": offer.type}, (body,)) for body in _each(objects, shown, how, offer.type))
    )
    return streamed(asked, multipart.content_type(boundary, offer.type), parts, tag=tag, warnings=warnings)


def picture_answer(asked: Asked, objects: Objects, shown: Shown, how: Picture, media: str) -> Response:
    """One frame as one bare picture. Raises NotRenderable, NoSuchFrame, BadParameter."""
    tag = tag_of(*version_of(shown.place), str(shown.number), repr(how), media)
    return unchanged(tag) if asked.has(tag) else whole(asked, media, tag, image(objects, shown, how, media))


def document_answer(
    asked: Asked, objects: Objects, place: InstancePlace, types: Sequence[MediaRange] | None = None
) -> Response:
    """An object without frames: an encapsulated PDF as it is, a structured report as text.

    Raises:
        NotRenderable, NotAcceptable
    """
    types = asked.types if types is None else types
    refuse_mixed(types)
    source = source_of(objects, place)
    is_pdf = document_type(source) == "application/pdf"
    dataset = Dataset() if is_pdf else _header(objects, place)
    if not is_pdf and not report_text.is_report(dataset):
        raise NotRenderable
    kind = choose(types, (Offer("application/pdf"),) if is_pdf else (Offer("text/html"), Offer("text/plain"))).type
    tag = tag_of(*version_of(place), kind)
    if asked.has(tag):
        return unchanged(tag)
    if is_pdf:
        return whole(asked, kind, tag, document(source))
    text = report_text.html(dataset) if kind == "text/html" else report_text.plain(dataset)
    return whole(asked, f"{kind}; charset=utf-8", tag, text)


def is_document(objects: Objects, place: InstancePlace) -> bool:
    """Whether an object without frames is shown as a document."""
    source = source_of(objects, place)
    return document_type(source) == "application/pdf" or report_text.is_report(_header(objects, place))


def middle_frame(place: InstancePlace) -> Shown:
    """The frame in the middle of those that can be there. Raises NoSuchFrame."""
    frames = FrameTable.from_bytes(place.frame_table).reach if place.frame_table is not None else 0
    if not frames:
        raise NoSuchFrame
    return Shown(place, (frames + 1) // 2)


def all_frames(place: InstancePlace) -> list[Shown]:
    """Every frame of an object that can be there: an animation."""
    reach = FrameTable.from_bytes(place.frame_table).reach if place.frame_table is not None else 0
    return [Shown(place, number) for number in range(1, reach + 1)]


def _drawn(objects: Objects, shown: Shown, how: Picture, dataset: Dataset | None = None) -> Image.Image:
    place = shown.place
    if place.frame_table is not None and FrameTable.from_bytes(place.frame_table).kind == "stream":
        raise NotRenderable("Video is not rendered here; retrieve it as it is stored.")
    (frame,) = frames_of(objects, place, [shown.number])
    dataset = dataset if dataset is not None else _header(objects, place)
    return drawn(dataset, frame, place.transfer_syntax_uid, how, number=shown.number)


def _header(objects: Objects, place: InstancePlace) -> Dataset:
    """The object's header with what is put right of it."""
    dataset = header_of(head_of(objects, place))
    for tag, text in place.overlay.values.items() if place.overlay else ():
        dataset.add_new(tag, dictionary_VR(tag), text.split("\\") if "\\" in text else text)
    return dataset


def _each(objects: Objects, shown: Sequence[Shown], how: Picture, media: str) -> Iterator[bytes]:
    """Each picture that can be drawn; the first is drawn before this returns, so that bad parameters are refused."""

    def pictures() -> Iterator[bytes]:
        headers: dict[str, Dataset] = {}
        for one in shown:
            uid = one.place.sop_instance_uid
            try:
                if uid not in headers:
                    headers = {uid: _header(objects, one.place)}
                yield encoded([_drawn(objects, one, how, headers[uid])], media, how.quality)
            except (NotRenderable, NoSuchFrame):
                continue

    made = pictures()
    first = next(made, None)
    if first is None:
        raise NotRenderable

    def all_of_them() -> Iterator[bytes]:
        yield first
        yield from made

    return all_of_them()


def _animation(objects: Objects, shown: Sequence[Shown], how: Picture) -> bytes:
    if len(shown) > MOST_ANIMATED:
        raise NotRenderable(f"An animation shows at most {MOST_ANIMATED} frames here.")
    images, milliseconds, pixels = [], 100, 0
    dataset, uid = Dataset(), ""
    for one in shown:
        if one.place.sop_instance_uid != uid:
            dataset, uid = _header(objects, one.place), one.place.sop_instance_uid
            milliseconds = _frame_time(dataset)
        images.append(_drawn(objects, one, how, dataset))
        pixels += images[-1].width * images[-1].height
        if pixels > _MOST_ANIMATED_PIXELS:
            raise NotRenderable("The animation would be too large; ask for a smaller viewport.")
    return encoded(images, "image/gif", milliseconds=milliseconds)


def _frame_time(dataset: Dataset) -> int:
    try:
        return min(max(round(float(dataset.get("FrameTime") or 100)), 20), 5000)
    except (TypeError, ValueError):
        return 100
