"""HL7 v2 codecs: invented samples as literals, and field reports G04, G07, G10, G12 and G14."""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import hl7 as python_hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph.kit.codecs.hl7 import (
    NULL,
    Code,
    Delimiters,
    Endpoint,
    EntityId,
    Fault,
    FieldMissing,
    Hd,
    Header,
    Interpreter,
    Lines,
    Location,
    Name,
    NotAnAck,
    NotHl7,
    Oru,
    Patient,
    PatientIdentifier,
    Pdf,
    Precision,
    Result,
    Unencodable,
    UnknownCharset,
    Visit,
    ZoneSource,
    build_ack,
    build_oru_r01,
    decode,
    escape,
    format_dtm,
    parse,
    parse_ack,
    parse_dtm,
    read,
    unescape,
)

NOW = dt.datetime(2026, 3, 12, 8, 15, 2, tzinfo=dt.timezone(dt.timedelta(hours=-5)))

JAPANESE = (
    b"MSH|^~\\&|ADTJ|SAKURADAI|TELERAD|HUB|20260312171500+0900||ADT^A04^ADT_A01|SK-A04-0007|P|2.5"
    b"||||||~ISO IR87||ISO 2022-1994\r"
    b"EVN|A04|20260312171400+0900\r"
    b"PID|1||00998877^^^SAKURADAI&2.999.81.1&ISO^MR||YAMAMOTO^MIU^^^^^L^A"
    b"~\x1b$B;3K\\\x1b(B^\x1b$BH~1)\x1b(B^^^^^L^I~\x1b$B%d%^%b%H\x1b(B^\x1b$B%_%&\x1b(B^^^^^L^P||19940503|F\r"
    b"PV1|1|O|RAD^^^SAKURADAI||||||||||||||||OP-5511^^^SAKURADAI&2.999.81.1&ISO^VN\r"
)
NULLS = (
    b"MSH|^~\\&|ADTX|NORTHBAY|TELERAD|HUB|20260312081500-0500||ADT^A08^ADT_A01|NB-A08-0031|P|2.5.1\r"
    b"EVN|A08|20260312090000-0500\r"
    b"PID|1||104417^^^NORTHBAY&2.999.1.1&ISO^MR||Okonkwo-Reyes^Tamsin^J^^^^L||19810704|F"
    b'|||||""|^WPN^PH^^1^613^5550199|||||""\r'
)
LF_SEPARATED = (
    b"MSH|^~\\&|LFHIS|ASHGROVE|TELERAD|HUB|20260312||ADT^A08|LF-0001|P|2.4\nEVN|A08|20260312\n"
    b"PID|1||AG-77^^^ASHGROVE^MR||Lindqvist^Per||1949|M\nPV1|1|O"
)
ARABIC = (
    "MSH|^~\\&|ADTA|ALNOOR|TELERAD|HUB|20260312120000+0400||ADT^A04^ADT_A01|AL-0005|P|2.5.1"
    "||||||UNICODE UTF-8\r"
    "PID|1||784-DEMO-0001^^^EID&2.999.4.1&ISO^NI~AN-3321^^^ALNOOR&2.999.4.2&ISO^MR"
    "||Haddad^Layth^^^^^L^A~حداد^ليث^^^^^L^I||19880217|M\r"
).encode()
ORDERS = (
    b"MSH|^~\\&|RISX|NORTHBAY|TELERAD|HUB|20260312081500-0500||OMI^O23^OMI_O23|NB-O23-0201|P|2.5.1\r"
    b"PID|1||104417^^^NORTHBAY^MR\r"
    b"ORC|NW|PL-90^CPOE|FL-90^RISX\rTQ1|1||||||20260313090000-0500||R^Routine\r"
    b"OBR|1|PL-90^CPOE|FL-90^RISX|MRKNEE^MR Knee\rIPC|A1^RISX|RP-1|2.999.1|SPS-1|MR\r"
    b"IPC|A1^RISX|RP-1|2.999.1|SPS-2|MR\r"
    b"ORC|NW|PL-91^CPOE|FL-91^RISX\rOBR|2|PL-91^CPOE|FL-91^RISX|MRHIP^MR Hip\r"
    b"OBR|3|PL-92|FL-92|CT^CT\rNTE|1||text\r"
)


def _message(fields: bytes) -> bytes:
    return b"MSH|^~\\&|A|B|C|D|20260312||ADT^A08|1|P|2.5.1||||||" + fields


# ---------------------------------------------------------------- character sets


def test_japanese_is_decoded_before_it_is_split() -> None:
    message = parse(JAPANESE, "ASCII")
    names = message.need("PID").repetitions(5)
    assert [(n.text(1), n.text(2), n.text(8)) for n in names] == [
        ("YAMAMOTO", "MIU", "A"),
        ("山本", "美羽", "I"),
        ("ヤマモト", "ミウ", "P"),
    ]
    assert message.text("MSH-18") is None
    assert message.text("MSH-18[2]") == "ISO IR87"
    assert message.text("PV1-19") == "OP-5511"
    assert not message.damaged


