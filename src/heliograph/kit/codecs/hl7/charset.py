"""Character sets of HL7 v2 (MSH-18, table 0211; HL7 v2.5.1 2.15.9.18).

The whole payload is decoded before anything is split: in ISO 2022 and in GB 18030 and Big5 text, bytes of
ordinary characters are the same as the delimiters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from heliograph.kit.codecs.hl7.errors import NotHl7, Unencodable, UnknownCharset

ISO_2022_JP = "iso2022_jp_ext"
_JAPANESE = {"ISOIR13", "ISOIR14", "ISOIR87", "ISOIR159"}

# Table 0211 and the spellings seen instead of it, without spaces, hyphens and underscores -> Python codec.
# Each is a superset of ASCII. The Windows forms of Big5 and KS X 1001 are what systems in practice send under
# these names.
_CODECS = {
    "ASCII": "ascii",
    "USASCII": "ascii",
    "ISOIR6": "ascii",
    "UNICODEUTF8": "utf-8",
    "UTF8": "utf-8",
    "UNICODE": "utf-8",
    "ISOIR192": "utf-8",
    "GB180302000": "gb18030",
    "GB18030": "gb18030",
    "GBK": "gb18030",
    "GB2312": "gb18030",
    "KSX1001": "cp949",
    "EUCKR": "cp949",
    "BIG5": "cp950",
    "SHIFTJIS": "cp932",
    "SJIS": "cp932",
    "EUCJP": "euc_jp",
    "WINDOWS1252": "cp1252",
    "CP1252": "cp1252",
    "WINDOWS1251": "cp1251",
    "CP1251": "cp1251",
    "ISOIR100": "iso8859-1",
    "ISO2022JP": ISO_2022_JP,
    **dict.fromkeys(_JAPANESE, ISO_2022_JP),
    # ISO 8859-12 was never published.
    **{f"{prefix}8859/{n}": f"iso8859-{n}" for prefix in ("", "ISO") for n in range(1, 17) if n != 12},
    **{f"{prefix}8859{n}": f"iso8859-{n}" for prefix in ("", "ISO") for n in range(1, 17) if n != 12},
}


@dataclass(frozen=True)
class Decoded:
    """A payload as text.

    `codec` is the Python codec that was used; `damaged` says that bytes could not be read and stand as
    U+FFFD; `known` is False when MSH-18 names a set that we don't know, so that the default was used.
    """

    text: str
    codec: str
    damaged: bool
    known: bool = True


def codec_of(name: str) -> str:
    """The Python codec of one name of table 0211.

    Raises:
        UnknownCharset
    """
    codec = _CODECS.get(re.sub(r"[ _-]", "", name).upper())
    if codec is None:
        raise UnknownCharset(f"{name!r} is no character set of HL7 table 0211 that can be read here.")
    return codec


def codec_of_declaration(declared: list[str], default: str) -> tuple[str, bool]:
    """The codec for the repetitions of MSH-18, and whether all of them are known. Empty and
    ASCII mean the feed's default."""
    codecs: list[str] = []
    known = True
    for name in declared:
        try:
            codecs.append(codec_of(name) if name.strip() else "ascii")
        except UnknownCharset:
            known = False
    if ISO_2022_JP in codecs:
        return ISO_2022_JP, known
    chosen = next((codec for codec in codecs if codec != "ascii"), None)
    return chosen or codec_of(default), known


def read(payload: bytes, default_charset: str, *, override: str | None = None, utf8_first: bool = False) -> Decoded:
    """Decode a payload by its MSH-18.

    Args:
        default_charset: the feed's set (table 0211), for an empty or `ASCII` MSH-18.
        override: the feed's set when what it declares is known to be wrong.
        utf8_first: take strict UTF-8 when the bytes are valid UTF-8, whatever is declared.

    Raises:
        NotHl7: no MSH, FHS or BHS at the beginning.
        UnknownCharset: `default_charset` or `override` is unknown; an unknown MSH-18 falls back to the
            default instead.
    """
    payload = trimmed(payload)
    known = True
    if override:
        codec = codec_of(override)
    else:
        codec, known = codec_of_declaration(declared_charsets(payload), default_charset)
    if utf8_first:
        try:
            return Decoded(payload.decode("utf-8"), "utf-8", damaged=False, known=known)
        except UnicodeDecodeError:
            pass
    if codec == ISO_2022_JP:
        text = _decode_iso_2022_jp(payload)
    else:
        text = payload.decode(codec, errors="replace")
    # U+FFFD that was sent as such is no damage of ours.
    damaged = text.count("\ufffd") > (payload.count("\ufffd".encode()) if codec == "utf-8" else 0)
    return Decoded(text, codec, damaged, known)


