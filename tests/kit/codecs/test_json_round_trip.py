"""Data set -> JSON -> data set (PS3.18 Annex F): nothing changes on the way, and nothing wrong is taken (field report D08)."""

from __future__ import annotations

import json
import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliograph.kit.codecs.dicom import BadJson, Bulk, TooDeep, dicom_json, from_json
from heliograph.kit.codecs.dicom.part10 import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE
from tests.kit.codecs.dicom_bytes import data_set, element, file, text


def _through(document: Any) -> Any:
    """As a client would get and send it: strict JSON text."""

    def refuse(name: str) -> None:
        raise AssertionError(name)

    return json.loads(json.dumps(document, allow_nan=False), parse_constant=refuse)


def _back(document: Any) -> Any:
    body = b"".join(from_json(_through(document)))
    return _through(dicom_json(body, transfer_syntax_uid=EXPLICIT_LITTLE, bulk_uri=lambda path: path))


WORDS = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="\\\0^=", min_codepoint=33),
    min_size=1,
    max_size=20,
).map(lambda word: f"x{word}y")
SOME: dict[str, st.SearchStrategy[Any]] = {
    "LO": WORDS, "SH": WORDS, "UC": WORDS,
    "CS": st.from_regex(r"[A-Z0-9_]{1,16}", fullmatch=True),
    "UI": st.from_regex(r"1(\.[1-9][0-9]{0,5}){1,6}", fullmatch=True),
    "AT": st.from_regex(r"[0-9A-F]{8}", fullmatch=True),
    "US": st.integers(0, 2**16 - 1), "SS": st.integers(-(2**15), 2**15 - 1),
    "UL": st.integers(0, 2**32 - 1), "SL": st.integers(-(2**31), 2**31 - 1),
    "UV": st.integers(0, 2**53 - 1), "SV": st.integers(-(2**53) + 1, 2**53 - 1),
    "FD": st.floats(allow_nan=False, allow_infinity=False), "FL": st.floats(allow_nan=False, allow_infinity=False, width=32),
    "IS": st.integers(-(2**31), 2**31 - 1), "DS": st.integers(-(10**14), 10**14).map(lambda n: n / 1000),
    "PN": st.builds(
        lambda a, i: {"Alphabetic": a, **({"Ideographic": i} if i else {})},
        st.tuples(WORDS, WORDS).map("^".join), st.one_of(st.none(), WORDS),
    ),
}  # fmt: skip
WITH_NULLS = frozenset({"LO", "SH", "UC", "CS", "UI", "IS", "DS", "PN"})
SINGLE = st.builds(lambda vr, word: {"vr": vr, "Value": [word]}, st.sampled_from(["ST", "LT", "UT", "UR"]), WORDS)
BINARY = st.builds(
    lambda vr, text: {"vr": vr, "InlineBinary": text},
    st.sampled_from(["OB", "OW", "UN"]), st.sampled_from(["AAE=", "/+8AAQ==", "q83vEjRWeJA="]),
)  # fmt: skip


def _plain(vr: str) -> st.SearchStrategy[dict[str, Any]]:
    inside = st.lists(SOME[vr], min_size=1, max_size=3)
    if vr in WITH_NULLS:
        inside = st.tuples(inside, st.booleans()).map(lambda p: [p[0][0], None, *p[0]] if p[1] else p[0])
    return inside.map(lambda values: {"vr": vr, "Value": values})


VALUES = st.one_of(
    st.sampled_from(sorted(SOME)).flatmap(_plain), SINGLE, BINARY,
    st.sampled_from(sorted({*SOME, "ST", "OB", "SQ"})).map(lambda vr: {"vr": vr}),
)  # fmt: skip
# Private, so that the dictionary has no say; never beside a Pixel Representation.
TAGS = st.integers(0x1000, 0xFFFF).map(lambda number: f"0011{number:04X}")
DATA_SETS = st.recursive(
    st.dictionaries(TAGS, VALUES, max_size=6),
    lambda inner: st.dictionaries(
        TAGS, st.lists(inner, min_size=1, max_size=3).map(lambda items: {"vr": "SQ", "Value": items}), max_size=3
    ),
    max_leaves=8,
)


@settings(max_examples=120, deadline=None)
@given(DATA_SETS)
def test_what_goes_in_comes_out(document: dict[str, Any]) -> None:
    assert {tag: entry for tag, entry in _back(document).items() if tag != "00080005"} == document


def test_a_decimal_string_of_nought_is_not_lost() -> None:
    document = {"00281052": {"vr": "DS", "Value": [0.0]}, "00281050": {"vr": "DS", "Value": [0, 0.5, -0.0]}}
    assert _back(document) == document


@settings(max_examples=150, deadline=None)
@given(st.from_regex(r"[+-]?[0-9]{1,12}(\.[0-9]{0,12})?([eE][+-]?[0-9]{1,3})?", fullmatch=True))
def test_a_decimal_string_is_exactly_its_number_or_its_text(raw: str) -> None:
    (value,) = _through(dicom_json(file(data_set(text(0x00101030, "DS", raw)))))["00101030"]["Value"]
    if isinstance(value, str):
        assert value == raw
    else:
        assert Decimal(repr(value)) == Decimal(raw)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("0.12345678901234567890", str), ("1e-400", str), ("12345678901234567890", str), ("0.1", float), ("1E5", float)],
)
def test_only_exact_decimals_are_numbers(raw: str, expected: type) -> None:
    (value,) = dicom_json(file(data_set(text(0x00101030, "DS", raw))))["00101030"]["Value"]
    assert type(value) is expected


