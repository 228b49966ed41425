"""Text in data sets: character sets (PS3.5 6.1, PS3.3 C.12.1.1.2) and person names (PS3.5 6.2.1).

Nothing here raises: a wrong character set must not keep an image out. What looks wrong is flagged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pydicom.charset import python_encoding

from heliograph.kit.codecs.dicom import iso2022
from heliograph.kit.codecs.dicom.iso2022 import ASCII, CHINESE, KATAKANA, KOREAN, Graphics

_STAND_ALONE: Final = frozenset({"UTF8", "GB18030", "GBK"})
_DEFAULT: Final = "iso8859"
"""The default repertoire. Python's name is that of Latin-1, which is what stands there when writers break the rule."""
_KNOWN: Final = {
    **python_encoding,
    "ISO_IR 203": "iso8859_15",
    "ISO 2022 IR 203": "iso8859_15",
    "ISO_IR 58": "iso_ir_58",
    "ISO_IR 87": "iso2022_jp",
    "ISO_IR 149": "euc_kr",
    "ISO_IR 159": "iso2022_jp_2",
}
_DEFINED: Final = _KNOWN.keys() - {"ISO_IR 58", "ISO_IR 87", "ISO_IR 149", "ISO_IR 159", "ISO 2022 GBK", "ISO 2022 58"}
_NICKNAMES: Final = {
    "UTF8": "UTF8",
    "UTF-8": "UTF8",
    "UNICODE": "UTF8",
    "GB2312": "GB18030",
    "CP936": "GB18030",
    "LATIN1": "latin_1",
    "LATIN-1": "latin_1",
    "ASCII": _DEFAULT,
    "KSC5601": "euc_kr",
    "SHIFT_JIS": "shift_jis",
    "SHIFT-JIS": "shift_jis",
}
_BY_PART: Final = {1: 100, 2: 101, 3: 109, 4: 110, 5: 144, 6: 127, 7: 126, 8: 138, 9: 148, 11: 166, 15: 203}
"""ISO/IEC 8859's parts and their registration numbers."""
# pydicom's names of codecs in which bytes above 0x7F are a script of their own, and of those in which they are letters among others.
_RIGHT_HALVES: Final = {
    "iso_ir_126": "iso8859_7",
    "iso_ir_127": "iso8859_6",
    "iso_ir_138": "iso8859_8",
    "iso_ir_144": "iso8859_5",
    "iso_ir_148": "iso8859_9",
    "iso_ir_166": "iso8859_11",
}
_LATIN: Final = frozenset({"latin_1", "iso8859_2", "iso8859_3", "iso8859_4", "iso8859_9", "iso8859_15"})
_EIGHT_BITS: Final = _LATIN | frozenset(_RIGHT_HALVES.values())
_DELIMITERS: Final = frozenset(b"\r\n\f\t\\")
_PN_DELIMITERS: Final = _DELIMITERS | frozenset(b"^=")
_WORDS: Final = re.compile(rb"[\x80-\xff]{2,}")
_LETTER: Final = re.compile(rb"[A-Za-z]")
_PARTS: Final = re.compile(rb"[\\^= ]")


@dataclass(frozen=True, slots=True)
class PersonName:
    """The three groups of a PN value, each as `family^given^middle^prefix^suffix`."""

    alphabetic: str = ""
    ideographic: str = ""
    phonetic: str = ""

    def __bool__(self) -> bool:
        return bool(self.alphabetic or self.ideographic or self.phonetic)

    def __repr__(self) -> str:  # names must not reach logs by way of a repr
        return "PersonName(...)"


