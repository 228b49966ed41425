"""Which of a resource's representations a client gets (RFC 9110 12.5.1; PS3.18 8.7). Pure.

A door lists what it can send as `Offer`s, best first; the client's media ranges choose. A range that names no transfer syntax means
the default of its media type (PS3.18 8.7.3.5): Explicit VR Little Endian for DICOM and for octets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from heliograph.kit.errors import HeliographError

_MOST = 8 << 10
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TYPE = re.compile(rf"({_NAME})(?:/({_NAME}))?\Z")
_QUALITY = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?|\.\d{1,3})\Z")  # ".2" is what Java sends
_ALIASES = {
    "image/x-jls": "image/jls",
    "image/dicom+jpeg": "image/jpeg",
    "image/dicom+jp2": "image/jp2",
    "image/dicom+jpx": "image/jpx",
    **dict.fromkeys(("image/x-dicom-rle", "image/dicom+rle", "image/x-dicom+rle"), "image/dicom-rle"),
}
"""Names of earlier editions, which clients still send."""
_RENDERED = ("image/jpeg", "image/gif", "image/png", "image/webp", "application/pdf")
_DICOM = ("application/dicom", "application/dicom+json", "application/dicom+xml", "application/octet-stream")

Default = Literal["any", "named", "no"]


class BadAccept(HeliographError):
    """What you accept is not written as media types."""

    status = 400


class MixedMediaTypes(HeliographError):
    """Accept either DICOM or rendered media types, not both (PS3.18 8.7)."""

    status = 400


class NotAcceptable(HeliographError):
    """None of what you accept is to be had here."""

    status = 406


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One acceptable media type, in lower case; `quality` is 0 to 1000."""

    type: str
    is_multipart: bool = False
    transfer_syntax: str = ""
    quality: int = 1000


@dataclass(frozen=True, slots=True)
class Offer:
    """One representation. `default`: whether it is meant by ranges without a transfer syntax: by `any`, by those that do not
    leave the type open (`named`), or by `no` range."""

    type: str
    is_multipart: bool = False
    transfer_syntax: str = ""
    default: Default = "any"

    def __str__(self) -> str:
        syntax = f"; transfer-syntax={self.transfer_syntax}" if self.transfer_syntax else ""
        return f'multipart/related; type="{self.type}"{syntax}' if self.is_multipart else f"{self.type}{syntax}"


ANYTHING = (MediaRange("*/*"),)


@lru_cache(maxsize=1024)
def accepted(headers: tuple[str, ...], query: tuple[str, ...] = ()) -> tuple[MediaRange, ...]:
    """The media ranges of a request: of the `accept` query parameter where there is one (PS3.18 8.3.3.1), else of its Accept headers.

    Raises:
        BadAccept
    """
    # In a query "+" means a space, which no media type has.
    texts = tuple(re.sub(r"(?<=[a-z]) (?=[a-z])", "+", text) for text in query) if any(query) else headers
    if sum(map(len, texts)) > _MOST:
        raise BadAccept("The Accept header is too long.")
    found = tuple(_range(part) for text in texts for part in _split(text, ",") if part.strip())
    return found or ANYTHING


def choose(ranges: Sequence[MediaRange], offers: Sequence[Offer]) -> Offer:
    """The offer that the client likes best; of those that it likes equally, the first.

    Raises:
        NotAcceptable: none; the refusal lists the offers.
    """
    best, quality = None, 0
    for offer in offers:
        likes = _quality(ranges, offer)
        if likes > quality:
            best, quality = offer, likes
    if best is None:
        raise NotAcceptable(
            "Available: " + ", ".join(dict.fromkeys(map(str, offers))), available=list(dict.fromkeys(map(str, offers)))
        )
    return best


def refuse_mixed(ranges: Sequence[MediaRange], *, but: frozenset[str] = frozenset()) -> None:
    """Raises MixedMediaTypes if both DICOM and rendered media types are asked for; types in `but` are no sign of either."""
    wanted = [r for r in ranges if r.quality and r.type not in but]
    dicom = any(r.type in _DICOM or (r.is_multipart and r.transfer_syntax) for r in wanted)
    rendered = any(
        not r.transfer_syntax and (r.type in _RENDERED or r.type.startswith(("text/", "video/"))) for r in wanted
    )
    if dicom and rendered:
        raise MixedMediaTypes


