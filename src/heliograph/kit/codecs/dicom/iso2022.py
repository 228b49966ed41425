"""Text with code extensions (ISO/IEC 2022 as PS3.5 6.1.2.5 and PS3.3 C.12.1.1.2 use it), decoded by its two registers.

Python's own codecs know only some of the escape sequences, and none of them knows that a delimiter ends their reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_ESC: Final = 0x1B
_RESETS: Final = frozenset(b"\n\f\r\t")


@dataclass(frozen=True, slots=True)
class Graphics:
    """A set of graphic characters: how it is decoded, in how many bytes each, and in which register (0: bytes below 0x80)."""

    codec: str
    register: int
    width: int = 1
    before: bytes = b""
    """What stands before each character in `codec` alone (JIS X 0212 in EUC)."""
    wider: str = ""
    """A codec with more characters in the same places, for writers that use them."""

    def decode(self, run: bytes) -> str:
        """A run of this set's bytes."""
        high = run if self.register else bytes(b | 0x80 for b in run)
        if self.width == 1:
            return (
                high.decode(self.codec, "replace") if self.register or self.codec == _KATAKANA else run.decode("ascii")
            )
        pairs = (high[at : at + 2] for at in range(0, len(high), 2))
        return "".join(self._one(pair) for pair in pairs)

    def _one(self, pair: bytes) -> str:
        for codec in (self.codec, self.wider):
            try:
                text = (self.before + pair).decode(codec)
            except (ValueError, LookupError):
                continue
            if len(text) == 1:
                return text
        return "\ufffd"


_KATAKANA: Final = "shift_jis"
ASCII: Final = Graphics("ascii", 0)
KATAKANA: Final = Graphics(_KATAKANA, 1)
KOREAN: Final = Graphics("euc_kr", 1, 2, wider="cp949")
CHINESE: Final = Graphics("gb2312", 1, 2, wider="gbk")
KANJI: Final = Graphics("euc_jp", 0, 2)
KANJI_212: Final = Graphics("euc_jp", 0, 2, before=b"\x8f")
LATIN: Final = {
    b"A": "latin_1",
    b"B": "iso8859_2",
    b"C": "iso8859_3",
    b"D": "iso8859_4",
    b"F": "iso8859_7",
    b"G": "iso8859_6",
    b"H": "iso8859_8",
    b"L": "iso8859_5",
    b"M": "iso8859_9",
    b"T": "iso8859_11",
    b"b": "iso8859_15",
}
"""The right halves by their final bytes: ESC 02/13 F."""

_ESCAPES: Final[dict[bytes, Graphics]] = {
    b"\x1b(B": ASCII,
    b"\x1b(J": ASCII,  # JIS X 0201 romaji: ASCII but for two signs, and 0x5C is the delimiter all the same
    b"\x1b)I": KATAKANA,
    b"\x1b(I": Graphics(_KATAKANA, 0),
    b"\x1b$B": KANJI,
    b"\x1b$@": KANJI,
    b"\x1b$(D": KANJI_212,
    b"\x1b$)C": KOREAN,
    b"\x1b$)A": CHINESE,
    b"\x1b$(C": Graphics("euc_kr", 0, 2),
    b"\x1b$(A": Graphics("gb2312", 0, 2),
    b"\x1b$A": Graphics("gb2312", 0, 2),
    **{b"\x1b-" + final: Graphics(codec, 1) for final, codec in LATIN.items()},
}


def decode(
    value: bytes, first: tuple[Graphics, Graphics | None], others: tuple[Graphics, ...], delimiters: frozenset[int]
) -> tuple[str, bool]:
    """`value` as text, and whether it is written as the standard wants it.

    `first` are both registers at the beginning and after each of `delimiters`; `others` are the declared extensions. Where bytes
    above 0x7F stand and nothing is said of them, the set last spoken of in this value counts, else the only extension that has such.
    """
    made: list[str] = []
    clean = True
    registers: list[Graphics | None] = list(first)
    spoken = _only(others)
    at, end = 0, len(value)
    while at < end:
        byte = value[at]
        if byte == _ESC:
            escape = next((value[at : at + n] for n in (4, 3) if value[at : at + n] in _ESCAPES), b"")
            if not escape:
                made.append("\x1b")
                at, clean = at + 1, False
                continue
            graphics = _ESCAPES[escape]
            registers[graphics.register] = graphics
            spoken = graphics if graphics.register else spoken
            clean = clean and (graphics in others or graphics in first or graphics == ASCII)
            at += len(escape)
            continue
        low = registers[0] or ASCII
        if byte < 0x21 or byte == 0x7F or (low is ASCII and byte in delimiters):
            if byte in delimiters or byte in _RESETS:
                registers = list(first)
            made.append(chr(byte))
            at += 1
            continue
        graphics = low if byte < 0x80 else registers[1] or spoken or _UNKNOWN
        clean = clean and (byte < 0x80 or registers[1] is not None)
        stop = _stop(value, at, graphics, delimiters)
        made.append(graphics.decode(value[at:stop]))
        at = stop
    return "".join(made), clean


_UNKNOWN: Final = Graphics("latin_1", 1)


def _only(others: tuple[Graphics, ...]) -> Graphics | None:
    high = [graphics for graphics in others if graphics.register]
    return high[0] if len(high) == 1 else None


def _stop(value: bytes, at: int, graphics: Graphics, delimiters: frozenset[int]) -> int:
    """Where a run of one set ends."""
    high, end = value[at] >= 0x80, len(value)
    stop = at
    while stop < end:
        byte = value[stop]
        if byte < 0x21 or byte == 0x7F or (byte >= 0x80) != high:
            break
        if graphics.width == 2:
            stop += 2
        elif graphics is ASCII and byte in delimiters:
            break
        else:
            stop += 1
    return min(stop, end)
