"""Control characters where a name should be (field report E09): the object is stored byte for byte, found, and told in strict JSON; no log
names the patient."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pydicom
import pytest
from pydicom.uid import generate_uid
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind as StudyFind,
)
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.exchange.dimse.server import listening
from heliograph.kit.actor import system
from heliograph.kit.net.dicom import StorageListener, send_files
from heliograph.records.archive import indexer, spool
from tests.cast import Cast
from tests.exchange.dimse.test_query_retrieve import associated, identifier
from tests.records.archive import files
from tests.web import sign_in_as

MARK = "SOLBERG"  # of an invented patient; what no log may say
PLACE = "N" * 24
EVERY_CONTROL = bytes(range(1, 32))
SETS = {
    "none": None,
    "Latin-1": "ISO_IR 100",
    "UTF-8": "ISO_IR 192",
    "GB18030": "GB18030",
    "with escapes": ["ISO 2022 IR 6", "ISO 2022 IR 87"],
    "of nobody": "FOO_BAR",
}
NAMES = {
    "ESC and BEL": b"SOLBERG^A\x1b\x07sa",
    "an escape that leads nowhere": b"SOLBERG^\x1b$B;3",
    "an escape at the end": b"SOLBERG^Asa\x1b",
    "NUL within": b"SOLBERG\x00^Asa",
    "tab, line feed, carriage return": b"SOLBERG\t^A\r\nsa",
    "DEL and a C1 control": b"SOLBERG^A\x7f\x85sa",
    "a quote and a backspace": b'SOLBERG"^A\x08\x0c',
}


@pytest.fixture
def listener(context: Context, cast: Cast) -> Iterator[StorageListener]:
    with listening(context) as running:
        yield running


def made(name: bytes, charset: str | list[str] | None, study: str, description: bytes = b"") -> bytes:
    """A slice whose Patient's Name is these bytes, padded with a space, whatever a library would say to them."""
    ds = pydicom.dcmread(io.BytesIO(files.ct(study, generate_uid(), name=PLACE)))
    if charset is None:
        del ds.SpecificCharacterSet
    else:
        ds.SpecificCharacterSet = charset
    ds.StudyDescription = "D" * 40
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
    data = buffer.getvalue()
    assert data.count(PLACE.encode()) == 1
    assert data.count(b"D" * 40) == 1
    return data.replace(PLACE.encode(), name.ljust(24)).replace(b"D" * 40, description.ljust(40))


def no_constants(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no JSON")


def strict(body: str) -> Any:
    """JSON as RFC 8259 has it: no NaN, and no bare control character in a string."""
    return json.loads(body, parse_constant=no_constants, strict=True)


@pytest.mark.parametrize("charset", SETS)
def test_they_are_stored_and_told(
    context: Context,
    cast: Cast,
    listener: StorageListener,
    tmp_path: Path,
    charset: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    studies = {generate_uid(): name for name in (*NAMES.values(), b"SOLBERG^" + EVERY_CONTROL[:16], EVERY_CONTROL[:24])}
    sent: dict[str, bytes] = {}
    paths = []
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for number, (uid, name) in enumerate(studies.items()):
            sent[uid] = made(name, SETS[charset], uid, b"SOLBERG " + EVERY_CONTROL)
            paths.append(tmp_path / f"{number}.dcm")
            paths[-1].write_bytes(sent[uid])
        told.clear()
        results = send_files("127.0.0.1", listener.port, called="HELIO_NF", calling="NF_CT1", files=paths)
        assert [r.status for r in results] == [0] * len(paths)
        indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=0)
        assert spool.waiting(context.settings.spool_dir) == []
        with context.works.read(system("t", cast.norfjord)) as work:
            keys = work.session.execute(
                text(
                    "select s.study_instance_uid, i.object_key from archive.instances i "
                    "join archive.series r on r.id = i.series_id join archive.studies s on s.id = r.study_id"
                )
            ).all()
            held = work.session.execute(text("select reason from archive.held_objects")).all()
        assert held == []
        assert {uid: files.body(context.objects.get(key)) for uid, key in keys} == {
            uid: files.body(data) for uid, data in sent.items()
        }
        browser = sign_in_as(context, cast.eirik)
        for uid in studies:
            answer = browser.get(f"/dicomweb/norfjord/studies/{uid}/metadata")
            assert answer.status_code == 200
            (document,) = strict(answer.text)
            assert document["0020000D"]["Value"] == [uid]
            assert document["00280010"]["Value"] == [16], "nothing behind the name is lost"
            (match,) = strict(browser.get(f"/dicomweb/norfjord/studies?StudyInstanceUID={uid}&includefield=all").text)
            assert match["00100020"]["Value"] == ["NF-1"]
        with associated(listener, StudyFind) as association:
            asked = identifier("STUDY", StudyInstanceUID="", PatientName="", StudyDescription="")
            found = [d for s, d in association.send_c_find(asked, StudyFind) if s.Status in (0xFF00, 0xFF01)]
        assert {d.StudyInstanceUID for d in found} == set(studies)
    logged = [r.getMessage() for r in caplog.records if not r.name.startswith("pynetdicom")]  # which is the peer here
    assert MARK not in "\n".join([*capfd.readouterr(), *logged])
    ours = [f"{w.message} {w.filename}" for w in told if MARK in str(w.message)]
    assert ours == [], "a warning of a library is a line in the log"


DOUBTED = """
from heliograph.kit.log import log, set_up_logging
from heliograph.kit.net.dicom.identifiers import encode_identifier, query_for
set_up_logging("worker", form="json")
asked = {"PatientBirthDate": "1948SOLBERG", "PatientSex": "solberg", "PatientAge": "SOLB"}
encode_identifier(query_for("PATIENT", asked), "1.2.840.10008.1.2")
log("here").info("it is logged")
"""


def test_a_value_that_pydicom_doubts_is_in_no_log() -> None:
    """It quotes it, in its log and in a warning."""
    done = subprocess.run([sys.executable, "-c", DOUBTED], capture_output=True, text=True, timeout=60, check=True)
    assert "it is logged" in done.stderr
    assert "solb" not in (done.stderr + done.stdout).lower()
