"""Rendered frames (PS3.18 8.3.5, 10.4.1.1.3): pictures for lists and letters. Diagnosis happens in the viewer."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset, dcmread

from heliograph.exchange.dicomweb.luts import palette_in, value_of
from heliograph.exchange.dicomweb.render_options import BadParameter, Picture, Viewport, Window
from heliograph.exchange.dicomweb.syntaxes import NATIVE
from heliograph.exchange.dicomweb.voi import shades, signed_values, whole
from heliograph.kit.codecs.dicom import locate_data_set, opened
from heliograph.kit.codecs.dicom.errors import DicomError, Truncated
from heliograph.kit.codecs.dicom.explicit import explicit_little
from heliograph.kit.codecs.dicom.part10 import EXPLICIT_BIG, EXPLICIT_LITTLE, nameless_header
from heliograph.kit.codecs.dicom.pixels import RLE, ImageFacts, decode, native_words
from heliograph.kit.codecs.dicom.walk import BIG
from heliograph.kit.errors import HeliographError

Pixels = NDArray[Any]

_MOST_PIXELS = 100_000_000
_AS_STORED = NATIVE | {RLE}
_COLOURS = frozenset({"RGB", "YBR_FULL", "YBR_PARTIAL", "YBR_RCT", "YBR_ICT", "MONOCHROME2", "MONOCHROME1"})
"""What pixels of several samples are shown as; monochrome ones only say so. HSV, ARGB and CMYK (retired) are not."""
PICTURES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF"}


class NotRenderable(HeliographError):
    """This object can't be shown as a picture here."""

    status = 406


def header_of(source: Path | bytes) -> Dataset:
    """The data set of a stored file without its pixels; `source` may end where they begin.

    Words and tables of big endian objects come as little endian. Raises NotRenderable.
    """
    try:
        with opened(source) as data:
            start, syntax = locate_data_set(data)
            if syntax == EXPLICIT_BIG:
                source = nameless_header(EXPLICIT_LITTLE) + b"".join(_before_pixels(data, start))
        file = source if isinstance(source, Path) else io.BytesIO(source)
        return dcmread(file, stop_before_pixels=True, force=True)
    except Exception as error:  # pydicom raises what it likes
        raise NotRenderable("The object's header can't be read.") from error


def _before_pixels(data: memoryview, start: int) -> Iterator[bytes]:
    try:
        for piece in explicit_little(data, start, BIG, {}):
            if not isinstance(piece, bytes):
                return
            yield piece
    except Truncated:  # inside the pixels, which are not here
        return


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

    `frame` is little endian where it is native.

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
    facts = _facts(dataset, frame, syntax)
    words, photometric = _words(facts, frame, syntax)
    if syntax in _AS_STORED:
        words = _low(dataset, facts, words)
    if facts.samples == 1:
        return _of_one_sample(dataset, facts, words[..., 0], photometric, how, number)
    shown = _narrow(words, facts.stored)
    if photometric not in _COLOURS:
        raise NotRenderable("Colours of this kind are not shown here.")
    return _rgb(shown, photometric) if photometric in {"YBR_FULL", "YBR_PARTIAL"} else shown[..., :3]


def _of_one_sample(
    dataset: Dataset, facts: ImageFacts, words: Pixels, photometric: str, how: Picture, number: int
) -> Pixels:
    if photometric == "PALETTE COLOR" and (palette := palette_in(dataset, signed=facts.signed)):
        kept = words & np.array((1 << facts.stored) - 1, words.dtype)
        indices = signed_values(kept.astype(np.int64), facts.stored, signed=facts.signed)
        return np.stack([table.of(indices) for table in palette], axis=-1)
    if facts.allocated >= 32 and "PixelRepresentation" not in dataset:  # floating point pixels have none (C.7.6.24)
        words = words.view(f"<f{facts.allocated // 8}")
    return np.ascontiguousarray(shades(dataset, words, number, how.window))


def _facts(dataset: Dataset, frame: bytes, syntax: str) -> ImageFacts:
    rows, columns = whole(dataset, "Rows") or 0, whole(dataset, "Columns") or 0
    samples = whole(dataset, "SamplesPerPixel") or 1
    if not 0 < rows * columns <= _MOST_PIXELS or samples not in {1, 3, 4}:
        raise NotRenderable("The object says nothing that makes a picture of its pixels.")
    allocated = whole(dataset, "BitsAllocated") or (
        len(frame) * 8 // (rows * columns * samples) if syntax in NATIVE else 0
    )
    stored = whole(dataset, "BitsStored") or allocated
    return ImageFacts(
        rows,
        columns,
        samples,
        allocated,
        stored if 0 < stored <= allocated else allocated,
        whole(dataset, "PixelRepresentation") == 1,
        str(value_of(dataset, "PhotometricInterpretation") or "").strip() or ("RGB" if samples == 3 else "MONOCHROME2"),
        whole(dataset, "PlanarConfiguration") or 0,
    )


def _words(facts: ImageFacts, frame: bytes, syntax: str) -> tuple[Pixels, str]:
    """(rows, columns, samples) as stored, and the photometric interpretation. Raises NotRenderable."""
    try:
        if syntax not in NATIVE:
            return decode(facts, frame, syntax, strictly=False)
        return native_words(facts, frame)
    except DicomError as error:
        raise NotRenderable("The pixels are damaged, or in a form that can't be decoded here.") from error


def _low(dataset: Dataset, facts: ImageFacts, words: Pixels) -> Pixels:
    """Words whose lowest bit is the lowest stored: equipment of old kept samples in the high bits (High Bit, PS3.5 8.1.1 until 2014)."""
    shift = (whole(dataset, "HighBit") or 0) + 1 - facts.stored
    return words >> shift if 0 < shift <= facts.allocated - facts.stored else words


def _narrow(pixels: Pixels, stored: int) -> Pixels:
    """Samples of 8 bits: the highest of those stored."""
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    return np.ascontiguousarray((pixels >> max(stored - 8, 0)).astype(np.uint8))


def _rgb(pixels: Pixels, photometric: str) -> Pixels:
    """Luminance and colour differences of 8 bits as RGB (PS3.3 C.7.6.3.1.2)."""
    luminance, blue, red = (pixels[..., k].astype(np.float32) for k in range(3))
    blue, red = blue - 128, red - 128
    if photometric == "YBR_PARTIAL":
        luminance, blue, red = (luminance - 16) * (255 / 219), blue * (255 / 224), red * (255 / 224)
    mixed = (luminance + 1.402 * red, luminance - 0.344136 * blue - 0.714136 * red, luminance + 1.772 * blue)
    made: Pixels = (np.clip(np.stack(mixed, axis=-1), 0, 255) + 0.5).astype(np.uint8)
    return made


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
        lines = [text for keyword in corners[name] if (text := str(value_of(dataset, keyword) or "").strip())]
        at = size // 2 if name == "patient" else image.height - (len(lines) + 1) * (size + 2)
        for line in lines:
            draw.text((size // 2, at), line, fill=ink, font=font, stroke_width=1, stroke_fill=edge)
            at += size + 2
    return image
