"""Finding patients by what a person knows of them, and near matches: shown with why, decided by nobody but a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import pytest

from heliograph.app.context import Context
from heliograph.kit.actor import system
from heliograph.records.patients.identify import identify
from heliograph.records.patients.likeness import begins, like_name
from heliograph.records.patients.merge import merge, undo_merge
from heliograph.records.patients.search import alike, look_up
from tests.cast import Cast

BORN, OTHER = date(1958, 3, 14), date(1970, 1, 1)


@dataclass(frozen=True)
class Name:
    family_name: str
    given_name: str = ""


@pytest.mark.parametrize(
    ("one", "other", "is_like"),
    [
        (("Kristiansen", "Kari"), ("Christiansen", "Kari"), True),
        (("Nilsen", "Nora"), ("NIELSEN", "Nora"), True),
        (("Müller", "Jan"), ("Mueller", "Jan"), True),
        (("Håland", "Åse"), ("Haaland", "Aase"), True),
        (("Haugland", "Ingrid Marie"), ("Haugland", "Ingrid"), True),
        (("Ingrid", "Haugland"), ("Haugland", "Ingrid"), True),  # typed into the wrong fields
        (("Kari", "Kristiansen"), ("Christiansen", "Kari"), True),
        (("Hansen", "Kari"), ("Larsen", "Kari"), False),
        (("Hansen", "Per"), ("Hansen", "Pål"), False),
        (("Larsen", "Kari"), ("Larsen", "Ola"), False),
        (("", ""), ("Larsen", "Kari"), False),
        (("", ""), ("", ""), False),
    ],
)
def test_names_that_are_alike(one: tuple[str, str], other: tuple[str, str], is_like: bool) -> None:
    assert like_name(Name(*one), Name(*other)) is is_like
    assert like_name(Name(*other), Name(*one)) is is_like


def test_what_is_typed_begins_a_name() -> None:
    assert begins("haug ingr", Name("Haugland", "Ingrid"))
    assert begins("Ingrid, HAUG", Name("Haugland", "Ingrid"))
    assert begins("larsen", Name("Larsson", "Kari"))
    assert not begins("larsen", Name("Hansen", "Kari"))
    assert not begins("haug per", Name("Haugland", "Ingrid"))
    assert not begins("", Name("Haugland", "Ingrid"))


@dataclass
class People:
    context: Context
    cast: Cast

    def add(self, value: str, family: str, given: str, born: date | None = BORN, *, llano: bool = False) -> UUID:
        owner = self.cast.llano if llano else self.cast.norfjord
        with self.context.works.begin(system("test", owner)) as work:
            return identify(work, owner, "NORFJORD", value, names=(family, given), birth_date=born, sex="F").id

    def found(self, words: str, born: date | None = None) -> list[tuple[str, str]]:
        """(given name, why) of each hit, as Eirik of Norfjord finds them."""
        with self.context.works.read(self.cast.eirik) as work:
            hits = look_up(work.session, [self.cast.norfjord], words, born)
        return [(h.patient.given_name, h.why) for h in hits]

    def near(self, patient_id: UUID) -> list[str]:
        with self.context.works.read(self.cast.eirik) as work:
            return [h.patient.given_name for h in alike(work.session, patient_id)]


@pytest.fixture
def people(context: Context, cast: Cast) -> People:
    return People(context, cast)


def test_it_works(people: People) -> None:
    people.add("4471-1", "Haugland", "Ingrid")
    people.add("4471-2", "Haugland", "Per", OTHER)
    people.add("9", "Larsen", "Kari")
    assert people.found("4471-1") == [("Ingrid", "identifier")]
    assert people.found("4471") == [("Ingrid", "identifier"), ("Per", "identifier")]
    assert people.found("HAUGLAND") == [("Ingrid", "name"), ("Per", "name")]
    assert people.found("haugland, ing") == [("Ingrid", "name")]
    assert people.found("Ingrid Haugland") == [("Ingrid", "name")]
    assert people.found("Haugland", OTHER) == [("Per", "name")]
    assert people.found("", BORN) == [("Ingrid", "birth_date"), ("Kari", "birth_date")]
    assert people.found("4") == people.found("") == people.found("%") == people.found("%%") == []


def test_near_matches_come_after_those_who_bear_what_is_asked(people: People) -> None:
    people.add("1", "Haugland", "Ingrid")
    people.add("2", "Haugeland", "Ingrid")
    people.add("3", "Haugeland", "Ingrid", OTHER)
    people.add("4", "Moen", "Tora")
    assert people.found("Haugland Ingrid", BORN) == [("Ingrid", "name"), ("Ingrid", "near")]
    assert people.found("haug ingr", BORN) == [("Ingrid", "near"), ("Ingrid", "near")]


def test_whom_a_patient_may_be_one_with(people: People) -> None:
    one = people.add("1", "Haugland", "Ingrid")
    people.add("2", "Haugland", "Ingrid Marie")
    people.add("3", "Haugland", "Ingrid Other Day", OTHER)
    people.add("4", "Haugland", "Ola")
    people.add("1", "Haugland", "Ingrid of Llano Verde", llano=True)
    unborn = people.add("5", "Haugland", "Ingrid", None)
    assert people.near(one) == ["Ingrid Marie"]
    assert people.near(unborn) == []


def test_who_was_merged_is_found_as_who_goes_on(people: People) -> None:
    kept, gone = people.add("1", "Haugland", "Ingrid"), people.add("77", "Nilsen", "Nora", OTHER)
    with people.context.works.begin(people.cast.eirik) as work:
        made, _ = merge(work, kept, gone, "One person")
    assert people.found("77") == [("Ingrid", "merged")]
    assert people.found("Nilsen") == []
    assert people.near(gone) == []
    with people.context.works.begin(people.cast.eirik) as work:
        undo_merge(work, made.id, "Two after all")
    assert people.found("77") == [("Nora", "identifier")]


def test_an_outsider_finds_nobody(people: People) -> None:
    one = people.add("4471-1", "Haugland", "Ingrid")
    for who in (people.cast.harper, people.cast.otto, people.cast.olga, people.cast.pat, people.cast.astrid):
        with people.context.works.read(who) as work:
            assert look_up(work.session, [people.cast.norfjord], "Haugland", BORN) == []
            assert look_up(work.session, [people.cast.norfjord], "4471") == []
            assert alike(work.session, one) == []