class CharacterSet:
    """Decodes text under a Specific Character Set (0008,0005); `suspect` says that something looks wrong.

    `fallback` are the defined terms of what the sender is known to write when it declares nothing, or the default repertoire alone.
    """

    __slots__ = ("_declared", "_is_fallback", "encodings", "suspect")

    def __init__(self, terms: bytes | None = None, *, fallback: str | None = None) -> None:
        self.suspect = False
        self._declared = bool(terms and terms.strip(b" \0"))
        self._is_fallback = False
        self.encodings = self._encodings((terms or b"").decode("ascii", "replace"))
        if fallback and self.is_default:
            self.encodings = self._encodings(fallback)
            self._is_fallback = True

    @property
    def is_default(self) -> bool:
        """Whether it is the default repertoire alone."""
        return self.encodings == [_DEFAULT]

    def _encodings(self, terms: str) -> list[str]:
        found = [self._encoding(term.strip(" \0")) for term in terms.strip(" \0").split("\\")]
        alone = [e for e in found if e in _STAND_ALONE]
        if len(found) > 1 and alone:  # UTF-8, GB18030 and GBK exclude code extensions
            self.suspect = True
            found = alone[:1] if found[0] in {*_STAND_ALONE, _DEFAULT} else [e for e in found if e not in alone]
        return found

    def _encoding(self, term: str) -> str:
        if term in _DEFINED:
            return _KNOWN[term]
        self.suspect = True
        word = term.upper()
        if match := re.fullmatch(r"ISO[ _-]?(2022)?[ _-]?(?:IR)?[ _-]?(\d{1,3})", word):
            prefix = "ISO 2022 IR " if match[1] else "ISO_IR "
            return _KNOWN.get(prefix + match[2], _DEFAULT)
        if match := re.fullmatch(r"(?:ISO[ _-]?)?8859[ _/-](\d{1,2})", word):
            return _KNOWN.get(f"ISO_IR {_BY_PART.get(int(match[1]), 6)}", _DEFAULT)
        return _NICKNAMES.get(word) or _KNOWN.get(word, _DEFAULT)

    def decode(self, value: bytes, *, name: bool = False) -> str:
        """`value` as text. Decodes before anything is split: 0x5C may be half of a character."""
        if value.isascii() and b"\x1b" not in value:
            return value.decode("ascii")
        first = self.encodings[0]
        if first in _STAND_ALONE:
            text, is_clean = value.decode(first, "replace"), b"\x1b" not in value
        elif first == "shift_jis" and _is_two_byte_japanese(value):
            text, is_clean = value.decode("cp932", "replace"), False
        elif first == _DEFAULT and b"\x1b" not in value and len(self.encodings) == 1:
            text, is_clean = _undeclared(value, may_be_utf8=not self._declared), False
        elif _right_half(first) in _EIGHT_BITS and b"\x1b" not in value:
            codec = _right_half(first)
            text = value.decode(codec, "replace")
            is_clean = not _is_utf8(value) and not (codec in _LATIN and _is_no_latin(value))
        else:
            delimiters = _PN_DELIMITERS if name else _DELIMITERS
            text, is_clean = iso2022.decode(value, _registers(first), _extensions(self.encodings), delimiters)
        if not is_clean or "\ufffd" in text:
            self.suspect = True
        return text

    def values(self, value: bytes, *, name: bool = False) -> list[str]:
        """The values of a multi-valued text element, without padding."""
        return [part.strip(" \0") for part in self.decode(value, name=name).split("\\")]

    def names(self, value: bytes) -> list[PersonName]:
        """The values of a PN element."""
        return [person_name(part) for part in self.values(value, name=True)]


def is_character_set(terms: str) -> bool:
    """Whether these are defined terms of Specific Character Set (PS3.3 C.12.1.1.2), alone or parted by backslashes."""
    return bool(terms.strip()) and not CharacterSet(terms.encode("ascii", "replace")).suspect


def person_name(text: str) -> PersonName:
    """A decoded PN value as its groups; empty trailing components are left out."""
    groups = [g.strip(" \0").rstrip("^ ") for g in text.split("=")[:3]]
    return PersonName(*groups)


def _right_half(encoding: str) -> str:
    return _RIGHT_HALVES.get(encoding, encoding)


def _registers(first: str) -> tuple[Graphics, Graphics | None]:
    """What both registers hold where value 1 of Specific Character Set counts."""
    if first in {_DEFAULT, "iso2022_jp", "iso2022_jp_2"}:
        return ASCII, None
    return ASCII, _high(first)


def _high(encoding: str) -> Graphics:
    made = {"shift_jis": KATAKANA, "euc_kr": KOREAN, "iso_ir_58": CHINESE, "GB2312": CHINESE}.get(encoding)
    return made or Graphics(_right_half(encoding), 1)


def _extensions(encodings: list[str]) -> tuple[Graphics, ...]:
    found = [_high(e) for e in encodings[1:] if e not in {_DEFAULT, "iso2022_jp", "iso2022_jp_2"}]
    japanese = [iso2022.KANJI] if "iso2022_jp" in encodings else []
    return (*found, *japanese, *([iso2022.KANJI_212] if "iso2022_jp_2" in encodings else []))


def _undeclared(value: bytes, *, may_be_utf8: bool) -> str:
    """What nobody declared: UTF-8 where it can be nothing else, else Latin-1."""
    return value.decode("utf-8" if may_be_utf8 and _is_utf8(value) else _DEFAULT)


def _is_utf8(value: bytes) -> bool:
    if value.isascii():
        return False
    try:
        value.decode("utf-8")
    except ValueError:
        return False
    return True


def _is_no_latin(value: bytes) -> bool:
    """Control characters, or a word without one plain letter whose bytes pair into Chinese, Korean or Japanese."""
    if any(0x80 <= b < 0xA0 for b in value):
        return True
    return any(
        not _LETTER.search(part) and all(len(m) % 2 == 0 and _pairs(m) for m in words)
        for part in _PARTS.split(value)
        if (words := _WORDS.findall(part))
    )


def _pairs(word: bytes) -> bool:
    for codec in ("gb2312", "euc_kr", "euc_jp"):
        try:
            text = word.decode(codec)
        except ValueError:
            continue
        if all(c >= "\u4e00" for c in text):
            return True
    return False


def _is_two_byte_japanese(value: bytes) -> bool:
    """Shift-JIS under the name of its single-byte half, as many writers in Japan have it."""
    return b"\x1b" not in value and any(b > 0x7F and not 0xA1 <= b <= 0xDF for b in value)
