"""The report as an HL7 message, as the destination wants it: ORU^R01 (HL7 v2.5.1 7.3.1) or MDM (9.6), with the whole current text."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import text

from heliograph.care.delivery.errors import CannotBuild
from heliograph.care.delivery.facts import APPLICATION, Told, facts_to_tell
from heliograph.kit.codecs.hl7 import (
    Document,
    Endpoint,
    Hd,
    Header,
    Mdm,
    MdmEvent,
    Oru,
    Unencodable,
    UnknownCharset,
    build_mdm,
    build_oru_r01,
)
from heliograph.kit.db.session import ActorSession
from heliograph.records.sites.kinds import Hl7OutSettings
from heliograph.records.sites.queries import EndpointFacts

REPLACED = "Characters that the receiving system's character set lacks are spelt otherwise here; the signed report has them as written."
_THERE_BEFORE = text(
    "select max(version_number) from delivery.deliveries where case_id = :case and endpoint_id = :endpoint "
    "and state = 'acknowledged' and not is_withdrawal and version_number < :number"
)


def message_for(
    session: ActorSession,
    version_id: UUID,
    endpoint: EndpointFacts,
    control_id: str,
    at: datetime,
    *,
    processing_id: Literal["P", "T"] = "P",
    is_withdrawal: bool = False,
) -> tuple[bytes, str]:
    """The bytes of the message of a version to an endpoint, and its type.

    Raises:
        NotFound: no such version.
        CannotBuild: nobody knows the patient, or the endpoint's character set can't hold the text.
    """
    settings = Hl7OutSettings.model_validate(endpoint.settings)
    told = facts_to_tell(session, version_id, settings, at, is_withdrawal=is_withdrawal)
    header = Header(
        sender=Endpoint(Hd(APPLICATION), Hd(told.owner)),
        receiver=Endpoint(Hd(endpoint.application), Hd(endpoint.facility_name)),
        control_id=control_id,
        sent_at=at.astimezone(told.zone),
        processing_id=processing_id,
        charset=endpoint.charset,
        unencodable=settings.unencodable,
        note=REPLACED,
    )
    try:
        if settings.message == "MDM":
            return _mdm(session, told, header, endpoint, settings, is_withdrawal=is_withdrawal)
        return build_oru_r01(
            Oru(
                header=header,
                patient=told.patient,
                results=told.results,
                visit=told.visit,
                version_marker=f"V{told.report.number}",
                version_marker_in=settings.version_in,
                line_length=settings.line_length,
            )
        ), "ORU^R01"
    except Unencodable as error:
        raise CannotBuild(f"The character set {endpoint.charset} of this destination can't hold the text.") from error
    except (ValueError, UnknownCharset) as error:
        raise CannotBuild("The message can't be written as this destination is set up.") from error


def build_message(
    session: ActorSession,
    version_id: UUID,
    endpoint: EndpointFacts,
    control_id: str,
    at: datetime,
    *,
    processing_id: Literal["P", "T"] = "P",
    is_withdrawal: bool = False,
) -> bytes:
    """The bytes of `message_for` alone."""
    return message_for(
        session, version_id, endpoint, control_id, at, processing_id=processing_id, is_withdrawal=is_withdrawal
    )[0]


def _mdm(
    session: ActorSession,
    told: Told,
    header: Header,
    endpoint: EndpointFacts,
    settings: Hl7OutSettings,
    *,
    is_withdrawal: bool,
) -> tuple[bytes, str]:
    """T02 for what is new there, T06 for an addendum, T10 for what takes another's place, T11 for a withdrawal."""
    report = told.report
    number: int | None = session.scalar(
        _THERE_BEFORE, {"case": report.case_id, "endpoint": endpoint.id, "number": report.number}
    )
    parent = document_number(report.report_id, number) if number else ""
    event: MdmEvent = "T02"
    if is_withdrawal:
        event, parent = "T11", document_number(report.report_id, report.number)
    elif parent:
        event = "T06" if report.kind == "addendum" else "T10"
    payload = build_mdm(
        Mdm(
            header=header,
            event=event,
            patient=told.patient,
            orders=told.results,
            document=Document(
                id=document_number(report.report_id, report.number),
                completion="PA" if report.kind == "preliminary" else "LA",
                availability="CA" if is_withdrawal else "AV",
                authenticator=told.interpreter,
                authenticated_at=report.signed_at.astimezone(told.zone),
                observations=told.observations,
                parent=parent,
                activity_at=told.results[0].observed_at,
            ),
            visit=told.visit,
            version_marker=f"V{report.number}",
            line_length=settings.line_length,
        )
    )
    return payload, f"MDM^{event}"


def document_number(report_id: UUID, number: int) -> str:
    """TXA-12 of a version: at most 30 characters, the same for ever."""
    return f"{report_id.hex[-18:].upper()}-V{number}"
