"""The policy pack: what it knows, how a state falls back to its country, and that unknown stays unknown."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from heliograph.governance.policy.jurisdictions import STRICTNESS, codes, jurisdiction, name_of, same_country

RULES = {
    "local", "federal_any_state", "compact_expedited_local", "country_of_establishment", "special_scope", "local_plus_home",
    "institution_bound", "supervised_by_local", "not_statutory_but_contractual",
}  # fmt: skip


def test_a_state_without_a_row_takes_its_countrys_rules_under_its_own_code() -> None:
    found = jurisdiction("US-CO")
    assert found is not None
    assert (found.code, found.rule_code, found.name) == ("US-CO", "US", "US-CO")
    assert found.licence_rule == "local"


def test_a_states_own_row_wins_and_gaps_are_filled_from_the_country() -> None:
    texas = jurisdiction("US-TX")
    assert texas is not None
    assert (texas.rule_code, texas.name) == ("US-TX", "Texas")
    assert texas.view_from_outside == "conditional"


@pytest.mark.parametrize("code", ["XX", "ZZ-1", ""])
def test_unknown_is_none(code: str) -> None:
    assert jurisdiction(code) is None
    assert name_of(code) == code


def test_unknown_values_stay_none() -> None:
    compact = jurisdiction("EU")
    assert compact is not None
    assert compact.retention["images"] is None


@pytest.mark.parametrize("code", codes())
def test_every_row_is_whole(code: str) -> None:
    row = jurisdiction(code)
    assert row is not None
    assert row.licence_rule in RULES
    assert row.view_from_outside in (*STRICTNESS, None)
    assert row.offshore("final") in (*STRICTNESS, None)
    assert row.offshore("preliminary") in (*STRICTNESS, None)
    assert row.sources, "a row names its sources"
    for zone in row.time_zones:
        ZoneInfo(zone)


def test_outside_means_another_country() -> None:
    assert same_country("US-TX", "US-MA")
    assert not same_country("NO", "SE")
