"""The kinds of endpoint, in one place: what each needs, what its own settings are, and by which channel reports go out to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from heliograph.kit.net.http_out import BadUrl, split_url
from heliograph.records.sites.errors import BadSite

_MAILBOX = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$"
"""The addr-spec that mail servers take without quoting: no line break and no comma can come in by it."""
EndpointKind = Literal["hl7_in", "hl7_out", "dicom_out", "email", "webhook", "folder", "sftp"]


class DestinationSettings(BaseModel):
    """What every destination of reports can be told."""

    model_config = ConfigDict(extra="forbid")

    preliminary: bool = False
    """Preliminary reports are sent too."""


class Hl7OutSettings(DestinationSettings):
    """How a receiver of HL7 messages wants them."""

    message: Literal["ORU", "MDM"] = "ORU"
    """ORU^R01, or MDM^T02 (T06 an addendum, T10 a replacement, T11 a withdrawal)."""
    pdf: bool = True
    """The signed PDF goes with the text, as an OBX of type ED."""
    coded: bool = True
    """Structured answers go as codes and numbers too (OBX of type CWE and NM), beside the text that has them in words."""
    line_length: int | None = Field(None, ge=20, le=10_000)
    """Text is split into lines of at most so many characters; none: as it was written."""
    unencodable: Literal["refuse", "replace"] = "refuse"
    """Characters that the receiver's character set lacks: the report is not sent and somebody is told, or they are spelt otherwise
    where that is known (ø as oe) or shown as ?, and a line of the message says so."""
    study_uid: Literal["obx", "zds", "both", "none"] = "obx"
    """Where the Study Instance UID is told: OBX with 110180 of DCM, a ZDS segment, both, or nowhere."""
    version_in: Literal["OBX-4", "NTE"] = "OBX-4"
    """Where the report's version is told."""


class DicomOutSettings(DestinationSettings):
    """Where reports go as DICOM objects: to a node of the organisation (C-STORE), or to an address of STOW-RS."""

    node_id: UUID | None = None
    url: str | None = Field(None, max_length=500, pattern=r"^https?://[^\s?#@]+$")
    """The `studies` resource of a STOW-RS service (PS3.18 10.5)."""
    objects: list[Literal["pdf", "sr"]] = Field(["pdf"], min_length=1, max_length=2)
    """Encapsulated PDF, Basic Text SR, or both."""

    @model_validator(mode="after")
    def _one_way(self) -> DicomOutSettings:
        if (self.node_id is None) == (self.url is None):
            raise ValueError("Name either a node or an address.")
        return self


class WebhookSettings(DestinationSettings):
    """Where signed events about reports are posted to."""

    url: str = Field(max_length=500)
    with_report: bool = False
    """The event holds the report itself, as an HL7 message; else ids and a link alone."""

    @field_validator("url")
    @classmethod
    def _callable(cls, url: str) -> str:
        try:
            split_url(url)
        except BadUrl as error:
            raise ValueError(error.detail) from error
        return url.strip()


class EmailSettings(DestinationSettings):
    """Who is told by e-mail that a report is ready: a link and no patient data."""

    recipients: list[Annotated[str, Field(max_length=254, pattern=_MAILBOX)]] = Field(min_length=1, max_length=20)


class FolderSettings(DestinationSettings):
    """Where reports are dropped as files, below the organisation's folder in the operator's drop folder."""

    folder: str = Field(max_length=200, pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_. -]*(/[A-Za-z0-9_-][A-Za-z0-9_. -]*)*$")
    """Relative, as `reports/radiology`."""


class SftpSettings(DestinationSettings):
    """Where reports are dropped as files over SFTP; `host` and `port` are the endpoint's."""

    user: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")
    folder: str = Field(".", min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")
    """On the server; relative to where the sign-in lands, unless it begins with a slash."""
    host_key: str = Field(pattern=r"^SHA256:[A-Za-z0-9+/]{43}$")
    """The server's key, as `ssh-keygen -lf` prints it; another one is not talked to."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What an endpoint of a kind is. `channel`: how reports go out to it; None: it takes none."""

    channel: str | None
    settings: type[BaseModel]
    needs_address: bool = False
    """Host and port."""
    needs_names: bool = False
    """The other side's application and facility, as HL7 messages name them (MSH-3 and -4, or MSH-5 and -6)."""


class NoSettings(BaseModel):
    """A feed has its own columns."""

    model_config = ConfigDict(extra="forbid")


KINDS: Mapping[str, Kind] = {
    "hl7_in": Kind(None, NoSettings, needs_names=True),
    "hl7_out": Kind("hl7", Hl7OutSettings, needs_address=True, needs_names=True),
    "dicom_out": Kind("dicom", DicomOutSettings),
    "webhook": Kind("webhook", WebhookSettings),
    "email": Kind("email", EmailSettings),
    "folder": Kind("folder", FolderSettings),
    "sftp": Kind("sftp", SftpSettings, needs_address=True),
}
DESTINATIONS: Mapping[str, str] = {kind: k.channel for kind, k in KINDS.items() if k.channel is not None}
"""Kind of endpoint -> channel, of those that take reports."""


def checked_settings(kind: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an endpoint of a kind, whole and in order. Raises: BadSite."""
    try:
        return KINDS[kind].settings.model_validate(dict(settings)).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadSite(f"The settings can't be so: {f'{where}: ' if where else ''}{first['msg']}.") from error
