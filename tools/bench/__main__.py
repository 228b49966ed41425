"""`make bench`: measures, prints a table, writes `.bench/latest.json`.

python -m tools.bench [cstore] [hl7] [platform] [results] [doors] [demo] [--slices 600] [--cases 10000]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from tools.bench import bench_cstore, bench_demo, bench_doors, bench_hl7, bench_platform, bench_results
from tools.bench.figures import LATEST, Figure, keep, reached, show


def main() -> int:
    """Runs what was asked for, or all; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description="Measure Heliograph.")
    parser.add_argument("--slices", type=int, default=600, help="CT slices of 0.53 MB to send")
    parser.add_argument("--cases", type=int, default=bench_platform.CASES, help="open cases under the pages")
    parser.add_argument("what", nargs="*", metavar="cstore|hl7|platform|results|doors|demo", help="default: all")
    options = parser.parse_args()
    kinds: dict[str, Callable[[], list[Figure]]] = {
        "cstore": lambda: bench_cstore.measure(options.slices),
        "hl7": bench_hl7.measure,
        "platform": lambda: bench_platform.measure(options.slices, options.cases),
        "results": bench_results.measure,
        "doors": lambda: bench_doors.measure(options.slices),
        "demo": bench_demo.measure,
    }
    if unknown := set(options.what) - set(kinds):
        parser.error(f"there is no measurement {', '.join(sorted(unknown))}")
    figures: list[Figure] = []
    for kind in options.what or kinds:
        print(f"measuring {kind} ...", file=sys.stderr)
        made = kinds[kind]()
        keep(made)
        figures += made
    show(figures)
    print(f"\nThe figures are in {LATEST}.")
    missed = [f["name"] for f in figures if not reached(f)]
    if missed:
        print(f"Goals missed: {'; '.join(missed)}.", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