@pytest.mark.parametrize(
    ("declared", "codec", "name"),
    [
        (b"8859/1", "iso8859-1", "Müller"),
        (b"8859/2", "iso8859-2", "Łukasz"),
        (b"8859/5", "iso8859-5", "Иванов"),
        (b"8859/15", "iso8859-15", "Œuvre€"),
        (b"UNICODE UTF-8", "utf-8", "Łé漢ليث"),
        (b"GB 18030-2000", "gb18030", "王小东𠮷"),
        (b"KS X 1001", "euc_kr", "김희중"),
        (b"BIG-5", "big5", "許功蓋"),  # each of these ends in 5C
        (b"~ISO IR159", "iso2022_jp_ext", "丂"),
        (b"ASCII~8859/1", "iso8859-1", "Müller"),
    ],
)
def test_each_set_of_table_0211(declared: bytes, codec: str, name: str) -> None:
    payload = _message(declared + b"\rPID|1||1||".replace(b"\r", b"\r")) + name.encode(codec) + b"^G\\T\\K\r"
    message = parse(payload, "ASCII")
    assert (message.text("PID-5.1"), message.text("PID-5.2")) == (name, "G&K")
    assert not message.damaged


def test_half_width_katakana_in_eight_bits() -> None:
    payload = _message(b"ISO IR14~ISO IR87\rPID|1||1||") + "ﾔﾏﾀﾞ".encode("shift_jis") + b"^\x1b$B;3K\\\r\rPV1|1|O\r"
    message = parse(payload, "ASCII")
    assert message.text("PID-5.1") == "ﾔﾏﾀﾞ"
    # A sender that forgets to shift back loses nothing after the segment's end.
    assert message.text("PID-5.2") == "山本"
    assert message.text("PV1-2") == "O"


def test_bad_bytes_are_replaced_and_flagged() -> None:
    got = read(_message(b"UNICODE UTF-8\rPID|1||1||M\xfcller\r"), "ASCII")
    assert got.damaged
    assert "M\ufffdller" in got.text
    sent = read(_message("UNICODE UTF-8\rPID|1||1||M\ufffdller\r".encode()), "ASCII")
    assert not sent.damaged


def test_the_default_serves_an_empty_declaration_and_an_unknown_one() -> None:
    assert "Müller" in decode(_message(b"\rPID|1||1||M\xfcller\r"), "8859/1")
    got = read(_message(b"CNS 11643-1992\rPID|1||1||M\xfcller\r"), "8859/1")
    assert "Müller" in got.text
    assert not got.known
    with pytest.raises(UnknownCharset):
        decode(_message(b"\r"), "no such set")


def test_a_feed_that_declares_wrongly_can_be_overridden() -> None:
    payload = _message("8859/1\rPID|1||1||Müller\r".encode())
    assert parse(payload, "ASCII").text("PID-5") == "MÃ¼ller"
    assert parse(payload, "ASCII", override="UNICODE UTF-8").text("PID-5") == "Müller"
    assert parse(payload, "ASCII", utf8_first=True).text("PID-5") == "Müller"
    latin = _message(b"8859/1\rPID|1||1||M\xfcller\r")
    assert parse(latin, "ASCII", utf8_first=True).text("PID-5") == "Müller"


# ---------------------------------------------------------------- messages


def test_arabic_right_to_left_and_identifiers_by_type() -> None:
    message = parse(ARABIC, "ASCII")
    assert message.text("PID-5[2].1") == "حداد"
    record = next(i for i in message.need("PID").repetitions(3) if i.text(5) == "MR")
    assert (record.text(1), record.text(4), record.text(4, 2)) == ("AN-3321", "ALNOOR", "2.999.4.2")


def test_null_is_not_empty() -> None:
    message = parse(NULLS, "ASCII")
    assert message.get("PID-11") is None
    assert message.get("PID-13") is NULL
    assert message.get("PID-13.7") is NULL
    assert message.text("PID-13") is None
    assert message.get("PID-14.7") == "5550199"
    assert message.get("PID-19") is NULL
    assert message.get("PID-40") is None
    assert message.get("NK1-2") is None
    component = parse(_message(b'\rPID|1||1||a^""^c&""\r'), "ASCII")
    assert [component.get(f"PID-5.{n}") for n in (1, 2, 3)] == ["a", NULL, "c"]
    assert component.get("PID-5.3.2") is NULL


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_segments_may_end_in_cr_lf_or_both(end: bytes) -> None:
    message = parse(LF_SEPARATED.replace(b"\n", end), "ASCII")
    assert [s.name for s in message.all_segments] == ["MSH", "EVN", "PID", "PV1"]
    assert message.text("PID-7") == "1949"
    assert message.text("PV1-2") == "O"


