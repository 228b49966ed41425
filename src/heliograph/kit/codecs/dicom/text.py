"""Text in data sets: character sets (PS3.5 6.1, PS3.3 C.12.1.1.2) and person names (PS3.5 6.2.1).

Nothing here raises: a wrong character set must not keep an image out. What looks wrong is flagged.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

from pydicom.charset import decode_bytes, python_encoding

_STAND_ALONE = frozenset({"UTF8", "GB18030", "GBK"})
_DEFAULT = "iso8859"
# In these sets a code unit above 0x7F is ordinary text; elsewhere valid UTF-8 gives a wrong label away.
_MULTIBYTE = frozenset({"UTF8", "GB18030", "GBK", "GB2312", "shift_jis", "euc_kr", "iso2022_jp", "iso2022_jp_2"})
_DELIMITERS = {0x0D, 0x0A, 0x0C, 0x09, 0x5C}
_PN_DELIMITERS = _DELIMITERS | {0x5E, 0x3D}


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
    """Decodes text under a Specific Character Set (0008,0005); `suspect` says that something looks wrong."""

    __slots__ = ("_declared", "encodings", "suspect")

    def __init__(self, terms: bytes | None = None) -> None:
        self.suspect = False
        self._declared = bool(terms and terms.strip(b" \0"))
        names = [t.strip() for t in (terms or b"").decode("ascii", "replace").strip(" \0").split("\\")]
        found = [self._encoding(name) for name in names]
        alone = [e for e in found if e in _STAND_ALONE]
        if len(found) > 1 and alone:  # UTF-8, GB18030 and GBK exclude code extensions
            self.suspect = True
            found = alone[:1] if found[0] in _STAND_ALONE else [e for e in found if e not in _STAND_ALONE]
        self.encodings = found or [_DEFAULT]

    def _encoding(self, term: str) -> str:
        if term in python_encoding:
            return python_encoding[term]
        self.suspect = True
        match = re.fullmatch(r"ISO[ _-]?(2022)?[ _-]?IR[ _-]?(\d+)", term, re.IGNORECASE)
        if match:
            prefix = "ISO 2022 IR " if match[1] else "ISO_IR "
            return python_encoding.get(prefix + match[2], _DEFAULT)
        return python_encoding.get(term.upper(), _DEFAULT)

    def decode(self, value: bytes, *, name: bool = False) -> str:
        """`value` as text. Decodes before anything is split: 0x5C may be half of a character."""
        if value.isascii() and b"\x1b" not in value and b"\\" not in value and b"~" not in value:
            return value.decode("ascii")
        first = self.encodings[0]
        if b"\x1b" in value:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    text = decode_bytes(value, self.encodings, _PN_DELIMITERS if name else _DELIMITERS)
                except (LookupError, ValueError):
                    text = value.decode(_DEFAULT)
                    self.suspect = True
        elif first == "shift_jis":
            text = _decode_ir13(value)
        else:
            try:
                text = value.decode(first)
            except ValueError:
                text = value.decode(first, "replace")
            if first not in _MULTIBYTE and not value.isascii():
                self.suspect = self.suspect or not self._declared or _is_utf8(value)
        if "\ufffd" in text:
            self.suspect = True
        return text

    def values(self, value: bytes, *, name: bool = False) -> list[str]:
        """The values of a multi-valued text element, without padding."""
        return [part.strip(" \0") for part in self.decode(value, name=name).split("\\")]

    def names(self, value: bytes) -> list[PersonName]:
        """The values of a PN element."""
        return [person_name(part) for part in self.values(value, name=True)]


def person_name(text: str) -> PersonName:
    """A decoded PN value as its groups; empty trailing components are left out."""
    groups = [g.strip(" \0").rstrip("^ ") for g in text.split("=")[:3]]
    return PersonName(*groups)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except ValueError:
        return False
    return True


def _decode_ir13(value: bytes) -> str:
    """JIS X 0201 without escapes: single bytes, so 0x5C separates values though it draws as a yen sign."""
    return value.decode("shift_jis", "replace").replace("\u00a5", "\\").replace("\u203e", "~")
