"""The queries that every page and every image waits for use their index under row-level security, as the application role.

The statements are those that the rooms' own functions send: each is caught on its way and explained in the same transaction.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text

from heliograph.app.context import Context
from heliograph.care.worklist import board
from heliograph.exchange.dicomweb.visible import only_for
from heliograph.kit.actor import Actor, machine, system
from heliograph.kit.db.session import ActorSession
from heliograph.records.archive import queries as archive
from heliograph.records.archive import search
from heliograph.records.archive.search_attributes import tag_of
from heliograph.records.archive.search_results import Wanted, page
from heliograph.records.patients import queries as patients
from heliograph.records.patients.search import alike, look_up
from tests.cast import Cast

ROWS = 6000
_FILL = """
insert into patients.patients (organization_id, family_name, given_name, name_key, birth_date)
select o, 'FAMILY' || n, 'Given', 'family' || lpad(n::text, 6, '0') || ' given', date '1950-01-01' + n
from unnest(:orgs) o, generate_series(1, :n) n;
insert into patients.identifiers (organization_id, patient_id, authority, value)
select organization_id, id, 'X', name_key from patients.patients;
insert into archive.studies (organization_id, facility_id, patient_id, study_instance_uid, accession_number, first_received_at,
                             last_received_at, dicom_patient_id, dicom_patient_name, study_date, number_of_series)
select p.organization_id, case p.organization_id when :norfjord then :nf else :lv end, p.id,
       '2.25.' || row_number() over (partition by p.organization_id order by p.id), 'A' || row_number() over (order by p.id), now(), now(),
       'P' || p.family_name, p.family_name || '^Given', date '2020-01-01' + (random() * 2000)::int, 1
from patients.patients p;
insert into orders.orders (organization_id, facility_id, patient_id, source, accession_number)
select organization_id, facility_id, patient_id, 'hl7', accession_number from archive.studies;
insert into worklist.cases (organization_id, facility_id, patient_id, priority, exam_class, description, due_at, closed_at)
select organization_id, facility_id, patient_id, 'ROUTINE', 'x', 'x', now() + random() * interval '1 day',
       case when random() < 0.98 then now() end from archive.studies;
