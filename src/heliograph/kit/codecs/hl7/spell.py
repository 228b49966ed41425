"""Other spellings for characters that a receiver's character set lacks, so that nothing vanishes silently."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from heliograph.kit.codecs.hl7.charset import encode
from heliograph.kit.codecs.hl7.errors import Unencodable

_SPELLINGS: Mapping[str, str] = {
    "æ": "ae", "Æ": "AE", "ø": "oe", "Ø": "OE", "å": "aa", "Å": "AA", "ä": "ae", "Ä": "AE", "ö": "oe", "Ö": "OE", "ü": "ue", "Ü": "UE",
    "ß": "ss", "œ": "oe", "Œ": "OE", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ł": "l", "Ł": "L", "ı": "i",
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'", "–": "-", "—": "-", "−": "-", "‐": "-",
    "\u2011": "-", "…": "...", "•": "*", "·": "*", "≥": ">=", "≤": "<=", "±": "+/-", "×": "x", "÷": "/", "µ": "u", "μ": "u", "°": " deg",
    "€": "EUR", "№": "No.", "→": "->", "←": "<-", "≈": "~", "≠": "<>", "½": "1/2", "¼": "1/4", "¾": "3/4", "²": "2", "³": "3",
    "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u200b": "", "\ufeff": "",
}  # fmt: skip
"""None of the spellings may contain what delimits a message but as `_ESCAPED` has it."""
_ESCAPED: Mapping[str, str] = {"~": "\\R\\", "&": "\\T\\", "^": "\\S\\", "|": "\\F\\"}


def fit(text: str, charset: str) -> str:
    """A written message's text with what `charset` lacks spelt otherwise: by a known spelling, without its accent, else as `?`.

    Raises:
        UnknownCharset
    """
    known: dict[str, str] = {}
    for character in set(text):
        if not character.isascii():
            known[character] = character if _fits(character, charset) else _spelt(character, charset)
    return "".join(known.get(character, character) for character in text)


def _spelt(character: str, charset: str) -> str:
    spelling = _SPELLINGS.get(character)
    if spelling is not None:
        return "".join(_ESCAPED.get(c, c) for c in spelling)
    plain = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    if plain and plain != character and _fits(plain, charset) and not set(plain) & set("|^~\\&\r\n"):
        return plain
    return "" if unicodedata.combining(character) else "?"


def _fits(text: str, charset: str) -> bool:
    try:
        encode(text, charset)
    except Unencodable:
        return False
    return True
