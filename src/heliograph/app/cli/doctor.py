"""`heliograph doctor`: what is wrong here, and how to mend it."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from heliograph.app import migrate
from heliograph.app.context import open_database
from heliograph.app.web.static import STATIC
from heliograph.exchange.dimse.doors import tls_files as dicom_files
from heliograph.exchange.hl7.server import tls_files as hl7_files
from heliograph.kit.errors import HeliographError
from heliograph.kit.net.dicom.tls import ClientCertificates, TlsFiles, TlsNotReady, read_certificate, server_context
from heliograph.kit.objects import Objects
from heliograph.kit.settings import Settings

_RENEW_DAYS = 30
Level = Literal["fine", "care", "wrong"]
_ROLE = text(
    "select current_setting('server_version'), clock_timestamp(), rolsuper or rolbypassrls "
    "from pg_roles where rolname = current_user"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: how it stands, and what to do where it doesn't."""

    what: str
    level: Level
    text: str
    mend: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Runs every check; none of them changes anything but starting the embedded database for the moment."""
    checks: list[tuple[str, Callable[[Settings], Iterator[Finding]]]] = [
        ("data folder", _data_folder),
        ("database", _database),
        ("objects", _objects),
        ("ports", _ports),
        ("DICOM TLS", dicom_tls),
        ("HL7 TLS", hl7_tls),
        ("disk", _disk),
        ("web app", _pages),
    ]
    found: list[Finding] = []
    for what, check in checks:
        try:
            found += check(settings)
        except Exception as error:  # noqa: BLE001 (the doctor never dies of the illness)
            found.append(
                Finding(
                    what,
                    "wrong",
                    f"{type(error).__name__}: {error}",
                    "This was not expected: report it with the text above.",
                )
            )
    return found


def show(findings: list[Finding]) -> None:
    """Prints the findings as a table."""
    marks = {"fine": "[green]fine[/]", "care": "[yellow]take care[/]", "wrong": "[red]wrong[/]"}
    table = Table("", "What", "Finding", "What to do", box=None, pad_edge=False)
    for f in findings:
        table.add_row(marks[f.level], f.what, f.text, f.mend)
    Console().print(table)


def _data_folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / ".doctor"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        yield Finding(
            "data folder",
            "wrong",
            f"{folder} can't be written: {error.strerror}",
            "Set HELIOGRAPH_DATA_DIR to a folder of yours.",
        )
        return
    if folder.stat().st_mode & 0o007:
        yield Finding(
            "data folder", "care", f"{folder} can be read by every user of this machine", f"chmod 700 {folder}"
        )
    else:
        yield Finding("data folder", "fine", str(folder))


def _database(settings: Settings) -> Iterator[Finding]:
    try:
        with open_database(settings) as database:
            kind = "embedded" if database.embedded else "external"
            engine = create_engine(database.app_url)
            with engine.connect() as connection:
                version, now, is_super = connection.execute(_ROLE).one()
            engine.dispose()
            if int(version.split(".")[0]) < 18:
                yield Finding(
                    "database",
                    "wrong",
                    f"PostgreSQL {version}",
                    "PostgreSQL 18 or later is needed (uuidv7, among others).",
                )
            else:
                yield Finding("database", "fine", f"PostgreSQL {version}, {kind}")
            if is_super:
                mend = "Use a role without SUPERUSER and BYPASSRLS in HELIOGRAPH_DATABASE_URL."
                yield Finding("database role", "wrong", "the application role bypasses row-level security", mend)
            if migrate.is_current(database.app_url):
                yield Finding("schema", "fine", "newest")
            else:
                yield Finding("schema", "wrong", "not the newest", "heliograph migrate")
            apart = abs((datetime.now(UTC) - now).total_seconds())
            if apart > 1:
                mend = "Synchronise both by NTP: promises are kept in minutes."
                yield Finding("clock", "wrong", f"this machine and the database are {apart:.1f} s apart", mend)
            else:
                stands = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, {apart * 1000:.0f} ms from the database"
                yield Finding("clock", "fine", stands)
    except (SQLAlchemyError, HeliographError) as error:
        yield Finding(
            "database", "wrong", str(error).splitlines()[0], "Is it up, and is HELIOGRAPH_DATABASE_URL right?"
        )


def _objects(settings: Settings) -> Iterator[Finding]:
    objects = Objects(settings.objects_location)
    objects.put("health/doctor", b"well")
    if objects.get("health/doctor") == b"well":
        yield Finding("objects", "fine", settings.objects_url or str(settings.data_dir / "objects"))
    else:
        yield Finding(
            "objects", "wrong", "what was written is not what came back", "Check the bucket and HELIOGRAPH_OBJECTS_URL."
        )


def _ports(settings: Settings) -> Iterator[Finding]:
    ports = [
        ("web port", settings.http_host, settings.http_port, "HTTP"),
    ]
    if settings.hl7_plain:
        ports.append(("HL7 port", settings.hl7_host, settings.hl7_port, "HL7"))
    if settings.hl7_tls_certificate_file is not None:
        ports.append(("HL7 TLS port", settings.hl7_host, settings.hl7_tls_port, "HL7_TLS"))
    if settings.dimse_plain:
        ports.append(("DICOM port", settings.dimse_host, settings.dimse_port, "DIMSE"))
    if settings.dimse_tls_certificate_file is not None:
        ports.append(("DICOM TLS port", settings.dimse_host, settings.dimse_tls_port, "DIMSE_TLS"))
    for what, host, port, name in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                yield Finding(
                    what,
                    "care",
                    f"{host}:{port} is taken ({error.strerror})",
                    f"Fine if Heliograph is running; else set HELIOGRAPH_{name}_PORT.",
                )
            else:
                yield Finding(what, "fine", f"{host}:{port} is free")


def dicom_tls(settings: Settings) -> Iterator[Finding]:
    """The DICOM listener's certificate: there, readable, with its key, in time."""
    files, clients = dicom_files(settings), settings.dimse_tls_clients
    return _tls("DICOM", "images", "DIMSE", files, clients, settings.dimse_tls_port, settings.dimse_plain)


