"""Odd objects, and what each door of the archive tells of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.exchange.dimse.find import STUDY_ROOT, find
from heliograph.exchange.dimse.server import listening
from heliograph.kit.codecs.dicom import part10_header
from heliograph.kit.net.dicom import send_files
from heliograph.kit.net.dicom.identifiers import decode_identifier, encode_identifier, query_for
from heliograph.records.sites.queries import KnownCaller
from tests.cast import Cast
from tests.exchange.dicomweb.test_dicomweb import index, post
from tests.kit.codecs import dicom_bytes as wire

UTF8 = {"vr": "CS", "Value": ["ISO_IR 192"]}


def image(
    study: str,
    terms: str | None,
    *more: bytes,
    patient: str | bytes = "NF-77",
    number: int = 1,
    syntax: str = wire.EXPLICIT,
) -> bytes:
    """A CT of one pixel. `more` goes before what it would else have; no character set is declared where `terms` is None.

    Its series is `study`.1, its SOP Instance UID `study`.1.`number`.
    """
    usual = [
        *([wire.text(0x00080005, "CS", terms)] if terms is not None else []),
        wire.text(0x00100020, "LO", patient),
        wire.text(0x00080060, "CS", "CT"),
        wire.text(0x00080020, "DA", "20261125"),
        wire.text(0x00200013, "IS", str(number)),
        *wire.image(1, 1),
        wire.element(0x7FE00010, "OW", b"\1\0"),
    ]
    given = {part[:4] for part in more}
    parts = [*(part for part in usual if part[:4] not in given), *more]
    without = tuple(int.from_bytes(p[:2], "little") << 16 | int.from_bytes(p[2:4], "little") for p in more)
    body = wire.data_set(*parts, without=without, sop=f"{study}.1.{number}", study=study, series=f"{study}.1")
    return part10_header(wire.CT, f"{study}.1.{number}", syntax) + body


@dataclass
class Archive:
    """What each door tells."""

    context: Context
    cast: Cast
    client: httpx.Client

    def store(self, *data: bytes) -> None:
        """By STOW-RS; what is odd may be warned of, and is kept."""
        answer = post(self.client, list(data))
        assert answer.status_code in {200, 202}, answer.text
        assert "00081198" not in answer.json(), answer.text
        index(self.context)

    def send(self, folder: Path, *data: bytes) -> list[int | None]:
        """By C-STORE."""
        for number, one in enumerate(data):
            (folder / f"{number:04d}.dcm").write_bytes(one)
        with listening(self.context) as listener:
            paths = sorted(folder.glob("*.dcm"))
            sent = send_files("127.0.0.1", listener.port, called="HELIO_NF", calling="NF_CT1", files=paths)
        index(self.context)
        return [one.status for one in sent]

    def get(self, path: str, **parameters: str) -> Any:
        """Strict JSON below the DICOMweb root; an empty list where there is nothing."""
        answer = self.client.get(f"/dicomweb/norfjord/{path}", params=parameters)
        assert answer.status_code in {200, 204}, answer.text
        if answer.status_code == 204:
            return []
        return json.loads(answer.content, parse_constant=lambda token: pytest.fail(f"{token} is not JSON"))

    def metadata(self, study: str) -> Any:
        """Of the study's only instance."""
        (made,) = self.get(f"studies/{study}/metadata")
        return made

    def kept(self, study: str, number: int = 1) -> bytes:
        """An object as it is kept."""
        answer = self.client.get(
            f"/dicomweb/norfjord/studies/{study}/series/{study}.1/instances/{study}.1.{number}",
            headers={"Accept": "application/dicom; transfer-syntax=*"},
        )
        assert answer.status_code == 200
        return answer.content

    def frame(self, study: str, number: int, instance: int = 1) -> httpx.Response:
        """A frame as it is kept, alone."""
        where = f"/dicomweb/norfjord/studies/{study}/series/{study}.1/instances/{study}.1.{instance}/frames/{number}"
        return self.client.get(where, headers={"Accept": "application/octet-stream; transfer-syntax=*"})

    def studies(self, **keys: str) -> list[Any]:
        found: list[Any] = self.get("studies", **keys)
        return found

    def find(self, *, charset: str | None = None, level: str = "STUDY", **keys: Any) -> list[Dataset]:
        identifier = query_for(level, keys)  # type: ignore[arg-type]
        if charset is not None:
            identifier.SpecificCharacterSet = charset
        asked = decode_identifier(encode_identifier(identifier, ExplicitVRLittleEndian), ExplicitVRLittleEndian)
        answers = find(self.context.works, self.caller, STUDY_ROOT, asked)
        return [decode_identifier(a.encoded(ExplicitVRLittleEndian), ExplicitVRLittleEndian) for a in answers]

    @property
    def caller(self) -> KnownCaller:
        return KnownCaller(
            self.cast.caller,
            self.cast.norfjord,
            self.cast.norfjord_facility,
            "HELIO_NF",
            "NF_CT1",
            None,
            None,
            sends_priors=False,
            is_active=True,
        )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.context.works.read(self.cast.eirik) as work:
            return [tuple(row) for row in work.session.execute(text(sql))]