insert into worklist.reads (organization_id, case_id, state)
select organization_id, id, case when closed_at is null then 'ready' else 'done' end from worklist.cases;
insert into tenancy.grants (organization_id, grantee_organization_id, purpose, patient_id)
select organization_id, :aurora, 'interpretation', id from patients.patients where random() < 0.1;
"""


@pytest.fixture
def filled(owner_url: str, cast: Cast) -> None:
    """Two clients with thousands of patients, studies, orders and cases each."""
    engine = create_engine(owner_url, isolation_level="AUTOCOMMIT")
    values = {
        "orgs": [cast.norfjord, cast.llano], "n": ROWS, "norfjord": cast.norfjord, "nf": cast.norfjord_facility,
        "lv": cast.llano_facility, "aurora": cast.aurora,
    }  # fmt: skip
    with engine.connect() as connection:
        for statement in _FILL.strip().removesuffix(";").split(";\n"):
            names = {k: v for k, v in values.items() if f":{k}" in statement}
            connection.execute(text(statement), names)
        connection.execute(text("analyze"))
    engine.dispose()


@pytest.fixture
def plan(context: Context, filled: None) -> Callable[..., str]:
    """Runs a query function as an actor and gives the plans of the statements that it sent."""

    def explain(actor: Actor, ask: Callable[[ActorSession], object]) -> str:
        sent: list[tuple[str, Any]] = []

        def catch(_c: object, _cursor: object, statement: str, parameters: Any, _x: object, _many: bool) -> None:
            sent.append((statement, parameters))

        with context.works.read(actor) as work:
            connection = work.session.connection()
            assert connection.scalar(text("select current_user")) == "heliograph_app"
            event.listen(context.engine, "before_cursor_execute", catch)
            try:
                ask(work.session)
            finally:
                event.remove(context.engine, "before_cursor_execute", catch)
            assert sent
            return "\n".join(
                row[0]
                for sql, values in sent
                for row in connection.exec_driver_sql(f"explain (costs off) {sql}", values)
            )

    return explain


def test_a_study_by_its_uid(plan: Callable[..., str], cast: Cast) -> None:
    for actor in (cast.eirik, cast.imogen, system("indexer", cast.norfjord)):
        found = plan(actor, lambda s: archive.study_by_uid(s, cast.norfjord, "2.25.4711"))
        assert "uq_studies_organization_id_study_instance_uid" in found, actor.name
        assert "Seq Scan" not in found


_IMAGES = (
    "insert into archive.series (organization_id, study_id, series_instance_uid, number_of_instances) "
    "select organization_id, id, study_instance_uid || '.1', 1 from archive.studies",
    "insert into archive.instances (organization_id, study_id, series_id, sop_instance_uid, sop_class_uid, transfer_syntax_uid, "
    "object_key, object_length, dataset_offset, sha256, header, received_at) select organization_id, study_id, id, "
    "series_instance_uid || '.1', '1.2', '1.2', 'x', 1, 1, '', '{}', now() from archive.series",
    "analyze archive.series, archive.instances",
)
SEARCHES = [
    # level, keys, the index that serves it
    ("STUDY", {"PatientID": "PFAMILY4711"}, "ix_studies_dicom_patient"),
    ("STUDY", {"PatientID": "PFAMILY47*"}, "ix_studies_dicom_patient"),
    ("STUDY", {"AccessionNumber": "A4711"}, "ix_studies_accession"),
    ("STUDY", {"StudyInstanceUID": "2.25.4711"}, "uq_studies_organization_id_study_instance_uid"),
    ("STUDY", {"PatientName": "family471*"}, "ix_studies_name"),
    ("STUDY", {"PatientName": "FAMILY4711"}, "ix_studies_name"),
    ("STUDY", {"StudyDate": "20210101-20210107", "ModalitiesInStudy": "CT"}, "ix_studies_newest"),
    ("STUDY", {"StudyDate": "20210101-20210102", "StudyTime": "08-12"}, "ix_studies_newest"),
    ("STUDY", {}, "ix_studies_newest"),
    ("PATIENT", {"PatientID": "PFAMILY4711"}, "ix_studies_dicom_patient"),
    ("SERIES", {"SeriesInstanceUID": "2.25.4711.1"}, "ix_series_uid"),
    ("IMAGE", {"SOPInstanceUID": "2.25.4711.1.1"}, "uq_instances_organization_id_sop_instance_uid"),
]


def test_searches_of_studies_series_and_instances(plan: Callable[..., str], cast: Cast, owner_url: str) -> None:
    """As QIDO-RS sends them for people, and C-FIND for callers."""
    engine = create_engine(owner_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in _IMAGES:
            connection.execute(text(statement))
    engine.dispose()
    for actor in (cast.eirik, cast.nadia, machine("STATION", None, cast.norfjord)):
        scope = search.Scope(cast.norfjord, only_for(actor))
        for level, keys, index in SEARCHES:
            wanted = search.prepare(level, [search.Key((tag_of(k),), v) for k, v in keys.items()])  # type: ignore[arg-type]
            told = Wanted({} if level == "PATIENT" else {"00201206": {}, "00201208": {}})
            for ask in (
                partial(search.matching, scope=scope, search=wanted, limit=101),
                partial(page, scope=scope, search=wanted, wanted=told, limit=101),
            ):
                found = plan(actor, ask)
                assert index in found, (actor.name, level, keys, found)
                assert not re.search(r"Seq Scan on (studies|series|instances)", found), (actor.name, level, keys, found)


def test_a_patients_studies_as_priors(plan: Callable[..., str], context: Context, cast: Cast) -> None:
    with context.works.read(system("test", cast.norfjord)) as work:
        one = work.session.scalar(text("select id from patients.patients limit 1"))
    for actor in (cast.imogen, cast.nadia):
        found = plan(actor, lambda s: archive.studies_of_patient(s, one))
        assert "ix_studies_patient" in found, actor.name
        assert "Seq Scan on studies" not in found


def test_a_patient_by_an_identifier(plan: Callable[..., str], cast: Cast) -> None:
    for actor in (cast.eirik, system("hl7", cast.norfjord)):
        found = plan(actor, lambda s: patients.find(s, cast.norfjord, "X", "family000815 given"))
        assert "uq_identifiers_organization_id_authority_value" in found, actor.name
        assert "Seq Scan on" not in found


def test_patients_by_the_beginning_of_a_name(plan: Callable[..., str], cast: Cast) -> None:
    for actor in (cast.eirik, cast.nadia):
        found = plan(actor, lambda s: patients.search(s, "FAMILY0042", [cast.norfjord]))
        assert "ix_patients_name" in found, actor.name
        assert "Seq Scan on" not in found


def test_patients_as_they_are_looked_up_and_near_ones(plan: Callable[..., str], context: Context, cast: Cast) -> None:
    with context.works.read(system("test", cast.norfjord)) as work:
        one = work.session.scalar(
            text("select id from patients.patients where organization_id = :o limit 1"), {"o": cast.norfjord}
        )
    born = date(1955, 5, 5)
    for actor in (cast.eirik, cast.nadia):
        found = plan(actor, lambda s: look_up(s, [cast.norfjord], "FAMILY0042", born))
        assert "uq_identifiers_organization_id_authority_value" in found, (actor.name, found)
        assert "Seq Scan on" not in found, (actor.name, found)
        assert "ix_patients_born" in plan(actor, lambda s: look_up(s, [cast.norfjord], "", born)), actor.name
        found = plan(actor, lambda s: alike(s, one))
        assert "ix_patients_born" in found, (actor.name, found)
        assert "Seq Scan on" not in found, (actor.name, found)


def test_orders_by_accession(plan: Callable[..., str], cast: Cast) -> None:
    # The statement of care.orders.match, which decides whether images find their order, and of the search.
    sql = text(
        "select id, patient_id from orders.orders where organization_id = any(:orgs) and accession_number = :accession limit 50"
    )
    values = {"orgs": [cast.norfjord], "accession": "A99"}
    for actor in (cast.eirik, system("indexer", cast.norfjord)):
        found = plan(actor, lambda s: s.execute(sql, values).all())
        assert "ix_orders_accession" in found, actor.name
        assert "Seq Scan on" not in found


def test_open_cases_by_deadline(plan: Callable[..., str], cast: Cast) -> None:
    values = {"clients": [cast.norfjord], "groups": [cast.aurora], "limit": 50}
    found = plan(cast.nadia, lambda s: s.execute(board._OPEN, values).all())
    assert "ix_cases_open" in found
    assert "Seq Scan on cases" not in found
