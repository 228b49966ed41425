"""Every setting, in one typed class. Environment variables `HELIOGRAPH_*`; each may come from a file by `HELIOGRAPH_*_FILE`."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from heliograph.kit.errors import Invalid

PREFIX = "HELIOGRAPH_"


def default_data_dir() -> Path:
    """`/var/lib/heliograph` for root, else `.heliograph` in the current folder."""
    return Path("/var/lib/heliograph") if os.geteuid() == 0 else Path(".heliograph").resolve()


class UnreadableFile(Invalid):
    """A file that a setting names can't be read."""


class _FileSource(PydanticBaseSettingsSource):
    """Reads `HELIOGRAPH_<NAME>_FILE`: the way container platforms hand over secrets."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 (the base's signature)
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text("utf-8").strip(), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it holds no text"
            raise UnreadableFile(f"{PREFIX}{field_name.upper()}_FILE: {path} can't be read: {why}") from error

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class Settings(BaseSettings):
    """How this installation runs. Every field is documented in `docs/reference/settings.md`; a test holds them together."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Folder of the embedded database, objects, spool and keys.",
    )
    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL 18 or later as the application role (row-level security applies). Empty: the embedded server.",
    )
    database_owner_url: SecretStr | None = Field(None, description="The role that owns the tables and migrates.")
    database_pool: int = Field(10, ge=1, le=100, description="Most connections a process holds.")
    objects_url: str | None = Field(
        None,
        description="Where objects live: a folder, s3://, gs:// or az:// URL. Empty: a folder in the data folder.",
    )
    public_url: str = Field(
        "http://127.0.0.1:8080", description="The address people use; https turns Secure cookies on."
    )
    http_host: str = Field("127.0.0.1", description="Address the web server listens on.")
    http_port: int = Field(8080, ge=0, le=65535, description="Port the web server listens on.")
    trusted_proxies: str = Field(
        "127.0.0.1",
        description="Addresses of reverse proxies whose X-Forwarded-For is believed, with commas; limits on sign-in count by it.",
    )
    dimse_host: str = Field("127.0.0.1", description="Address the DICOM listener binds.")
    dimse_port: int = Field(11112, ge=0, le=65535, description="Port of the DICOM listener.")
    dimse_ae_title: str = Field(
        "HELIOGRAPH",
        max_length=16,
        description="Our application entity title, where a caller names no other.",
    )
    dimse_plain: bool = Field(True, description="Listen for DICOM without TLS; false: with TLS only.")
    dimse_tls_port: int = Field(
        2762, ge=0, le=65535, description="Port of the DICOM listener with TLS; it listens when a certificate is named."
    )
    dimse_tls_certificate_file: Path | None = Field(
        None,
        description="PEM file of our certificate for DICOM with its chain; a renewed one is taken up without a restart.",
    )
    dimse_tls_key_file: Path | None = Field(
        None, description="PEM file of its private key; empty: it is in the certificate's file."
    )
    dimse_tls_key_password: SecretStr | None = Field(None, description="Of the private key, where it is encrypted.")
    dimse_tls_ca_file: Path | None = Field(
        None,
        description="PEM file of the authorities that sign certificates of DICOM peers, or of the peers' own certificates.",
    )
    dimse_tls_clients: Literal["none", "optional", "required"] = Field(
        "optional",
        description="Whether DICOM callers show a certificate: none, optional or required. A caller may need its own in any case.",
    )
    dimse_associations: int = Field(64, ge=1, description="Most DICOM associations at once.")
    dimse_associations_per_address: int = Field(32, ge=1, description="Most DICOM associations from one address.")
    dimse_associations_per_caller: int = Field(
        16, ge=1, description="Most DICOM associations of one caller: called and calling AE title, and address."
    )
    dimse_pending: int = Field(
        128, ge=1, description="Most DICOM connections that have not asked for anything yet; the oldest gives way."
    )
    dimse_pending_per_address: int = Field(32, ge=1, description="The same, from one address.")
    dimse_refused_per_minute: int = Field(
        60,
        ge=1,
        description="After so many rejections, an address is heard only as callers that were accepted from it.",
    )
    dimse_request_seconds: float = Field(
        10.0, gt=0, description="A DICOM connection has so long to ask for an association, TLS included (ARTIM)."
    )
    dimse_network_seconds: float = Field(
        60.0, gt=0, description="One DICOM PDU must be whole, and an answer that is owed to us begin, within so long."
    )
    dimse_idle_seconds: float = Field(600.0, gt=0, description="A DICOM association may be without a message so long.")
    dimse_window: int = Field(
        16, ge=1, le=1024, description="Most operations that a DICOM caller may have under way on an association."
    )
    hl7_host: str = Field("127.0.0.1", description="Address the HL7 listener binds.")
    hl7_port: int = Field(2575, ge=0, le=65535, description="Port of the HL7 (MLLP) listener.")
    hl7_plain: bool = Field(True, description="Listen for HL7 without TLS; false: with TLS only.")
    hl7_tls_port: int = Field(
        2576, ge=0, le=65535, description="Port of the HL7 listener with TLS; it listens when a certificate is named."
    )
    hl7_tls_certificate_file: Path | None = Field(
        None,
        description="PEM file of our certificate for HL7 with its chain; a renewed one is taken up without a restart.",
    )
    hl7_tls_key_file: Path | None = Field(
        None, description="PEM file of its private key; empty: it is in the certificate's file."
    )
    hl7_tls_key_password: SecretStr | None = Field(None, description="Of the private key, where it is encrypted.")
    hl7_tls_ca_file: Path | None = Field(
        None,
        description="PEM file of the authorities that sign certificates of HL7 senders, or of the senders' own certificates.",
    )
    hl7_tls_clients: Literal["none", "optional", "required"] = Field(
        "optional",
        description="Whether HL7 senders show a certificate: none, optional or required. A feed may need its own in any case.",
    )
    hl7_connections: int = Field(200, ge=1, description="Most HL7 connections at once, with and without TLS each.")
    hl7_connections_per_address: int = Field(32, ge=1, description="Most HL7 connections from one address.")
    hl7_message_mb: int = Field(32, ge=1, le=1024, description="Largest HL7 message or batch in MiB.")
    hl7_message_seconds: float = Field(
        60.0, gt=0, description="An HL7 message must be whole, and its answer taken, within so long."
    )
    hl7_idle_seconds: float = Field(3600.0, gt=0, description="An HL7 connection may be silent so long.")
    hl7_files_dir: Path | None = Field(
        None,
        description="Folder in which each feed that leaves files has its own, named by its id; empty: none may leave files.",
    )
    session_idle_minutes: int = Field(30, ge=1, description="A session ends after so many minutes without a request.")
    session_hours: int = Field(12, ge=1, description="A session ends after so many hours at the latest.")
    signature_idle_minutes: int = Field(
        15, ge=1, description="Signing asks for the password again after so many idle minutes."
    )
    quiet_seconds: int = Field(
        90,
        ge=1,
        description="A study is complete after so many seconds without a new image, where the facility says nothing.",
    )
    unmatched_alarm_minutes: int = Field(
        10, ge=1, description="An unmatched study raises an alarm after so many minutes."
    )
    question_alarm_minutes: int = Field(
        60,
        ge=1,
        description="A question to a site that nobody there has answered raises an alarm after so many minutes.",
    )
    archive_deletion_days: float = Field(
        7.0,
        ge=0,
        description="A deleted study is hidden at once; so many days later it is gone, and can't be restored any more.",
    )
    delivery_timeout_seconds: float = Field(30.0, gt=0, description="How long to wait for a site's acknowledgement.")
    outgoing_networks: str = Field(
        "",
        description="Networks, as 10.20.0.0/16 with commas, in which webhooks and SFTP servers may be called though they are not public.",
    )
    outgoing_ca_file: Path | None = Field(
        None,
        description="PEM file of further authorities that sign certificates of webhooks and of the mail server.",
    )
    secrets_key: SecretStr | None = Field(
        None,
        description="32 bytes in base64 that seal the secrets of destinations; the same on every host. Empty: made in the data folder.",
    )
    smtp_host: str | None = Field(None, description="Mail server for notices. Empty: none are sent.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Port of the mail server.")
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How it is talked to: starttls (usual on 587), tls (from the start, on 465) or none."
    )
    smtp_user: str | None = Field(None, description="Whom we sign in as there. Empty: nobody.")
    smtp_password: SecretStr | None = Field(None, description="The password for signing in there.")
    smtp_from: str | None = Field(None, description="Address that notices come from.")
    drop_folder: Path | None = Field(
        None, description="Folder below which reports are dropped as files, a folder an organisation. Empty: none are."
    )
    max_upload_mb: int = Field(2048, ge=1, description="Largest upload in MiB.")
    min_free_mb: int = Field(512, ge=0, description="Refuse images (0xA700, 507) when less disk than this is free.")
    quarantine_objects: int = Field(
        1000,
        ge=0,
        description="Most objects of an organisation that can't be read and wait in quarantine; more is refused without being kept.",
    )
    quarantine_mb: int = Field(
        2048, ge=0, description="Most MiB of such objects of an organisation; more is refused without being kept."
    )
    log_level: str = Field(
        "INFO", pattern="^(?i:debug|info|warning|error)$", description="DEBUG, INFO, WARNING or ERROR."
    )
    log_format: str = Field(
        "auto", pattern="^(auto|json|console)$", description="json, console, or auto: console on a terminal."
    )
    demonstration: bool = Field(False, description="Marks every page DEMONSTRATION.")
    region: str = Field("home", description="Name of this region's cell.")
    audit_witness: Path | None = Field(
        None, description="File to which each signed tree head is appended. Empty: in the data folder."
    )
    workers: int = Field(4, ge=1, le=64, description="Jobs a worker process runs at once.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the base's signature)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _FileSource(settings_cls), env_settings

    @cached_property
    def spool_dir(self) -> Path:
        """Where received objects are durable before they are indexed."""
        return self.data_dir / "spool"

    @cached_property
    def keys_dir(self) -> Path:
        """Keys made at first start; outside the database on purpose."""
        return self.data_dir / "keys"

    @cached_property
    def objects_location(self) -> str:
        return self.objects_url or (self.data_dir / "objects").as_uri()

    @cached_property
    def witness_file(self) -> Path:
        return self.audit_witness or self.data_dir / "audit-witness.jsonl"

    @property
    def secure_cookies(self) -> bool:
        return self.public_url.startswith("https://")