def encodings_accept_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header (RFC 9110 12.5.3) allows gzip."""
    likes: dict[str, bool] = {}
    for part in header.lower().split(","):
        name, _, parameters = part.partition(";")
        likes[name.strip()] = not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", parameters)
    return likes.get("gzip", likes.get("x-gzip", likes.get("*", False)))


# ------------------------------------------------------------------ matching


def _quality(ranges: Sequence[MediaRange], offer: Offer) -> int:
    """The quality of the most specific range that the offer is in (RFC 9110 12.5.1), 0 if there is none."""
    closest, quality = -1, 0
    for wanted in ranges:
        near = _nearness(wanted, offer)
        if near > closest or (near == closest and wanted.quality > quality):
            closest, quality = near, wanted.quality
    return quality if closest >= 0 else 0


def _nearness(wanted: MediaRange, offer: Offer) -> int:
    """How specifically a range names an offer; -1 if it does not."""
    is_open = wanted.type == "*/*"
    if wanted.is_multipart != offer.is_multipart and not (is_open and not wanted.is_multipart):
        return -1
    if wanted.type == offer.type:
        near = 4
    elif wanted.type.endswith("/*") and (is_open or offer.type.startswith(wanted.type[:-1])):
        near = 0 if is_open else 2
    else:
        return -1
    if wanted.transfer_syntax and offer.transfer_syntax:
        if wanted.transfer_syntax not in {"*", offer.transfer_syntax}:
            return -1
        return near + 1 + (wanted.transfer_syntax != "*")
    if not wanted.transfer_syntax and offer.transfer_syntax:
        leaves_open = is_open or wanted.type == "application/*"
        if offer.default == "no" or (offer.default == "named" and leaves_open):
            return -1
    return near + (wanted.is_multipart and is_open)


# ------------------------------------------------------------------ parsing


def _split(text: str, separator: str) -> list[str]:
    """Parts between separators that are not inside quotes (RFC 9110 5.6.4)."""
    parts, begin, quoted, at = [], 0, False, 0
    while at < len(text):
        sign = text[at]
        if quoted and sign == "\\":
            at += 1
        elif sign == '"':
            quoted = not quoted
        elif sign == separator and not quoted:
            parts.append(text[begin:at])
            begin = at + 1
        at += 1
    if quoted:
        raise BadAccept("A quotation in the Accept header has no end.")
    return [*parts, text[begin:]]


def _media(text: str) -> tuple[str, dict[str, str]]:
    """(type, parameters) of a media range, in lower case but for values."""
    name, *rest = _split(text, ";")
    match = _TYPE.match(name.strip())
    if match is None or (match[2] is None and match[1] != "*"):
        raise BadAccept
    parameters: dict[str, str] = {}
    for part in rest:
        key, equals, value = part.partition("=")
        key, value = key.strip().lower(), value.strip()
        if value.startswith('"'):
            if len(value) < 2 or not value.endswith('"'):
                raise BadAccept
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        elif any(sign in value for sign in ' \t"'):
            raise BadAccept
        if not key and not equals:
            continue  # ";" at the end
        if not re.fullmatch(_NAME, key):
            raise BadAccept
        parameters.setdefault(key, value)
    return ("*/*" if match[2] is None else f"{match[1]}/{match[2]}").lower(), parameters


def _range(text: str) -> MediaRange:
    kind, parameters = _media(text)
    quality = parameters.get("q", "1")
    if not _QUALITY.match(quality):
        raise BadAccept("A quality in the Accept header is no number from 0 to 1.")
    if kind.startswith("*/") and kind != "*/*":
        raise BadAccept
    is_multipart = kind.startswith("multipart/")
    if is_multipart:
        if kind not in {"multipart/related", "multipart/*"}:
            kind = "x-none/x-none"  # never made here
        else:
            kind, inner = _media(parameters.get("type") or "*/*")
            # Some write the whole inner type in quotes: type="application/dicom; transfer-syntax=*".
            parameters = {**inner, **parameters}
    kind = _ALIASES.get(kind, kind)
    return MediaRange(kind, is_multipart, parameters.get("transfer-syntax", ""), round(float(quality) * 1000))
