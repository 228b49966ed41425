"""Tables of sites."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from heliograph.kit.db.base import Base, Id, Stamp


class Facility(Base):
    """A place where images are made. Its jurisdiction decides licences; its zone shows times."""

    __tablename__ = "facilities"
    __table_args__ = (
        UniqueConstraint("organization_id", "code"),
        CheckConstraint("held_answer in ('warning','success','failure')", name="held_answer"),
        {"schema": "sites"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    code: Mapped[str]
    name: Mapped[str]
    short_name: Mapped[str]
    jurisdiction: Mapped[str]
    """ISO 3166 code, with subdivision where licences are granted by it: NO, US-TX, KE."""
    time_zone: Mapped[str]
    report_languages: Mapped[list[str]]
    patient_id_authority: Mapped[str]
    """Assigning authority of patient identifiers that come without one."""
    accession_issuer: Mapped[str]
    phone: Mapped[str | None]
    quiet_seconds: Mapped[int | None]
    fallback_charset: Mapped[str | None]
    """Character set of images that declare none, as defined terms of Specific Character Set (0008,0005); a caller's own goes before it."""
    is_images_only: Mapped[bool] = mapped_column(server_default="false")
    """No orders come from here: a complete study makes its own case."""
    held_answer: Mapped[str] = mapped_column(server_default="warning")
    """What a sender is told whose object is held since other content is here under its UID: warning (0xB000), success or failure."""
    is_active: Mapped[bool] = mapped_column(server_default="true")
    created_at: Mapped[Stamp]


