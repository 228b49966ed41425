"""HL7 messages from four senders that lose their connections while the door is killed: each has effect once, in its sender's order, and
each acknowledgement is its message's."""

from __future__ import annotations

import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from heliograph.app.demo.network import ACTOR, SITES
from heliograph.kit.actor import system
from heliograph.kit.codecs.hl7 import parse_ack
from heliograph.kit.net.mllp_framing import FrameReader, frame
from heliograph.records.sites.model import Endpoint
from tests.crash.scene import Scene

pytestmark = pytest.mark.xdist_group("crash")

STEPS = 5
"""Messages about one order: it is made, then changed."""
GIVES_UP_SECONDS = 300.0


class Interrupted(Exception):
    """The sender has to begin anew with this message."""


@dataclass
class Sender:
    """A stop-and-wait sender: the next message when the one before is acknowledged, the same again when it is not."""

    application: str
    facility: str
    name: str
    is_enhanced: bool = False
    random: random.Random = field(default_factory=random.Random)
    sent: int = 0
    """Frames that went out, repetitions included."""
    acknowledged: int = 0
    _connection: socket.socket | None = None
    _reader: FrameReader = field(default_factory=lambda: FrameReader(1 << 20))

    def message(self, number: int) -> bytes:
        """Message `number`: the first of each order makes it, the others change its indication."""
        order, step = divmod(number, STEPS)
        about = f"{self.name}{order}"
        conditions = "|||AL|NE" if self.is_enhanced else ""
        lines = (
            f"MSH|^~\\&|{self.application}|{self.facility}|HELIO|HUB|20261125023000+0000||ORM^O01|{self.name}-{number}|P|2.3.1{conditions}",
            f"PID|1||{self.name}{order % 40}^^^{self.facility}^MR||{self.name}^Patient||19771115|F",
            f"ORC|{'XO' if step else 'NW'}|P{about}|F{about}||SC",
            f"OBR|1|P{about}|F{about}|CTHEAD^CT Head without contrast^L|||||||||step {number}|||||{about}||||||CT",
        )
        return "".join(f"{line}\r" for line in lines).encode()

    def run(self, port: int, messages: int) -> None:
        for number in range(messages):
            end = time.monotonic() + GIVES_UP_SECONDS
            while True:
                try:
                    self._ask(port, number)
                    self.acknowledged += 1
                    break
                except (OSError, Interrupted):
                    self._close()
                    assert time.monotonic() < end, f"{self.name}-{number} is not acknowledged"
                    time.sleep(0.05)
        self._close()

    def _ask(self, port: int, number: int) -> None:
        connection = self._connection or self._connect(port)
        framed, chance = frame(self.message(number)), self.random.random()
        if chance < 0.01:
            connection.sendall(framed[: self.random.randrange(1, len(framed))])
            raise Interrupted
        connection.sendall(framed)
        self.sent += 1
        if chance < 0.03:
            time.sleep(self.random.uniform(0, 0.02))
            raise Interrupted
        ack = parse_ack(self._answer(connection))
        assert ack.control_id == f"{self.name}-{number}"
        assert ack.code == ("CA" if self.is_enhanced else "AA"), ack

    def _connect(self, port: int) -> socket.socket:
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._reader = FrameReader(1 << 20)
        return self._connection

    def _answer(self, connection: socket.socket) -> bytes:
        while True:
            data = connection.recv(65536)
            if not data:
                raise Interrupted
            if answers := self._reader.feed(data):
                assert len(answers) == 1
                return answers[0]

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def killed_while_sending(scene: Scene, messages: int, kills: int) -> None:
    """Four senders, `messages` each; the door is killed `kills` times, evenly over their work and each time at a random moment."""
    run = f"{time.time_ns() % 10**9:09}"
    sites = [*SITES[:3], SITES[0]]
    senders = [
        Sender(_second_feed(scene, run) if n == 3 else site.application, site.code, f"M{n}{run}", n == 3)
        for n, site in enumerate(sites)
    ]
    port = scene.platform.ports["hl7"]
    with ThreadPoolExecutor(len(senders)) as pool:
        running = [pool.submit(sender.run, port, messages) for sender in senders]
        for number in range(1, kills + 1):
            share = number * messages * len(senders) // (kills + 1)
            while sum(sender.acknowledged for sender in senders) < share:
                assert any(not r.done() for r in running), [r.exception() for r in running]
                time.sleep(0.01)
            time.sleep(random.uniform(0, 0.1))
            scene.kill("hl7")
            scene.until(lambda: _listens(port), 120, "the door is open again")
        for result in running:
            result.result()
    scene.bring_back()
    scene.until(lambda: not _waiting(scene, run), 120, "what was taken over is processed")
    for sender in senders:
        _check(scene, sender, messages)
    scene.assert_record_whole()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _second_feed(scene: Scene, run: str) -> str:
    """A further feed of the first site, whose sender speaks enhanced mode."""
    with scene.platform.context() as context:
        with context.works.read(system(ACTOR)) as work:
            first = work.session.scalars(
                select(Endpoint).where(Endpoint.kind == "hl7_in", Endpoint.application == SITES[0].application)
            ).one()
            organization, facility = first.organization_id, first.facility_id
        with context.works.begin(system(ACTOR, organization)) as work:
            work.session.add(
                Endpoint(
                    organization_id=organization,
                    facility_id=facility,
                    kind="hl7_in",
                    name=f"Second feed {run}",
                    application=f"SECOND{run}",
                    facility_name=SITES[0].code,
                )
            )
            work.record("demonstration.feed_added", organization_id=organization)
    return f"SECOND{run}"


def _waiting(scene: Scene, run: str) -> int:
    query = "select count(*) from sites.messages where fate = 'received' and control_id like %s"
    return int(scene.rows(query, f"%{run}-%")[0][0])


def _check(scene: Scene, sender: Sender, messages: int) -> None:
    wanted = [f"{sender.name}-{number}" for number in range(messages)]
    log = scene.rows(
        "select id, control_id, fate, acknowledgement from sites.messages where control_id like %s order by id",
        f"{sender.name}-%",
    )
    assert {fate for _, _, fate, _ in log} <= {"processed", "duplicate"}
    assert [control for _, control, fate, _ in log if fate == "processed"] == wanted  # each once, in order
    processed = scene.rows(
        "select m.control_id, m.order_id from audit.events e join sites.messages m on m.id = e.subject_id "
        "where e.action = 'message.processed' and m.control_id like %s and m.fate = 'processed' order by e.id",
        f"{sender.name}-%",
    )
    assert [control for control, _ in processed] == wanted
    orders = scene.rows(
        "select placer_number, indication, id from orders.orders where placer_number like %s", f"P{sender.name}%"
    )
    made = -(-messages // STEPS)
    assert len(orders) == made
    last = {f"P{sender.name}{n}": f"step {min(n * STEPS + STEPS, messages) - 1}" for n in range(made)}
    assert {placer: said for placer, said, _ in orders} == last
    effects = scene.rows(
        "select action, count(*) from audit.events where order_id = any(%s) and action in ('order.received', 'order.changed') "
        "group by action order by action", [id_ for _, _, id_ in orders],
    )  # fmt: skip
    assert dict(effects) == {"order.received": made, "order.changed": messages - made}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_door_is_killed_while_four_senders_send(scene: Scene) -> None:
    killed_while_sending(scene, 500, 3)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_fifty_thousand_messages(scene: Scene) -> None:
    killed_while_sending(scene, 12_500, 100)
