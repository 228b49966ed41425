"""Writes migrations/versions/0001_the_spine.py anew from the models. Only until the first release."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from heliograph.app import migrate
from heliograph.app.models import SCHEMAS
from heliograph.kit.db import postgres

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    versions = ROOT / "migrations" / "versions"
    for old in versions.glob("0001_*.py"):
        old.unlink()
    later = {p: p.with_suffix(".aside") for p in versions.glob("000[23]_*.py")}
    for path, aside in later.items():
        path.rename(aside)
    try:
        with tempfile.TemporaryDirectory() as folder, postgres.start(Path(folder), quick=True) as running:
            migrate.revise(running.owner_url, running.app_url, "The tables of the spine", "0001")
    finally:
        for path, aside in later.items():
            aside.rename(path)
    (made,) = versions.glob("0001_*.py")
    body = made.read_text("utf-8")
    schemas = "\n".join(f'    op.execute("create schema {s}")' for s in SCHEMAS)
    body = body.replace("def upgrade() -> None:\n", "def upgrade() -> None:\n" + schemas + "\n", 1)
    body = body.replace(
        "from sqlalchemy.dialects import postgresql\nfrom sqlalchemy.dialects import postgresql\n",
        "from sqlalchemy.dialects import postgresql\n",
    )
    made.unlink()
    (versions / "0001_the_spine.py").write_text(body, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
