"""Stored values to shades (PS3.3 C.11): modality transform, window or table, and the photometric interpretation, as one table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi

from heliograph.exchange.dicomweb.render_options import Function, Window

Pixels = NDArray[Any]
_FUNCTIONS: dict[str, Function] = {"LINEAR": "linear", "LINEAR_EXACT": "linear-exact", "SIGMOID": "sigmoid"}
_KEPT = (
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
)


def shades(dataset: Dataset, words: Pixels, frame: int, window: Window | None) -> Pixels:
    """8-bit shades of (rows, columns) words as stored; `frame` counts from 1.

    Without a window, the first of the object; else what its values span, but for a hundredth.
    """
    view = with_groups(dataset, frame)
    stored = min(int(view.get("BitsStored") or words.itemsize * 8), words.itemsize * 8)
    signed = int(view.get("PixelRepresentation") or 0) == 1
    # Bits above Bits Stored are dropped: old overlays live there.
    kept = words & np.array((1 << stored) - 1, words.dtype)
    if stored <= 16:
        table = _shaded(view, _values(np.arange(1 << stored, dtype=np.int64), stored, signed=signed), kept, window)
        shown: Pixels = table[kept]
    else:
        shown = _shaded(view, _values(kept.astype(np.int64), stored, signed=signed), None, window)
    return 255 - shown if view.get("PhotometricInterpretation") == "MONOCHROME1" else shown


def _values(words: Pixels, stored: int, *, signed: bool) -> Pixels:
    if signed:
        words = np.where(words >= 1 << (stored - 1), words - (1 << stored), words)
    return words.astype(np.int32 if stored < 32 else np.int64)


def _shaded(view: Dataset, values: Pixels, seen: Pixels | None, window: Window | None) -> Pixels:
    """Shades of stored values; `seen` are the indices of those that occur in the image."""
    rescaled = apply_modality_lut(values, view)
    if window is None and view.get("VOILUTSequence"):
        table = view.VOILUTSequence[0]
        depth = int(table.LUTDescriptor[2]) or 16
        return _eight(apply_voi(rescaled.astype(np.int64), view).astype(np.float32) / ((1 << depth) - 1))
    window = window or window_in(view) or _span(rescaled if seen is None else rescaled[seen])
    return _eight(spread(rescaled.astype(np.float32), window))


def spread(values: Pixels, window: Window) -> Pixels:
    """Values windowed to 0 to 1 (PS3.3 C.11.2.1.2.1, C.11.2.1.3); a linear window of width 1 is a step."""
    center, width = window.center, window.width
    if window.function == "sigmoid":
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -60, 60)))
    if window.function == "linear-exact":
        return (values - center) / width + 0.5
    if width == 1:
        return (values > center - 0.5).astype(np.float32)
    return (values - (center - 0.5)) / (width - 1) + 0.5


def window_in(view: Dataset) -> Window | None:
    """The first window of the object; one whose width means nothing is none."""
    try:
        center, width = _first(view.get("WindowCenter")), _first(view.get("WindowWidth"))
    except (TypeError, ValueError):
        return None
    function = _FUNCTIONS.get(str(view.get("VOILUTFunction") or "LINEAR").upper(), "linear")
    if center is None or width is None or not np.isfinite((center, width)).all():
        return None
    if width <= 0 or (function == "linear" and width < 1):
        return None
    return Window(center, width, function)


def _first(value: Any) -> float | None:
    if value is None or value == "":
        return None
    many = hasattr(value, "__iter__") and not isinstance(value, str)
    return float(next(iter(value))) if many else float(value)


def _span(values: Pixels) -> Window:
    low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
    if high <= low:  # a mask with few pixels set
        low, high = float(values.min()), float(values.max())
    return Window((low + high) / 2, max(high - low, 1e-6), "linear-exact")


def _eight(fractions: Pixels) -> Pixels:
    return (np.clip(fractions, 0, 1) * 255 + 0.5).astype(np.uint8)


def with_groups(dataset: Dataset, frame: int) -> Dataset:
    """The data set with the rescaling and window of its functional groups on top, as enhanced objects keep them for each frame."""
    view = Dataset()
    for name in _KEPT:
        if name in dataset:
            setattr(view, name, dataset.get(name))
    own = (dataset.get("PerFrameFunctionalGroupsSequence") or [])[frame - 1 : frame]
    for group in (*(dataset.get("SharedFunctionalGroupsSequence") or [])[:1], *own):
        for macro in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
            for item in (group.get(macro) or [])[:1]:
                for inner in item:
                    view[inner.tag] = inner
    return view
