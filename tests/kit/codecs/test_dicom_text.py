"""Text under each Specific Character Set, rightly and wrongly declared (PS3.5 6.1, PS3.3 C.12.1.1.2; field reports A01, A02, A04, A05)."""

from __future__ import annotations

import pytest

from heliograph.kit.codecs.dicom import dicom_json, read_header
from heliograph.kit.codecs.dicom.text import CharacterSet, is_character_set
from tests.kit.codecs.dicom_bytes import data_set, element, file, items, text

YAMADA = b"\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
HONG = b"\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"
GREEK, RUSSIAN = "Διονυσιος", "Люкceмбypг"

# The examples of PS3.5 H, I, J and K, and what else the defined terms allow.
RIGHT = [
    ("GB18030", b"Wang^XiaoDong=\xd5\x5c", ["Wang^XiaoDong=\u8aa0"]),  # A01: the second byte is a backslash's
    ("GBK", b"\xd5\x5c\\\xd5\x5c^\xd5\x5c", ["\u8aa0", "\u8aa0^\u8aa0"]),
    ("GB18030", "王^小东 €𠀀".encode("gb18030"), ["王^小东 €𠀀"]),
    ("ISO 2022 IR 13\\ISO 2022 IR 87", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3\x5c\xbd\xbd\xde\xb7", ["ﾔﾏﾀﾞ^ﾀﾛｳ", "ｽｽﾞｷ"]),  # A02
    (
        "ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=" + YAMADA.replace(b"(B", b"(J"),
        ["ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"],
    ),
    ("ISO_IR 13", b"\xd4\xcf\xc0\xde~1", ["ﾔﾏﾀﾞ~1"]),
    ("\\ISO 2022 IR 87", b"Yamada^Tarou=" + YAMADA, ["Yamada^Tarou=山田^太郎=やまだ^たろう"]),
    ("ISO 2022 IR 6\\ISO 2022 IR 87", b"Yamada^Tarou=" + YAMADA, ["Yamada^Tarou=山田^太郎=やまだ^たろう"]),  # A04
    (
        "\\ISO 2022 IR 87",
        b"\x1b$B!@<!\x1b(B\\\x1b$B!@\x1b(B",
        ["\uff3c次", "\uff3c"],
    ),  # 0x5C... in a pair of bytes and alone
    ("\\ISO 2022 IR 87\\ISO 2022 IR 159", b"a=\x1b$(D0!\x1b(B^\x1b$B0!\x1b(B", ["a=丂^亜"]),
    ("\\ISO 2022 IR 149", b"Hong^Gildong=" + HONG, ["Hong^Gildong=洪^吉洞=홍^길동"]),
    ("\\ISO 2022 IR 149", b"\x1b$)C\xc8\xab\\\x1b$)C\xb1\xe6", ["홍", "길"]),
    ("ISO 2022 IR 149", b"\xc8\xab^\xb1\xe6\xb5\xbf", ["홍^길동"]),  # as much equipment in Korea has it
    ("\\ISO 2022 IR 58", b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=", ["Zhang^XiaoDong=张^小东="]),
    ("ISO 2022 IR 100\\ISO 2022 IR 144", b"M\xfcller^\x1b-L\xb8\xd2\xd0\xdd=\x1b-L\xb8", ["Müller^Иван=И"]),
    ("ISO 2022 IR 100\\ISO 2022 IR 126\\ISO 2022 IR 144", b"\xc4\\\x1b-F\xc4\\\xc4\\\x1b-L\xc4", ["Ä", "Δ", "Ä", "Ф"]),
    ("ISO_IR 100", "Buc^Jérôme".encode("latin-1"), ["Buc^Jérôme"]),
    ("ISO_IR 101", "Wałęsa".encode("iso8859_2"), ["Wałęsa"]),
    ("ISO_IR 109", "Ħamrun".encode("iso8859_3"), ["Ħamrun"]),
    ("ISO_IR 110", "Bērziņš".encode("iso8859_4"), ["Bērziņš"]),
    ("ISO_IR 126", GREEK.encode("iso8859_7"), [GREEK]),
    ("ISO_IR 127", "قباني^لنزار".encode("iso8859_6"), ["قباني^لنزار"]),
    ("ISO_IR 138", "שרון^דבורה".encode("iso8859_8"), ["שרון^דבורה"]),
    ("ISO_IR 144", RUSSIAN.encode("iso8859_5"), [RUSSIAN]),
    ("ISO_IR 148", "Çavuşoğlu".encode("iso8859_9"), ["Çavuşoğlu"]),
    ("ISO_IR 166", "นามสกุล".encode("iso8859_11"), ["นามสกุล"]),
    ("ISO_IR 203", "Œuvre Ÿ".encode("iso8859_15"), ["Œuvre Ÿ"]),
    ("ISO_IR 192", "Wang^XiaoDong=王^小東=Müller\\Ω".encode(), ["Wang^XiaoDong=王^小東=Müller", "Ω"]),
]


@pytest.mark.parametrize(("terms", "raw", "values"), RIGHT)
def test_what_is_declared_rightly_is_read_and_trusted(terms: str, raw: bytes, values: list[str]) -> None:
    """Field reports A01 and A02: text is decoded first and split then, by what is a delimiter in its own set."""
    charset = CharacterSet(terms.encode())
    assert (charset.values(raw, name=True), charset.suspect) == (values, False)


WRONG = [
    # A04: unknown terms, misspelt ones, and sets that exclude others. The best reading, and a flag.
    ("FOO_BAR", b"Doe", "Doe"),
    ("ISO IR 192", "Müller".encode(), "Müller"),
    ("iso_ir 100", b"M\xfcller", "Müller"),
    ("UTF-8", "Müller".encode(), "Müller"),
    ("ISO-8859-5", RUSSIAN.encode("iso8859_5"), RUSSIAN),
    ("ISO2022IR87", YAMADA, "山田^太郎=やまだ^たろう"),
    ("GB18030\\ISO IR 192", b"\xd5\x5c", "\u8aa0"),
    ("ISO_IR 192\\GB18030", "Ä".encode(), "Ä"),
    ("ISO 2022 IR 6\\GB18030", b"\xd5\x5c", "\u8aa0"),
    ("ISO 2022 IR 100\\ISO_IR 192", b"M\xfcller", "Müller"),
    # A05: nothing declared, or something else than what stands there.
    (None, b"M\xfcller", "Müller"),
    ("", b"M\xfcller", "Müller"),
    ("ISO_IR 6", b"M\xfcller", "Müller"),
    (None, "Müller".encode(), "Müller"),
    ("ISO_IR 100", "Müller".encode(), "MÃ¼ller"),
    ("ISO_IR 144", "Müller".encode(), "M\u0423\u041cller"),
    ("ISO_IR 100", "王^小东".encode("gbk"), "Íõ^Ð¡¶«"),
    ("ISO_IR 100", b"it\x92s", "it\x92s"),
    ("ISO_IR 192", b"M\xfcller", "M\ufffdller"),
    ("GB18030", b"M\xffller", "M\ufffdller"),
    ("ISO_IR 127", b"\xff", "\ufffd"),
    # Escapes that are left out behind a delimiter, are not declared, lead nowhere, or break off.
    ("\\ISO 2022 IR 149", b"\x1b$)C\xc8\xab^\xb1\xe6\xb5\xbf", "홍^길동"),
    ("\\ISO 2022 IR 149", b"\xc8\xab^\xb1\xe6\xb5\xbf", "홍^길동"),
    (None, YAMADA, "山田^太郎=やまだ^たろう"),
    ("ISO_IR 100", YAMADA, "山田^太郎=やまだ^たろう"),
    ("\\ISO 2022 IR 87", b"a\x1b%Gb", "a\x1b%Gb"),
    ("\\ISO 2022 IR 87", b"\x1b$B;", "\ufffd"),
    ("\\ISO 2022 IR 87", b"a\x1b", "a\x1b"),
    ("ISO_IR 13", "山田^太郎".encode("cp932"), "山田^太郎"),  # Shift-JIS under the name of its single-byte half
]


@pytest.mark.parametrize(("terms", "raw", "best"), WRONG)
def test_what_is_declared_wrongly_is_read_as_well_as_can_be_and_flagged(
    terms: str | None, raw: bytes, best: str
) -> None:
    """Field reports A04 and A05."""
    charset = CharacterSet(terms.encode() if terms is not None else None)
    assert (charset.values(raw, name=True), charset.suspect) == ([best], True)
    more = [text(0x00080005, "CS", terms)] if terms is not None else []
    header = read_header(file(data_set(*more, text(0x00100010, "PN", raw), text(0x00100020, "LO", "77"))))
    assert (header.charset_suspect, header.patient_id) == (True, "77")


def test_what_a_sender_is_known_to_write_counts_where_it_declares_nothing() -> None:
    """Field report A05: a fallback by sender."""
    raw = "王^小东".encode("gbk")
    for declared in (None, "", "ISO_IR 6"):
        more = [text(0x00080005, "CS", declared)] if declared is not None else []
        content = file(data_set(*more, text(0x00100010, "PN", raw)))
        header = read_header(content, fallback_charset="GB18030")
        assert (header.patient_name.alphabetic, header.charset_suspect) == ("王^小东", False)
        made = dicom_json(content, fallback_charset="GB18030")
        assert made["00100010"]["Value"] == [{"Alphabetic": "王^小东"}]
        assert made["00080005"] == {"vr": "CS", "Value": ["ISO_IR 192"]}
    declared = file(data_set(text(0x00080005, "CS", "ISO_IR 100"), text(0x00100010, "PN", b"M\xfcller")))
    assert read_header(declared, fallback_charset="GB18030").patient_name.alphabetic == "Müller"
    assert read_header(file(data_set(text(0x00100010, "PN", b"\xff"))), fallback_charset="GB18030").charset_suspect


def test_an_items_own_character_set_counts_in_the_index_too() -> None:
    """Field report A07."""
    inner = text(0x00080005, "CS", "GB18030") + text(0x00400031, "UT", "医院\\分院".encode("gb18030"))
    content = file(
        data_set(text(0x00080005, "CS", "ISO_IR 100"), text(0x00080050, "SH", "A1"), items(0x00080051, inner))
    )
    header = read_header(content)
    assert (header.issuer_of_accession_number, header.charset_suspect) == ("医院\\分院", False)


def test_a_sequence_within_takes_the_set_of_the_item_around_it() -> None:
    """Field report A07."""
    deep = items(0x00400275, text(0x00400007, "LO", b"\xd5\x5c"))
    inner = text(0x00080005, "CS", "GB18030") + deep
    other = text(0x00400007, "LO", b"\xe4")
    made = dicom_json(file(data_set(text(0x00080005, "CS", "ISO_IR 100"), items(0x00081140, inner, other))))
    first, second = made["00081140"]["Value"]
    assert first["00400275"]["Value"][0]["00400007"]["Value"] == ["\u8aa0"]
    assert second["00400007"]["Value"] == ["ä"]


def test_metadata_says_that_it_is_utf8_where_the_object_says_nothing() -> None:
    """Field report A05: an answer bears its own character set, at any depth, and only where it needs one."""
    assert "00080005" not in dicom_json(
        file(data_set(text(0x00100010, "PN", "Doe"), element(0x00091001, "OB", b"\xff\xff")))
    )
    for more in (text(0x00100010, "PN", b"M\xfcller"), items(0x00081140, text(0x00400007, "LO", b"\xe4"))):
        made = dicom_json(file(data_set(more)))
        assert made["00080005"]["Value"] == ["ISO_IR 192"]
        assert list(made) == sorted(made)


@pytest.mark.parametrize(
    ("terms", "good"),
    [
        ("ISO_IR 100", True),
        ("ISO 2022 IR 13\\ISO 2022 IR 87", True),
        ("GB18030", True),
        ("ISO_IR 203", True),
        ("", False),
        ("latin-1", False),
        ("ISO_IR 100\\FOO", False),
        ("GB18030\\ISO_IR 192", False),
        ("ISO_IR 87", False),
        ("Ä", False),
    ],
)
def test_defined_terms(terms: str, good: bool) -> None:
    assert is_character_set(terms) is good
