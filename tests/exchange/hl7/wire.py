"""Sending messages over a real socket, and looking at what came of them past row-level security."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from heliograph.app.context import Context
from heliograph.exchange.hl7.server import start
from heliograph.kit.codecs.hl7 import Ack, parse_ack
from heliograph.kit.net.mllp import MllpListener, send
from heliograph.records.sites.model import Endpoint, Facility
from tests.cast import Cast

SAMPLES = Path(__file__).with_name("samples")
SENDERS = (
    # MSH-3, MSH-4, the site's zone
    ("ADTX", "NORTHBAY", "America/Toronto"),
    ("OLDADT", "NORTHBAY", "America/Toronto"),
    ("RISX", "NORTHBAY", "America/Toronto"),
    ("ADTJ", "SAKURADAI", "Asia/Tokyo"),
    ("LFHIS", "ASHGROVE", "Europe/London"),
    ("ADTA", "ALNOOR", "Asia/Dubai"),
)


def sample(number: str) -> bytes:
    """A sample message by its number, the bytes as a site sent them."""
    (found,) = SAMPLES.glob(f"{number}_*.hl7")
    return found.read_bytes()


@dataclass
class Wire:
    """The listener, and the senders of the samples, all of Norfjord's organisation."""

    listener: MllpListener
    owner_url: str
    facilities: dict[str, UUID]

    def ack(self, payload: bytes) -> Ack:
        return parse_ack(send("127.0.0.1", self.listener.port, payload, timeout=20, connect_timeout=5))

    def takes(self, payload: bytes) -> None:
        """Sends what must be taken."""
        answer = self.ack(payload)
        assert answer.code == "AA", answer

    def refuses(self, payload: bytes) -> tuple[str, str, str]:
        """Sends what must not be taken; the answer's code, its fault and its place."""
        answer = self.ack(payload)
        assert answer.error is not None, answer
        return answer.code, answer.error.code, str(answer.error.location)

    def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        engine = create_engine(self.owner_url)
        with engine.connect() as connection:
            found = [tuple(r) for r in connection.execute(text(sql), values)]
        engine.dispose()
        return found

    def do(self, sql: str, **values: Any) -> None:
        engine = create_engine(self.owner_url)
        with engine.begin() as connection:
            connection.execute(text(sql), values)
        engine.dispose()


@contextmanager
def wired(context: Context, cast: Cast, owner_url: str) -> Iterator[Wire]:
    """The running door with the samples' senders."""
    engine, facilities = create_engine(owner_url), dict[str, UUID]()
    with Session(engine) as s:
        for application, code, zone in SENDERS:
            if code not in facilities:
                place = Facility(
                    organization_id=cast.norfjord, code=code, name=code.title(), short_name=code.title(), jurisdiction="NO",
                    time_zone=zone, report_languages=["en"], patient_id_authority=code, accession_issuer=code,
                )  # fmt: skip
                s.add(place)
                s.flush()
                facilities[code] = place.id
            s.add(
                Endpoint(
                    organization_id=cast.norfjord,
                    facility_id=facilities[code],
                    kind="hl7_in",
                    name=f"{code} {application}",
                    application=application,
                    facility_name=code,
                )
            )
        s.commit()
    engine.dispose()
    listener = start(context)
    try:
        yield Wire(listener, owner_url, facilities)
    finally:
        listener.stop()