def test_a_raw_line_break_in_a_text_is_kept_as_text() -> None:
    broken = parse(_message(b"\rOBX|1|TX|a||first\nNTE and\rsecond line||||||F\rNTE|1||x\r"), "ASCII")
    assert [s.name for s in broken.all_segments] == ["MSH", "OBX", "NTE"]
    assert broken.text("OBX-5") == "first\nNTE and\nsecond line"
    assert broken.text("OBX-11") == "F"


def test_a_lone_lf_begins_no_segment_in_a_message_written_with_cr() -> None:
    message = parse(_message(b"\rOBX|1|TX|a||text\nORC|CA|PL-1\r"), "ASCII")
    assert message.segment("ORC") is None
    assert message.text("OBX-5") == "text\nORC"


def test_delimiters_come_from_the_message() -> None:
    message = parse(b"MSH*!@$%*A*B*C*D*20260312**ADT!A08*77*P*2.5.1\rPID*1**1!!!X%2.9%ISO@2**a$S$b|^~\\&\r", "ASCII")
    assert message.control_id == "77"
    assert message.text("PID-3.4.2") == "2.9"
    assert message.text("PID-3[2].1") == "2"
    assert message.text("PID-5.1") == "a!b|^~\\&"
    seven = parse(b"MSH|^~\\&#|A|B|C|D|2026||ADT^A08|1|P|2.7\rPID|1||1||a\\P\\b\r", "ASCII")
    assert seven.text("PID-5") == "a#b"
    assert parse(NULLS, "ASCII").get("MSH-2") == "^~\\&"


@pytest.mark.parametrize("payload", [b"", b"PID|1", b"MSH", b"MSH|^^\\&|A|B", b"MSHABCDEFGH", b"GET / HTTP/1.1\r\n"])
def test_what_is_no_message(payload: bytes) -> None:
    with pytest.raises(NotHl7):
        parse(payload, "ASCII")


def test_order_groups() -> None:
    groups = list(parse(ORDERS, "ASCII").groups())
    assert [(g.orc and g.orc.text(2), g.obr and g.obr.text(2), g.orc_shared) for g in groups] == [
        ("PL-90", "PL-90", False),
        ("PL-91", "PL-91", False),
        ("PL-91", "PL-92", True),
    ]
    assert [s.text(4) for s in groups[0].all("IPC")] == ["SPS-1", "SPS-2"]
    tq1 = groups[0].segment("TQ1")
    assert tq1 is not None
    assert tq1.text(7) == "20260313090000-0500"
    assert groups[1].segment("NTE") is None
    assert [s.name for s in groups[2].segments] == ["OBR", "NTE"]


def test_a_missing_field_names_its_place_and_no_content() -> None:
    message = parse(_message(b"\rPID|1||||Doe^Unknown\rOBX|1|TX\rOBX|2|TX\r"), "ASCII")
    with pytest.raises(FieldMissing) as missing:
        message.require("PID-3")
    assert str(missing.value.location) == "PID^1^3"
    assert "Doe" not in str(missing.value)
    with pytest.raises(FieldMissing) as second:
        message.segments("OBX")[1].require(3, 4)
    assert str(second.value.location) == "OBX^2^3^1^4"
    with pytest.raises(FieldMissing) as segment:
        message.need("ORC")
    assert str(segment.value.location) == "ORC^1"
    with pytest.raises(ValueError, match="count from 1"):
        message.get("PID-3[0].1")
    with pytest.raises(ValueError, match="no HL7 path"):
        message.get("PID.3")


def test_whole_keeps_delimiters_that_a_sender_forgot_to_escape() -> None:
    field = parse(_message(b"\rOBX|1|TX|a||R&D ^ cough~second\r"), "ASCII").need("OBX").repetitions(5)
    assert [r.whole() for r in field] == ["R&D ^ cough", "second"]


# ---------------------------------------------------------------- escapes, field report G04


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("Cough \\T\\ fever, r\\E\\o pneumonia \\F\\ see", "Cough & fever, r\\o pneumonia | see"),
        ("\\E\\R\\E\\", "\\R\\"),
        ("\\X0D\\\\X0A\\", "\r\n"),
        ("\\XE5B1B1\\\\XE6\\\\X9C\\\\XAC\\", "山本"),
        ("a\\.br\\b", "a\nb"),
        ("a\\.sp2\\b\\.in+4\\c", "a\n\nbc"),
        ("C:\\temp", "C:\\temp"),
        ("C:\\temp\\T\\x", "C:\\temp&x"),
        ("\\", "\\"),
        ("a\\\\b", "a\\\\b"),
        ("\\Zfoo\\T\\", "\\Zfoo\\T\\"),
        ("\\Zfoo\\", "\\Zfoo\\"),
        ("\\C2842\\", "\\C2842\\"),
        ("\\H\\warm\\N\\", "warm"),
        ("\\Xzz\\", "\\Xzz\\"),
        ("\\X0\\", "\\X0\\"),
        ("\\P\\", "\\P\\"),
    ],
)
def test_unescape(written: str, text: str) -> None:
    assert unescape(written) == text


