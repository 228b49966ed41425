"""How a picture is asked for (PS3.18 8.3.5): window, viewport, quality and annotation, read strictly. Pure."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from heliograph.kit.errors import HeliographError

Function = Literal["linear", "linear-exact", "sigmoid"]
_FUNCTIONS: tuple[Function, ...] = ("linear", "linear-exact", "sigmoid")
_NUMBER = re.compile(r"[+-]?(?:\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})(?:[eE][+-]?\d{1,2})?\Z", re.ASCII)
_ANNOTATIONS = frozenset({"patient", "technique"})
MOST_VIEWPORT = 4096


class BadParameter(HeliographError):
    """A parameter of the picture can't be taken as it is."""

    status = 400


@dataclass(frozen=True, slots=True)
class Window:
    """Centre and width in units of the modality transform's output; how values in between are spread (PS3.3 C.11.2.1.2)."""

    center: float
    width: float
    function: Function = "linear"


@dataclass(frozen=True, slots=True)
class Viewport:
    """The size to fit in, and the part of the image to show, in pixels; negative width or height of the part flips it.

    0 for `part_width` or `part_height` means up to the image's edge.
    """

    width: int
    height: int
    left: float = 0.0
    top: float = 0.0
    part_width: float = 0.0
    part_height: float = 0.0
    enlarges: bool = True


@dataclass(frozen=True, slots=True)
class Picture:
    """One way to show a frame."""

    window: Window | None = None
    viewport: Viewport | None = None
    quality: int = 88
    annotation: frozenset[str] = frozenset()
    is_region: bool = False
    """The part is given as fractions of the image (WADO-URI `region`)."""


def window_of(text: str, name: str = "window") -> Window | None:
    """`centre,width[,function]`. Raises BadParameter."""
    if not text:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not 2 <= len(parts) <= 3:
        raise BadParameter(f"{name}: give centre,width and, if you like, linear, linear-exact or sigmoid.")
    center, width = number(parts[0], name), number(parts[1], name)
    function = next(
        (f for f in _FUNCTIONS if f == (parts[2].lower().replace("_", "-") if parts[2:] else "linear")), None
    )
    if function is None:
        raise BadParameter(f"{name}: the function is linear, linear-exact or sigmoid.")
    if width < 1 if function == "linear" else width <= 0:
        raise BadParameter(f"{name}: the width is too small for this function.")
    return Window(center, width, function)


def viewport_of(text: str, *, small: bool = False) -> Viewport | None:
    """`width,height[,left,top,part width,part height]` (PS3.18 8.3.5.1.3); `small`: a thumbnail's, which never enlarges.

    Raises:
        BadParameter
    """
    if not text:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 and (small or len(parts) > 6):
        raise BadParameter("viewport: give width,height and, but for thumbnails, the part of the image to show.")
    width, height = (whole(part, "viewport", 1, MOST_VIEWPORT) for part in (*parts, "", "")[:2])
    left, top, part_width, part_height = (
        number(part, "viewport") if part else 0.0 for part in (*parts[2:], "", "", "", "")[:4]
    )
    if left < 0 or top < 0:
        raise BadParameter("viewport: the part begins inside the image.")
    return Viewport(width, height, left, top, part_width, part_height, enlarges=not small)


def quality_of(text: str, name: str = "quality") -> int:
    """1 to 100, as JPEG's; 88 if it is not given. Raises BadParameter."""
    return whole(text, name, 1, 100) if text else 88


def annotation_of(text: str) -> tuple[frozenset[str], list[str]]:
    """(what to write into the picture, warnings about what is not known here)."""
    wanted = {part.strip().lower() for part in text.split(",") if part.strip()}
    warnings = ["annotation: only patient and technique are written"] if wanted - _ANNOTATIONS else []
    return frozenset(wanted & _ANNOTATIONS), warnings


def number(text: str, name: str) -> float:
    """A finite decimal number. Raises BadParameter."""
    if not _NUMBER.match(text) or not math.isfinite(float(text)):
        raise BadParameter(f"{name}: a number is wanted.")
    return float(text)


def whole(text: str, name: str, least: int, most: int) -> int:
    """A whole number within bounds. Raises BadParameter."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= most):
        raise BadParameter(f"{name}: a whole number from {least} to {most} is wanted.")
    return int(text)
