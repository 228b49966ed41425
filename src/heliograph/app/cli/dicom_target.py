"""Whom `heliograph dicom` talks to, and what it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from heliograph.kit.net.dicom import Remote
    from heliograph.kit.net.dicom.identifiers import Level
    from heliograph.kit.settings import Settings
    from heliograph.records.sites.nodes import NodeFacts

AT_LEVEL: dict[Level, list[str]] = {
    "PATIENT": ["PatientID", "PatientName", "PatientBirthDate", "PatientSex"],
    "STUDY": [
        "PatientID", "PatientName", "StudyDate", "ModalitiesInStudy", "AccessionNumber", "StudyDescription",
        "NumberOfStudyRelatedInstances", "StudyInstanceUID",
    ],
    "SERIES": [
        "Modality", "SeriesNumber", "SeriesDescription", "NumberOfSeriesRelatedInstances", "StudyInstanceUID",
        "SeriesInstanceUID",
    ],
    "IMAGE": ["InstanceNumber", "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"],
}  # fmt: skip
"""What is asked for and shown, beside what somebody names."""
_ADDRESS = re.compile(r"(?P<ae>[^@]{1,64})@(?P<host>\[[0-9A-Fa-f:.]+\]|[^@:\[\]]+):(?P<port>\d{1,5})")
_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?")


def remote_for(target: str, calling: str | None, tls: str | None, organisation: str | None, timeout: float) -> Remote:
    """The node that `target` names: AE@HOST:PORT, or a configured one."""
    from heliograph.app.cli.common import settings_or_exit
    from heliograph.kit.net.dicom import Remote
    from heliograph.records.sites.calling import tls_context
    from heliograph.records.sites.rules import ae_title

    settings = settings_or_exit()
    connect = min(timeout, 10.0)
    try:
        if match := _ADDRESS.fullmatch(target.strip()):
            host, port = match["host"].strip("[]"), int(match["port"])
            if not 1 <= port <= 65535:
                raise click.UsageError(f"There is no port {port}.")
            ours = ae_title(calling or settings.dimse_ae_title)
            return Remote(
                host, port, ae_title(match["ae"]), ours, tls_context(settings, tls or "off"), connect, timeout
            )
        if "@" in target:
            raise click.UsageError("TARGET is AE@HOST:PORT, as PACS@10.1.2.3:104, or the name of a configured node.")
        node = _configured(settings, target.strip(), organisation)
        ours = ae_title(calling or node.calling_ae)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error
    return Remote(node.host, node.port, node.ae_title, ours, tls_context(settings, tls or node.tls), connect, timeout)


def _configured(settings: Settings, name: str, organisation: str | None) -> NodeFacts:
    from heliograph.app.context import open_context
    from heliograph.governance.tenancy.queries import active_organizations
    from heliograph.kit.actor import system
    from heliograph.records.sites.nodes import nodes_of

    with open_context(settings, part="cli") as context:
        with context.works.read(system("command line")) as work:
            organizations = {o.id: o.slug for o in active_organizations(work.session) if organisation in (None, o.slug)}
        with context.works.read(system("command line", *organizations)) as work:
            nodes = nodes_of(work.session, organizations)
    found = [n for n in nodes if name.casefold() in (n.name.casefold(), n.ae_title.casefold())]
    if len(found) == 1:
        return found[0]
    if found:
        owners = ", ".join(sorted(organizations[n.organization_id] for n in found))
        raise click.UsageError(f"Several nodes are called {name!r}: say --organisation, one of {owners}.")
    known = ", ".join(sorted(n.name for n in nodes)) or "none"
    raise click.UsageError(f"There is no node {name!r}; configured are: {known}. Or name one as AE@HOST:PORT.")


def keys_of(given: Iterable[str]) -> dict[str, str]:
    """KEYWORD=VALUE or (gggg,eeee)=VALUE as keyword -> value; a bare keyword has the value ""."""
    from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

    found: dict[str, str] = {}
    for text in given:
        name, _, value = text.partition("=")
        keyword = name.strip()
        if tag := _TAG.fullmatch(keyword):
            keyword = keyword_for_tag(int(tag[1] + tag[2], 16))
        number = tag_for_keyword(keyword) if keyword else None
        if number is None or number < 0x00080000:
            raise click.UsageError(f"{name!r} is no DICOM keyword, as PatientID, and no tag, as (0010,0020).")
        if dictionary_VR(number) == "SQ":
            raise click.UsageError(f"{keyword} is a sequence; only plain attributes can be asked for here.")
        found[keyword] = value
    return found


def shown(text: str) -> str:
    """Text from outside as a terminal may show it: what would steer it is replaced."""
    return "".join(c if c.isprintable() else "?" for c in text)
