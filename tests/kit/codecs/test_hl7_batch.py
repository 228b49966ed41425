"""Batches taken apart: envelopes, counts, what is cut short, and the answer in the same envelopes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from heliograph.kit.codecs.hl7.batch import BadBatch, build_batch_answer, is_batch, split_batch

FHS = b"FHS|^~\\&|ADTX|NORTHBAY|TELERAD|HUB|20260312020000-0500||nightly||F-20260312\r"
BHS = b"BHS|^~\\&|ADTX|NORTHBAY|TELERAD|HUB|20260312020000-0500||||B-1\r"
ONE = b"MSH|^~\\&|ADTX|NORTHBAY|TELERAD|HUB|20260312||ADT^A04|BT-1|P|2.4\rPID|1||BT-1\r"
TWO = b"MSH|^~\\&|ADTX|NORTHBAY|TELERAD|HUB|20260312||ADT^A04|BT-2|P|2.4\rPID|1||BT-2\r"
NOW = datetime(2026, 11, 25, 1, 41, tzinfo=UTC)


@pytest.mark.parametrize(
    ("payload", "messages"),
    [
        (FHS + BHS + ONE + TWO + b"BTS|2\rFTS|1\r", [[ONE, TWO]]),
        (BHS + ONE + b"BTS|1\r" + BHS + TWO + b"BTS|1", [[ONE], [TWO]]),
        (FHS + BHS + ONE + b"BTS\rFTS\r", [[ONE]]),
        (FHS + ONE + TWO + b"FTS|1\r", [[ONE, TWO]]),
        (FHS + b"FTS|0\r", []),
        (BHS + b"BTS|0\r", [[]]),
        (ONE + TWO, [[ONE, TWO]]),
        (b"\xef\xbb\xbf\r\n" + BHS + ONE + b"BTS|1\r\n\r\n", [[ONE]]),
        ((BHS + ONE + b"BTS|1\r").replace(b"\r", b"\n"), [[ONE.replace(b"\r", b"\n")]]),
        ((BHS + ONE + b"BTS|1\r").replace(b"\r", b"\r\n"), [[ONE.replace(b"\r", b"\r\n")]]),
        (BHS + ONE + b"a line that is no segment\rBTS|1\r", [[ONE + b"a line that is no segment\r"]]),
    ],
)
def test_messages_come_out_byte_for_byte(payload: bytes, messages: list[list[bytes]]) -> None:
    assert [b.messages for b in split_batch(payload).batches] == messages


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        (FHS + BHS + ONE + b"BTS|2\rFTS|1\r", "BTS^1^1"),
        (FHS + BHS + ONE + b"BTS|1\rFTS|2\r", "FTS^1^1"),
        (BHS + ONE + b"BTS|one\r", "BTS^1^1"),
        (FHS + BHS + ONE + b"BTS|1\r", "FTS^1"),
        (BHS + ONE + TWO, "BTS^1"),
        (FHS + BHS + ONE + b"FTS|1\r", "BTS^1"),
        (BHS + ONE + BHS + TWO + b"BTS|1\r", "BTS^1"),
        (ONE + b"BTS|1\r", "BTS^1"),
        (ONE + b"FTS|1\r", "FTS^1"),
        (FHS + BHS + ONE + b"BTS|1\rFTS|1\r" + TWO, "FTS^1"),
        (BHS + b"PID|1\rBTS|1\r", "MSH^1"),
        (b"", "MSH^1"),
        (b"GET / HTTP/1.1\r\n", "MSH^1"),
        (BHS + FHS + ONE, "FHS^2"),
    ],
)
def test_what_contradicts_itself_or_may_be_cut_short_is_told(payload: bytes, place: str) -> None:
    with pytest.raises(BadBatch) as told:
        split_batch(payload)
    assert (told.value.fault, str(told.value.location)) == ("100", place)


def test_every_truncation_of_a_file_is_refused() -> None:
    whole = FHS + BHS + ONE + TWO + b"BTS|2\rFTS|1\r"
    for end in range(len(whole) - len(b"|1\r")):
        with pytest.raises(BadBatch):
            split_batch(whole[:end])


def test_a_batch_is_told_by_its_header() -> None:
    assert [is_batch(p) for p in (FHS, BHS, b"\r\n" + FHS, ONE, b"", b"FH")] == [True, True, True, False, False, False]


def test_the_answer_has_the_same_envelopes() -> None:
    asked = split_batch(FHS + BHS + ONE + TWO + b"BTS|2\rFTS|1\r")
    answer = build_batch_answer(asked, [[b"MSH|1\rMSA|AA|BT-1\r", b"MSH|2\rMSA|AE|BT-2\r"]], control_id="HG1", now=NOW)
    assert answer.split(b"\r") == [
        b"FHS|^~\\&|TELERAD|HUB|ADTX|NORTHBAY|20261125014100+0000||||HG1|F-20260312",
        b"BHS|^~\\&|TELERAD|HUB|ADTX|NORTHBAY|20261125014100+0000||||HG1|B-1",
        b"MSH|1", b"MSA|AA|BT-1", b"MSH|2", b"MSA|AE|BT-2", b"BTS|2", b"FTS|1", b"",
    ]  # fmt: skip
    assert split_batch(answer).batches[0].messages[1] == b"MSH|2\rMSA|AE|BT-2\r"
