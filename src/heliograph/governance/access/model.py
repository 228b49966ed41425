"""Tables of access."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from heliograph.kit.db.base import Base, Id, Stamp

ROLES = ("reader", "coordinator", "site_staff", "administrator", "auditor")


class User(Base):
    """A person who signs in. `is_operator` runs the platform and sees no patient data by it."""

    __tablename__ = "users"
    __table_args__ = ({"schema": "access"},)

    id: Mapped[Id]
    username: Mapped[str] = mapped_column(unique=True)
    display_name: Mapped[str]
    email: Mapped[str | None]
    time_zone: Mapped[str] = mapped_column(server_default="UTC")
    password_hash: Mapped[str]
    totp_secret: Mapped[str | None]
    is_operator: Mapped[bool] = mapped_column(server_default="false")
    is_active: Mapped[bool] = mapped_column(server_default="true")
    created_at: Mapped[Stamp]


class RoleAssignment(Base):
    """A role held in one organisation; `facility_id` narrows site staff to one facility."""

    __tablename__ = "role_assignments"
    __table_args__ = (
        CheckConstraint("role in ('reader','coordinator','site_staff','administrator','auditor')", name="role"),
        UniqueConstraint("user_id", "organization_id", "role", "facility_id", postgresql_nulls_not_distinct=True),
        {"schema": "access"},
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("access.users.id"))
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    role: Mapped[str]
    facility_id: Mapped[UUID | None]
    valid_from: Mapped[Stamp]
    valid_until: Mapped[datetime | None]


class SessionRow(Base):
    """A signed-in browser. Only a hash of its token is kept."""

    __tablename__ = "sessions"
    __table_args__ = ({"schema": "access"},)

    id: Mapped[Id]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    csrf_token: Mapped[str]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("access.users.id"))
    created_at: Mapped[Stamp]
    last_seen_at: Mapped[Stamp]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    signature_at: Mapped[datetime | None]
    """When the person last proved themselves for signing, or signed after that."""
    address: Mapped[str | None]
    user_agent: Mapped[str | None]


class SignInAttempt(Base):
    """One try to sign in, for rate limits. The name is hashed, since people type passwords there."""

    __tablename__ = "sign_in_attempts"
    __table_args__ = (
        Index("ix_sign_in_attempts_who", "username_hash", "at"),
        Index("ix_sign_in_attempts_where", "address", "at"),
        {"schema": "access"},
    )

    id: Mapped[Id]
    username_hash: Mapped[bytes] = mapped_column(LargeBinary)
    address: Mapped[str]
    at: Mapped[Stamp]
    succeeded: Mapped[bool]


class Key(Base):
    """A bearer key by which a machine of one organisation uses DICOMweb. Only its hash is kept."""

    __tablename__ = "keys"
    __table_args__ = ({"schema": "access"},)

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    facility_id: Mapped[UUID]
    name: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    may_store: Mapped[bool] = mapped_column(server_default="true")
    may_read: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[Stamp]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class PassedView(Base):
    """A session has been recorded as seeing a study: the record holds one view per actor, study and session."""

    __tablename__ = "passed_views"
    __table_args__ = ({"schema": "access"},)

    session_id: Mapped[UUID] = mapped_column(ForeignKey("access.sessions.id"), primary_key=True)
    study_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[Stamp]