def hl7_tls(settings: Settings) -> Iterator[Finding]:
    """The same of the HL7 listener."""
    return _tls(
        "HL7",
        "messages",
        "HL7",
        hl7_files(settings),
        settings.hl7_tls_clients,
        settings.hl7_tls_port,
        settings.hl7_plain,
    )


def _tls(
    door: str, sent: str, prefix: str, files: TlsFiles, clients: ClientCertificates, port: int, is_plain: bool
) -> Iterator[Finding]:
    what, file, key = f"{door} TLS", files.certificate, files.key
    if file is None:
        if is_plain:
            yield Finding(what, "fine", "off: no certificate is named")
        else:
            mend = f"Set HELIOGRAPH_{prefix}_PLAIN=true, or name a certificate in HELIOGRAPH_{prefix}_TLS_CERTIFICATE_FILE."
            yield Finding(what, "wrong", f"off, and {door} without TLS, too: nobody can send {sent}", mend)
        return
    try:
        facts = read_certificate(file)
        server_context(files, clients)
    except TlsNotReady as error:
        mend = f"Check HELIOGRAPH_{prefix}_TLS_CERTIFICATE_FILE, _KEY_FILE, _KEY_PASSWORD, _CA_FILE and _CLIENTS."
        yield Finding(what, "wrong", error.detail, mend)
        return
    now = datetime.now(UTC)
    days = (facts.not_after - now) / timedelta(days=1)
    when = f"{facts.not_after:%Y-%m-%d %H:%M} UTC"
    renew = f"Renew {file}: it is taken up without a restart."
    if now < facts.not_before:
        begins = f"the certificate is not valid before {facts.not_before:%Y-%m-%d %H:%M} UTC"
        yield Finding(what, "wrong", begins, "Check the clock, or wait.")
    elif days <= 0:
        yield Finding(what, "wrong", f"the certificate expired on {when}", renew)
    elif days <= _RENEW_DAYS:
        yield Finding(what, "care", f"the certificate expires in {int(days)} days, on {when}", renew)
    else:
        yield Finding(what, "fine", f"port {port}, valid until {when}, SHA-256 {facts.sha256}")
    private = key or file
    if private.stat().st_mode & 0o007:
        mend = f"chmod o-rwx {private}"
        yield Finding(
            what, "care", f"{private} holds a private key and can be read by every user of this machine", mend
        )


def _disk(settings: Settings) -> Iterator[Finding]:
    free = shutil.disk_usage(settings.data_dir).free / 2**30
    least = settings.min_free_mb / 1024
    text_ = f"{free:.1f} GiB free"
    if free < least:
        yield Finding("disk", "wrong", text_, f"Below {least:.1f} GiB images are refused. Free some space.")
    elif free < 4 * least + 5:
        yield Finding("disk", "care", text_, "A CT study is about 0.1 to 0.5 GB.")
    else:
        yield Finding("disk", "fine", text_)


def _pages(settings: Settings) -> Iterator[Finding]:
    del settings
    for what, folder in (("web app", "app"), ("viewer", "viewer")):
        if (STATIC / folder / "index.html").is_file():
            yield Finding(what, "fine", "built")
        else:
            yield Finding(what, "wrong", "not built", "make setup")
