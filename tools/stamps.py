"""A step of the set-up is done once for each content of its inputs.

The digest of what went in is kept in a stamp beside what came out: delete the result or change an input, and
the step runs again. Times are not looked at: git sets them anew at each checkout.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

# Folders that hold results or downloads, never sources.
NOT_SOURCES = {"node_modules", "dist", "coverage", "test-results", "__pycache__"}
# What compresses; the rest of a web build (images, fonts) is compressed already.
TEXT_SUFFIXES = {".css", ".html", ".js", ".json", ".mjs", ".svg", ".wasm"}
SMALLEST_GZIP = 1024  # bytes; below this a compressed copy saves no packet


def source_files(folder: Path) -> Iterator[Path]:
    """Every source file below `folder`, in a stable order; hidden and result folders are passed over."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if path.name not in NOT_SOURCES and not path.name.startswith("."):
                yield from source_files(path)
        elif path.suffix != ".tsbuildinfo":
            yield path


def digest(paths: Iterable[Path], *facts: str) -> str:
    """SHA-256 (hex) over the names and contents of `paths` and over `facts`, both in their order."""
    total = hashlib.sha256()
    for fact in facts:
        total.update(f"{fact}\0".encode())
    for path in paths:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path}\0{content}\0".encode())
    return total.hexdigest()


class Stamp:
    """The digest of the inputs that made `products`, in the file at `path`."""

    def __init__(self, path: Path, digest: str, *products: Path) -> None:
        self.path = path
        self.digest = digest
        self.products = products

    def current(self) -> bool:
        """Whether the products exist and were made from exactly these inputs."""
        return (
            self.path.is_file()
            and self.path.read_text().strip() == self.digest
            and all(product.exists() for product in self.products)
        )

    def write(self) -> None:
        """Say that the products are whole; called last."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(f"{self.digest}\n")


def gzip_siblings(folder: Path) -> int:
    """Write `NAME.gz` beside each compressible file below `folder`; returns how many.

    The same input gives the same bytes (no time inside), so that two builds can be compared.
    """
    made = 0
    for path in sorted(folder.rglob("*")):
        if path.suffix not in TEXT_SUFFIXES or not path.is_file() or path.stat().st_size < SMALLEST_GZIP:
            continue
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
        made += 1
    return made
