r"""Delimiters and escape sequences (HL7 v2.5.1 2.7).

Values are unescaped once, after splitting; unknown sequences and lone escape characters stay as they are, so
nothing is swallowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from heliograph.kit.codecs.hl7.errors import NotHl7


@dataclass(frozen=True)
class Delimiters:
    """MSH-1 and MSH-2 of a message; the truncation character exists from v2.7 on (HL7 v2.7 2.5.5.2)."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""

    @classmethod
    def of_header(cls, header: str) -> Delimiters:
        """Read from the beginning of an MSH, FHS or BHS segment; short forms of MSH-2 get the usual rest.

        Raises:
            NotHl7: no header, or delimiters that are letters, digits or the same as one another.
        """
        if header[:3] not in ("MSH", "FHS", "BHS") or len(header) < 5:
            raise NotHl7
        separator = header[3]
        characters = header[4:].split(separator, 1)[0]
        characters += "^~\\&"[len(characters) :]
        distinct = separator + characters[:5]
        if len(set(distinct)) != len(distinct) or any(c.isalnum() or c.isspace() for c in distinct):
            raise NotHl7("The delimiters in MSH-1 and MSH-2 can't be used.")
        return cls(separator, *characters[:5])

    @property
    def encoding_characters(self) -> str:
        """MSH-2."""
        return self.component + self.repetition + self.escape + self.subcomponent + self.truncation


STANDARD = Delimiters()

_LINE_END = re.compile(r"\r\n|\r|\n")
_FORMAT = re.compile(r"\.(br|sp|sk|ce|in|ti|fi|nf)\s*([+-]?\d{1,4})?", re.IGNORECASE)
_KEPT_WHOLE = re.compile(r"Z.*|C[0-9A-Fa-f]{4}|M[0-9A-Fa-f]{4,6}", re.DOTALL)
_MAX_BLANKS = 100


def escape(text: str, delimiters: Delimiters = STANDARD) -> str:
    r"""Text as it may stand in a component.

    Line ends become `\.br\`; other control characters, which would break segments or MLLP frames, become
    `\Xhh\`.
    """
    e = delimiters.escape
    table = {
        delimiters.field: "F",
        delimiters.component: "S",
        delimiters.subcomponent: "T",
        delimiters.repetition: "R",
        delimiters.escape: "E",
    }
    if delimiters.truncation:
        table[delimiters.truncation] = "P"
    translation = {ord(character): f"{e}{code}{e}" for character, code in table.items()}
    translation |= {code: f"{e}X{code:02X}{e}" for code in (*range(0x20), 0x7F) if code not in (0x09, 0x0A, 0x0D)}
    translation |= {0x0A: f"{e}.br{e}"}
    return _LINE_END.sub("\n", text).translate(translation)


def unescape(text: str, delimiters: Delimiters = STANDARD, codec: str = "utf-8") -> str:
    r"""The text behind a component's escapes. Line breaks come out as `\n`; `codec` reads `\Xhh..\`."""
    e = delimiters.escape
    if e not in text:
        return text
    characters = {
        "F": delimiters.field,
        "S": delimiters.component,
        "T": delimiters.subcomponent,
        "R": delimiters.repetition,
        "E": delimiters.escape,
        "H": "",  # highlighting on and off carries no text
        "N": "",
    }
    if delimiters.truncation:
        characters["P"] = delimiters.truncation
    out: list[str] = []
    hexadecimal = bytearray()
    at = 0
    while at < len(text):
        begin = text.find(e, at)
        end = text.find(e, begin + 1) if begin >= 0 else -1
        plain = text[at:] if end < 0 else text[at:begin]
        code = text[begin + 1 : end] if end >= 0 else None
        found = None if code is None else _hexadecimal(code)
        if hexadecimal and (plain or found is None):
            out.append(_text_of(bytes(hexadecimal), codec))
            hexadecimal.clear()
        out.append(plain)
        if code is None:
            break
        at = end + 1
        if found is not None:
            # A character of several bytes may come as several sequences: collect before decoding.
            hexadecimal += found
        elif code in characters:
            out.append(characters[code])
        elif (layout := _FORMAT.fullmatch(code)) is not None:
            out.append(_laid_out(layout.group(1).lower(), layout.group(2)))
        elif _KEPT_WHOLE.fullmatch(code):
            out.append(text[begin : end + 1])
        else:
            # Unknown: this escape character was literal, and the next one may open a sequence of its own.
            out.append(text[begin:end])
            at = end
    if hexadecimal:
        out.append(_text_of(bytes(hexadecimal), codec))
    return "".join(out)


def _hexadecimal(code: str) -> bytes | None:
    if len(code) < 3 or len(code) % 2 == 0 or code[0] != "X":
        return None
    try:
        return bytes.fromhex(code[1:]) if code[1:].isalnum() else None
    except ValueError:
        return None


def _text_of(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _laid_out(command: str, count: str | None) -> str:
    """What a formatting command (HL7 v2.5.1 2.7.6) leaves in text: for indents and fill modes, nothing."""
    times = min(abs(int(count or 1)), _MAX_BLANKS)
    return {"br": "\n", "ce": "\n", "sp": "\n" * times, "sk": " " * times}.get(command, "")