@pytest.mark.parametrize("syntax", [IMPLICIT_LITTLE, EXPLICIT_BIG])
def test_every_value_representation_is_of_two_letters(syntax: str) -> None:
    order = ">" if syntax == EXPLICIT_BIG else "<"

    def one(tag: int, vr: bytes, value: bytes) -> bytes:
        if syntax == IMPLICIT_LITTLE:
            return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value
        size = struct.pack(">2xI" if vr == b"UN" else ">H", len(value))
        return struct.pack(">HH2s", tag >> 16, tag & 0xFFFF, vr) + size + value

    body = b"".join(
        (
            one(0x00280103, b"US", struct.pack(f"{order}H", 1)),
            one(0x00280106, b"SS", struct.pack(f"{order}h", -5)),
            one(0x00280107, b"SS", struct.pack(f"{order}h", 7)),
            one(0x00991001, b"UN", b"ab"),
        )
    )
    made = dicom_json(body, transfer_syntax_uid=syntax)
    assert made["00280106"] == {"vr": "SS", "Value": [-5]}
    assert made["00991001"] == {"vr": "UN", "InlineBinary": "YWI="}


def test_empty_values_as_the_standard_wants_them() -> None:
    body = data_set(text(0x00080008, "CS", "ORIGINAL\\\\AXIAL"), text(0x00100010, "PN", "=山田^太郎".encode()))
    made = dicom_json(file(text(0x00080005, "CS", "ISO_IR 192") + body))
    assert made["00080008"]["Value"] == ["ORIGINAL", None, "AXIAL"]
    assert made["00100010"]["Value"] == [{"Ideographic": "山田^太郎"}]


def test_code_extensions_and_control_characters() -> None:
    name = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
    body = data_set(
        text(0x00080005, "CS", "\\ISO 2022 IR 87"),
        text(0x00100010, "PN", name),
        text(0x00104000, "LT", "a\tb\r\nc\x07d"),
    )
    made = dicom_json(file(body))
    assert made["00100010"]["Value"] == [
        {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    ]
    assert made["00104000"]["Value"] == ["a\tb\r\nc\x07d"]
    assert "\\u0007" in json.dumps(made)


def test_group_lengths_and_the_file_meta_information_are_left_out() -> None:
    body = data_set(element(0x00100000, "UL", struct.pack("<I", 4)), text(0x00100020, "LO", "7"))
    assert [tag for tag in dicom_json(file(body)) if tag.endswith("0000") or tag.startswith("0002")] == []
    assert list(from_json({"00020010": {"vr": "UI", "Value": ["1.2"]}, "00100000": {"vr": "UL", "Value": [4]}})) == []


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"0010002": {"vr": "LO"}},
        {"PatientID": {"vr": "LO"}},
        {"00050010": {"vr": "LO"}},
        {"FFFEE000": {"vr": "LO"}},
        {"00100020": "7"},
        {"00100020": {"Value": ["7"]}},
        {"00280106": {"vr": "US or SS", "Value": [1]}},
        {"00100020": {"vr": "LO", "Value": "7"}},
        {"00100020": {"vr": "LO", "Value": [7]}},
        {"00100020": {"vr": "LO", "Value": ["a\\b"]}},
        {"00100020": {"vr": "LO", "Value": ["7"], "InlineBinary": "AAA="}},
        {"00280010": {"vr": "US", "Value": [70000]}},
        {"00280010": {"vr": "US", "Value": [None]}},
        {"00280010": {"vr": "US", "Value": [True]}},
        {"00280010": {"vr": "US", "Value": [1.5]}},
        {"00101030": {"vr": "DS", "Value": [1e999]}},
        {"00080060": {"vr": "CS", "Value": ["Ä"]}},
        {"00104000": {"vr": "LT", "Value": ["a", "b"]}},
        {"00091001": {"vr": "OB", "InlineBinary": "no base64"}},
        {"00091001": {"vr": "OB", "InlineBinary": 7}},
        {"00091001": {"vr": "OB", "BulkDataURI": "nowhere"}},
        {"00081110": {"vr": "SQ", "Value": [7]}},
        {"00081110": {"vr": "SQ", "Value": {}}},
        {"00091001": {"vr": "AT", "Value": ["0010"]}},
    ],
)
def test_what_is_no_data_set_is_refused(document: Any) -> None:
    with pytest.raises(BadJson) as caught:
        list(from_json(document))
    assert "a\\b" not in str(caught.value)


def test_it_is_not_nested_without_end() -> None:
    document: dict[str, Any] = {}
    for _ in range(40):
        document = {"00081110": {"vr": "SQ", "Value": [document]}}
    with pytest.raises(TooDeep):
        list(from_json(document))


def test_compressed_frames_become_fragments() -> None:
    frames = [b"one", b"four"]
    body = b"".join(
        from_json(
            {"7FE00010": {"vr": "OB", "BulkDataURI": "p"}},
            lambda _: [Bulk(len(f), lambda f=f: (f,)) for f in frames],  # type: ignore[misc]
            is_encapsulated=True,
        )
    )
    assert body == bytes.fromhex(
        "e07f1000 4f420000 ffffffff feff00e0 00000000 feff00e0 04000000 6f6e6500 feff00e0 04000000 666f7572 feffdde0 00000000"
    )
