"""How a site speaks to the HL7 door in tests: its messages as Norfjord's RIS writes them, and the listener that takes them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from heliograph.app.context import Context
from heliograph.exchange.hl7.server import Door as Listening
from heliograph.exchange.hl7.server import start
from heliograph.kit.codecs.hl7 import Ack, parse_ack
from heliograph.kit.net.mllp import send
from heliograph.kit.net.mllp_framing import FrameReader, frame
from heliograph.records.sites.model import Endpoint

MSH = r"MSH|^~\&|NFRIS|NORFJORD|HELIO|HUB|20261125023000+0100||ORM^O01|{control}|P|2.3.1"
PID = "PID|1||NF-7001^^^NORFJORD^MR~15117711223^^^FNR^NI||Bakke^Solveig^M^^^^L||19771115|F"
PV1 = "PV1|1|E|AKUTT^2^A^NORFJORD"


def order(
    control: str = "NF-1",
    *,
    orc: str = "NW",
    status: str = "SC",
    placer: str = "P-100",
    filler: str = "F-100",
    accession: str = "A26110001",
    priority: str = "S",
    pid: str = PID,
    procedure: str = "CTHEAD^CT hode uten kontrast^NF",
    indication: str = "Fall; on anticoagulant",
    msh: str = MSH,
    zds: str = "ZDS|2.999.10.1^NFRIS^Application^DICOM",
) -> bytes:
    """An ORM^O01 as Norfjord's RIS writes it."""
    segments = [
        msh.format(control=control),
        pid,
        PV1,
        f"ORC|{orc}|{placer}^CPOE|{filler}^NFRIS||{status}||1^^^20261125023000+0100^^{priority}||20261125022900+0100"
        "|||4471^Haugen^Nils^^^Dr||+47 00 55 90 11",
        f"OBR|1|{placer}^CPOE|{filler}^NFRIS|{procedure}|||||||||{indication}||^^^Head|4471^Haugen^Nils^^^Dr"
        f"|+47 00 55 90 12|{accession}||||||CT|||1^^^20261125023000+0100^^{priority}||||^{indication}",
        zds,
    ]
    return "\r".join(s for s in segments if s).encode() + b"\r"


class Connection:
    """A raw socket to the door."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._reader = FrameReader(1 << 20)
        self._answers: list[bytes] = []

    def write(self, *payloads: bytes) -> None:
        self.socket.sendall(b"".join(frame(p) for p in payloads))

    def answer(self, timeout: float = 10) -> bytes:
        """The next answer. Raises TimeoutError, EOFError."""
        self.socket.settimeout(timeout)
        while not self._answers:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self._answers += self._reader.feed(data)
        return self._answers.pop(0)

    def ask(self, payload: bytes) -> bytes:
        self.write(payload)
        return self.answer()


def rows(owner_url: str, sql: str, **values: object) -> list[tuple[Any, ...]]:
    """What a statement gives, past row-level security."""
    engine = create_engine(owner_url)
    with engine.connect() as connection:
        found = [tuple(r) for r in connection.execute(text(sql), values)]
    engine.dispose()
    return found


def change_feed(owner_url: str, sender: str, **columns: object) -> None:
    """Sets columns of the feed with this MSH-3."""
    engine = create_engine(owner_url)
    with engine.begin() as connection:
        sets = ", ".join(f"{name} = :{name}" for name in columns)
        statement = text(f"update sites.endpoints set {sets} where kind = 'hl7_in' and application = :sender")
        changed = connection.execute(statement, {**columns, "sender": sender})
    engine.dispose()
    assert changed.rowcount == 1


def add_feed(
    owner_url: str, organization: UUID, facility: UUID, application: str, facility_name: str, **columns: object
) -> UUID:
    """A further feed; its id."""
    row = Endpoint(
        organization_id=organization,
        facility_id=facility,
        kind="hl7_in",
        name=f"{application} feed",
        application=application,
        facility_name=facility_name,
        **columns,
    )
    engine = create_engine(owner_url)
    with Session(engine, expire_on_commit=False) as session:
        session.add(row)
        session.commit()
    engine.dispose()
    return row.id


def set_patience(context: Context, milliseconds: int) -> None:
    """On as many pooled connections as the door can use at once here."""
    with ExitStack() as stack:
        for connection in [stack.enter_context(context.engine.connect()) for _ in range(3)]:
            connection.execute(text(f"set statement_timeout = {milliseconds}"))
            connection.commit()


@contextmanager
def listening(context: Context, owner_url: str) -> Iterator[Door]:
    """The door, open."""
    listener = start(context)
    try:
        yield Door(listener, owner_url)
    finally:
        listener.stop()


@dataclass
class Door:
    """The listener, and how a site speaks to it."""

    listener: Listening
    owner_url: str

    def send(self, payload: bytes) -> bytes:
        return send("127.0.0.1", self.listener.port, payload, timeout=10, connect_timeout=5)

    def ack(self, payload: bytes) -> Ack:
        return parse_ack(self.send(payload))

    def rows(self, sql: str, **values: object) -> list[tuple[Any, ...]]:
        """Looks on a connection of its own, past row-level security."""
        return rows(self.owner_url, sql, **values)

    def feed(self, **columns: object) -> None:
        """Changes the feed of Norfjord's RIS."""
        change_feed(self.owner_url, "NFRIS", **columns)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection that stays open for several messages."""
        with socket.create_connection(("127.0.0.1", self.listener.port), timeout=10) as found:
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield Connection(found)
