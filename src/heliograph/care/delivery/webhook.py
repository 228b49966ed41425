"""Reports to a webhook: a CloudEvents 1.0 body, signed as Standard Webhooks 1.0 say.

The body names the report, its order and its studies by their ids, and where to read it; patient data only where the destination's
settings ask for the report itself.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from heliograph.care.delivery.channel import Prepared, Result, Try
from heliograph.care.delivery.errors import CannotBuild
from heliograph.care.delivery.oru import build_message
from heliograph.care.delivery.posting import send_post
from heliograph.care.reading.queries import orders_of_case, studies_of_case, version
from heliograph.governance.tenancy.queries import organization
from heliograph.kit.errors import HeliographError, NotFound
from heliograph.kit.seal import seal
from heliograph.kit.settings import Settings
from heliograph.kit.work import Work
from heliograph.records.archive.queries import studies
from heliograph.records.sites.kinds import Hl7OutSettings, WebhookSettings
from heliograph.records.sites.queries import EndpointFacts, facility
from heliograph.records.sites.secrets import secrets_in_force, signing_bytes

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
MESSAGE_TYPE = "CloudEvent"
TEST_TYPE = "heliograph.test"
AGAIN = frozenset({408, 425, 429})
"""Statuses that ask for patience, beside all of 5xx."""


def prepare(work: Work, settings: Settings, one: Try) -> Prepared:
    """The event's bytes, made at the first try, and the secrets in force now. Raises: CannotBuild, NotFound."""
    to = one.destination
    if to is None:
        raise CannotBuild("This destination has no address.")
    wanted = WebhookSettings.model_validate(to.settings)
    payload = one.kept if one.kept is not None else _report_event(work, settings, one, to, wanted)
    return Prepared(payload, MESSAGE_TYPE, peer_of(wanted.url), (wanted.url, keys_of(work, settings, to.id)))


def talk(settings: Settings, one: Try, prepared: Prepared) -> Result:
    """Posts it, signed anew: the time of the try is part of what is signed."""
    url, keys = prepared.to
    return post(settings, url, keys, one.control_id, prepared.payload)


def keys_of(work: Work, settings: Settings, endpoint_id: UUID) -> list[bytes]:
    """The signing keys in force. Raises: CannotBuild (none, or they can't be opened)."""
    try:
        box = seal(settings.secrets_key, settings.keys_dir)
        found = secrets_in_force(work.session, box, endpoint_id, "signing", work.now)
    except HeliographError as error:
        raise CannotBuild(f"The signing secret can't be used. {error.detail}") from error
    if not found:
        raise CannotBuild("This webhook has no signing secret yet.")
    return [signing_bytes(text) for text in found]


def post(settings: Settings, url: str, keys: Sequence[bytes], id_: str, body: bytes) -> Result:
    """One signed request and what its answer means: any 2xx is an acknowledgement, nothing else is."""
    told = headers(keys, id_, int(time.time()), body)
    answer = send_post(settings, url, body, told)
    if isinstance(answer, Result):
        return answer
    return read_answer(answer.status, answer.body)


def read_answer(status: int, body: bytes) -> Result:
    """What a status means. A redirect is never followed; 410 says that nobody wants it any more (Standard Webhooks)."""
    code = str(status)
    if 200 <= status < 300:
        return Result("acknowledged", None, code, body)
    if status in AGAIN or status >= 500:
        return Result("no_answer", f"It answered {status}.", code, body)
    if status == 410:
        return Result("refused_AR", "It answered 410: this webhook is gone.", code, body)
    redirect = " Redirects are not followed; enter the new address." if 300 <= status < 400 else ""
    return Result("refused_AE", f"It answered {status}.{redirect}", code, body)


def headers(keys: Sequence[bytes], id_: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Headers of Standard Webhooks; a signature for each key, so that secrets change without a gap."""
    return {
        "Content-Type": CONTENT_TYPE,
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(key, id_, timestamp, body) for key in keys),
    }


def sign(key: bytes, id_: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the HMAC-SHA256 over id, timestamp and body with dots between them, in base64."""
    signed = f"{id_}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def event(id_: str, source: str, kind: str, at: datetime, subject: str | None, data: Mapping[str, Any]) -> bytes:
    """A CloudEvents 1.0 event in its JSON format."""
    told: dict[str, Any] = {
        "specversion": "1.0",
        "id": id_,
        "source": source,
        "type": kind,
        "time": at.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": data,
    }
    if subject is not None:
        told["subject"] = subject
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def peer_of(url: str) -> str:
    """The host of an address, for the log: its path may hold a token."""
    parts = urlsplit(url)
    return f"{parts.hostname}{f':{parts.port}' if parts.port else ''}"


def _report_event(work: Work, settings: Settings, one: Try, to: EndpointFacts, wanted: WebhookSettings) -> bytes:
    report = version(work.session, one.version_id)
    site = facility(work.session, to.facility_id)
    client = organization(work.session, one.organization_id)
    if report is None or site is None or client is None:
        raise NotFound
    orders = orders_of_case(work.session, one.case_id)
    uids = [s.study_instance_uid for s in studies(work.session, studies_of_case(work.session, one.case_id)).values()]
    data: dict[str, Any] = {
        "organization": client.slug,
        "facility": site.code,
        "report_version_id": str(report.id),
        "version": report.number,
        "status": "withdrawn" if one.is_withdrawal else report.kind,
        "signed_at": report.signed_at.isoformat().replace("+00:00", "Z"),
        "case_id": str(one.case_id),
        "orders": [
            {"accession_number": o.accession_number, "placer_number": o.placer_number, "filler_number": o.filler_number}
            for o in orders
        ],
        "study_instance_uids": uids,
        "url": f"{settings.public_url.rstrip('/')}/app/case/{one.case_id}",
    }
    if wanted.with_report and not one.is_withdrawal:
        data["hl7"] = as_hl7(work, settings, one, to).decode()
    kind = f"heliograph.report.{data['status']}"
    return event(one.control_id, settings.public_url, kind, work.now, str(report.id), data)


def as_hl7(work: Work, settings: Settings, one: Try, to: EndpointFacts) -> bytes:
    """The report as an HL7 message in UTF-8, without the PDF. Raises: CannotBuild, NotFound."""
    plain = Hl7OutSettings(pdf=False).model_dump(mode="json")
    receiver = dataclasses.replace(
        to,
        kind="hl7_out",
        application=to.application or to.name,
        facility_name=to.facility_name or to.name,
        charset="UNICODE UTF-8",
        settings=plain,
    )
    mode: Any = "T" if settings.demonstration else "P"
    return build_message(
        work.session,
        one.version_id,
        receiver,
        one.control_id,
        work.now,
        processing_id=mode,
        is_withdrawal=one.is_withdrawal,
    )
