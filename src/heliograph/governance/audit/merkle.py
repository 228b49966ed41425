"""The Merkle tree of RFC 9162 2.1: leaf hashes, and a root that grows batch by batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def leaf_hash(data: bytes) -> bytes:
    """RFC 9162 2.1.1: SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 9162 2.1.1: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A growing tree of which only the frontier is kept: the hashes of its perfect subtrees, largest first."""

    def __init__(self, size: int = 0, frontier: bytes = b"") -> None:
        """Raises ValueError where the frontier doesn't belong to a tree of `size` leaves."""
        self.size = size
        self._nodes = [frontier[i : i + 32] for i in range(0, len(frontier), 32)]
        if len(self._nodes) != size.bit_count():
            raise ValueError("the frontier doesn't belong to a tree of this size")

    def add(self, hashes: Iterable[bytes]) -> None:
        """Appends leaf hashes."""
        for h in hashes:
            node, n = h, self.size
            while n & 1:
                node = node_hash(self._nodes.pop(), node)
                n >>= 1
            self._nodes.append(node)
            self.size += 1

    @property
    def frontier(self) -> bytes:
        return b"".join(self._nodes)

    @property
    def root(self) -> bytes:
        """The root hash; of the empty tree, SHA-256 of nothing."""
        if not self._nodes:
            return hashlib.sha256(b"").digest()
        node = self._nodes[-1]
        for left in reversed(self._nodes[:-1]):
            node = node_hash(left, node)
        return node
