"""Reports as files in a folder: the report as an HL7 message, and its PDF beside it.

Each file appears whole and durable or not at all: written beside under a name that begins with a dot, synced, renamed. The HL7 file comes
last, so that who waits for it finds the PDF there. A second try writes the same names anew.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from heliograph.care.delivery.channel import Prepared, Result, Try
from heliograph.care.delivery.errors import CannotBuild
from heliograph.care.delivery.webhook import as_hl7
from heliograph.care.reading.pdf import report_pdf
from heliograph.governance.tenancy.queries import organization
from heliograph.kit.errors import NotFound
from heliograph.kit.settings import Settings
from heliograph.kit.work import Work
from heliograph.records.sites.kinds import FolderSettings

MESSAGE_TYPE = "ORU^R01"


@dataclass(frozen=True, slots=True)
class Files:
    """What is dropped, in order: name and content. Names are ids."""

    files: tuple[tuple[str, bytes], ...]


def files_of(work: Work, settings: Settings, one: Try) -> tuple[bytes, Files]:
    """The HL7 message of a version, as it was first made, and the files to drop. Raises: CannotBuild, NotFound."""
    if one.destination is None:
        raise CannotBuild("This destination has no folder.")
    message = one.kept if one.kept is not None else as_hl7(work, settings, one, one.destination)
    pdf = report_pdf(work.session, one.version_id)
    return message, Files(((f"{one.control_id}.pdf", pdf), (f"{one.control_id}.hl7", message)))


def prepare(work: Work, settings: Settings, one: Try) -> Prepared:
    """The files and the folder below the organisation's own. Raises: CannotBuild, NotFound."""
    message, files = files_of(work, settings, one)
    client = organization(work.session, one.organization_id)
    if client is None or one.destination is None:
        raise NotFound
    folder = FolderSettings.model_validate(one.destination.settings).folder
    return Prepared(message, MESSAGE_TYPE, f"folder {folder}", (Path(client.slug) / folder, files))


def talk(settings: Settings, one: Try, prepared: Prepared) -> Result:  # noqa: ARG001 (a channel's signature)
    """Drops them."""
    folder, files = prepared.to
    return drop(settings.drop_folder, folder, files)


def drop(root: Path | None, folder: Path, files: Files) -> Result:
    """Writes the files into `folder` below `root`. The root is never made: where it is missing, a share is not mounted."""
    if root is None:
        return Result("refused_AR", "No drop folder is set up: HELIOGRAPH_DROP_FOLDER.")
    if not root.is_dir():
        return Result("not_connected", "The drop folder is not there.")
    where = root / folder
    try:
        where.mkdir(parents=True, exist_ok=True, mode=0o750)
        if not where.resolve().is_relative_to(root.resolve() / folder.parts[0]):
            return Result("refused_AR", "The folder leads out of the organisation's own by a link.")
        for name, content in files.files:
            _write(where, name, content)
    except OSError as error:
        return Result("not_stored", f"The files could not be written: {(error.strerror or 'error').lower()}.")
    return Result("stored")


def _write(where: Path, name: str, content: bytes) -> None:
    part = where / f".{name}.part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o640)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(where / name)
    folder = os.open(where, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # the new name is durable too
    finally:
        os.close(folder)
