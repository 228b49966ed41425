"""Write requirements/*.txt anew: exact versions and hashes of everything, direct or not.

    make lock                keeps what is pinned, adds and drops what pyproject.toml and *.in ask for
    make lock UPGRADE=1      takes the newest versions that they allow

The resolver is uv, from a venv of its own under .cache/. The lock covers every Python and platform we run on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = "# Made by `make lock` from {sources}. Exact versions and hashes; never edited by hand.\n"
# Result -> its sources. Later ones are constrained to agree with the first.
LOCKS = {
    "runtime": ["pyproject.toml"],
    "build": ["requirements/build.in"],
    "node": ["requirements/node.in"],
    "dev": ["requirements/dev.in"],
}


def resolver() -> Path:
    """The path of uv, installed on first use."""
    home = ROOT / ".cache" / "lock-venv"
    uv = home / "bin" / "uv"
    if not uv.exists():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([home / "bin" / "pip", "install", "--quiet", "uv"], check=True)
    return uv


def compile_lock(uv: Path, name: str, sources: list[str], *, upgrade: bool) -> None:
    """Resolve `sources` into requirements/NAME.txt.

    Raises CalledProcessError when there is no solution.
    """
    target = ROOT / "requirements" / f"{name}.txt"
    command = [str(uv), "pip", "compile", *sources, "--output-file", str(target), "--universal", "--quiet"]
    command += ["--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate"]
    command += ["--no-emit-index-url", "--no-emit-find-links"]
    if name != "runtime":
        command += ["--constraints", "requirements/runtime.txt"]
    if upgrade:
        command.append("--upgrade")
    environment = {**os.environ, "UV_NATIVE_TLS": "1"}
    subprocess.run(command, check=True, cwd=ROOT, env=environment)
    target.write_text(HEADER.format(sources=", ".join(sources)) + target.read_text())


def main() -> int:
    """Compile each lock in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions allowed")
    upgrade = parser.parse_args().upgrade
    uv = resolver()
    for name, sources in LOCKS.items():
        compile_lock(uv, name, sources, upgrade=upgrade)
        print(f"requirements/{name}.txt written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
