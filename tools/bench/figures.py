"""Figures: what was measured, beside its goal and its peers; one table on the terminal, one file for later runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

Figure = dict[str, Any]
"""{name, value, unit, better, goal, peers}: goal may be None; peers maps a name to its value in the same unit."""

LATEST = Path(".bench") / "latest.json"


def figure(
    name: str,
    value: float,
    unit: str,
    better: Literal["higher", "lower"],
    goal: float | None = None,
    peers: dict[str, float] | None = None,
) -> Figure:
    """One measured figure."""
    return {
        "name": name,
        "value": round(value, 2 if value < 10 else 1),
        "unit": unit,
        "better": better,
        "goal": goal,
        "peers": peers or {},
    }


def reached(f: Figure) -> bool:
    """Whether the goal is reached; a figure without one always is."""
    if f["goal"] is None:
        return True
    return bool(f["value"] >= f["goal"] if f["better"] == "higher" else f["value"] <= f["goal"])


def show(figures: Sequence[Figure]) -> None:
    """The table."""
    table = Table("Measured", "Value", "Unit", "Goal", "Peers in the same run", box=None, pad_edge=False)
    table.columns[1].justify = table.columns[3].justify = "right"
    for f in figures:
        value = f"{f['value']:g}"
        sign = "≥" if f["better"] == "higher" else "≤"
        goal = f"{sign} {f['goal']:g}" if f["goal"] is not None else ""
        peers = ", ".join(f"{name} {number:g}" for name, number in f["peers"].items())
        table.add_row(f["name"], value if reached(f) else f"[red]{value}[/]", f["unit"], goal, peers)
    Console(width=160, highlight=False).print(table)


def keep(figures: Sequence[Figure], path: Path = LATEST) -> None:
    """Writes the figures; those of other measurements, run before, stay."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before: list[Figure] = json.loads(path.read_text("utf-8")) if path.exists() else []
    names = {f["name"] for f in figures}
    kept = [f for f in before if f["name"] not in names]
    path.write_text(json.dumps([*kept, *figures], indent=2, ensure_ascii=False) + "\n", "utf-8")
