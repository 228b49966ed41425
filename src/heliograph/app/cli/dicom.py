"""`heliograph dicom`: a DICOM user's tools, against any node or one that is configured. They read no patients from our database."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heliograph.app.cli.dicom_target import AT_LEVEL, keys_of, remote_for, shown

if TYPE_CHECKING:
    from heliograph.kit.net.dicom import Remote, SendResult, StoreRequest
    from heliograph.kit.net.dicom.client import Progress
    from heliograph.kit.net.dicom.identifiers import Level

EPILOG = """TARGET is AE@HOST:PORT, as PACS@10.1.2.3:104, or the name of a node under Administration, DICOM nodes.

Exit codes: 0 all was done; 1 the other side did not answer, refused, or not all was done; 2 the command was wrong.
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What every command is told: whom to call and how, and how to say what came of it."""

    target: str
    calling: str | None
    tls: str | None
    organisation: str | None
    timeout: float
    as_json: bool

    def remote(self) -> Remote:
        """Whom to call. Ends with a usage error where there is no such node."""
        return remote_for(self.target, self.calling, self.tls, self.organisation, self.timeout)


def _common(command: Callable[..., None]) -> Callable[..., None]:
    """What every one of them takes, given to it as one `Asked`."""
    own = [one.name for one in fields(Asked)]

    @wraps(command)
    def run(**given: Any) -> None:
        command(Asked(**{name: given.pop(name) for name in own}), **given)

    tls = (
        "Encrypt (on), and check the certificate (verify), by the files of HELIOGRAPH_DIMSE_TLS_... "
        "Default: the node's, else off."
    )
    seconds = click.FloatRange(0.5, 3600)
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Write JSON instead of text."),
        click.option("--timeout", default=30.0, show_default=True, type=seconds, help="Seconds to wait for an answer."),
        click.option("--organisation", metavar="SLUG", help="Whose node it is, where several have one of that name."),
        click.option("--tls", type=click.Choice(["off", "on", "verify"]), help=tls),
        click.option(
            "--calling", metavar="AE", help="Our AE title. Default: the node's, else HELIOGRAPH_DIMSE_AE_TITLE."
        ),
        click.argument("target"),
    ):
        option(run)
    return run


def _level(help_text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option for a level, in small letters, given to the command as the standard writes it."""
    return click.option(
        "--level", type=click.Choice([level.lower() for level in AT_LEVEL]), default="study", show_default=True,
        callback=lambda _context, _option, value: value.upper(), help=help_text,
    )  # fmt: skip


_names_one = _level("The level that KEYWORDs name one thing at.")


@click.group()
def dicom() -> None:
    """Talk to other DICOM nodes: test a connection, search, fetch and send.

    What you search for is shown to you alone: nothing of it is logged or kept.
    """


@dicom.command(epilog=EPILOG)
@_common
def echo(asked: Asked) -> None:
    """Test the connection to TARGET with a C-ECHO."""
    from heliograph.kit.net.dicom import verify

    remote = asked.remote()
    with _told(asked.as_json):
        seconds = verify(
            remote.host,
            remote.port,
            called=remote.called,
            calling=remote.calling,
            timeout=asked.timeout,
            tls=remote.tls,
        )
    if asked.as_json:
        click.echo(json.dumps({"ok": True, "seconds": round(seconds, 4)}))
    else:
        click.echo(f"{remote.called} at {remote.host}:{remote.port} answered in {seconds * 1000:.0f} ms.")


