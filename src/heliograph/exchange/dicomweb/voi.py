"""Stored values to shades (PS3.3 C.11): modality transform, window or table, and the photometric interpretation, as one table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from heliograph.exchange.dicomweb.luts import Table, table_in, value_of
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
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "PhotometricInterpretation",
)
_MACROS = ("PixelValueTransformationSequence", "FrameVOILUTSequence")


def shades(dataset: Dataset, words: Pixels, frame: int, window: Window | None) -> Pixels:
    """8-bit shades of (rows, columns) words as stored, or of floating point values; `frame` counts from 1.

    Without a window, the first of the object; else what its values span, but for a hundredth and its padding.
    """
    view = with_groups(dataset, frame)
    if words.dtype.kind == "f":
        shown = _shaded(view, np.nan_to_num(words.astype(np.float64), posinf=0, neginf=0), None, window)
    else:
        shown = _of_words(view, words, window)
    return 255 - shown if value_of(view, "PhotometricInterpretation") == "MONOCHROME1" else shown


def _of_words(view: Dataset, words: Pixels, window: Window | None) -> Pixels:
    stored = min(whole(view, "BitsStored") or words.itemsize * 8, words.itemsize * 8)
    signed = whole(view, "PixelRepresentation") == 1
    # Bits above Bits Stored are dropped: old overlays live there.
    kept = words & np.array((1 << stored) - 1, words.dtype)
    if stored <= 16:
        values = signed_values(np.arange(1 << stored, dtype=np.int64), stored, signed=signed)
        table = _shaded(view, values, kept, window)
        shown: Pixels = table[kept]
        return shown
    return _shaded(view, signed_values(kept.astype(np.int64), stored, signed=signed), None, window)


def signed_values(words: Pixels, stored: int, *, signed: bool) -> Pixels:
    """What words of `stored` bits stand for (PS3.3 C.7.6.3.1.1, Pixel Representation)."""
    return np.where(words >= 1 << (stored - 1), words - (1 << stored), words) if signed else words


def _shaded(view: Dataset, values: Pixels, seen: Pixels | None, window: Window | None) -> Pixels:
    """Shades of stored values; `seen` are the indices of those that occur in the image."""
    rescaled = _rescaled(view, values)
    if window is None and (table := _first_table(view, "VOILUTSequence", signed=bool(rescaled.min() < 0))):
        return _eight(table.of(rescaled) / ((1 << table.bits) - 1))
    window = window or window_in(view) or _span(_occurring(view, values, rescaled, seen))
    return _eight(spread(rescaled, window))


def _rescaled(view: Dataset, values: Pixels) -> Pixels:
    """Stored values in the units of the modality (C.11.1), in double precision."""
    if table := _first_table(view, "ModalityLUTSequence", signed=bool(values.min() < 0)):
        return table.of(values).astype(np.float64)
    slope, intercept = number(view, "RescaleSlope"), number(view, "RescaleIntercept")
    if not slope or intercept is None:  # a slope of 0 would leave no picture
        return values.astype(np.float64)
    return values.astype(np.float64) * slope + intercept


def _first_table(view: Dataset, name: str, *, signed: bool) -> Table | None:
    items = value_of(view, name)
    return table_in(items[0], signed=signed) if items else None


def _occurring(view: Dataset, values: Pixels, rescaled: Pixels, seen: Pixels | None) -> Pixels:
    """The rescaled values of the image without its padding (C.7.5.1.1.2), which says nothing about its contrast."""
    stored, shown = (values, rescaled) if seen is None else (values[seen], rescaled[seen])
    padding = number(view, "PixelPaddingValue")
    if padding is None:
        return shown
    limit = number(view, "PixelPaddingRangeLimit")
    low, high = sorted((padding, padding if limit is None else limit))
    real: Pixels = shown[(stored < low) | (stored > high)]
    return real if real.size else shown


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
    center, width = number(view, "WindowCenter"), number(view, "WindowWidth")
    function = _FUNCTIONS.get(str(value_of(view, "VOILUTFunction") or "LINEAR").upper(), "linear")
    if center is None or width is None or width <= 0 or (function == "linear" and width < 1):
        return None
    return Window(center, width, function)


def number(view: Dataset, name: str) -> float | None:
    """The first value of an element as a finite number, None if it has none."""
    value = value_of(view, name)
    try:
        if hasattr(value, "__iter__") and not isinstance(value, str | bytes):
            value = next(iter(value))
        made = float(value)
    except (TypeError, ValueError, StopIteration, OverflowError):
        return None
    return made if math.isfinite(made) else None


def whole(view: Dataset, name: str) -> int | None:
    """The first value of an element as a whole number, None if it has none."""
    made = number(view, name)
    return None if made is None else int(made)


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
        value = value_of(dataset, name)
        if value is not None:
            view[name] = dataset[name]
    shared = (value_of(dataset, "SharedFunctionalGroupsSequence") or [])[:1]
    own = (value_of(dataset, "PerFrameFunctionalGroupsSequence") or [])[frame - 1 : frame]
    for group in (*shared, *own):
        for macro in _MACROS:
            for item in (value_of(group, macro) or [])[:1]:
                for element in _readable(item):
                    view[element.tag] = element
    return view


def _readable(item: Dataset) -> Iterator[Any]:
    for tag in item.keys():  # noqa: SIM118 - iterating a data set reads its values
        if value_of(item, tag) is not None:  # type: ignore[arg-type]
            yield item[tag]
