"""Reports as DICOM objects in each study that they interpret: to a node by C-STORE (PS3.4 B), or to an address by STOW-RS (PS3.18 10.5)."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import text

from heliograph.care.delivery.archive_pdf import encapsulate
from heliograph.care.delivery.channel import Prepared, Result, Try
from heliograph.care.delivery.errors import CannotBuild
from heliograph.care.delivery.posting import send_post
from heliograph.care.delivery.report_sr import report_sr
from heliograph.care.reading.pdf import report_pdf
from heliograph.care.reading.queries import orders_of_case, studies_of_case, version
from heliograph.kit.codecs.dicom import read_file_meta
from heliograph.kit.errors import HeliographError, NotFound
from heliograph.kit.net import http_out
from heliograph.kit.net.dicom import AssociationError, SendResult, ToSend, send_objects
from heliograph.kit.net.dicom.errors import NotConnected, Rejected
from heliograph.kit.settings import Settings
from heliograph.kit.work import Work
from heliograph.records.archive.queries import studies
from heliograph.records.sites.calling import remote_of
from heliograph.records.sites.kinds import DicomOutSettings
from heliograph.records.sites.nodes import NodeFacts, node

MESSAGE_TYPE = "DICOM"
_DESCRIPTION = text("select description from worklist.cases where id = :case")
_LANGUAGE = text("select language from reading.reports where id = :report")
_AGAIN = frozenset({408, 425, 429})


def prepare(work: Work, settings: Settings, one: Try) -> Prepared:  # noqa: ARG001 (a channel's signature)
    """The objects, as a ZIP archive of Part 10 files, and where to. Raises: CannotBuild, NotFound."""
    if one.destination is None:
        raise CannotBuild("This destination has no address.")
    wanted = DicomOutSettings.model_validate(one.destination.settings)
    to: NodeFacts | str | None = wanted.url
    if wanted.node_id is not None:
        found = node(work.session, wanted.node_id)
        to = found if found is not None and found.is_active and found.organization_id == one.organization_id else None
    if to is None:
        raise CannotBuild("The node of this destination is gone or switched off.")
    payload = one.kept if one.kept is not None else zipped(_objects(work, one, wanted.objects))
    return Prepared(payload, MESSAGE_TYPE, _peer(to), to)


def talk(settings: Settings, one: Try, prepared: Prepared) -> Result:
    """Sends them; only when each was taken the delivery counts."""
    files = unzipped(prepared.payload)
    if isinstance(prepared.to, str):
        return _stow(settings, prepared.to, one.control_id, files)
    return _store(settings, prepared.to, files)


def zipped(files: Sequence[bytes]) -> bytes:
    """Part 10 files in one archive, in order: what the message log keeps, and what a person can open."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for number, content in enumerate(files, start=1):
            archive.writestr(zipfile.ZipInfo(f"{number:03}.dcm"), content)
    return out.getvalue()


def unzipped(payload: bytes) -> list[bytes]:
    """The files of `zipped`, in order."""
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        return [archive.read(name) for name in sorted(archive.namelist())]


def multipart(boundary: str, files: Iterable[bytes]) -> bytes:
    """A multipart/related body of application/dicom parts (RFC 2387)."""
    parts = [
        b"--" + boundary.encode() + b"\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n"
        for content in files
    ]
    return b"".join(parts) + b"--" + boundary.encode() + b"--\r\n"


def read_status(status: int, body: bytes) -> Result:
    """What the answer to a STOW request means (PS3.18 10.5.3): only 200 says that every object is stored."""
    code = str(status)
    if status == 200:
        return Result("acknowledged", None, code, body)
    if status in _AGAIN or status >= 500:
        return Result("no_answer", f"It answered {status}.", code, body)
    if status == 202:
        return Result("refused_AE", "It took only some of the objects, or with warnings (202).", code, body)
    redirect = " Redirects are not followed; enter the new address." if 300 <= status < 400 else ""
    return Result("refused_AR", f"It answered {status}.{redirect}", code, body)


def _objects(work: Work, one: Try, kinds: Sequence[str]) -> list[bytes]:
    report = version(work.session, one.version_id)
    if report is None:
        raise NotFound()
    ids = studies_of_case(work.session, one.case_id)
    known = studies(work.session, ids)
    if not known:
        raise CannotBuild("The case has no study that it could belong to.")
    exam = work.session.scalar(_DESCRIPTION, {"case": one.case_id}) or ""
    language = work.session.scalar(_LANGUAGE, {"report": report.report_id}) or "en"
    orders = tuple(orders_of_case(work.session, one.case_id))
    pdf = report_pdf(work.session, report.id) if "pdf" in kinds else b""
    made = []
    for study in (known[i] for i in ids if i in known):
        if "pdf" in kinds:
            made.append(encapsulate(pdf, report, study, exam))
        if "sr" in kinds:
            made.append(report_sr(report, study, orders, language))
    return made


def _store(settings: Settings, to: NodeFacts, files: list[bytes]) -> Result:
    results: list[SendResult] = []
    seconds = settings.delivery_timeout_seconds
    try:
        remote = remote_of(settings, to, answer=seconds, longest=seconds)
        send_objects(remote, [_to_send(content) for content in files], on_result=results.append)
    except (NotConnected, Rejected) as error:
        return Result("not_connected", _sentence(str(error)))
    except AssociationError as error:
        return Result("no_answer", _sentence(str(error)))
    except HeliographError as error:  # our certificate, or an object that can't be read
        return Result("no_answer", error.detail)
    bad = [r for r in results if not r.stored]
    if not bad and len(results) == len(files):
        return Result("acknowledged", None, f"{results[-1].status or 0:04X}" if results else None)
    worst = bad[0]
    words = f"{len(bad)} of {len(files)} were not stored: {_sentence(worst.reason)}"
    if worst.status is None and not worst.is_final:
        return Result("no_answer", words)
    # Out of resources and processing failures may pass; what it can't or may not store, no try will mend (PS3.4 B.2.3).
    passing = worst.status is not None and (worst.status & 0xFF00 == 0xA700 or worst.status == 0x0110)
    code = f"{worst.status:04X}" if worst.status is not None else None
    return Result("refused_AE" if passing else "refused_AR", words, code)


def _to_send(content: bytes) -> ToSend:
    meta = read_file_meta(memoryview(content))

    @contextlib.contextmanager
    def opened() -> Iterator[Iterable[bytes | memoryview]]:
        yield (memoryview(content)[meta.data_set_offset :],)

    return ToSend(meta.sop_class_uid, meta.sop_instance_uid, meta.transfer_syntax_uid, opened)


def _stow(settings: Settings, url: str, control_id: str, files: list[bytes]) -> Result:
    boundary = f"heliograph-{control_id}"
    told = {
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
        "Accept": "application/dicom+json",
    }
    answer = send_post(settings, url, multipart(boundary, files), told)
    if isinstance(answer, Result):
        return answer
    return read_status(answer.status, answer.body)


def _peer(to: NodeFacts | str) -> str:
    if isinstance(to, str):
        parts = http_out.split_url(to)
        return f"{parts.hostname}{f':{parts.port}' if parts.port else ''}"
    return f"{to.ae_title}@{to.host}:{to.port}"


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:].rstrip(".") + "."
