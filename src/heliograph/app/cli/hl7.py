"""`heliograph hl7`: what an integration engineer sends and receives with while a site is connected. No database is asked."""

from __future__ import annotations

import ssl
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from heliograph.kit.codecs.hl7 import Ack, AckCode
    from heliograph.kit.net.mllp import Peer


@click.group()
def hl7() -> None:
    """Send HL7 messages to any listener, and take what others send, over MLLP."""


@hl7.command()
@click.argument("target", metavar="HOST:PORT")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
@click.option(
    "--as-is", is_flag=True, help="Send the bytes as they are. Default: line ends become the CR of the standard."
)
@click.option("--tls", is_flag=True, help="Encrypt, and check the listener's certificate.")
@click.option(
    "--ca", type=click.Path(path_type=Path, exists=True), help="Certificates that are trusted (PEM); else the system's."
)
@click.option(
    "--cert", type=click.Path(path_type=Path, exists=True), help="Our client certificate and its key in one file (PEM)."
)
@click.option(
    "--timeout", default=30.0, show_default=True, type=click.FloatRange(0.5, 600), help="Seconds to wait for an answer."
)
def send(
    target: str, files: tuple[Path, ...], as_is: bool, tls: bool, ca: Path | None, cert: Path | None, timeout: float
) -> None:
    """Send each FILE, one message in each, and show the answers.

    Exit codes: 0 all were accepted (AA, CA); 1 one was not, or was not answered for this message; 2 the command was wrong.
    """
    from heliograph.kit.net import mllp

    host, port = _address(target)
    context = _context(ca, cert) if tls else None
    good = True
    for path in files:
        payload = path.read_bytes()
        if not as_is:
            payload = payload.replace(b"\r\n", b"\r").replace(b"\n", b"\r").strip(b"\r") + b"\r"
        try:
            answer = mllp.send(
                host, port, payload, timeout=timeout, connect_timeout=min(10.0, timeout), ssl_context=context
            )
        except (mllp.ConnectFailed, mllp.NoAnswer, mllp.ConnectionLost, mllp.BadFrame) as error:
            click.echo(f"{path.name}: {error.detail}", err=True)
            good = False
            continue
        good &= _say(path.name, payload, answer)
    sys.exit(0 if good else 1)


@hl7.command()
@click.argument("port", type=click.IntRange(0, 65535))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--answer", "code", default="AA", show_default=True, type=click.Choice(["AA", "AE", "AR", "none"]),
    help="What every message is answered with.",
)  # fmt: skip
@click.option(
    "--into", type=click.Path(path_type=Path, file_okay=False), help="Keep each message as a file in this folder."
)
@click.option("--count", type=click.IntRange(1), help="Stop after so many messages.")
def listen(port: int, host: str, code: str, into: Path | None, count: int | None) -> None:
    """Take messages on PORT, show and answer each: a stand-in for a site's system that takes results. Ctrl-C ends it.

    Without --into, the messages are written here: use it with test patients.
    """
    from heliograph.kit.net.mllp import MllpListener

    done, taken, lock = threading.Event(), [0], threading.Lock()

    def take(payload: bytes, peer: Peer) -> bytes | None:
        with lock:
            taken[0] += 1
            number = taken[0]
            _keep(payload, peer, into, number)
        if count is not None and number >= count:
            done.set()
        return None if code == "none" else _answer(payload, code)  # type: ignore[arg-type]

    if into is not None:
        into.mkdir(parents=True, exist_ok=True)
    listener = MllpListener(host, port, take)
    try:
        listener.start()
    except OSError as error:
        raise click.ClickException(f"Can't listen on {host}:{port}: {error.strerror or error}") from error
    click.echo(f"Listening on {host}:{listener.port}")
    try:
        done.wait()
    except KeyboardInterrupt:
        pass
    finally:
        listener.stop()


def _say(name: str, payload: bytes, answer: bytes) -> bool:
    """Shows one answer; whether it accepts the message that was sent."""
    from heliograph.kit.codecs.hl7 import NotAnAck, NotHl7, parse, parse_ack

    try:
        ack: Ack = parse_ack(answer)
        sent = parse(payload, "UNICODE UTF-8").control_id
    except (NotAnAck, NotHl7) as error:
        click.echo(f"{name}: {error.detail}", err=True)
        return False
    fault = ""
    if ack.error is not None:
        place = f" at {ack.error.location}" if ack.error.location else ""
        fault = f", {ack.error.code}{place}: {ack.error.text or ack.text or ''}"
    elif ack.text:
        fault = f", {ack.text}"
    click.echo(f"{name}: {ack.code}{fault}")
    if ack.control_id != (sent or ""):
        click.echo(f"{name}: the answer is for another message (MSA-2 {ack.control_id!r})", err=True)
        return False
    return ack.accepted


def _keep(payload: bytes, peer: Peer, into: Path | None, number: int) -> None:
    at = datetime.now(UTC)
    click.echo(f"{at:%H:%M:%S} UTC  message {number} from {peer.address}, {len(payload)} bytes")
    if into is not None:
        (into / f"{at:%Y%m%dT%H%M%S}-{number:06d}.hl7").write_bytes(payload)
    else:
        click.echo(payload.decode("utf-8", "replace").replace("\r", "\n"))


def _answer(payload: bytes, code: AckCode) -> bytes:
    from heliograph.kit.codecs.hl7 import Fault, NotHl7, build_ack, parse

    now = datetime.now(UTC)
    fault = None if code == "AA" else Fault("207", None, "E", "Answered so for a test.")
    try:
        message = parse(payload, "UNICODE UTF-8")
    except NotHl7:
        return build_ack(payload, "AR", control_id_of_answer=f"T{now:%H%M%S%f}", now=now)
    return build_ack(message, code, control_id_of_answer=f"T{now:%H%M%S%f}", now=now, error=fault)


def _address(target: str) -> tuple[str, int]:
    host, colon, port = target.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise click.BadParameter("give HOST:PORT, as 10.1.2.3:2575", param_hint="HOST:PORT")
    return host.strip("[]"), int(port)


def _context(ca: Path | None, cert: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
        if cert is not None:
            context.load_cert_chain(str(cert))
    except (OSError, ssl.SSLError) as error:
        raise click.ClickException(f"The certificates can't be used: {error}") from error
    return context