def test_escape() -> None:
    assert escape("a|b^c&d~e\\f") == "a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f"
    assert escape("one\r\ntwo\rthree\nfour") == "one\\.br\\two\\.br\\three\\.br\\four"
    assert escape("\\.br\\") == "\\E\\.br\\E\\"
    assert escape("\x0b\x1c") == "\\X0B\\\\X1C\\"


@pytest.mark.parametrize("delimiters", [Delimiters(), Delimiters("*", "!", "@", "$", "%", "#")])
@given(
    text=st.text(alphabet=st.one_of(st.sampled_from("\\|^&~.brXFTEZ#*!@$%\r\n\x0b\x1c0"), st.characters(codec="utf-8")))
)
def test_escaping_round_trips(delimiters: Delimiters, text: str) -> None:
    written = escape(text, delimiters)
    assert not set(written) & set("\r\n\x0b\x1c")
    others = (delimiters.field, delimiters.component, delimiters.repetition, delimiters.subcomponent)
    assert not set(written) & set(others)
    assert unescape(written, delimiters) == text.replace("\r\n", "\n").replace("\r", "\n")


@given(text=st.text(alphabet="\\FTRESXZ.br0AH N"))
def test_unescaping_never_fails(text: str) -> None:
    assert isinstance(unescape(text), str)


# ---------------------------------------------------------------- times, field report G10

BERLIN = ZoneInfo("Europe/Berlin")
LONDON = ZoneInfo("Europe/London")


def test_zone_order_is_own_then_message_then_site() -> None:
    message_zone = parse(_message(b"\r").replace(b"|20260312|", b"|20260312081500+0300|"), "ASCII").zone
    assert message_zone is not None
    own = parse_dtm("20260312081500-0330", BERLIN, message_zone)
    assert (own.value.isoformat(), own.zone_source) == ("2026-03-12T08:15:00-03:30", ZoneSource.OWN)
    from_message = parse_dtm("20260312081500", BERLIN, message_zone)
    assert (from_message.value.isoformat(), from_message.zone_source) == (
        "2026-03-12T08:15:00+03:00",
        ZoneSource.MESSAGE,
    )
    site = parse_dtm("20260329013000", BERLIN)
    assert (site.value.isoformat(), site.zone_source) == ("2026-03-29T01:30:00+01:00", ZoneSource.SITE)
    assert parse(_message(b"\r"), "ASCII").zone is None


def test_the_sign_applies_to_the_minutes() -> None:
    assert parse_dtm("20260312081500-0030", BERLIN).value.utcoffset() == dt.timedelta(minutes=-30)
    assert parse_dtm("20260312081500-0330", BERLIN).value.utcoffset() == -dt.timedelta(hours=3, minutes=30)


@pytest.mark.parametrize(
    ("text", "precision", "iso"),
    [
        ("2026", Precision.YEAR, "2026"),
        ("202603", Precision.MONTH, "2026-03"),
        ("20260329", Precision.DAY, "2026-03-29"),
        ("2026-0330", Precision.YEAR, "2026"),
        ("2026031208", Precision.HOUR, "2026-03-12T08:00:00+01:00"),
        ("202603121011", Precision.MINUTE, "2026-03-12T10:11:00+01:00"),
        ("20260312101112", Precision.SECOND, "2026-03-12T10:11:12+01:00"),
        ("20260312101112.1234", Precision.FRACTION, "2026-03-12T10:11:12.123400+01:00"),
    ],
)
def test_partial_precision_is_kept(text: str, precision: Precision, iso: str) -> None:
    got = parse_dtm(text, BERLIN)
    assert (got.precision, got.iso()) == (precision, iso)


def test_hours_that_come_twice_or_never_are_flagged() -> None:
    twice = parse_dtm("20261025023000", BERLIN)
    assert (twice.ambiguous, twice.nonexistent) == (True, False)
    never = parse_dtm("20260329013000", LONDON)
    assert (never.ambiguous, never.nonexistent) == (False, True)
    assert not parse_dtm("20261025023000+0100", BERLIN).ambiguous
    assert not parse_dtm("20261025", BERLIN).ambiguous


@pytest.mark.parametrize(
    "text", ["", "26", "20261301", "20260230", "2026031225", "20260312-9900", "12/03/2026", "00000000"]
)
def test_bad_times_are_refused_without_repeating_them(text: str) -> None:
    with pytest.raises(Exception, match=r"^(?!.*2026).*") as refused:
        parse_dtm(text, BERLIN)
    assert type(refused.value).__name__ == "BadDtm"


