"""Sealing: pending events become leaves with a gapless position, and each batch's tree head is signed and witnessed."""

from __future__ import annotations

import json
import os
from pathlib import Path

from sqlalchemy import delete, func, insert, select, text

from heliograph.governance.audit.canon import event_bytes, head_bytes
from heliograph.governance.audit.keys import AuditKey
from heliograph.governance.audit.merkle import Tree, leaf_hash
from heliograph.governance.audit.model import AuditEvent, Leaf, Pending, TreeHead
from heliograph.kit.actor import system
from heliograph.kit.db.session import ActorSession
from heliograph.kit.objects import Objects
from heliograph.kit.work import WorkFactory

BATCH = 5000
_LOCK = text("select pg_advisory_xact_lock(1635083369)")
"""One sealer at a time, whatever how many workers ask."""


def seal(works: WorkFactory, key: AuditKey, witness: Path, objects: Objects) -> int:
    """Seals everything that is committed and pending; returns how many events. Safe to call from anywhere at any time."""
    sealed = 0
    while True:
        with works.begin(system("sealer")) as work:
            work.session.execute(_LOCK)
            n = _seal_batch(work.session, key)
        sealed += n
        if n < BATCH:
            break
    with works.begin(system("sealer")) as work:
        work.session.execute(_LOCK)
        _witness(work.session, witness, objects)
    return sealed


def _seal_batch(session: ActorSession, key: AuditKey) -> int:
    chosen = select(Pending.event_id).limit(BATCH).scalar_subquery()
    ids = session.scalars(delete(Pending).where(Pending.event_id.in_(chosen)).returning(Pending.event_id)).all()
    if not ids:
        return 0
    events = session.scalars(
        select(AuditEvent).where(AuditEvent.id.in_(ids)).order_by(AuditEvent.at, AuditEvent.id)
    ).all()
    if len(events) != len(ids):
        raise RuntimeError("an event that awaits sealing can't be read")
    head = session.scalar(select(TreeHead).order_by(TreeHead.size.desc()).limit(1))
    tree = Tree(head.size, head.frontier) if head else Tree()
    hashes = [leaf_hash(event_bytes(e)) for e in events]
    rows = [
        {"position": tree.size + i, "event_id": e.id, "hash": h}
        for i, (e, h) in enumerate(zip(events, hashes, strict=True))
    ]
    session.execute(insert(Leaf), rows)
    tree.add(hashes)
    at = session.scalars(select(func.clock_timestamp())).one()
    signature = key.sign(head_bytes(tree.size, tree.root, at))
    session.add(
        TreeHead(size=tree.size, at=at, root=tree.root, frontier=tree.frontier, key_id=key.id, signature=signature)
    )
    return len(events)


def _witness(session: ActorSession, witness: Path, objects: Objects) -> None:
    """Writes heads that the witness doesn't have yet: also those of a sealer killed after its commit."""
    known = last_witnessed(witness)
    heads = session.scalars(select(TreeHead).where(TreeHead.size > known).order_by(TreeHead.size)).all()
    if not heads:
        return
    lines = [
        json.dumps(
            {
                "size": h.size,
                "at": h.at.isoformat(),
                "root": h.root.hex(),
                "key_id": h.key_id,
                "signature": h.signature.hex(),
            }
        )
        for h in heads
    ]
    witness.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with witness.open("a+b") as file:
        # A sealer killed in the middle of a line leaves it to be told; the next line must not be lost with it.
        cut_off = file.tell() > 0 and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n"
        new = "\n" * cut_off + "".join(line + "\n" for line in lines)
        file.write(new.encode())
        file.flush()
        os.fsync(file.fileno())
    for head, line in zip(heads, lines, strict=True):
        objects.put(f"audit/heads/{head.size:016d}.json", line.encode())


def last_witnessed(witness: Path) -> int:
    """The size of the last tree head in the witness file, 0 where there is none. A half-written last line doesn't count."""
    if not witness.exists():
        return 0
    with witness.open("rb") as file:
        file.seek(max(0, witness.stat().st_size - 4096))
        for line in reversed(file.read().split(b"\n")):
            try:
                return int(json.loads(line)["size"])
            except (ValueError, KeyError, TypeError):
                continue
    return 0
