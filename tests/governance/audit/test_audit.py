"""The record is sealed without a gap, and shows any tampering with SQL, saying where."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import ProgrammingError

from heliograph.app.context import Context
from heliograph.governance.audit.keys import AuditKey, audit_key
from heliograph.governance.audit.merkle import Tree, leaf_hash, node_hash
from heliograph.governance.audit.model import AuditEvent, Leaf, Pending
from heliograph.governance.audit.seal import seal
from heliograph.governance.audit.verify import Verdict, verify
from heliograph.kit.actor import system
from tests.cast import Cast

ROBOT = system("test")


@dataclass
class Log:
    """The log of one test, with a way to tamper with it as the tables' owner."""

    context: Context
    key: AuditKey
    owner_url: str

    def write(self, *actions: str) -> None:
        for action in actions:
            with self.context.works.begin(ROBOT) as work:
                work.record(action)

    def seal(self) -> int:
        return seal(self.context.works, self.key, self.context.settings.witness_file, self.context.objects)

    def verify(self) -> Verdict:
        return verify(self.context.works, self.key, self.context.settings.witness_file, self.context.objects)

    def tamper(self, *statements: str) -> None:
        engine = create_engine(self.owner_url)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()


@pytest.fixture
def log(context: Context, owner_url: str) -> Log:
    log = Log(context, audit_key(context.settings.keys_dir), owner_url)
    log.write("a", "b", "c")
    log.seal()
    log.write("d", "e", "f")
    return log


def test_it_works(log: Log) -> None:
    assert log.seal() == 3
    verdict = log.verify()
    assert verdict.is_whole, verdict.problems
    assert verdict.size == 6
    with log.context.works.read(ROBOT) as work:
        assert work.session.scalar(select(func.count()).select_from(Pending)) == 0
        assert list(work.session.scalars(select(Leaf.position).order_by(Leaf.position))) == list(range(6))


def test_the_tree_is_that_of_rfc_9162() -> None:
    a, b, c = (leaf_hash(x) for x in (b"a", b"b", b"c"))
    tree = Tree()
    tree.add([a, b, c])
    assert tree.root == node_hash(node_hash(a, b), c)
    again = Tree(2, Tree_of(a, b).frontier)
    again.add([c])
    assert again.root == tree.root


def Tree_of(*hashes: bytes) -> Tree:  # noqa: N802 (reads as the constructor it is)
    tree = Tree()
    tree.add(hashes)
    return tree


FORGERY = (
    "insert into audit.events (at, actor_kind, actor_name, action, outcome) values (now(), 'system', 'x', 'y', 'done')"
)
AT = "(select event_id from audit.leaves where position = {})"


@pytest.mark.parametrize(
    ("statements", "kind", "position"),
    [
        ([f"update audit.events set action = 'x' where id = {AT.format(1)}"], "changed", 1),
        ([f"update audit.events set detail = '{{\"a\": 1}}' where id = {AT.format(4)}"], "changed", 4),
        (["delete from audit.pending", f"delete from audit.events where id = {AT.format(2)}"], "removed", 2),
        (["delete from audit.leaves where position = 5", "delete from audit.tree_heads where size = 6"], "unsealed", None),
        (["delete from audit.leaves where position = 1"], "removed", 1),
        (
            [
                "update audit.leaves set position = -1 where position = 0",
                "update audit.leaves set position = 0 where position = 1",
                "update audit.leaves set position = 1 where position = -1",
            ],
            "reordered",
            0,
        ),
        (["update audit.tree_heads set root = '\\x00' where size = 6"], "reordered", 3),
        (["update audit.tree_heads set signature = '\\x00' where size = 3"], "head", 3),
        (["alter table audit.events disable trigger await_sealing", FORGERY], "unsealed", None),
    ],
)  # fmt: skip
def test_tampering_is_found_and_placed(log: Log, statements: list[str], kind: str, position: int | None) -> None:
    log.seal()
    log.tamper(*statements)
    problems = log.verify().problems
    assert any((p.kind, p.position) == (kind, position) for p in problems), problems


def test_a_rewritten_log_is_found_by_its_witness(log: Log) -> None:
    """Somebody with the database and even the key drops the newest events with their heads: the witness remembers."""
    log.seal()
    log.tamper(
        "delete from audit.leaves where position > 2",
        "delete from audit.tree_heads where size > 3",
        "delete from audit.events where action in ('d','e','f')",
    )
    assert any(p.kind == "removed" and "witness" in p.text for p in log.verify().problems)


def test_a_foreign_key_is_found(log: Log, tmp_path: object) -> None:
    log.seal()
    log.key = audit_key(log.context.settings.data_dir / "other-keys")
    assert {p.kind for p in log.verify().problems} == {"head"}


def test_the_application_role_cannot_tamper(log: Log) -> None:
    log.seal()
    for statement in (
        "update audit.events set action = 'x'",
        "delete from audit.events",
        "delete from audit.leaves",
        "update audit.tree_heads set root = ''",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"), log.context.works.begin(ROBOT) as work:
            work.session.execute(text(statement))


def test_eight_writers_and_a_sealer_miss_nothing(log: Log) -> None:
    stop = threading.Event()

    def in_thread(job: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=job)
        thread.start()
        return thread

    def keep_sealing() -> None:
        while not stop.is_set():
            log.seal()

    writers = [in_thread(lambda: log.write(*["w"] * 25)) for _ in range(8)]
    sealer = in_thread(keep_sealing)
    for writer in writers:
        writer.join()
    stop.set()
    sealer.join()
    verdict = log.verify()
    assert verdict.is_whole, verdict.problems
    with log.context.works.read(ROBOT) as work:
        assert work.session.scalar(select(func.count()).select_from(AuditEvent)) == verdict.size == 206


def test_verifying_while_others_write_and_seal(log: Log) -> None:
    """What is sealed between two looks of the verifier is no tampering."""
    stop = threading.Event()

    def keep_busy() -> None:
        while not stop.is_set():
            log.write("w")
            log.seal()

    busy = [threading.Thread(target=keep_busy) for _ in range(2)]
    for thread in busy:
        thread.start()
    try:
        problems = [p for _ in range(25) for p in log.verify().problems]
    finally:
        stop.set()
        for thread in busy:
            thread.join()
    assert problems == []


def test_a_head_cut_off_in_the_witness_is_witnessed_next_time(log: Log) -> None:
    witness = log.context.settings.witness_file
    first = witness.read_bytes()
    log.seal()
    whole = witness.read_bytes()
    witness.write_bytes(whole[: len(first) + 17])  # killed in the middle of the line
    log.write("g")
    log.seal()
    assert log.verify().problems == []
    assert whole.splitlines()[-1] in witness.read_bytes().splitlines()


def test_a_line_of_the_witness_that_says_nothing_is_told(log: Log) -> None:
    log.seal()
    witness = log.context.settings.witness_file
    witness.write_bytes(b"{}\n" + witness.read_bytes())
    assert [p.kind for p in log.verify().problems] == ["witness"]


def test_an_outsider_sees_nothing_of_the_record(log: Log, cast: Cast) -> None:
    with log.context.works.begin(system("test", cast.norfjord)) as work:
        work.record("case.created", organization_id=cast.norfjord)
    with log.context.works.read(cast.runa) as work:
        assert list(work.session.scalars(select(AuditEvent.action))) == ["case.created"]
    with log.context.works.read(cast.harper) as work:
        assert list(work.session.scalars(select(AuditEvent.action))) == []