@given(
    st.integers(0, 200 * 365 * 86400),
    st.integers(-14 * 60, 14 * 60),
)
def test_times_round_trip(seconds: int, minutes: int) -> None:
    begin = dt.datetime(1900, 1, 1, tzinfo=dt.UTC)
    value = (begin + dt.timedelta(seconds=seconds)).replace(tzinfo=dt.timezone(dt.timedelta(minutes=minutes)))
    back = parse_dtm(format_dtm(value), BERLIN).value
    assert back == value
    assert back.utcoffset() == value.utcoffset()


def test_a_time_without_zone_is_not_written() -> None:
    with pytest.raises(ValueError, match="zone"):
        format_dtm(dt.datetime(2026, 3, 12))  # noqa: DTZ001


# ---------------------------------------------------------------- acknowledgements


def _header(event: str, control: str, version: str = "2.5.1", sender: str = "ADTX") -> bytes:
    line = f"MSH|^~\\&|{sender}|NORTHBAY|TELERAD|HUB|20260312081500-0500||{event}|{control}|P|{version}\r"
    return line.encode()


def test_ack_aa() -> None:
    answer = build_ack(
        parse(_header("ADT^A01^ADT_A01", "NB-A01-0001"), "ASCII"), "AA", control_id_of_answer="TR-1", now=NOW
    )
    assert answer == (
        b"MSH|^~\\&|TELERAD|HUB|ADTX|NORTHBAY|20260312081502-0500||ACK^A01^ACK|TR-1|P|2.5.1\rMSA|AA|NB-A01-0001\r"
    )


def test_ack_ae_names_the_place() -> None:
    answer = build_ack(
        parse(_header("ADT^A04^ADT_A01", "NB-A04-0099"), "ASCII"),
        "AE",
        control_id_of_answer="TR-2",
        now=NOW,
        text="PID-3 missing",
        error=Fault("101", Location("PID", 1, 3), text="Patient identifier is required"),
    )
    assert answer == (
        b"MSH|^~\\&|TELERAD|HUB|ADTX|NORTHBAY|20260312081502-0500||ACK^A04^ACK|TR-2|P|2.5.1\r"
        b"MSA|AE|NB-A04-0099|PID-3 missing\r"
        b"ERR||PID^1^3|101^Required field missing^HL70357|E||||Patient identifier is required\r"
    )


def test_ack_ar_and_cr() -> None:
    answer = build_ack(
        _header("ADT^Z99", "NB-Z99-0001"),
        "AR",
        control_id_of_answer="TR-3",
        now=NOW,
        text="Unsupported event Z99",
        error=Fault("201", Location("MSH", 1, 9, 1, 2)),
    )
    assert answer.split(b"\r")[1:] == [
        b"MSA|AR|NB-Z99-0001|Unsupported event Z99",
        b"ERR||MSH^1^9^1^2|201^Unsupported event code^HL70357|E",
        b"",
    ]
    refused = build_ack(
        _header("", "NB-X-0001", version="3.9", sender="RISX"),
        "CR",
        control_id_of_answer="TR-6",
        now=NOW,
        text="Version 3.9 not supported",
        error=Fault("203", Location("MSH", 1, 12)),
    )
    assert refused == (
        b"MSH|^~\\&|TELERAD|HUB|RISX|NORTHBAY|20260312081502-0500||ACK|TR-6|P|2.5.1\r"
        b"MSA|CR|NB-X-0001|Version 3.9 not supported\r"
        b"ERR||MSH^1^12|203^Unsupported version id^HL70357|E\r"
    )


@pytest.mark.parametrize(
    ("version", "message_type"),
    [
        ("2.1", "ACK"),
        ("2.2", "ACK"),
        ("2.3", "ACK^A34"),
        ("2.3.1", "ACK^A34"),
        ("2.4", "ACK^A34"),
        ("2.5", "ACK^A34^ACK"),
    ],
)
def test_msh_9_follows_the_version(version: str, message_type: str) -> None:
    answer = build_ack(_header("ADT^A34", "1", version), "AA", control_id_of_answer="2", now=NOW)
    assert answer.split(b"|")[8].decode() == message_type


def test_old_versions_get_the_old_err_and_the_new_fields_behind_it() -> None:
    answer = build_ack(
        _header("ORM^O01", "NB-O01-1001", "2.3.1"),
        "AE",
        control_id_of_answer="TR-9",
        now=NOW,
        error=Fault("205", Location("MSH", 1, 10)),
    )
    assert answer.split(b"\r")[1:3] == [
        b"MSA|AE|NB-O01-1001|Duplicate key identifier",
        b"ERR|MSH^1^10^205&Duplicate key identifier&HL70357|MSH^1^10|205^Duplicate key identifier^HL70357|E",
    ]


