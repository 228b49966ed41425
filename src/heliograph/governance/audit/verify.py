"""Proving the record whole, or saying where a sealed row was changed, removed or reordered."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from heliograph.governance.audit.canon import event_bytes, head_bytes
from heliograph.governance.audit.keys import AuditKey
from heliograph.governance.audit.merkle import Tree, leaf_hash
from heliograph.governance.audit.model import AuditEvent, Leaf, Pending, TreeHead
from heliograph.governance.audit.seal import seal
from heliograph.kit.actor import system
from heliograph.kit.objects import Objects
from heliograph.kit.work import WorkFactory

MOST_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was sealed, and where."""

    kind: str
    """changed, removed, reordered, unsealed, head, witness."""
    text: str
    position: int | None = None
    event_id: UUID | None = None


@dataclass
class Verdict:
    """What verifying found. `size` is how many sealed events were looked at."""

    size: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not self.problems


def verify(works: WorkFactory, key: AuditKey, witness: Path, objects: Objects) -> Verdict:
    """Seals what is pending, then checks every event, leaf, tree head and witnessed head.

    Sealing goes on meanwhile: the database is looked at in one snapshot, and the witness before it, since a head is witnessed only when
    it is committed.
    """
    seal(works, key, witness, objects)
    # The last line may just be being written.
    witnessed = witness.read_text("utf-8").rpartition("\n")[0].splitlines() if witness.exists() else None
    verdict = Verdict()
    with works.read(system("verifier")) as work:
        work.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        heads = {h.size: h for h in work.session.scalars(select(TreeHead).order_by(TreeHead.size))}
        roots = _check_leaves(work.session, heads, key, verdict)
        _check_strays(work.session, verdict)
        work.session.expunge_all()  # the heads are needed after the transaction
    if witnessed is None and heads:
        verdict.problems.append(Problem("witness", f"the witness file {witness.name} is missing"))
    _check_witness(witnessed or [], heads, roots, verdict)
    del verdict.problems[MOST_PROBLEMS:]
    return verdict


def _check_leaves(session: Session, heads: dict[int, TreeHead], key: AuditKey, verdict: Verdict) -> dict[int, bytes]:
    """Walks the log once; returns the recomputed root at each head's size."""
    tree, roots, last_good = Tree(), {}, 0
    rows = session.execute(
        select(Leaf, AuditEvent)
        .outerjoin(AuditEvent, AuditEvent.id == Leaf.event_id)
        .order_by(Leaf.position)
        .execution_options(yield_per=2000)
    )
    expected = 0
    for leaf, event in rows:
        while expected < leaf.position:
            verdict.problems.append(Problem("removed", f"nothing stands at position {expected}", expected))
            tree.add([b"\0" * 32])
            expected += 1
        expected += 1
        tree.add([_check_leaf(leaf, event, verdict)])
        if head := heads.get(tree.size):
            roots[tree.size] = tree.root
            if _check_head(head, tree.root, key, last_good, verdict):
                last_good = tree.size
    verdict.size = tree.size
    newest = max(heads, default=0)
    if newest > tree.size:
        text = f"a signed tree head covers {newest} events, but only {tree.size} stand in the log"
        verdict.problems.append(Problem("removed", text, tree.size))
    elif newest < tree.size:
        verdict.problems.append(
            Problem("head", f"positions {newest} to {tree.size - 1} are under no signed tree head", newest)
        )
    return roots


def _check_leaf(leaf: Leaf, event: AuditEvent | None, verdict: Verdict) -> bytes:
    if event is None:
        verdict.problems.append(
            Problem("removed", f"the event at position {leaf.position} was removed", leaf.position, leaf.event_id)
        )
        return leaf.hash
    actual = leaf_hash(event_bytes(event))
    if actual != leaf.hash:
        verdict.problems.append(
            Problem("changed", f"the event at position {leaf.position} was changed", leaf.position, leaf.event_id)
        )
    return leaf.hash


def _check_head(head: TreeHead, root: bytes, key: AuditKey, last_good: int, verdict: Verdict) -> bool:
    if head.root != root:
        where = f"between positions {last_good} and {head.size - 1}"
        text = f"leaves {where} were changed or reordered: the tree head over {head.size} events differs"
        verdict.problems.append(Problem("reordered", text, last_good))
        return False
    if not key.is_ours(head.signature, head_bytes(head.size, head.root, head.at)):
        verdict.problems.append(
            Problem("head", f"the signature of the tree head over {head.size} events is not ours", head.size)
        )
        return False
    return True


def _check_strays(session: Session, verdict: Verdict) -> None:
    """Events that are neither sealed nor waiting: put in, or taken out of the log, behind the trigger's back."""
    strays = session.scalars(
        select(AuditEvent.id)
        .where(~select(Leaf.event_id).where(Leaf.event_id == AuditEvent.id).exists())
        .where(~select(Pending.event_id).where(Pending.event_id == AuditEvent.id).exists())
        .limit(MOST_PROBLEMS)
    )
    verdict.problems += [Problem("unsealed", f"event {id_} stands outside the log", None, id_) for id_ in strays]


def _check_witness(lines: list[str], heads: dict[int, TreeHead], roots: dict[int, bytes], verdict: Verdict) -> None:
    for number, line in enumerate(lines, 1):
        try:
            seen = json.loads(line)
            size, root = int(seen["size"]), bytes.fromhex(seen["root"])
        except (ValueError, KeyError, TypeError):
            if number < len(lines) and lines[number].startswith(line):
                continue  # a sealer killed in the middle of the line; the next one wrote it whole
            verdict.problems.append(Problem("witness", f"line {number} of the witness file can't be read"))
            continue
        head = heads.get(size)
        if head is None:
            verdict.problems.append(
                Problem("removed", f"the witness saw a tree head over {size} events that is gone", size)
            )
        elif head.root != root or (size in roots and roots[size] != root):
            verdict.problems.append(
                Problem("witness", f"the tree head over {size} events is not what the witness saw", size)
            )
