"""Field reports C01, C02, C04, C08, C09, C11 and A07: whose images these are. The first is never lost, and nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from heliograph.app.context import Context
from heliograph.exchange.hl7.server import start
from heliograph.kit.codecs.hl7 import parse_ack
from heliograph.kit.net.mllp import MllpListener, send
from tests.cast import Cast
from tests.exchange.dicomweb.conftest import Served
from tests.exchange.dicomweb.odd import Archive, image
from tests.exchange.dicomweb.test_dicomweb import index, post
from tests.exchange.hl7.test_orders_over_mllp import MSH, order
from tests.kit.codecs import dicom_bytes as wire
from tests.records.archive import files

STUDIES = "select study_instance_uid, dicom_patient_id, match_state from archive.studies order by study_instance_uid"
HELD = "select reason, sop_instance_uid from archive.held_objects where resolved_at is null"
PIXEL = wire.element(0x7FE00010, "OW", b"\7\0")


@pytest.fixture
def archive(context: Context, cast: Cast, served: Served) -> Archive:
    return Archive(context, cast, served.client(cast.eirik))


@pytest.fixture
def mllp(context: Context, cast: Cast) -> Iterator[MllpListener]:
    listener = start(context)
    yield listener
    listener.stop()


def tell(listener: MllpListener, payload: bytes) -> str:
    return parse_ack(send("127.0.0.1", listener.port, payload, timeout=10, connect_timeout=5)).code


OTHERS = {
    "another series": [wire.text(0x0020000E, "UI", "1.2.7.9")],
    "another study": [wire.text(0x0020000D, "UI", "1.2.9"), wire.text(0x0020000E, "UI", "1.2.9.1")],
    "another patient and study": [
        wire.text(0x0020000D, "UI", "1.2.9"),
        wire.text(0x0020000E, "UI", "1.2.9.1"),
        wire.text(0x00100020, "LO", "NF-78"),
    ],
    "other pixels": [],  # C02
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_known_sop_instance_uid_with_another_object(archive: Archive, tmp_path: Path, other: str) -> None:
    """Field reports C01 and C02: the first stays readable, the second is kept and waits, the record says so, the sender is told."""
    first = image("1.2.7", None)
    archive.store(first)
    second = image("1.2.7", None, PIXEL, *OTHERS[other])
    answer = post(archive.client, [second])
    assert answer.status_code in {202, 409}  # as the facility wants it; never the plain success of what is filed
    index(archive.context)
    assert archive.send(tmp_path, second) != [0]
    assert files.body(archive.kept("1.2.7")) == files.body(first)
    assert archive.frame("1.2.7", 1).content == b"\1\0"
    assert archive.rows("select sop_instance_uid from archive.instances") == [("1.2.7.1.1",)]
    assert [uid for _, uid in archive.rows(HELD)] == ["1.2.7.1.1"]
    (key,) = archive.rows("select object_key from archive.held_objects")
    assert files.body(archive.context.objects.get(key[0])) == files.body(second)
    assert archive.rows("select count(*) > 0 from audit.events where action = 'object.held'") == [(True,)]
    # The identical bytes again: success, and nothing changes.
    archive.store(first)
    assert archive.rows("select number_of_instances from archive.studies where study_instance_uid = '1.2.7'") == [(1,)]


PATIENTS = {
    "another identifier": [wire.text(0x00100020, "LO", "NF-78")],
    "the same of another issuer": [wire.text(0x00100021, "LO", "ELSEWHERE")],
}


@pytest.mark.parametrize("second", PATIENTS)
def test_one_study_under_two_patients_waits_for_a_person(archive: Archive, second: str) -> None:
    """Field report C04: nothing is moved, merged or lost; the key is identifier and issuer."""
    issuer = wire.text(0x00100021, "LO", "NORFJORD")
    archive.store(image("1.2.7", None, issuer), image("1.2.8", None, issuer))
    archive.store(image("1.2.7", None, *({p[:4]: p for p in (issuer, *PATIENTS[second])}.values()), number=2))
    assert archive.rows(STUDIES) == [("1.2.7", "NF-77", "held"), ("1.2.8", "NF-77", "unmatched")]
    reasons = archive.rows("select match_reason from archive.studies where match_state = 'held'")
    assert "patients" in reasons[0][0]
    assert archive.rows("select number_of_instances from archive.studies where study_instance_uid = '1.2.7'") == [(2,)]
    assert len(archive.get("studies/1.2.7/metadata")) == 2
    assert archive.rows("select count(*) from audit.events where action = 'study.held'") == [(1,)]


def test_two_studies_without_a_study_id_are_two(archive: Archive) -> None:
    """Field report C09: a study is its Study Instance UID."""
    empty = wire.text(0x00200010, "SH", "")
    archive.store(image("1.2.7", None, empty), image("1.2.8", None, empty), image("1.2.8", None, empty, number=2))
    assert [row[0] for row in archive.rows(STUDIES)] == ["1.2.7", "1.2.8"]
    assert sorted(s["0020000D"]["Value"][0] for s in archive.studies(PatientID="NF-77")) == ["1.2.7", "1.2.8"]
    assert archive.rows("select number_of_instances from archive.studies order by study_instance_uid") == [(1,), (2,)]


def test_an_accession_number_of_two_patients_files_nothing_under_the_wrong_one(
    archive: Archive, mllp: MllpListener
) -> None:
    """Field report C08: a match needs patient, issuer and number; what is ambiguous waits."""
    accession = wire.text(0x00080050, "SH", "A100")
    archive.store(
        image("1.2.7", None, accession, patient="NF-7001"), image("1.2.8", None, accession, patient="NF-7002")
    )
    assert tell(mllp, order(accession="A100", zds="")) == "AA"
    states = {uid: (patient, state) for uid, patient, state in archive.rows(STUDIES)}
    assert states["1.2.8"][0] == "NF-7002"
    assert states["1.2.8"][1] in {"unmatched", "held"}
    joined = archive.rows(
        "select s.study_instance_uid from orders.order_studies o join archive.studies s on s.id = o.study_id"
    )
    assert joined in ([("1.2.7",)], [])
    whose = archive.rows(
        "select s.study_instance_uid, i.value from archive.studies s join patients.identifiers i on i.patient_id = s.patient_id "
        "order by 1"
    )
    assert whose == [("1.2.7", "NF-7001"), ("1.2.8", "NF-7002")]


def test_an_order_that_comes_after_its_images(archive: Archive, mllp: MllpListener) -> None:
    """Field report C11: joined by accession and patient whatever UID the order names; one study, and one thing to read."""
    name = wire.text(0x00100010, "PN", "Bakke^Solveig^M")
    archive.store(image("1.2.7", None, wire.text(0x00080050, "SH", "A7"), name, patient="NF-7001"))
    assert archive.rows(STUDIES) == [("1.2.7", "NF-7001", "unmatched")]
    assert tell(mllp, order(accession="A7", zds="ZDS|2.999.55^NFRIS^Application^DICOM")) == "AA"
    assert archive.rows(STUDIES) == [("1.2.7", "NF-7001", "matched")]
    assert archive.rows("select count(*) from orders.orders") == [(1,)]
    assert archive.rows("select count(*) from patients.patients") == [(1,)]
    assert archive.rows("select count(*) from worklist.cases") in ([(0,)], [(1,)])


def test_an_order_for_somebody_else_changes_no_patient(archive: Archive, mllp: MllpListener) -> None:
    """Field report C11: the order's demographics do not go over another patient's."""
    name, born = wire.text(0x00100010, "PN", "Strand^Berit"), wire.text(0x00100030, "DA", "19500101")
    archive.store(image("1.2.7", None, wire.text(0x00080050, "SH", "A7"), name, born, patient="NF-7002"))
    assert tell(mllp, order(accession="A7")) == "AA"
    assert archive.rows(STUDIES) == [("1.2.7", "NF-7002", "unmatched")]
    people = archive.rows("select family_name, birth_date::text from patients.patients order by family_name")
    assert people == [("Bakke", "1977-11-15"), ("Strand", "1950-01-01")]


def test_an_order_in_another_character_set_than_its_images(archive: Archive, mllp: MllpListener) -> None:
    """Field report A07: an order in UTF-8 finds images in ISO_IR 100 that could not say its patient's name."""
    archive.store(
        image(
            "1.2.7",
            "ISO_IR 100",
            wire.text(0x00100010, "PN", "Müller^Wang".encode("latin-1")),
            wire.text(0x00080050, "SH", "A7"),
            patient="NF-7001",
        )
    )
    msh = MSH + "||||||UNICODE UTF-8"
    pid = "PID|1||NF-7001^^^NORFJORD^MR||王^小東||19771115|F"
    assert tell(mllp, order(accession="A7", msh=msh, pid=pid, indication="Δ 頭痛")) == "AA"
    assert archive.rows(STUDIES) == [("1.2.7", "NF-7001", "matched")]
    assert archive.rows("select family_name, given_name from patients.patients") == [("王", "小東")]
    assert archive.metadata("1.2.7")["00100010"]["Value"] == [{"Alphabetic": "Müller^Wang"}]
