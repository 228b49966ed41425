"""`heliograph demo`: the demonstration network on this machine, with everything running."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import click
from sqlalchemy import select, update

from heliograph.app import PARTS
from heliograph.app.context import Context, Database, open_context, open_database
from heliograph.app.demo.cases import make_files, round_of
from heliograph.app.demo.network import ACTOR, PASSWORD, keep_shifts, make_network
from heliograph.app.demo.people import READERS, STAFF
from heliograph.app.demo.site import ResultReceiver, send_images, send_order
from heliograph.app.parts import command
from heliograph.app.supervise import Supervisor, stop_on_signals
from heliograph.care.worklist.model import Case
from heliograph.governance.tenancy.queries import active_organizations
from heliograph.kit.actor import system
from heliograph.kit.errors import HeliographError
from heliograph.kit.log import log, set_up_logging
from heliograph.kit.settings import PREFIX, Settings
from heliograph.records.sites.model import Endpoint

READY_SECONDS = 60
_random = secrets.SystemRandom()


def demonstrate(settings: Settings, *, fresh: bool = False) -> int:
    """Runs the network until Ctrl-C; sends a round of cases when none is open, or when `fresh`."""
    stop = threading.Event()
    with _running(settings, stop) as (context, _receiver, supervisor, watch):
        if fresh or not _has_open_case(context):
            click.echo("Sending studies in as the simulated sites ...")
            _send_round(context, stop)
        _say_where(settings)
        while supervisor.running and not stop.wait(1.0):
            watch()
        click.echo("Stopping ...")
    return 0


def demonstrate_once(settings: Settings, studies: Path | None) -> int:
    """Runs the network on free ports in a folder of its own, does the job without a browser, shows the steps; 0 only if all went well."""
    from heliograph.app.demo.once import run_once

    del settings
    with tempfile.TemporaryDirectory(prefix="heliograph-once-") as folder:
        ports = {name: free_port() for name in ("http", "dimse", "hl7")}
        for name, port in ports.items():
            os.environ[f"{PREFIX}{name.upper()}_PORT"] = str(port)
        os.environ[f"{PREFIX}DATA_DIR"] = folder
        os.environ[f"{PREFIX}PUBLIC_URL"] = f"http://127.0.0.1:{ports['http']}"
        os.environ.setdefault(f"{PREFIX}LOG_LEVEL", "WARNING")
        with _running(Settings(), threading.Event()) as (context, receiver, _supervisor, _watch):
            steps = run_once(context, receiver, studies)
    steps.show()
    return 0 if steps.all_well else 1


@contextlib.contextmanager
def _running(
    settings: Settings, stop: threading.Event
) -> Iterator[tuple[Context, ResultReceiver, Supervisor, Callable[[], None]]]:
    """Everything up and the network made; everything down and nothing left when the block ends. The last of what it gives is to be
    called now and then: it starts a database that died again."""
    os.environ[f"{PREFIX}DEMONSTRATION"] = "true"
    os.environ.setdefault(f"{PREFIX}LOG_LEVEL", "WARNING")
    set_up_logging("demo", level="WARNING", form=settings.log_format)

    stop_on_signals(stop, exit_on_second=True)
    _require_free(settings)
    receiver = ResultReceiver()
    receiver.start()
    try:
        with open_database(settings) as database, open_context(settings, part="demo") as context:
            if make_network(context, result_host="127.0.0.1", result_port=receiver.port):
                click.echo("Made the demonstration network.")
            point_results_at(context, receiver.port)
            keep_shifts(context)
            with Supervisor({part: command(part) for part in PARTS}) as supervisor:
                if not supervisor.wait_ready(lambda: is_ready(settings), READY_SECONDS):
                    raise click.ClickException("The parts did not become ready; their messages above say why.")
                yield context, receiver, supervisor, lambda: _revive(database)
    finally:
        receiver.stop()


def _revive(database: Database) -> None:
    if database.embedded is None:
        return
    try:
        database.embedded.ensure()
    except HeliographError as error:
        log(__name__).error("the database does not start", why=error.code)


def _require_free(settings: Settings) -> None:
    for what, host, port, name in (
        ("web", settings.http_host, settings.http_port, "HTTP"),
        ("DICOM", settings.dimse_host, settings.dimse_port, "DIMSE"),
        ("HL7", settings.hl7_host, settings.hl7_port, "HL7"),
    ):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise click.ClickException(
                    f"The {what} port {port} is taken. Is Heliograph running already? Else set {PREFIX}{name}_PORT to another."
                ) from error


def is_ready(settings: Settings) -> bool:
    """Whether web, DICOM and HL7 answer on the ports of `settings`."""
    try:
        with urlopen(f"http://{settings.http_host}:{settings.http_port}/health/ready", timeout=2) as answer:
            ready: bool = answer.status == 200
    except (URLError, OSError):
        return False
    return (
        ready and _listens(settings.dimse_host, settings.dimse_port) and _listens(settings.hl7_host, settings.hl7_port)
    )


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def free_port() -> int:
    """A port of loopback that nobody uses now, below those that systems give to outgoing connections: none may take it meanwhile."""
    for _ in range(100):
        port = _random.randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise click.ClickException("There is no free port on loopback.")


def point_results_at(context: Context, port: int) -> None:
    """Sends results to `port` of loopback: the simulated sites' system listens at another one each time."""
    with context.works.begin(system(ACTOR)) as work:
        work.session.execute(
            update(Endpoint).where(Endpoint.kind == "hl7_out", Endpoint.host == "127.0.0.1").values(port=port)
        )
        work.record("demonstration.results_port_set")


def _has_open_case(context: Context) -> bool:
    with context.works.read(system(ACTOR)) as work:
        organizations = [o.id for o in active_organizations(work.session)]
    with context.works.read(system(ACTOR, *organizations)) as work:
        return work.session.scalar(select(Case.id).where(Case.closed_at.is_(None)).limit(1)) is not None


def _send_round(context: Context, stop: threading.Event) -> None:
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="heliograph-demo-") as folder:
        for case in round_of(now):
            if stop.is_set():
                return
            prior, study = make_files(case, Path(folder), now)
            if prior:
                send_images(context.settings, case, prior.files, as_priors=True)
            answer = (
                f"order {send_order(context.settings, case, f'D{case.accession}').code}, "
                if case.has_order
                else "no order, "
            )
            sent = send_images(context.settings, case, study.files)
            stored = sum(r.stored for r in sent)
            click.echo(
                f"  {case.site.short_name:15} {case.procedure[1]:30} {answer}{stored} of {len(sent)} images stored"
            )


def _say_where(settings: Settings) -> None:
    who = [("Reader", READERS[0].username, f"Dr {READERS[0].given} {READERS[0].family}, Sydney")]
    titles = {
        "coordinator": "Coordinator",
        "site_staff": "Site",
        "administrator": "Administrator",
        "auditor": "Auditor",
    }
    who += [(titles[s.roles[0][0]] if s.roles else "Operator", s.username, s.name) for s in STAFF]
    click.echo(f"\nSign in at http://{settings.http_host}:{settings.http_port}/app/ with password {PASSWORD!r} as:\n")
    for title, username, name in who:
        click.echo(f"  {title:14} {username:10} {name}")
    click.echo(
        f"\nDICOM on port {settings.dimse_port}, HL7 on port {settings.hl7_port}. Data in {settings.data_dir}. Ctrl-C stops everything.\n"
    )