def test_an_orr_with_its_order() -> None:
    answer = build_ack(
        _header("ORM^O01", "NB-O01-1003", "2.3.1", "RISX"),
        "AA",
        control_id_of_answer="TR-7",
        now=NOW,
        message_type="ORR^O02",
        segments=["ORC|UC|PL-20260312-77^CPOE|FL-88120^RISX||CM"],
    )
    assert answer == (
        b"MSH|^~\\&|TELERAD|HUB|RISX|NORTHBAY|20260312081502-0500||ORR^O02|TR-7|P|2.3.1\r"
        b"MSA|AA|NB-O01-1003\rORC|UC|PL-20260312-77^CPOE|FL-88120^RISX||CM\r"
    )


def test_an_answer_to_the_broken() -> None:
    for nothing in (None, b"", b"not HL7 at all", b"MSH|||||||"):
        answer = build_ack(nothing, "AR", control_id_of_answer="TR-8", now=NOW, error=Fault("100"))
        assert answer == (
            b"MSH|^~\\&|||||20260312081502-0500||ACK|TR-8|P|2.5.1\r"
            b"MSA|AR||Segment sequence error\rERR|||100^Segment sequence error^HL70357|E\r"
        )
    short = build_ack(b"MSH|^~\\&|ADTX|NORTHBAY", "AR", control_id_of_answer="TR-8", now=NOW)
    assert short == b"MSH|^~\\&|||ADTX|NORTHBAY|20260312081502-0500||ACK|TR-8|P|2.5.1\rMSA|AR\r"


@pytest.mark.parametrize(
    "control",
    ["Ü-1".encode(), "Ü-1".encode("latin-1"), b"\xff\xfe\x80", b"a\\T\\b", "山-1".encode("gb18030"), b" 7 "],
)
@pytest.mark.parametrize("declared", [b"", b"UNICODE UTF-8", b"8859/1", b"~ISO IR87", b"NO SUCH SET"])
def test_msa_2_is_msh_10_byte_for_byte(control: bytes, declared: bytes) -> None:
    payload = b"MSH|^~\\&|A|B|C|D|2026||ADT^A01|" + control + b"|P|2.5.1||||||" + declared + b"\rPID|1\r"
    for message in (payload, parse(payload, "8859/1")):
        answer = build_ack(message, "AE", control_id_of_answer="2", now=NOW, text="größe | \r\n")
        assert answer.split(b"\r")[1].split(b"|")[2] == control
        assert answer.count(b"\r") == 2


def test_an_answer_uses_the_delimiters_and_the_set_of_the_message() -> None:
    payload = "MSH*!@$%*Ä*B*C*D*2026**ADT!A01*7*P*2.5.1******UNICODE UTF-8\r".encode()
    answer = build_ack(
        payload,
        "AE",
        control_id_of_answer="2",
        now=NOW,
        error=Fault("101", Location("PID", 1, 3), text="a!b"),
    )
    assert answer.decode() == (
        "MSH*!@$%*C*D*Ä*B*20260312081502-0500**ACK!A01!ACK*2*P*2.5.1******UNICODE UTF-8\r"
        "MSA*AE*7*a$S$b\rERR**PID!1!3*101!Required field missing!HL70357*E****a$S$b\r"
    )


def test_hostile_control_ids_can_not_break_the_frame() -> None:
    answer = build_ack(_header("ADT^A01", "1\x1c\x0b2"), "AA", control_id_of_answer="2", now=NOW)
    assert b"\x1c" not in answer
    assert b"\x0b" not in answer


def test_g07_an_answer_to_another_message_shows() -> None:
    ack = parse_ack(b"MSH|^~\\&|R|F|TELERAD|HUB|20260312||ACK^R01^ACK|9|P|2.5.1\rMSA|AA|PREVIOUS\r")
    assert ack.accepted
    assert ack.control_id == "PREVIOUS"


def test_reading_errors_of_both_ages() -> None:
    new = parse_ack(
        b"MSH|^~\\&|R|F|T|H|20260312||ACK|9|P|2.5.1\nMSA|AE|7|PID-3 missing\n"
        b"ERR||PID^1^3|101^Required field missing^HL70357|E||||Needs \\T\\ an id\n"
    )
    assert (new.code, new.text, new.accepted) == ("AE", "PID-3 missing", False)
    assert new.error == Fault("101", Location("PID", 1, 3), "E", "Needs & an id")
    old = parse_ack(b"MSH|^~\\&|R|F|T|H|20260312||ACK|9|P|2.3\rMSA|AR|7\rERR|MSH^1^9^201&Unsupported event code\r")
    assert old.error == Fault("201", Location("MSH", 1, 9), "E", "Unsupported event code")


@pytest.mark.parametrize("tail", [b"", b"MSA\r", b"MSA|XX|7\r", b"MSA||7\r"])
def test_what_is_no_ack(tail: bytes) -> None:
    with pytest.raises(NotAnAck):
        parse_ack(b"MSH|^~\\&|R|F|T|H|20260312||ACK|9|P|2.3\r" + tail)


