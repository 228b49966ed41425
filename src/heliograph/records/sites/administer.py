"""Making and changing facilities, callers and endpoints: by an administrator of the organisation, validated, recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from heliograph.governance.policy.jurisdictions import jurisdiction
from heliograph.kit.codecs.dicom.text import is_character_set
from heliograph.kit.codecs.hl7 import UnknownCharset, codec_of
from heliograph.kit.db.session import ROW_LOCK
from heliograph.kit.errors import Conflict, NotFound
from heliograph.kit.work import Work
from heliograph.records.sites.errors import BadSite, CallerTaken, CodeTaken, SenderTaken
from heliograph.records.sites.kinds import KINDS, checked_settings
from heliograph.records.sites.mapping import checked
from heliograph.records.sites.model import Caller, Endpoint, Facility, Node
from heliograph.records.sites.rules import network_of

_Row = TypeVar("_Row", Facility, Caller, Endpoint)
_LANGUAGE = re.compile(r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
_KIND = re.compile(r"[A-Z0-9]{3}\^[A-Z0-9]{3}\Z")
"""MSH-9.1 and MSH-9.2."""
_TITLE = re.compile(r"^[\x21-\x5b\x5d-\x7e][\x20-\x5b\x5d-\x7e]{0,15}$")
"""An AE title: up to 16 characters of ASCII without backslash and control characters (PS3.5 6.2)."""


def add_facility(work: Work, organization_id: UUID, values: Mapping[str, Any]) -> UUID:
    """Makes a facility; `values` are columns. Returns its id. Raises: NotFound, BadSite, CodeTaken."""
    _must_administer(work, organization_id)
    row = Facility(organization_id=organization_id, **_clean(values))
    _check_facility(row)
    return _add(work, row, "facility", CodeTaken)


def change_facility(work: Work, facility_id: UUID, values: Mapping[str, Any]) -> None:
    """Changes columns of a facility. Raises: NotFound, BadSite, CodeTaken."""
    row = _mine(work, Facility, facility_id)
    _change(work, row, values, "facility", CodeTaken)


def add_caller(work: Work, facility_id: UUID, values: Mapping[str, Any]) -> UUID:
    """Makes a DICOM caller known. Raises: NotFound, BadSite, CallerTaken."""
    facility = _mine(work, Facility, facility_id)
    row = Caller(organization_id=facility.organization_id, facility_id=facility.id, **_clean(values))
    _check_caller(row)
    return _add(work, row, "caller", CallerTaken)


def change_caller(work: Work, caller_id: UUID, values: Mapping[str, Any]) -> None:
    """Changes columns of a caller. Raises: NotFound, BadSite, CallerTaken."""
    row = _mine(work, Caller, caller_id)
    _check_facility_of(work, row, values)
    _change(work, row, values, "caller", CallerTaken)


def add_endpoint(work: Work, facility_id: UUID, values: Mapping[str, Any]) -> UUID:
    """Makes an HL7 feed or a destination of reports. Raises: NotFound, BadSite, SenderTaken."""
    facility = _mine(work, Facility, facility_id)
    row = Endpoint(organization_id=facility.organization_id, facility_id=facility.id, **_clean(values))
    _check_endpoint(work, row)
    return _add(work, row, "endpoint", SenderTaken)


def change_endpoint(work: Work, endpoint_id: UUID, values: Mapping[str, Any]) -> None:
    """Changes columns of an endpoint; its kind stays. Raises: NotFound, BadSite, SenderTaken."""
    row = _mine(work, Endpoint, endpoint_id)
    _check_facility_of(work, row, values)
    _change(work, row, values, "endpoint", SenderTaken)


def _must_administer(work: Work, organization_id: UUID) -> None:
    if not work.actor.holds("administrator", organization_id):
        raise NotFound


def _mine(work: Work, kind: type[_Row], id_: UUID) -> _Row:
    """The row, if the actor administers its organisation: absent and forbidden look the same."""
    row = work.session.get(kind, id_, with_for_update=ROW_LOCK)
    if row is None:
        raise NotFound
    _must_administer(work, row.organization_id)
    return row


def _check_facility_of(work: Work, row: Caller | Endpoint, values: Mapping[str, Any]) -> None:
    if values.get("facility_id") is not None and _mine(work, Facility, values["facility_id"]).organization_id != (
        row.organization_id
    ):
        raise NotFound


def _clean(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}


def _add(work: Work, row: Facility | Caller | Endpoint, kind: str, taken: type[Conflict]) -> UUID:
    work.session.add(row)
    _flush(work, taken)
    _record(work, f"{kind}.added", row, kind, {})
    return row.id


def _change(
    work: Work, row: Facility | Caller | Endpoint, values: Mapping[str, Any], kind: str, taken: type[Conflict]
) -> None:
    changed = [name for name, value in _clean(values).items() if getattr(row, name) != value]
    if not changed:
        return
    with work.session.no_autoflush:
        for name in changed:
            setattr(row, name, _clean(values)[name])
        if isinstance(row, Facility):
            _check_facility(row)
        elif isinstance(row, Caller):
            _check_caller(row)
        else:
            _check_endpoint(work, row)
    _flush(work, taken)
    _record(work, f"{kind}.changed", row, kind, {"fields": changed})


def _flush(work: Work, taken: type[Conflict]) -> None:
    try:
        work.session.flush()
    except IntegrityError as error:
        raise taken from error


def _record(work: Work, action: str, row: Facility | Caller | Endpoint, kind: str, detail: dict[str, Any]) -> None:
    work.record(action, organization_id=row.organization_id, subject_kind=kind, subject_id=row.id, detail=detail)


def _check_facility(row: Facility) -> None:
    if jurisdiction(row.jurisdiction) is None:
        raise BadSite(f"{row.jurisdiction} is no jurisdiction that is known here: an ISO 3166 code as NO or US-TX.")
    try:
        ZoneInfo(row.time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadSite("The time zone is no IANA name as Europe/Oslo.") from error
    if not row.report_languages or not all(_LANGUAGE.match(language) for language in row.report_languages):
        raise BadSite("Name at least one report language, by its BCP 47 tag as en or nb.")
    row.fallback_charset = _charset(row.fallback_charset)


def _charset(text: str | None) -> str | None:
    """Defined terms of Specific Character Set, with spaces around them or not."""
    terms = "\\".join(term.strip() for term in (text or "").split("\\"))
    if not terms.strip("\\"):
        return None
    if not is_character_set(terms):
        raise BadSite(
            "The character set is no defined term of DICOM as ISO_IR 100, GB18030 or ISO 2022 IR 13\\ISO 2022 IR 87."
        )
    return terms


def _check_caller(row: Caller) -> None:
    if not (_TITLE.match(row.called_ae) and _TITLE.match(row.calling_ae)):
        raise BadSite("An AE title has 1 to 16 characters, no backslash and no control characters.")
    row.address = _address(row.address)
    row.certificate_sha256 = _fingerprint(row.certificate_sha256)
    row.fallback_charset = _charset(row.fallback_charset)


def _check_endpoint(work: Work, row: Endpoint) -> None:
    try:
        codec_of(row.charset or "UNICODE UTF-8")
    except UnknownCharset as error:
        raise BadSite(error.detail) from error
    row.settings = checked_settings(row.kind, row.settings or {})
    row.mapping = checked(row.mapping or {})
    kind = KINDS[row.kind]
    if kind.needs_names and not (row.application and row.facility_name):
        raise BadSite("Name the application and the facility of the other side, as its messages do.")
    if kind.channel is not None:
        node_id = row.settings.get("node_id")
        found = work.session.get(Node, UUID(node_id)) if node_id else None
        if node_id and (found is None or found.organization_id != row.organization_id):
            raise BadSite("The organisation has no such DICOM node.")
        if kind.needs_address and not (row.host and row.port):
            raise BadSite("A destination needs a host and a port.")
        return
    row.host = _address(row.host)
    row.certificate_sha256 = _fingerprint(row.certificate_sha256)
    if not all(_KIND.match(kind) for kind in row.ignored or ()):
        raise BadSite("What is ignored is named by message type and trigger event, as ADT^A02.")
    if bool(row.reply_host) != bool(row.reply_port):
        raise BadSite("Application acknowledgements need both a host and a port to go to.")
    if row.is_active is False:
        return
    same = select(Endpoint.id).where(
        Endpoint.kind == "hl7_in",
        Endpoint.application == row.application,
        Endpoint.facility_name == row.facility_name,
        Endpoint.host == row.host if row.host else Endpoint.host.is_(None),
        Endpoint.is_active,
    )
    if row.id is not None:
        same = same.where(Endpoint.id != row.id)
    if work.session.scalar(same.limit(1)) is not None:
        raise SenderTaken


def _fingerprint(text: str | None) -> str | None:
    """As tools print it (AB:CD:..., with spaces, either case), in the one spelling that is compared."""
    if not text:
        return None
    digits = re.sub(r"[\s:]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise BadSite("A certificate's fingerprint is its SHA-256: 64 hexadecimal digits.")
    return digits


def _address(text: str | None) -> str | None:
    """In one spelling, so that equal networks are found equal: 10.1.2.3/32 is 10.1.2.3."""
    if not text:
        return None
    try:
        network = network_of(text)
    except ValueError as error:
        raise BadSite("The address is neither an IP address nor a network as 10.1.0.0/16.") from error
    return str(network.network_address) if network.num_addresses == 1 else str(network)
