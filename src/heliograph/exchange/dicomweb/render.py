"""Rendered frames (PS3.18 8.3.5, 10.4.1.1.3): pictures for lists and letters. Diagnosis happens in the viewer."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset, dcmread
from pydicom.pixels.processing import apply_color_lut, convert_color_space

from heliograph.exchange.dicomweb.render_options import BadParameter, Picture, Viewport, Window
from heliograph.exchange.dicomweb.syntaxes import NATIVE, swapped
from heliograph.exchange.dicomweb.voi import shades
from heliograph.kit.codecs.dicom.errors import DicomError
from heliograph.kit.codecs.dicom.part10 import EXPLICIT_BIG
from heliograph.kit.codecs.dicom.pixels import ImageFacts, decode, native_words
from heliograph.kit.errors import HeliographError

Pixels = NDArray[Any]

_MOST_PIXELS = 100_000_000
PICTURES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF"}


class NotRenderable(HeliographError):
    """This object can't be shown as a picture here."""

    status = 406


def header_of(source: Path | bytes) -> Dataset:
    """The data set of a stored file without its pixels."""
    file = source if isinstance(source, Path) else io.BytesIO(source)
    return dcmread(file, stop_before_pixels=True, force=True)


def render(
    dataset: Dataset,
    frame: bytes,
    transfer_syntax_uid: str,
    *,
    window: tuple[float, float] | None = None,
    viewport: tuple[int, int] | None = None,
    picture: str = "image/jpeg",
) -> bytes:
    """One stored frame as JPEG or PNG of 8 bits, windowed, within `viewport` (width, height) pixels.

    Raises:
        NotRenderable
    """
    how = Picture(
        Window(*window) if window else None, Viewport(viewport[0], viewport[1], enlarges=False) if viewport else None
    )
    return encoded([drawn(dataset, frame, transfer_syntax_uid, how)], picture, how.quality)


def drawn(dataset: Dataset, frame: bytes, transfer_syntax_uid: str, how: Picture, *, number: int = 1) -> Image.Image:
    """Stored frame `number`, from 1, as an image of 8 bits a sample: windowed, cut, scaled and annotated.

    Raises:
        NotRenderable
        BadParameter: the viewport shows no part of the image.
    """
    try:
        image = Image.fromarray(_eight_bits(dataset, frame, transfer_syntax_uid, how, number))
        if how.viewport is not None:
            image = placed(image, how.viewport, is_region=how.is_region)
        if how.annotation:
            image = _annotated(image, dataset, how.annotation)
    except (NotRenderable, BadParameter):
        raise
    except Exception as error:  # decoders raise what they like; a list without a picture is better than no list
        raise NotRenderable from error
    return image


def encoded(images: list[Image.Image], media: str, quality: int = 88, *, milliseconds: int = 100) -> bytes:
    """Images as one file of `media`; several only as an animated GIF."""
    made = io.BytesIO()
    if media == "image/gif":
        first, *rest = images
        more: dict[str, Any] = (
            {"save_all": True, "append_images": rest, "duration": milliseconds, "loop": 0} if rest else {}
        )
        first.save(made, "GIF", **more)
    elif media == "image/png":
        images[0].save(made, "PNG")
    else:
        images[0].save(made, "JPEG", quality=quality)
    return made.getvalue()


def placed(image: Image.Image, viewport: Viewport, *, is_region: bool = False) -> Image.Image:
    """The part of the image that the viewport shows, flipped as it says, as large as fits with its proportions."""
    across, down = (image.width, image.height) if is_region else (1, 1)
    left, top = viewport.left * across, viewport.top * down
    width = abs(viewport.part_width) * across or image.width - left
    height = abs(viewport.part_height) * down or image.height - top
    right, bottom = round(min(left + width, image.width)), round(min(top + height, image.height))
    if right <= round(left) or bottom <= round(top):
        raise BadParameter("viewport: it shows no part of the image.")
    image = image.crop((round(left), round(top), right, bottom))
    if viewport.part_width < 0:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if viewport.part_height < 0:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    factor = min(viewport.width / image.width, viewport.height / image.height)
    if factor < 1 or (factor > 1 and viewport.enlarges):
        size = max(round(image.width * factor), 1), max(round(image.height * factor), 1)
        image = image.resize(size, Image.Resampling.LANCZOS if factor < 1 else Image.Resampling.BICUBIC)
    return image