class Caller(Base):
    """A DICOM application entity: (called AE, calling AE, address). Two sites may both be called "CT1"."""

    __tablename__ = "callers"
    __table_args__ = (
        UniqueConstraint("called_ae", "calling_ae", "address", postgresql_nulls_not_distinct=True),
        CheckConstraint("certificate_sha256 ~ '^[0-9a-f]{64}$'", name="certificate_sha256"),
        {"schema": "sites"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("sites.facilities.id"))
    called_ae: Mapped[str]
    calling_ae: Mapped[str]
    address: Mapped[str | None]
    """An IP address or network (CIDR); null means any."""
    description: Mapped[str | None]
    sends_priors: Mapped[bool] = mapped_column(server_default="false")
    """An archive that sends earlier studies for comparison: they need no order and make no case."""
    fallback_charset: Mapped[str | None]
    """Character set of its images that declare none: GB18030, ISO_IR 100 ...; null: the facility's."""
    tls_required: Mapped[bool] = mapped_column(server_default="false")
    """Calls without TLS are rejected."""
    certificate_sha256: Mapped[str | None]
    """SHA-256 of the DER of the one client certificate that it may show, in lower-case hex; null: it needs none."""
    is_active: Mapped[bool] = mapped_column(server_default="true")
    created_at: Mapped[Stamp]


class Node(Base):
    """A DICOM node elsewhere that we call: an archive, a workstation. Row-level security applies.

    Who calls us is a `Caller`; one machine may be both.
    """

    __tablename__ = "nodes"
    __table_args__ = (
        UniqueConstraint("organization_id", "ae_title"),
        UniqueConstraint("organization_id", "name"),
        CheckConstraint("tls in ('off','on','verify')", name="tls"),
        {"schema": "sites"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    facility_id: Mapped[UUID | None] = mapped_column(ForeignKey("sites.facilities.id"))
    """Whose patient identifiers it knows, and where what is fetched from it is filed; null: a request names the facility."""
    name: Mapped[str]
    ae_title: Mapped[str] = mapped_column(Text(collation="C"))
    """The title that we call it by."""
    calling_ae: Mapped[str] = mapped_column(Text(collation="C"))
    """The title that we call ourselves by; also where it sends to when we ask it by C-MOVE."""
    host: Mapped[str]
    port: Mapped[int]
    tls: Mapped[str] = mapped_column(server_default="off")
    """off; on (encrypted, whoever answers); verify (its certificate is checked, for the name `host`)."""
    is_destination: Mapped[bool] = mapped_column(server_default="false")
    """Callers of the organisation may have us send to it (C-MOVE)."""
    is_queried: Mapped[bool] = mapped_column(server_default="false")
    """We may query it and fetch priors from it."""
    is_sent_to: Mapped[bool] = mapped_column(server_default="false")
    """Coordinators may send studies to it."""
    is_active: Mapped[bool] = mapped_column(server_default="true")
    created_at: Mapped[Stamp]


class Transfer(Base):
    """Studies that we fetch from a node, or one that we send to it. Its life cycle is `transfer_states.TRANSFER`.

    Patient data: row-level security applies.
    """

    __tablename__ = "transfers"
    __table_args__ = (
        CheckConstraint("direction in ('fetch','send')", name="direction"),
        CheckConstraint("state in ('waiting','running','done','partial','failed','cancelled')", name="state"),
        Index("ix_transfers_organization", "organization_id", "created_at"),
        Index("ix_transfers_due", "next_attempt_at", postgresql_where="state in ('waiting', 'running')"),
        Index("ix_transfers_node", "node_id"),
        {"schema": "sites"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    node_id: Mapped[UUID] = mapped_column(ForeignKey("sites.nodes.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("sites.facilities.id"))
    """Where what is fetched is filed, or whose study is sent."""
    direction: Mapped[str]
    patient_id: Mapped[UUID | None]
    """Fetch: the patient's studies, by the identifier that the facility knows them by. Send: whose study it is."""
    study_id: Mapped[UUID | None]
    """Send: the study."""
    study_instance_uid: Mapped[str | None]
    """Fetch: this study alone."""
    accession_number: Mapped[str | None]
    """Fetch: the studies with this number."""
    case_id: Mapped[UUID | None]
    """Where somebody asked for it."""
    state: Mapped[str] = mapped_column(server_default="waiting")
    studies: Mapped[list[Any]] = mapped_column(server_default="[]")
    """Fetch: what the node has, as {uid, date, modalities, expected, received, done, error}."""
    unsent: Mapped[list[str] | None]
    """Send: SOP Instance UIDs that the last try did not bring over; null: all."""
    expected: Mapped[int | None]
    """Instances that the node says it has, or that are to be sent."""
    received: Mapped[int] = mapped_column(server_default="0")
    """Instances that are durable here (fetch), or that the node has taken (send)."""
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_attempt_at: Mapped[datetime | None]
    """When it is tried again; of a running one, when it counts as cut off."""
    error: Mapped[str | None]
    """Why the last try did not bring all, in words without patient data."""
    requested_by: Mapped[UUID | None]
    created_at: Mapped[Stamp]
    finished_at: Mapped[datetime | None]


class Endpoint(Base):
    """An HL7 feed from a site (`hl7_in`) or a destination of reports (the kinds of `kinds.KINDS`).

    For `hl7_in`, `application` and `facility_name` (MSH-3, MSH-4) and, where given, `host` (an address or
    network) tell who sends. For `hl7_out`, host and port are dialled and the two names are the receiver's
    (MSH-5, MSH-6).
    """

    __tablename__ = "endpoints"
    __table_args__ = (
        CheckConstraint("kind in ('hl7_in','hl7_out','dicom_out','email','webhook','folder','sftp')", name="kind"),
        CheckConstraint("order_answer in ('ack','order_response')", name="order_answer"),
        CheckConstraint("certificate_sha256 ~ '^[0-9a-f]{64}$'", name="certificate_sha256"),
        Index("ix_endpoints_facility", "facility_id", "kind"),
        {"schema": "sites"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("sites.facilities.id"))
    kind: Mapped[str]
    name: Mapped[str]
    host: Mapped[str | None]
    port: Mapped[int | None]
    application: Mapped[str]
    facility_name: Mapped[str]
    charset: Mapped[str] = mapped_column(server_default="UNICODE UTF-8")
    mapping: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    """Of a feed: where its values stand, by name, where that is not as usual."""
    repeats_control_ids: Mapped[bool] = mapped_column(server_default="false")
    """Its sender numbers messages anew: one with a known control id and other content is processed, not refused."""
    ignored: Mapped[list[str]] = mapped_column(server_default="{}")
    """Messages (`ADT^A02`) that are acknowledged, kept in the log, and have no other effect."""
    order_answer: Mapped[str] = mapped_column(server_default="ack")
    """ack, or order_response: ORR^O02, ORI^O24, ORG^O20 in place of an ACK."""
    tls_required: Mapped[bool] = mapped_column(server_default="false")
    """Its messages are taken over TLS only."""
    certificate_sha256: Mapped[str | None]
    """SHA-256 of the DER of the one client certificate that it may show, in lower-case hex; null: it needs none."""
    reply_host: Mapped[str | None]
    """Of a feed: where application acknowledgements of enhanced mode are sent; null: they are in the log alone."""
    reply_port: Mapped[int | None]
    takes_files: Mapped[bool] = mapped_column(server_default="false")
    """Of a feed: its messages and batches may also come as files, in the folder that bears its id."""
    settings: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    """What is particular to its kind, as the kind's own model in `kinds.KINDS` has it. Shown to administrators: no secrets."""
    is_active: Mapped[bool] = mapped_column(server_default="true")
    created_at: Mapped[Stamp]


class EndpointSecret(Base):
    """A secret of a destination, sealed by a key outside the database. Row-level security applies."""

    __tablename__ = "endpoint_secrets"
    __table_args__ = (
        CheckConstraint("name in ('signing','password','private_key')", name="name"),
        Index("ix_endpoint_secrets_endpoint", "endpoint_id", "name"),
        {"schema": "sites"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("sites.endpoints.id"))
    name: Mapped[str]
    """signing (a webhook's), password, private_key (OpenSSH or PEM)."""
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    made_by: Mapped[UUID | None]
    made_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    """From then on it is not used; null: until another takes its place."""


class Message(Base):
    """An HL7 message, in or out, with its fate. `payload` is exactly what was on the wire.

    Patient data: row-level security applies.
    """

    __tablename__ = "messages"
    __table_args__ = (
        Index("ix_messages_organization", "organization_id", "received_at"),
        Index("ix_messages_control", "endpoint_id", "control_id", "payload_sha256"),
        Index("ix_messages_organization_control", "organization_id", "control_id"),
        Index("ix_messages_order", "order_id", postgresql_where="order_id is not null"),
        Index("ix_messages_replay", "replay_of", postgresql_where="replay_of is not null"),
        Index("ix_messages_waiting", "endpoint_id", "id", postgresql_where="fate in ('received', 'held')"),
        Index("ix_messages_delivery", "delivery_id", postgresql_where="delivery_id is not null"),
        {"schema": "sites"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenancy.organizations.id"))
    endpoint_id: Mapped[UUID | None] = mapped_column(ForeignKey("sites.endpoints.id"))
    direction: Mapped[str]
    received_at: Mapped[Stamp]
    peer: Mapped[str | None]
    control_id: Mapped[str | None]
    message_type: Mapped[str | None]
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    payload_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)
    acknowledgement: Mapped[str | None]
    fate: Mapped[str]
    """See `messages.Fate`."""
    fault: Mapped[str | None]
    """What is wrong and where, without patient data."""
    order_id: Mapped[UUID | None]
    delivery_id: Mapped[UUID | None]
    replay_of: Mapped[UUID | None] = mapped_column(ForeignKey("sites.messages.id"))
    """The message that a person had processed again by this one."""
    settings: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    answered_at: Mapped[datetime | None]
