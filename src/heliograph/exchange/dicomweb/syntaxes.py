"""How stored frames are told to a client: media types by transfer syntax (PS3.18 Table 8.7.3-5), so that it decodes them itself."""

from __future__ import annotations

from functools import lru_cache

from heliograph.exchange.dicomweb.negotiate import Offer
from heliograph.kit.codecs.dicom.part10 import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE
from heliograph.kit.codecs.dicom.pixels import DECODABLE, ENCODABLE

OCTETS = "application/octet-stream"
DICOM = "application/dicom"
_PREFIX = "1.2.840.10008.1.2."
_ENCAPSULATED_UNCOMPRESSED = f"{_PREFIX}1.98"
_TYPES = {
    **{f"{_PREFIX}4.{n}": "image/jpeg" for n in (*range(50, 67), 70)},
    **{f"{_PREFIX}4.{n}": "image/jls" for n in (80, 81)},
    **{f"{_PREFIX}4.{n}": "image/jp2" for n in (90, 91)},
    **{f"{_PREFIX}4.{n}": "image/jpx" for n in (92, 93)},
    **{f"{_PREFIX}4.{n}{tail}": "video/mpeg" for n in (100, 101) for tail in ("", ".1")},
    **{f"{_PREFIX}4.{n}{tail}": "video/mp4" for n in range(102, 109) for tail in ("", ".1")},
    **{f"{_PREFIX}4.{n}": "image/jxl" for n in (110, 111, 112)},
    **{f"{_PREFIX}4.{n}": "image/jphc" for n in (201, 202, 203)},
    f"{_PREFIX}5": "image/dicom-rle",
}
FRAME_TYPES = frozenset(_TYPES.values())
"""Media types of compressed frames; some are also those of pictures."""
NATIVE = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, _ENCAPSULATED_UNCOMPRESSED, *DEFLATED})


def frame_type(transfer_syntax_uid: str) -> tuple[str, str]:
    """(media type, transfer syntax UID) under which a frame of this stored syntax is sent.

    Native frames are little endian octets (PS3.18 8.7.3.5), whatever the data set around them was.
    """
    media = _TYPES.get(transfer_syntax_uid)
    if media is not None:
        return media, transfer_syntax_uid
    return OCTETS, EXPLICIT_LITTLE if transfer_syntax_uid in NATIVE else transfer_syntax_uid


_COMPRESSIBLE_BITS = frozenset({8, 16})


def _made(transfer_syntax_uid: str, bits_allocated: int | None) -> tuple[str, ...]:
    """The syntaxes into which pixels of a stored one are compressed on request."""
    if bits_allocated not in _COMPRESSIBLE_BITS or transfer_syntax_uid not in NATIVE | DECODABLE:
        return ()
    return tuple(syntax for syntax in ENCODABLE if syntax != transfer_syntax_uid)


@lru_cache(maxsize=1024)
def object_offers(
    transfer_syntax_uid: str, *, bits_allocated: int | None, has_pixels: bool, alone: bool
) -> tuple[Offer, ...]:
    """How a whole object can be had: as stored, natively, compressed without loss; bare too if it is asked for `alone`.

    One that can't be decoded (video) is what is meant without a transfer syntax.
    """
    syntaxes = [transfer_syntax_uid]
    convertible = transfer_syntax_uid in NATIVE | DECODABLE or not has_pixels
    if transfer_syntax_uid != EXPLICIT_LITTLE and convertible:
        syntaxes.append(EXPLICIT_LITTLE)
    if has_pixels:
        syntaxes += _made(transfer_syntax_uid, bits_allocated)
    default = EXPLICIT_LITTLE if convertible else transfer_syntax_uid
    forms = (True, False) if alone else (True,)
    return tuple(
        Offer(DICOM, is_multipart, syntax, "any" if syntax == default else "no")
        for syntax in syntaxes
        for is_multipart in forms
    )


@lru_cache(maxsize=1024)
def frame_offers(transfer_syntax_uid: str, *, bits_allocated: int | None, alone: bool) -> tuple[Offer, ...]:
    """How frames can be had. Compressed ones bear their own media type, or are octets for who asks for these by a transfer syntax."""
    media, syntax = frame_type(transfer_syntax_uid)
    decodable = transfer_syntax_uid in DECODABLE
    made: list[Offer] = []
    if media == OCTETS:
        made.append(Offer(OCTETS, True, EXPLICIT_LITTLE if decodable else syntax, "any"))
        if syntax not in {EXPLICIT_LITTLE, made[0].transfer_syntax}:  # deflated frames, for who asks for them
            made.append(Offer(OCTETS, True, syntax, "no"))
    else:
        made.append(Offer(media, True, syntax, "named" if decodable else "any"))
        made.append(Offer(OCTETS, True, syntax, "no"))
        if decodable:
            made.append(Offer(OCTETS, True, EXPLICIT_LITTLE, "any"))
    others = _made(transfer_syntax_uid, bits_allocated)
    made += [Offer(frame_type(other)[0], True, other, "named") for other in others]
    if not alone:
        return tuple(made)
    return tuple(
        Offer(offer.type, is_multipart, offer.transfer_syntax, offer.default)
        for offer in made
        for is_multipart in (True, False)
    )