@dicom.command(epilog=EPILOG)
@_common
@click.argument("keys", nargs=-1, metavar="[KEYWORD=VALUE]...")
@_level("What to search for.")
@click.option("--show", "extra", multiple=True, metavar="KEYWORD", help="Ask for this attribute, too; may be repeated.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="Cancel after so many matches.")
def find(asked: Asked, keys: tuple[str, ...], level: Level, extra: tuple[str, ...], limit: int) -> None:
    """Search TARGET with a C-FIND.

    `heliograph dicom find PACS@10.1.2.3:104 PatientID=4711 StudyDate=20260101-`

    KEYWORD is a DICOM keyword or tag (0010,0020). Wildcards * and ? and ranges are the node's to understand.
    """
    from heliograph.kit.net.dicom import associate
    from heliograph.kit.net.dicom.client import PATIENT_FIND, PLAIN, STUDY_FIND
    from heliograph.kit.net.dicom.client import find as ask
    from heliograph.kit.net.dicom.identifiers import query_for, text_of

    given = keys_of(keys)
    columns = list(dict.fromkeys([*AT_LEVEL[level], *keys_of(extra), *given]))
    query = query_for(level, {**dict.fromkeys(columns, ""), **given})
    model = PATIENT_FIND if level == "PATIENT" else STUDY_FIND
    remote = asked.remote()
    rows: list[dict[str, str]] = []
    with _told(asked.as_json), associate(remote, [(model, PLAIN)]) as peer:
        rows += (
            {column: text_of(match, column) for column in columns} for match in ask(peer, model, query, limit=limit)
        )
    if asked.as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    _table(columns, rows)
    more = f" (the first {limit}; --limit shows more)" if len(rows) == limit else ""
    click.echo(f"{len(rows)} {'match' if len(rows) == 1 else 'matches'}{more}", err=True)


@dicom.command(epilog=EPILOG)
@_common
@click.argument("keys", nargs=-1, required=True, metavar="KEYWORD=VALUE...")
@click.option(
    "--to", "destination", required=True, metavar="AE", help="The AE title that TARGET is to send to; it must know it."
)
@_names_one
def move(asked: Asked, keys: tuple[str, ...], destination: str, level: Level) -> None:
    """Have TARGET send to another node with a C-MOVE.

    `heliograph dicom move PACS@10.1.2.3:104 --to WORKSTATION StudyInstanceUID=1.2.3`
    """
    from heliograph.kit.net.dicom import associate
    from heliograph.kit.net.dicom.client import PLAIN, STUDY_MOVE
    from heliograph.kit.net.dicom.client import move as ask
    from heliograph.kit.net.dicom.identifiers import query_for

    query = query_for(level, keys_of(keys))
    remote = asked.remote()
    with _told(asked.as_json), associate(remote, [(STUDY_MOVE, PLAIN)]) as peer:
        done = ask(peer, STUDY_MOVE, query, destination, on_progress=_teller(asked.as_json))
    _ended(done, asked.as_json, f"{remote.called} says")


@dicom.command(epilog=EPILOG)
@_common
@click.argument("keys", nargs=-1, required=True, metavar="StudyInstanceUID=UID [KEYWORD=VALUE]...")
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the files; made if absent.",
)
@_names_one
def get(asked: Asked, keys: tuple[str, ...], out: Path, level: Level) -> None:
    """Fetch from TARGET into a folder with a C-GET.

    Each object is kept byte for byte as it comes. What came is counted against what TARGET says it has, where it does so.
    """
    from heliograph.kit.net.dicom import associate
    from heliograph.kit.net.dicom.client import COMMON_CLASSES, STUDY_GET, get_proposals
    from heliograph.kit.net.dicom.client import get as ask
    from heliograph.kit.net.dicom.identifiers import query_for

    given = keys_of(keys)
    out.mkdir(parents=True, exist_ok=True)
    remote = asked.remote()
    with _told(asked.as_json):
        named = _objects(remote, given)
        proposals = get_proposals({c for _, c in named.values() if c} or COMMON_CLASSES)
        came: set[str] = set()
        with associate(remote, proposals, storage_roles=[a for a, _ in proposals[1:]], folder=out) as peer:
            query = query_for(level, given)
            done = ask(peer, STUDY_GET, query, _keeping(out, remote, came), on_progress=_teller(asked.as_json))
    missing = len(named.keys() - came) if level == "STUDY" else 0
    _ended(done, asked.as_json, f"{len(came)} objects are in {out};", received=len(came), missing=missing)


@dicom.command(epilog=EPILOG)
@_common
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def send(asked: Asked, paths: tuple[Path, ...]) -> None:
    """Send DICOM files and folders to TARGET with C-STORE.

    Each goes out as it is; one whose transfer syntax TARGET does not take is decompressed where that can be done, else not sent.
    """
    from heliograph.exchange.dimse.outgoing import converter
    from heliograph.kit.net.dicom import send_files

    files = list(_files(paths))
    remote = asked.remote()
    results: list[SendResult] = []

    def note(result: SendResult) -> None:
        results.append(result)
        if not asked.as_json and sys.stderr.isatty():
            click.echo(f"\r{len(results)} of {len(files)}", nl=False, err=True)

    with _told(asked.as_json), tempfile.TemporaryDirectory(prefix="heliograph-send-") as folder:
        send_files(
            remote.host,
            remote.port,
            called=remote.called,
            calling=remote.calling,
            files=files,
            on_progress=note,
            timeout=asked.timeout,
            tls=remote.tls,
            convert=converter(Path(folder)),
        )
    failed = [r for r in results if not r.stored]
    if asked.as_json:
        rows = [
            {"file": str(r.path), "uid": r.sop_instance_uid, "stored": r.stored, "reason": r.reason} for r in results
        ]
        click.echo(json.dumps(rows, indent=1))
    else:
        if sys.stderr.isatty():
            click.echo(err=True)
        _table(["File", "Why not"], [{"File": str(r.path), "Why not": r.reason} for r in failed])
        click.echo(f"{len(results) - len(failed)} of {len(results)} are stored there.")
    sys.exit(1 if failed or not results else 0)