@given(text=st.text(max_size=80), code=st.sampled_from(["AA", "AE", "AR", "CA", "CE", "CR"]))
def test_our_own_acks_can_be_read(text: str, code: str) -> None:
    payload = _header("ADT^A01", "7").replace(b"2.5.1\r", b"2.5.1||||||UNICODE UTF-8\r")
    answer = build_ack(payload, code, control_id_of_answer="2", now=NOW, text=text or None)  # type: ignore[arg-type]
    ack = parse_ack(answer)
    assert (ack.code, ack.control_id) == (code, "7")
    if text not in ("", '""') and not any("\ud800" <= c <= "\udfff" for c in text):
        assert ack.text == text.replace("\r\n", "\n").replace("\r", "\n")


# ---------------------------------------------------------------- reports

AUTHORITY = Hd("NORTHBAY", "2.999.1.1")
SIGNED = dt.datetime(2026, 3, 12, 13, 1, tzinfo=dt.timezone(dt.timedelta(hours=-5)))
PDF = b"%PDF-1.4\n" + bytes(range(256)) * 64
CT = Code("30799-1", "CT head WO contrast", "LN", "IMP")


def _oru(**changes: object) -> Oru:
    result = Result(
        placer=EntityId("PL-20260312-77", Hd("CPOE")),
        filler=EntityId("FL-88120", Hd("RISX")),
        procedure=Code("CTHEAD", "CT Head without contrast", "NBPROC"),
        status="F",
        order_status="CM",
        accession="A2603120045",
        observed_at=dt.datetime(2026, 3, 12, 10, 36, tzinfo=SIGNED.tzinfo),
        reported_at=SIGNED,
        section="CT",
        interpreter=Interpreter("7719", Name("Varga", "Ilona", prefix="Dr"), SIGNED),
        observations=(
            Lines(CT, ("No haemorrhage.", "a|b^c&d~e\\f \\.br\\"), "F", SIGNED),
            Pdf(Code("PDF", "Signed report PDF", "NBDOC"), PDF, "F", source="RISX"),
        ),
    )
    header = Header(
        sender=Endpoint(Hd("HELIOGRAPH"), Hd("HUB")),
        receiver=Endpoint(Hd("RISX"), Hd("NORTHBAY")),
        control_id="H-1",
        sent_at=SIGNED,
    )
    of_header = {name: changes.pop(name) for name in ("charset",) if name in changes}
    oru = Oru(
        header=replace(header, **of_header),  # type: ignore[arg-type]
        patient=Patient(
            (PatientIdentifier("104417", AUTHORITY), PatientIdentifier("NX-1", Hd("NATID"), "NI")),
            (Name("Okonkwo-Reyes", "Tamsin", "J"),),
            dt.date(1981, 7, 4),
            "F",
        ),
        results=(result,),
        visit=Visit("E", PatientIdentifier("V-90311", AUTHORITY, "VN")),
        version_marker="v2",
    )
    return replace(oru, **changes)  # type: ignore[arg-type]


def _with(oru: Oru, **changes: object) -> Oru:
    return replace(oru, results=(replace(oru.results[0], **changes),))  # type: ignore[arg-type]


def test_the_report_on_the_wire() -> None:
    lines = build_oru_r01(_oru()).decode().split("\r")
    assert lines[:6] == [
        "MSH|^~\\&|HELIOGRAPH|HUB|RISX|NORTHBAY|20260312130100-0500||ORU^R01^ORU_R01|H-1|P|2.5.1||||||UNICODE UTF-8",
        "PID|1||104417^^^NORTHBAY&2.999.1.1&ISO^MR~NX-1^^^NATID^NI||Okonkwo-Reyes^Tamsin^J^^^^L||19810704|F",
        "PV1|1|E|||||||||||||||||V-90311^^^NORTHBAY&2.999.1.1&ISO^VN",
        "ORC|RE|PL-20260312-77^CPOE|FL-88120^RISX||CM",
        "OBR|1|PL-20260312-77^CPOE|FL-88120^RISX|CTHEAD^CT Head without contrast^NBPROC|||20260312103600-0500"
        "|||||||||||A2603120045||||20260312130100-0500||CT|F|||||||7719&Varga&Ilona&&&Dr^20260312130100-0500",
        "OBX|1|TX|30799-1&IMP^CT head WO contrast^LN|v2|No haemorrhage.||||||F|||20260312130100-0500",
    ]
    assert lines[7] == (
        "OBX|3|ED|PDF^Signed report PDF^NBDOC|v2|RISX^Application^PDF^Base64^"
        + base64.b64encode(PDF).decode()
        + "||||||F"
    )
    assert lines[8:] == [""]


