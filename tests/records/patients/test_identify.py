"""Who a patient is: the identifier decides, and nothing else."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import func, select

from heliograph.app.context import Context
from heliograph.kit.actor import system
from heliograph.records.patients import queries
from heliograph.records.patients.identify import NoIdentifier, identify, update_demographics
from heliograph.records.patients.model import Identifier, Patient
from heliograph.records.patients.names import age_years, name_key
from tests.cast import Cast

BORN = date(1977, 11, 15)


def test_it_works(context: Context, cast: Cast) -> None:
    with context.works.begin(system("test", cast.norfjord)) as work:
        made = identify(work, cast.norfjord, "NORFJORD", " NF-1 ", names=("Bakke", "Solveig"), birth_date=BORN, sex="F")
        again = identify(work, cast.norfjord, "NORFJORD", "NF-1", names=("Other", "Name"), sex="M")
    assert made.is_new
    assert not again.is_new
    assert again.id == made.id
    assert (again.family_name, again.birth_date, again.sex) == ("Bakke", BORN, "F")


@pytest.mark.parametrize(
    ("organization", "authority", "value"),
    [("llano", "NORFJORD", "NF-1"), ("norfjord", "OTHER", "NF-1"), ("norfjord", "NORFJORD", "nf-1"), ("norfjord", "NORFJORD", "0NF-1")],
)  # fmt: skip
def test_equal_values_elsewhere_are_other_patients(
    context: Context, cast: Cast, organization, authority, value
) -> None:
    with context.works.begin(system("test", cast.norfjord, cast.llano)) as work:
        one = identify(work, cast.norfjord, "NORFJORD", "NF-1", names=("Bakke", "Solveig"), birth_date=BORN, sex="F")
        other = identify(
            work, getattr(cast, organization), authority, value, names=("Bakke", "Solveig"), birth_date=BORN, sex="F"
        )
    assert one.id != other.id


@pytest.mark.parametrize(("authority", "value"), [("", "X"), ("A", " "), ("A", "x" * 251)])
def test_without_an_identifier_there_is_no_patient(context: Context, cast: Cast, authority, value) -> None:
    with pytest.raises(NoIdentifier), context.works.begin(system("test", cast.norfjord)) as work:
        identify(work, cast.norfjord, authority, value)


def test_eight_at_once_get_one_patient(context: Context, cast: Cast) -> None:
    gate, got = threading.Barrier(8), []

    def one() -> None:
        with context.works.begin(system("test", cast.norfjord)) as work:
            work.session.execute(select(1))
            gate.wait()
            got.append(identify(work, cast.norfjord, "NORFJORD", "NF-9").id)
            work.record("test.done", organization_id=cast.norfjord)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(got) == 8
    assert len(set(got)) == 1
    with context.works.read(system("test", cast.norfjord)) as work:
        assert work.session.scalar(select(func.count()).select_from(Patient)) == 1
        assert work.session.scalar(select(func.count()).select_from(Identifier)) == 1


def test_demographics_change_and_clear(context: Context, cast: Cast) -> None:
    with context.works.begin(system("test", cast.norfjord)) as work:
        made = identify(work, cast.norfjord, "NORFJORD", "NF-1", names=("Bakke", "Solveig"), birth_date=BORN, sex="F")
        assert update_demographics(work, made.id, names=("Bråten", "Solveig")) == ["family_name"]
        assert update_demographics(work, made.id, names=("Bråten", "Solveig"), sex=None, birth_date=None) == []
        assert update_demographics(work, made.id, clear=("birth_date",)) == ["birth_date"]
        found = queries.patient(work.session, made.id)
    assert found is not None
    assert (found.family_name, found.birth_date, found.sex) == ("Bråten", None, "F")


def test_the_banner_tells_the_age_in_the_sites_zone(context: Context, cast: Cast) -> None:
    with context.works.begin(system("test", cast.norfjord)) as work:
        made = identify(work, cast.norfjord, "NORFJORD", "NF-1", names=("Bakke", "Solveig"), birth_date=BORN, sex="F")
        at = datetime(2026, 11, 14, 23, 30, tzinfo=UTC)  # 00:30 on the birthday in Oslo
        oslo = queries.banner(work.session, made.id, "Europe/Oslo", at)
        utc = queries.banner(work.session, made.id, "UTC", at)
    assert oslo is not None
    assert utc is not None
    assert (oslo.age_years, utc.age_years) == (49, 48)
    assert oslo.display_name == "BAKKE, Solveig"
    assert [(i.authority, i.value) for i in oslo.identifiers] == [("NORFJORD", "NF-1")]


@pytest.mark.parametrize(
    ("text", "found"),
    [("brat", {"NF-1", "NF-2"}), ("BRÅTEN, s", {"NF-1"}), ("bråten sol", {"NF-1"}), ("NF-2", {"NF-2"}), ("aten", set()),
     ("nf-2", set()), ("", set()), ("%", set()), ("O'Dea", {"NF-3"}), ("ODEA", {"NF-3"})],
)  # fmt: skip
def test_search(context: Context, cast: Cast, text, found) -> None:
    with context.works.begin(system("test", cast.norfjord)) as work:
        for value, names in (
            ("NF-1", ("Bråten", "Solveig")),
            ("NF-2", ("Bratt", "Ola")),
            ("NF-3", ("O'Dea", "Fionnuala")),
        ):
            identify(work, cast.norfjord, "NORFJORD", value, names=names)
        people = queries.search(work.session, text, [cast.norfjord])
        assert {queries.identifier_of(work.session, p.id).value for p in people} == found


def test_an_outsider_finds_and_sees_nothing(context: Context, cast: Cast) -> None:
    with context.works.begin(system("test", cast.norfjord)) as work:
        made = identify(work, cast.norfjord, "NORFJORD", "NF-1", names=("Bakke", "Solveig"))
    for outsider in (cast.harper, cast.otto, cast.olga, cast.pat, cast.imogen):
        with context.works.read(outsider) as work:
            assert queries.banner(work.session, made.id) is None
            assert queries.patient(work.session, made.id) is None
            assert queries.search(work.session, "bakke", [cast.norfjord]) == []
            assert queries.find(work.session, cast.norfjord, "NORFJORD", "NF-1") is None
    for insider in (cast.eirik, cast.nadia):
        with context.works.read(insider) as work:
            assert queries.banner(work.session, made.id) is not None


@pytest.mark.parametrize(
    ("family", "given", "key"),
    [("Bråten-Lunde", "Åse", "braten lunde ase"), ("Straße", "J.", "strasse j"), ("Łukasz", "Æ ø", "lukasz ae o"), ("", "", ""),
     ("山田", "太郎", "山田 太郎")],
)  # fmt: skip
def test_name_keys(family, given, key) -> None:
    assert name_key(family, given) == key


@pytest.mark.parametrize(
    ("born", "today", "age"),
    [(date(2000, 2, 29), date(2026, 2, 28), 25), (date(2000, 2, 29), date(2026, 3, 1), 26), (None, date(2026, 1, 1), None),
     (date(2027, 1, 1), date(2026, 1, 1), None), (date(2026, 1, 1), date(2026, 1, 1), 0)],
)  # fmt: skip
def test_ages(born, today, age) -> None:
    assert age_years(born, today) == age