def _objects(remote: Remote, given: dict[str, str]) -> dict[str, tuple[str, str]]:
    """What the node says that the study has, if it says so."""
    from heliograph.exchange.dimse.scu_find import FoundStudy, find_objects
    from heliograph.kit.net.dicom import ProtocolError, associate
    from heliograph.kit.net.dicom.client import PLAIN, STUDY_FIND

    study = FoundStudy(given.get("StudyInstanceUID", ""))
    if not study.uid:
        raise click.UsageError("Name the study: StudyInstanceUID=UID. `heliograph dicom find` finds it.")
    try:
        with associate(remote, [(STUDY_FIND, PLAIN)]) as peer:
            find_objects(peer, study, lambda: False)
    except ProtocolError:  # it answers no queries
        return {}
    return study.objects


def _keeping(out: Path, remote: Remote, came: set[str]) -> Callable[[StoreRequest], int]:
    from heliograph.kit.codecs.dicom import part10_header

    def store(request: StoreRequest) -> int:
        header = part10_header(
            request.sop_class_uid,
            request.sop_instance_uid,
            request.transfer_syntax_uid,
            source_ae_title=remote.called,
            sending_ae_title=remote.called,
            receiving_ae_title=remote.calling,
        )
        path = out / f"{request.sop_instance_uid}.dcm"  # a valid UID: digits and dots
        with tempfile.NamedTemporaryFile(dir=out, prefix=".", suffix=".part", delete=False) as file:
            part = Path(file.name)
            try:
                request.write_to(file.fileno(), header)
                part.rename(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        came.add(request.sop_instance_uid)
        return 0

    return store


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
        else:
            yield path


class _told:  # noqa: N801 - reads as a word in `with`
    """Says in words why there was no answer, or as JSON, and ends with 1."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        from heliograph.kit.errors import HeliographError
        from heliograph.kit.net.dicom import Failed

        if not isinstance(error, HeliographError):
            return
        comment = shown(error.comment) if isinstance(error, Failed) else ""
        words = f"{error}{f' ({comment})' if comment else ''}"
        if self._as_json:
            click.echo(json.dumps({"ok": False, "error": words}))
            sys.exit(1)
        raise click.ClickException(words[:1].upper() + words[1:].rstrip(".") + ".") from error


def _teller(as_json: bool) -> Callable[[Progress], None]:
    def tell(progress: Progress) -> None:
        if not as_json and sys.stderr.isatty():
            counts = [(progress.completed, "done"), (progress.failed, "failed"), (progress.remaining, "to come")]
            words = ", ".join(f"{n} {word}" for n, word in counts if n is not None)
            click.echo(f"\r{words:<60}", nl=not progress.is_pending, err=True)

    return tell


def _ended(done: Progress, as_json: bool, lead: str, *, received: int | None = None, missing: int = 0) -> None:
    from heliograph.kit.net.dicom.errors import status_words

    is_ok = done.status == 0 and not done.failed and not missing
    if as_json:
        body = {"ok": is_ok, "status": f"{done.status:04X}", "completed": done.completed, "failed": done.failed,
                "warning": done.warning, "failed_uids": list(done.failed_uids)}  # fmt: skip
        click.echo(json.dumps(body | ({} if received is None else {"received": received, "missing": missing})))
        sys.exit(0 if is_ok else 1)
    said = "success" if done.status == 0 else f"{done.status:04X}, {status_words(done.status)}"
    comment = f" ({shown(done.comment)})" if done.comment else ""
    counts = "".join(
        f", {n} {word}" for n, word in ((done.completed, "done"), (done.failed, "failed")) if n is not None
    )
    click.echo(f"{lead} status {said}{comment}{counts}.")
    if missing:
        click.echo(f"{missing} objects that it says it has did not come.", err=True)
    sys.exit(0 if is_ok else 1)


def _table(columns: list[str], rows: list[dict[str, str]]) -> None:
    if not rows:
        return
    rows = [{c: shown(row[c]) for c in columns} for row in rows]
    widths = {c: min(max(len(c), *(len(row[c]) for row in rows)), 64) for c in columns}
    for row in ({c: c for c in columns}, *rows):
        click.echo("  ".join(row[c].ljust(widths[c]) for c in columns).rstrip())
