"""`heliograph hl7 send` and `listen`, against each other and against what real listeners do."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from heliograph.app.cli import cli
from heliograph.kit.codecs.hl7 import build_ack, parse
from heliograph.kit.net.mllp import MllpListener, Peer

MESSAGE = b"MSH|^~\\&|RIS|NORTH|HG|HG|20260312101500||ADT^A04|C-1|P|2.3.1\r\nPID|1||1^^^N||Test^One\r\n"


@contextmanager
def listening(answer: bytes | None = None, control_id: str | None = None) -> Iterator[tuple[int, list[bytes]]]:
    got: list[bytes] = []

    def take(payload: bytes, _peer: Peer) -> bytes | None:
        got.append(payload)
        message = parse(payload if control_id is None else payload.replace(b"C-1", control_id.encode()), "ASCII")
        return (
            answer if answer is not None else build_ack(message, "AA", control_id_of_answer="A1", now=datetime.now(UTC))
        )

    listener = MllpListener("127.0.0.1", 0, take)
    listener.start()
    try:
        yield listener.port, got
    finally:
        listener.stop()


@pytest.fixture
def message(tmp_path: Path) -> Path:
    path = tmp_path / "one.hl7"
    path.write_bytes(MESSAGE)
    return path


def test_lines_become_segments_and_the_answer_is_shown(message: Path) -> None:
    with listening() as (port, got):
        result = CliRunner().invoke(cli, ["hl7", "send", f"127.0.0.1:{port}", str(message)])
    assert result.exit_code == 0, result.output
    assert result.output == "one.hl7: AA\n"
    assert got == [MESSAGE.replace(b"\r\n", b"\r")]


def test_as_it_is(message: Path) -> None:
    with listening() as (port, got):
        CliRunner().invoke(cli, ["hl7", "send", "--as-is", f"127.0.0.1:{port}", str(message)])
    assert got == [MESSAGE]


def test_an_answer_for_another_message_is_none(message: Path) -> None:
    with listening(control_id="C-2") as (port, _):
        result = CliRunner().invoke(cli, ["hl7", "send", f"127.0.0.1:{port}", str(message)])
    assert result.exit_code == 1
    assert "for another message" in result.stderr


def test_no_listener_and_no_acknowledgement(message: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        result = CliRunner().invoke(cli, ["hl7", "send", f"127.0.0.1:{taken.getsockname()[1]}", str(message)])
    assert result.exit_code == 1
    assert "one.hl7: " in result.stderr
    with listening(answer=b"hello") as (port, _):
        result = CliRunner().invoke(cli, ["hl7", "send", f"127.0.0.1:{port}", str(message)])
    assert result.exit_code == 1


@pytest.mark.parametrize("target", ["nowhere", "host:", ":2575", "host:99999"])
def test_a_target_that_is_none(message: Path, target: str) -> None:
    assert CliRunner().invoke(cli, ["hl7", "send", target, str(message)]).exit_code == 2


@pytest.mark.parametrize(("code", "exit_code"), [("AA", 0), ("AE", 1), ("AR", 1)])
def test_listen_answers_and_keeps(message: Path, tmp_path: Path, code: str, exit_code: int) -> None:
    into = tmp_path / "kept"
    arguments = [sys.executable, "-m", "heliograph.app.cli", "hl7", "listen", "0", "--answer", code, "--count", "1"]
    with subprocess.Popen([*arguments, "--into", str(into)], stdout=subprocess.PIPE, text=True) as process:
        try:
            stop = threading.Timer(60, process.kill)
            stop.start()
            assert process.stdout is not None
            where = process.stdout.readline().split()[-1]
            result = CliRunner().invoke(cli, ["hl7", "send", where, str(message)])
            assert result.exit_code == exit_code, result.output
            assert code in result.output
            assert process.wait(30) == 0
        finally:
            stop.cancel()
            process.kill()
    (kept,) = into.iterdir()
    assert kept.read_bytes() == MESSAGE.replace(b"\r\n", b"\r")
