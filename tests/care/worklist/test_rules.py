"""Each hard rule and its traps, as tables: facts in, outcome and words out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from heliograph.care.rota.queries import ShiftFacts
from heliograph.care.worklist.rules import Candidate, CaseFacts, Offer, choose, eligibility
from heliograph.care.worklist.verdicts import Check, Verdict, explained, summary
from heliograph.records.people.queries import (
    CertificateFacts,
    EngagementFacts,
    LicenceFacts,
    PlaceFacts,
    PrivilegeFacts,
    ReaderFacts,
)

NOW = datetime(2026, 11, 25, 1, 41, tzinfo=UTC)
DUE = NOW + timedelta(minutes=30)
LONG_AGO, LATER = datetime(2020, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
READER, GROUP, OTHER_GROUP, FACILITY = (UUID(int=i) for i in range(1, 5))
ID = UUID(int=9)

OFFER = Offer(UUID(int=20), GROUP, "Aurora", 4, "final", ("NO", "AU", "CH"), None)
CASE = CaseFacts(
    ID, "CT head, no contrast", "neuro", ("emergency",), FACILITY, "Norfjord", "NO", "Europe/Oslo", ("nb", "en"), (OFFER,), DUE
)  # fmt: skip
LICENCE = LicenceFacts(ID, "NO", "1", "full", "active", LONG_AGO, LATER, True)
PRIVILEGE = PrivilegeFacts(ID, ID, FACILITY, "Norfjord", (), "active", LONG_AGO, None)
SHIFT = ShiftFacts(ID, GROUP, READER, NOW - timedelta(hours=4), NOW + timedelta(hours=4))
READS = ReaderFacts(
    READER,
    ID,
    "Dr Imogen Tarrant",
    True,
    10,
    engagements=(EngagementFacts(UUID(int=30), GROUP, "Aurora", False, ("NO",), LONG_AGO, None),),
    licences=(LICENCE,),
    certificates=(CertificateFacts(ID, "neuro", "FRANZCR", LONG_AGO, None),),
    languages=("en",),
    privileges=(PRIVILEGE,),
    places=(PlaceFacts(ID, "Sydney", "AU", "Australia/Sydney", True),),
)
IMOGEN = Candidate(READS, (SHIFT,), open=6)


def judged(rule: str, *, case: CaseFacts = CASE, candidate: Candidate = IMOGEN, at: datetime = NOW) -> Check:
    return next(c for c in eligibility(case, candidate, at).checks if c.rule == rule)


def reads(**changes: object) -> Candidate:
    return replace(IMOGEN, reader=replace(READS, **changes))  # type: ignore[arg-type]


def test_all_rules_pass_with_words_and_sources() -> None:
    verdict = eligibility(CASE, IMOGEN, NOW)
    assert verdict.eligible
    assert [c.rule for c in verdict.checks] == [
        "engagement", "licence", "privilege", "subspecialty", "language", "place", "shift", "capacity",
    ]  # fmt: skip
    assert judged("licence").text == "Licence Norway, full to 1 Jan 2028"
    assert judged("shift").text == "On shift to 16:41 in Sydney"
    assert judged("capacity").text == "6 of 10 open"
    assert all(c.source for c in verdict.checks)
    assert (verdict.group_id, verdict.agreement_id, verdict.engagement_id) == (GROUP, UUID(int=20), UUID(int=30))


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("licences", "outcome", "words"),
    [
        ((), "fail", "Not licensed in Norway"),
        ((replace(LICENCE, jurisdiction="SE"),), "fail", "Not licensed in Norway"),
        (
            (replace(LICENCE, valid_until=datetime(2026, 9, 30, 22, tzinfo=UTC)),),
            "fail",
            "Norway licence ended 30 Sep 2026",
        ),
        ((replace(LICENCE, valid_from=NOW + 24 * HOUR),), "fail", "Norway licence begins 26 Nov 2026"),
        ((replace(LICENCE, status="suspended"),), "fail", "Norway licence is suspended"),
        ((replace(LICENCE, status="suspended"), LICENCE), "fail", "Norway licence is suspended"),
        # valid now, but not at the deadline; the end is exclusive
        ((replace(LICENCE, valid_until=DUE),), "fail", "Norway licence ends 25 Nov 2026 03:11, before the deadline"),
        ((replace(LICENCE, valid_until=NOW + HOUR),), "pass", "Licence Norway, full to 25 Nov 2026"),
        ((replace(LICENCE, valid_until=None),), "pass", "Licence Norway, full, no end"),
        # renewed from the moment that the old one ends
        (
            (replace(LICENCE, valid_until=DUE), replace(LICENCE, valid_from=DUE)),
            "pass",
            "Licence Norway, full to 1 Jan 2028",
        ),
        (
            (replace(LICENCE, valid_until=DUE), replace(LICENCE, valid_from=DUE, is_verified=False)),
            "unknown",
            "Norway licence: renewal not verified",
        ),
        ((replace(LICENCE, is_verified=False),), "unknown", "Norway licence awaits its check at the register"),
        # a licence that was suspended long ago and replaced since
        (
            (replace(LICENCE, status="suspended", valid_until=LONG_AGO + HOUR), LICENCE),
            "pass",
            "Licence Norway, full to 1 Jan 2028",
        ),
    ],
)
def test_licence(licences: tuple[LicenceFacts, ...], outcome: str, words: str) -> None:
    check = judged("licence", candidate=reads(licences=licences))
    assert (check.outcome, check.text) == (outcome, words)


@pytest.mark.parametrize(
    ("code", "licensed_in", "outcome"),
    [
        ("US-TX", ("US-TX",), "pass"),
        ("US-TX", ("US",), "fail"),  # there is no federal licence
        ("US-TX", ("US-CA",), "fail"),
        ("US-CO", ("US-CO",), "pass"),  # no row of its own: the country's rule, the state's licence
        ("US-x-DVA", ("US-CA",), "pass"),  # federal: any state
        ("US-x-DVA", ("NO",), "fail"),
        ("ZA", ("ZA", "AU"), "pass"),  # local and home
        ("ZA", ("ZA",), "fail"),
        ("NZ", ("NZ",), "pass"),
        ("GB", ("GB",), "pass"),
        ("CN", ("CN",), "unknown"),  # bound to an institution: ask
        ("SA", ("SA",), "unknown"),
        ("XX", ("XX",), "unknown"),
    ],
)
def test_licence_rules_of_jurisdictions(code: str, licensed_in: tuple[str, ...], outcome: str) -> None:
    candidate = reads(licences=tuple(replace(LICENCE, jurisdiction=j) for j in licensed_in))
    assert judged("licence", case=replace(CASE, jurisdiction=code), candidate=candidate).outcome == outcome


@pytest.mark.parametrize(
    ("privileges", "outcome", "words"),
    [
        ((), "fail", "No privilege at Norfjord"),
        ((replace(PRIVILEGE, facility_id=UUID(int=99)),), "fail", "No privilege at Norfjord"),
        (
            (replace(PRIVILEGE, subspecialties=("msk",), valid_from=datetime(2026, 5, 31, 22, tzinfo=UTC)),),
            "fail",
            "Privilege at Norfjord is MSK only, since 1 Jun 2026",
        ),
        ((replace(PRIVILEGE, subspecialties=("emergency",)),), "pass", "Privilege at Norfjord"),
        ((replace(PRIVILEGE, status="suspended"),), "fail", "Privilege at Norfjord is suspended"),
        ((replace(PRIVILEGE, valid_until=NOW),), "fail", "Privilege at Norfjord ended 25 Nov 2026"),
        (
            (replace(PRIVILEGE, valid_until=DUE),),
            "fail",
            "Privilege at Norfjord ends 25 Nov 2026 03:11, before the deadline",
        ),
        ((replace(PRIVILEGE, valid_from=NOW + HOUR),), "fail", "Privilege at Norfjord begins 25 Nov 2026"),
    ],
)
def test_privilege(privileges: tuple[PrivilegeFacts, ...], outcome: str, words: str) -> None:
    check = judged("privilege", candidate=reads(privileges=privileges))
    assert (check.outcome, check.text) == (outcome, words)


def _certificate(subspecialty: str, until: datetime | None = None) -> CertificateFacts:
    return CertificateFacts(ID, subspecialty, "EBR", LONG_AGO, until)


@pytest.mark.parametrize(
    ("held", "outcome", "words"),
    [
        ((_certificate("emergency"),), "pass", "Emergency, EBR"),
        ((_certificate("chest"), _certificate("body")), "fail", "No neuro or emergency; body and chest only"),
        ((), "fail", "No neuro or emergency; no certificate"),
        ((_certificate("neuro", NOW - HOUR),), "fail", "Neuro certificate ended 25 Nov 2026"),
    ],
)
def test_subspecialty(held: tuple[CertificateFacts, ...], outcome: str, words: str) -> None:
    check = judged("subspecialty", candidate=reads(certificates=held))
    assert (check.outcome, check.text) == (outcome, words)


@pytest.mark.parametrize(
    ("wanted", "speaks", "outcome", "words"),
    [
        (("nb", "en"), ("en",), "pass", "Reports in English"),
        (("nb",), ("en",), "fail", "Doesn't report in Norwegian"),
        ((), ("en",), "unknown", "Norfjord named no report language; ask"),
        (("en",), (), "fail", "Doesn't report in English"),
    ],
)
def test_language(wanted: tuple[str, ...], speaks: tuple[str, ...], outcome: str, words: str) -> None:
    check = judged("language", case=replace(CASE, report_languages=wanted), candidate=reads(languages=speaks))
    assert (check.outcome, check.text) == (outcome, words)


@pytest.mark.parametrize(
    ("made_in", "seen_from", "allowed", "kind", "outcome"),
    [
        ("NO", "AU", ("NO", "AU"), "final", "pass"),
        ("NO", "US-MA", ("NO", "AU"), "final", "fail"),
        ("NO", "US-MA", ("NO", "US"), "final", "pass"),  # a country names all its states
        ("NO", "NO", (), "final", "pass"),
        ("NO", "AU", (), "final", "unknown"),  # on conditions, and the agreement names no places
        ("US-TX", "US-MA", (), "final", "pass"),  # one country is not outside
        ("US-TX", "US-MA", ("US-TX",), "final", "fail"),  # an agreement may be stricter
        ("IN", "AU", (), "final", "unknown"),  # viewing allowed, but the read itself on conditions
        ("FR", "AU", ("AU",), "final", "fail"),  # offshore finals forbidden
        ("FR", "AU", ("AU",), "preliminary", "pass"),
        ("KR", "AU", ("AU",), "preliminary", "fail"),  # may not be seen from outside at all
        ("XX", "AU", ("AU",), "final", "unknown"),
    ],
)
def test_place(made_in: str, seen_from: str, allowed: tuple[str, ...], kind: str, outcome: str) -> None:
    case = replace(CASE, jurisdiction=made_in, offers=(replace(OFFER, viewing_places=allowed, read_kind=kind),))
    candidate = reads(places=(PlaceFacts(ID, "Hub", seen_from, "UTC", True),))
    assert judged("place", case=case, candidate=candidate).outcome == outcome


def test_an_unknown_place_blocks() -> None:
    away = reads(places=(PlaceFacts(ID, "Sydney", "AU", "Australia/Sydney", False),))
    verdict = eligibility(CASE, away, NOW)
    assert judged("place", candidate=away).outcome == "unknown"
    assert not verdict.eligible


def test_shift_words_and_the_deadline() -> None:
    zurich = (PlaceFacts(ID, "Zurich", "CH", "Europe/Zurich", True),)
    later = replace(
        SHIFT, starts_at=datetime(2026, 11, 25, 5, tzinfo=UTC), ends_at=datetime(2026, 11, 25, 15, tzinfo=UTC)
    )
    off = replace(IMOGEN, reader=replace(READS, places=zurich), shifts=(later,))
    assert judged("shift", candidate=off).text == "Off shift. Comes on 06:00 in Zurich, after the deadline"
    soon = replace(off, shifts=(replace(later, starts_at=NOW + timedelta(minutes=5)),))
    assert judged("shift", candidate=soon).text == "Off shift. Comes on 02:46 in Zurich"
    assert judged("shift", candidate=replace(IMOGEN, shifts=())).text == "Off shift"


def test_a_shift_for_another_group_does_not_count() -> None:
    assert (
        judged("shift", candidate=replace(IMOGEN, shifts=(replace(SHIFT, organization_id=OTHER_GROUP),))).outcome
        == "fail"
    )


@pytest.mark.parametrize(
    ("at", "outcome"),
    [
        (SHIFT.starts_at, "pass"),  # [from, until)
        (SHIFT.ends_at - timedelta(seconds=1), "pass"),
        (SHIFT.ends_at, "fail"),
        (SHIFT.starts_at - timedelta(seconds=1), "fail"),
    ],
)
def test_shift_bounds(at: datetime, outcome: str) -> None:
    assert judged("shift", at=at).outcome == outcome


def test_who_opened_on_shift_may_sign_after_it() -> None:
    after = SHIFT.ends_at + timedelta(minutes=5)
    opened = replace(IMOGEN, holds_it=True, opened_at=SHIFT.ends_at - timedelta(minutes=5))
    assert judged("shift", candidate=opened, at=after).text == "On shift when opened, 16:36 in Sydney"
    assert judged("shift", candidate=replace(opened, opened_at=SHIFT.ends_at), at=after).outcome == "fail"


@pytest.mark.parametrize(
    ("day", "zone", "words"),
    [
        # the night when clocks go back in Zurich: 06:00 is at 05:00 UTC, not 04:00
        (datetime(2026, 10, 25, 5, tzinfo=UTC), "Europe/Zurich", "Comes on 06:00 in Zurich"),
        # the night when they go forward in New York: 07:00 is at 11:00 UTC
        (datetime(2026, 3, 8, 11, tzinfo=UTC), "America/New_York", "Comes on 07:00 in New York"),
    ],
)
def test_shift_times_over_a_change_of_clocks(day: datetime, zone: str, words: str) -> None:
    place = (PlaceFacts(ID, "Hub", "CH", zone, True),)
    shift = replace(SHIFT, starts_at=day, ends_at=day + timedelta(hours=8))
    candidate = replace(IMOGEN, reader=replace(READS, places=place), shifts=(shift,))
    case = replace(CASE, due_at=None)
    assert judged("shift", case=case, candidate=candidate, at=day - timedelta(hours=4)).text == f"Off shift. {words}"


def test_an_end_is_named_by_its_last_day_at_the_site() -> None:
    # midnight in Oslo on 1 April, in summer time: the licence is good to 31 March
    until = datetime(2027, 3, 31, 22, tzinfo=UTC)
    check = judged("licence", candidate=reads(licences=(replace(LICENCE, valid_until=until),)))
    assert check.text == "Licence Norway, full to 31 Mar 2027"


@pytest.mark.parametrize(
    ("load", "holds", "outcome"), [(9, False, "pass"), (10, False, "fail"), (11, False, "fail"), (10, True, "pass")]
)
def test_capacity(load: int, holds: bool, outcome: str) -> None:
    assert judged("capacity", candidate=replace(IMOGEN, open=load, holds_it=holds)).outcome == outcome


def test_capacity_says_that_it_counts_over_both_groups() -> None:
    locum = replace(
        READS, engagements=(*READS.engagements, EngagementFacts(ID, OTHER_GROUP, "Borealis", True, (), LONG_AGO, None))
    )
    assert (
        judged("capacity", candidate=replace(IMOGEN, reader=locum, open=10)).text == "Full: 10 of 10 over both groups"
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"engagements": ()}, "Not engaged by Aurora"),
        ({"is_active": False}, "No longer reads"),
        (
            {"engagements": (replace(READS.engagements[0], valid_until=NOW),)},
            "Engagement with Aurora ended 25 Nov 2026",
        ),
        (
            {"engagements": (replace(READS.engagements[0], valid_until=DUE),)},
            "Engagement ends 25 Nov 2026 03:11, before the deadline",
        ),
        (
            {"engagements": (replace(READS.engagements[0], valid_from=NOW + 24 * HOUR),)},
            "Engaged by Aurora only from 26 Nov 2026",
        ),
        (
            {"engagements": (replace(READS.engagements[0], malpractice_jurisdictions=("US-TX",)),)},
            "No malpractice cover in Norway",
        ),
    ],
)
def test_engagement(change: dict[str, object], words: str) -> None:
    check = judged("engagement", candidate=reads(**change))
    assert (check.outcome, check.text) == ("fail", words)


def test_an_agreement_that_ends_before_the_deadline_does_not_cover() -> None:
    check = judged("engagement", case=replace(CASE, offers=(replace(OFFER, valid_until=DUE),)))
    assert check.text == "The agreement ends 25 Nov 2026 03:11, before the deadline"


def test_without_any_agreement_nobody_is_eligible() -> None:
    verdict = eligibility(replace(CASE, offers=()), IMOGEN, NOW)
    assert not verdict.eligible
    assert verdict.blocking[0].text == "No agreement covers CT head, no contrast"


def test_a_locum_is_judged_under_the_agreement_that_fits() -> None:
    """On for the second group only: the first agreement fails by shift, the second passes."""
    second = Offer(UUID(int=21), OTHER_GROUP, "Borealis", 1, "final", ("AU",), None)
    locum = replace(
        READS,
        engagements=(
            *READS.engagements,
            EngagementFacts(UUID(int=31), OTHER_GROUP, "Borealis", True, (), LONG_AGO, None),
        ),
    )
    on = Candidate(locum, (replace(SHIFT, organization_id=OTHER_GROUP),), open=1)
    verdict = eligibility(replace(CASE, offers=(OFFER, second)), on, NOW)
    assert verdict.eligible
    assert (verdict.group_id, verdict.engagement_id) == (OTHER_GROUP, UUID(int=31))


def test_after_the_deadline_only_now_counts() -> None:
    late = DUE + HOUR
    ending = reads(licences=(replace(LICENCE, valid_until=late + HOUR),))
    assert judged("licence", candidate=ending, at=late).outcome == "pass"


def _verdict(number: int, load: int, today: int = 0, outcome: str = "pass", text: str = "ok") -> Verdict:
    check = Check("capacity", outcome, text, "house rule")  # type: ignore[arg-type]
    return Verdict(UUID(int=number), f"Dr {number}", "Hub", (check,), load, 10, today)


@pytest.mark.parametrize(
    ("verdicts", "chosen"),
    [
        ([_verdict(1, 3), _verdict(2, 2)], 2),
        ([_verdict(1, 2, 5), _verdict(2, 2, 4)], 2),
        ([_verdict(2, 2, 4), _verdict(1, 2, 4)], 1),
        ([_verdict(1, 0, 0, "fail"), _verdict(2, 9)], 2),
        ([_verdict(1, 0, 0, "unknown")], None),
        ([], None),
    ],
)
def test_choose(verdicts: list[Verdict], chosen: int | None) -> None:
    best = choose(verdicts)
    assert (best.reader_id.int if best else None) == chosen


def test_no_checks_at_all_is_not_eligible() -> None:
    assert not Verdict(READER, "Dr", "Hub", (), 0, 10).eligible


def test_every_reader_gets_a_written_reason() -> None:
    verdicts = [
        _verdict(1, 2),
        _verdict(2, 2, 3),
        _verdict(3, 5),
        _verdict(4, 0, 0, "fail", "Off shift"),
        _verdict(5, 1),
    ]
    told = {v.reader_id.int: v.why for v in explained(verdicts, UUID(int=1), excluded={UUID(int=5)})}
    assert told == {
        1: "Assigned. Least loaded of 4 eligible, 2 of 10",
        2: "Eligible, as many open (2 of 10), but 3 given today",
        3: "Eligible, but more open: 5 of 10",
        4: "Off shift",
        5: "Had it before",
    }


def test_the_summary_names_those_whom_one_rule_keeps_off() -> None:
    many = Verdict(UUID(int=7), "Dr 7", "Hub", (_verdict(1, 0, 0, "fail").checks * 2), 0, 10)
    said = summary([_verdict(1, 10, 0, "fail", "Full: 10 of 10"), many])
    assert said == "Nobody can read it now. Dr 1: full: 10 of 10; 1 more by capacity."
    assert summary([many]) == "Nobody can read it now. 1 by capacity."
    assert summary([]) == "No reading group covers this exam."


def test_a_verdict_is_the_same_after_it_was_kept() -> None:
    verdict = eligibility(CASE, IMOGEN, NOW)
    assert Verdict.from_document(verdict.as_document()) == verdict