def decode(payload: bytes, default_charset: str) -> str:
    """The payload as text; unreadable bytes become U+FFFD (`read` also says whether there were any)."""
    return read(payload, default_charset).text


def trimmed(payload: bytes) -> bytes:
    """The payload without a byte order mark and blanks before its first segment."""
    return payload.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n \t\x00")


def declared_charsets(payload: bytes) -> list[str]:
    """The repetitions of MSH-18, empty ones included."""
    header = header_bytes(payload)
    fields = header.split(header[3:4])
    if len(fields) < 18 or not fields[17]:
        return []
    repetition = fields[1][1:2] or b"~"
    return [name.decode("ascii", errors="replace") for name in fields[17].split(repetition)]


def header_bytes(payload: bytes) -> bytes:
    """The raw MSH segment; in a batch (FHS, BHS) the first message's.

    Raises:
        NotHl7
    """
    if payload[:3] not in (b"MSH", b"FHS", b"BHS") or len(payload) < 8:
        raise NotHl7
    found = re.search(rb"(?:\A|[\r\n])(MSH[^\r\n]{5,})", payload)
    if found is None:
        return re.split(rb"[\r\n]", payload, maxsplit=1)[0]
    return found.group(1)


def encode(text: str, declared: str) -> bytes:
    """Text as bytes in the set of an MSH-18 value (`UNICODE UTF-8`, `8859/1`, `~ISO IR87`).

    Raises:
        UnknownCharset
        Unencodable: says how many characters do not fit, never which.
    """
    codec = _codec_to_write(declared)
    try:
        return text.encode(codec)
    except UnicodeEncodeError as error:
        count = sum(1 for character in text if not _fits(character, codec))
        raise Unencodable(f"{count} characters do not fit into the character set {declared!r}.") from error


def _codec_to_write(declared: str) -> str:
    """The codec of an MSH-18 value that we write; every name must be known."""
    codec, known = codec_of_declaration(declared.split("~"), "ASCII")
    if not known:
        raise UnknownCharset(f"{declared!r} is no character set of HL7 table 0211 that can be written here.")
    return codec


def _fits(character: str, codec: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


_SHIFT = re.compile(rb"(\x1b(?:\([BJIH]|\$[@B]|\$\([@BD])|[\r\n])")


def _decode_iso_2022_jp(payload: bytes) -> str:
    """ISO 2022 with JIS X 0201, 0208 and 0212 (ISO IR 6, 14, 13, 87, 159).

    By hand because Python's codec refuses 8-bit katakana of JIS X 0201 in G1, and one bad byte must cost one
    character only. A line end goes back to ASCII, as each segment begins in the default set.
    """
    shift = b"\x1b(B"
    pieces: list[str] = []
    for piece in _SHIFT.split(payload):
        if piece in (b"\r", b"\n"):
            shift = b"\x1b(B"
            pieces.append(piece.decode("ascii"))
        elif _SHIFT.fullmatch(piece):
            shift = piece
        elif shift in (b"\x1b(B", b"\x1b(J", b"\x1b(H"):
            # One byte each: ASCII below, half-width katakana above.
            pieces.append(_single_bytes(piece))
        else:
            pieces.append((shift + piece).decode(ISO_2022_JP, errors="replace"))
    return "".join(pieces)


def _single_bytes(piece: bytes) -> str:
    if piece.isascii():
        return piece.decode("ascii")
    return "".join(bytes([byte]).decode("shift_jis", errors="replace") for byte in piece)