def _eight_bits(dataset: Dataset, frame: bytes, syntax: str, how: Picture, number: int) -> Pixels:
    facts = _facts(dataset)
    words, photometric = _words(facts, frame, syntax)
    if facts.samples == 1:
        if photometric == "PALETTE COLOR":
            kept = words[..., 0] & np.array((1 << facts.stored) - 1, words.dtype)
            return _narrow(apply_color_lut(kept, dataset))
        return np.ascontiguousarray(shades(dataset, words[..., 0], number, how.window))
    shown = _narrow(words[..., :3], facts.stored)
    if photometric in {"YBR_FULL", "YBR_FULL_422"}:
        return convert_color_space(shown, "YBR_FULL", "RGB")
    return shown


def _facts(dataset: Dataset) -> ImageFacts:
    allocated = int(dataset.BitsAllocated)
    facts = ImageFacts(
        int(dataset.Rows),
        int(dataset.Columns),
        int(dataset.get("SamplesPerPixel") or 1),
        allocated,
        int(dataset.get("BitsStored") or allocated),
        int(dataset.get("PixelRepresentation") or 0) == 1,
        str(dataset.get("PhotometricInterpretation") or "MONOCHROME2"),
        int(dataset.get("PlanarConfiguration") or 0),
    )
    if not 0 < facts.rows * facts.columns <= _MOST_PIXELS or facts.samples not in {1, 3, 4}:
        raise NotRenderable
    return facts


def _words(facts: ImageFacts, frame: bytes, syntax: str) -> tuple[Pixels, str]:
    """(rows, columns, samples) as stored, and the photometric interpretation. Raises NotRenderable."""
    try:
        if syntax not in NATIVE:
            return decode(facts, frame, syntax)
        if facts.allocated == 1:
            bits = np.unpackbits(np.frombuffer(frame, np.uint8), bitorder="little", count=facts.rows * facts.columns)
            return bits.reshape(facts.rows, facts.columns, 1), facts.photometric
        if facts.photometric == "YBR_FULL_422" and facts.samples == 3:
            pairs = np.frombuffer(frame, np.uint8, facts.rows * facts.columns * 2).reshape(-1, 4)
            # Y Y Cb Cr of two pixels (PS3.3 C.7.6.3.1.2)
            return pairs[:, [0, 2, 3, 1, 2, 3]].reshape(facts.rows, facts.columns, 3), facts.photometric
        content = swapped(frame, syntax, facts.allocated) if syntax == EXPLICIT_BIG else frame
        return native_words(facts, content), facts.photometric
    except DicomError as error:
        raise NotRenderable from error


def _narrow(pixels: Pixels, stored: int | None = None) -> Pixels:
    """Samples of 8 bits: the highest of those stored."""
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    bits = stored if stored is not None else (16 if int(pixels.max(initial=0)) > 255 else 8)
    return np.ascontiguousarray((pixels >> max(bits - 8, 0)).astype(np.uint8))


def _annotated(image: Image.Image, dataset: Dataset, wanted: frozenset[str]) -> Image.Image:
    """The image with lines of text in it (PS3.18 8.3.5.1.1): who it is of, and how it was made."""
    size = max(image.height // 32, 9)
    font = ImageFont.load_default(size)
    draw = ImageDraw.Draw(image)
    ink: Any = 255 if image.mode == "L" else (255, 255, 255)
    edge: Any = 0 if image.mode == "L" else (0, 0, 0)
    corners = {
        "patient": ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
        "technique": ("Modality", "StudyDate", "StudyDescription", "SeriesDescription", "KVP", "SliceThickness"),
    }
    for name in sorted(wanted):
        lines = [str(dataset.get(keyword)) for keyword in corners[name] if str(dataset.get(keyword) or "").strip()]
        at = size // 2 if name == "patient" else image.height - (len(lines) + 1) * (size + 2)
        for line in lines:
            draw.text((size // 2, at), line, fill=ink, font=font, stroke_width=1, stroke_fill=edge)
            at += size + 2
    return image
