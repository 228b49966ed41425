"""Rendered frames (PS3.18 8.3.5, 10.4.1.1.3): small pictures for lists. Diagnosis happens in the viewer, on stored frames."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.pixels.processing import (
    apply_color_lut,
    apply_modality_lut,
    apply_voi_lut,
    convert_color_space,
)

from heliograph.exchange.dicomweb.syntaxes import NATIVE, swapped
from heliograph.kit.codecs.dicom.part10 import EXPLICIT_BIG, EXPLICIT_LITTLE
from heliograph.kit.errors import HeliographError

Pixels = NDArray[Any]

_MOST_PIXELS = 100_000_000
_JPEG = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51)}
_LOSSLESS = {f"1.2.840.10008.1.2.4.{n}" for n in (57, 70)}
_JPEG_LS = {f"1.2.840.10008.1.2.4.{n}" for n in (80, 81)}
_JPEG_2000 = {f"1.2.840.10008.1.2.4.{n}" for n in (90, 91)}
_HTJ2K = {f"1.2.840.10008.1.2.4.{n}" for n in (201, 202, 203)}
_RLE = "1.2.840.10008.1.2.5"


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
    try:
        pixels = decode(dataset, frame, transfer_syntax_uid)
        shown = _grey(dataset, pixels, window) if pixels.ndim == 2 else _colour(dataset, pixels)
        image = Image.fromarray(shown)
        if viewport is not None:
            image.thumbnail(viewport, Image.Resampling.LANCZOS)
        made = io.BytesIO()
        if picture == "image/png":
            image.save(made, "PNG")
        else:
            image.save(made, "JPEG", quality=88)
        return made.getvalue()
    except NotRenderable:
        raise
    except Exception as error:  # decoders raise what they like; a list without a picture is better than no list
        raise NotRenderable from error


def decode(dataset: Dataset, frame: bytes, transfer_syntax_uid: str) -> Pixels:
    """The samples of one frame, (rows, columns) or (rows, columns, samples), with their sign.

    Raises:
        NotRenderable: its transfer syntax is not one of still pictures.
    """
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    samples = int(dataset.get("SamplesPerPixel", 1))
    allocated = int(dataset.BitsAllocated)
    if not 0 < rows * columns <= _MOST_PIXELS:
        raise NotRenderable
    if transfer_syntax_uid in NATIVE:
        return _native(dataset, frame, transfer_syntax_uid, (rows, columns, samples, allocated))
    if transfer_syntax_uid == _RLE:
        kind = np.dtype(f"<u{allocated // 8}")
        planes = np.frombuffer(imagecodecs.dicomrle_decode(frame, kind), kind)
        pixels = planes.reshape(samples, rows, columns).transpose(1, 2, 0)
    elif transfer_syntax_uid in _JPEG | _LOSSLESS:
        pixels = _jpeg(frame, transfer_syntax_uid)
    elif transfer_syntax_uid in _JPEG_LS:
        pixels = imagecodecs.jpegls_decode(frame)
    elif transfer_syntax_uid in _JPEG_2000:
        pixels = imagecodecs.jpeg2k_decode(frame)
    elif transfer_syntax_uid in _HTJ2K:
        pixels = imagecodecs.htj2k_decode(frame)
    else:
        raise NotRenderable
    pixels = pixels.reshape(rows, columns, -1)
    return _signed(dataset, pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def _jpeg(frame: bytes, transfer_syntax_uid: str) -> Pixels:
    if transfer_syntax_uid in _LOSSLESS:
        return np.asarray(imagecodecs.ljpeg_decode(frame))
    return np.asarray(imagecodecs.jpeg_decode(frame))


def _native(dataset: Dataset, frame: bytes, syntax: str, shape: tuple[int, int, int, int]) -> Pixels:
    rows, columns, samples, allocated = shape
    if allocated == 1:
        bits = np.unpackbits(np.frombuffer(frame, np.uint8), bitorder="little")
        return bits[: rows * columns].reshape(rows, columns)
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        pairs = np.frombuffer(frame, np.uint8, rows * columns * 2).reshape(-1, 4)  # Y Y Cb Cr (PS3.3 C.7.6.3.1.2)
        return pairs[:, [0, 2, 3, 1, 2, 3]].reshape(rows, columns, 3)
    kind = np.dtype(f"<u{allocated // 8}")
    little = swapped(frame, syntax, allocated) if syntax == EXPLICIT_BIG else frame
    pixels = np.frombuffer(little, kind, rows * columns * samples)
    if samples == 1:
        return _signed(dataset, pixels.reshape(rows, columns))
    if dataset.get("PlanarConfiguration", 0) == 1:
        return pixels.reshape(samples, rows, columns).transpose(1, 2, 0)
    return pixels.reshape(rows, columns, samples)


def _signed(dataset: Dataset, pixels: Pixels) -> Pixels:
    """Samples with the sign that Pixel Representation tells, bits above Bits Stored dropped (old overlays live there)."""
    stored = int(dataset.get("BitsStored", dataset.BitsAllocated))
    if pixels.dtype.kind == "f" or pixels.ndim == 3:
        return pixels
    wide = pixels.astype(np.int64) & ((1 << stored) - 1)
    if dataset.get("PixelRepresentation", 0) == 1:
        wide = np.where(wide >= 1 << (stored - 1), wide - (1 << stored), wide)
        return wide.astype(np.int32 if stored > 16 else np.int16)
    return wide.astype(np.uint32 if stored > 16 else np.uint16)


def _grey(dataset: Dataset, pixels: Pixels, window: tuple[float, float] | None) -> Pixels:
    photometric = dataset.get("PhotometricInterpretation", "MONOCHROME2")
    if photometric == "PALETTE COLOR":
        return _eight_bits(apply_color_lut(pixels, dataset))
    view = _with_groups(dataset)
    values = apply_modality_lut(pixels, view)
    if window is None and ("WindowCenter" in view or "VOILUTSequence" in view):
        values = apply_voi_lut(values, view)
        low, high = float(values.min()), float(values.max())
        if "WindowCenter" in view and "VOILUTSequence" not in view:
            low, high = _output_range(view)
    elif window is not None:
        low = window[0] - 0.5 - (window[1] - 1) / 2  # PS3.3 C.11.2.1.2.1
        high = low + window[1] - 1
    else:
        low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
    scaled = np.clip((values.astype(np.float32) - low) / max(high - low, 1e-6), 0, 1) * 255
    shown: Pixels = scaled.astype(np.uint8)
    return 255 - shown if photometric == "MONOCHROME1" else shown


def _output_range(view: Dataset) -> tuple[float, float]:
    """What a linear window maps to (PS3.3 C.11.2.1.2): the range of the stored values after rescaling."""
    stored = int(view.BitsStored)
    low, high = (-(1 << stored - 1), (1 << stored - 1) - 1) if view.PixelRepresentation else (0, (1 << stored) - 1)
    slope, intercept = float(view.get("RescaleSlope", 1)), float(view.get("RescaleIntercept", 0))
    return low * slope + intercept, high * slope + intercept


def _with_groups(dataset: Dataset) -> Dataset:
    """The data set with the rescaling and window of its functional groups on top, as enhanced objects keep them."""
    view = Dataset()
    for name in (
        "RescaleSlope",
        "RescaleIntercept",
        "ModalityLUTSequence",
        "WindowCenter",
        "WindowWidth",
        "VOILUTFunction",
        "VOILUTSequence",
        "BitsStored",
        "BitsAllocated",
        "PixelRepresentation",
        "PhotometricInterpretation",
    ):
        if name in dataset:
            setattr(view, name, dataset.get(name))
    groups = [*dataset.get("SharedFunctionalGroupsSequence", [])[:1]]
    groups += [*dataset.get("PerFrameFunctionalGroupsSequence", [])[:1]]
    for group in groups:
        for macro in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
            for item in group.get(macro, [])[:1]:
                for inner in item:
                    view[inner.tag] = inner
    return view


def _colour(dataset: Dataset, pixels: Pixels) -> Pixels:
    photometric = str(dataset.get("PhotometricInterpretation", "RGB"))
    native = str(getattr(dataset, "file_meta", Dataset()).get("TransferSyntaxUID", EXPLICIT_LITTLE)) in NATIVE
    rle = str(getattr(dataset, "file_meta", Dataset()).get("TransferSyntaxUID", "")) == _RLE
    shown = _eight_bits(pixels[..., :3])
    if photometric in {"YBR_FULL", "YBR_FULL_422"} and (native or rle):
        return convert_color_space(shown, "YBR_FULL", "RGB")
    return shown


def _eight_bits(pixels: Pixels) -> Pixels:
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    most = max(int(pixels.max()), 1)
    shift = 8 if pixels.dtype == np.uint16 and most > 255 else 0
    return np.ascontiguousarray((pixels >> shift).astype(np.uint8))