def test_the_report_reads_back_here_and_in_python_hl7() -> None:
    payload = build_oru_r01(_oru())
    message = parse(payload, "ASCII")
    assert message.text("OBX[2]-5") == "a|b^c&d~e\\f \\.br\\"
    assert base64.b64decode(message.require("OBX[3]-5.5"), validate=True) == PDF
    assert message.text("OBR-32.1.2") == "Varga"
    other = python_hl7.parse(payload.decode())
    assert [str(s[0]) for s in other] == [s.name for s in message.all_segments]
    assert [[str(f) for f in s] for s in other][1:] == [list(s.fields) for s in message.all_segments][1:]
    assert str(other.segment("OBR")[32][0][0][1]) == "Varga"
    assert str(other.segment("MSH")[18]) == "UNICODE UTF-8"


@given(text=st.text(alphabet=st.characters(codec="utf-8")))
def test_any_text_survives_and_makes_no_segment(text: str) -> None:
    observations = (Lines(CT, (text,), "F"),)
    patient = Patient((PatientIdentifier(text, AUTHORITY),), (Name(text, text),))
    payload = build_oru_r01(_with(_oru(patient=patient), observations=observations, accession=text))
    assert b"\x0b" not in payload
    assert b"\x1c" not in payload
    message = parse(payload, "ASCII")
    assert [s.name for s in message.all_segments] == ["MSH", "PID", "PV1", "ORC", "OBR", "OBX"]
    expected = text.replace("\r\n", "\n").replace("\r", "\n") or None
    for path in ("OBX-5", "PID-3.1", "PID-5.2", "OBR-18"):
        assert message.get(path) == expected


def test_g12_five_megabytes_of_pdf_without_a_line_break() -> None:
    pdf = b"%PDF-1.7\n" + b"\x00\xff\r\n" * 1_250_000
    payload = build_oru_r01(_with(_oru(), observations=(Pdf(Code("PDF"), pdf, "F"),)))
    message = parse(payload, "ASCII")
    assert payload.count(b"\r") == len(message.all_segments) == 6
    assert b"\n" not in payload
    assert base64.b64decode(message.require("OBX-5.5"), validate=True) == pdf


def test_the_version_marker_in_a_note() -> None:
    message = parse(build_oru_r01(_oru(version_marker_in="NTE")), "ASCII")
    assert message.text("NTE-3") == "v2"
    assert message.text("OBX-4") is None


def test_other_character_sets() -> None:
    name = Name("山本", "美羽", representation="I")
    patient = Patient((PatientIdentifier("1"),), (name,), "1949")
    payload = build_oru_r01(_oru(patient=patient, charset="~ISO IR87"))
    message = parse(payload, "ASCII")
    assert message.text("PID-5.1") == "山本"
    assert message.text("PID-7") == "1949"
    assert message.text("MSH-20") == "ISO 2022-1994"
    with pytest.raises(Unencodable) as refused:
        build_oru_r01(_oru(patient=patient, charset="8859/1"))
    assert "4 characters" in str(refused.value)
    assert "山" not in str(refused.value)
    with pytest.raises(UnknownCharset):
        build_oru_r01(_oru(charset="UNICODE UTF-16"))


def test_g14_each_status_from_its_own_table() -> None:
    for status in ("D", "W", ""):
        with pytest.raises(ValueError, match="0123"):
            build_oru_r01(_with(_oru(), status=status))
    for status in ("Z", "M", ""):
        with pytest.raises(ValueError, match="0085"):
            build_oru_r01(_with(_oru(), observations=(Lines(CT, ("x",), status),)))
    withdrawn = build_oru_r01(_with(_oru(), status="C", observations=(Lines(CT, ("Disregard.",), "W"),)))
    assert (parse(withdrawn, "ASCII").text("OBR-25"), parse(withdrawn, "ASCII").text("OBX-11")) == ("C", "W")


@pytest.mark.parametrize(
    "bad",
    [
        lambda: _with(_oru(), observations=(Pdf(CT, b"<html>", "F"),)),
        lambda: _with(_oru(), filler=EntityId("")),
        lambda: _with(_oru(), reported_at=dt.datetime(2026, 3, 12)),  # noqa: DTZ001
        lambda: _oru(results=()),
        lambda: _oru(patient=Patient((), ())),
        lambda: _oru(patient=Patient((PatientIdentifier("1"),), (), "4 July")),
    ],
)
def test_what_can_not_be_sent(bad: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        build_oru_r01(bad())  # type: ignore[operator]


def test_several_procedures_share_a_report() -> None:
    first = _oru().results[0]
    second = replace(first, filler=EntityId("FL-88121"), accession="A2603120046")
    groups = list(parse(build_oru_r01(_oru(results=(first, second))), "ASCII").groups())
    assert [g.obr.text(18) for g in groups if g.obr] == ["A2603120045", "A2603120046"]
    assert [[s.text(1) for s in g.all("OBX")] for g in groups] == [["1", "2", "3"], ["1", "2", "3"]]
