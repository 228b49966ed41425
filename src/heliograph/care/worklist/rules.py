"""Who may read a case: hard rules as pure functions. Facts in, a verdict with reasons in words out; no I/O, no clock.

The jurisdiction where the images were made decides the licence; the reader's place decides from where they may be seen. Unknown blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from heliograph.care.rota.queries import ShiftFacts
from heliograph.care.worklist.verdicts import Check, Outcome, Verdict, choose
from heliograph.governance.policy.jurisdictions import jurisdiction, name_of, same_country
from heliograph.records.people.queries import LicenceFacts, ReaderFacts
from heliograph.records.people.rules import valid_at

__all__ = ["Candidate", "CaseFacts", "Check", "Offer", "Verdict", "choose", "eligibility"]

LANGUAGES = {
    "ar": "Arabic", "da": "Danish", "de": "German", "en": "English", "es": "Spanish", "fr": "French", "it": "Italian",
    "nb": "Norwegian", "nl": "Dutch", "nn": "Nynorsk", "pl": "Polish", "pt": "Portuguese", "sv": "Swedish", "sw": "Swahili",
}  # fmt: skip
LICENCE_BY_PLACE_OF_PATIENT = ("local", "compact_expedited_local", "special_scope", "not_statutory_but_contractual")
HOUSE = "house rule"


@dataclass(frozen=True, slots=True)
class Offer:
    """An agreement under which the case may be read, by the readers of its group."""

    agreement_id: UUID
    group_id: UUID
    group_name: str
    version: int
    read_kind: str
    viewing_places: tuple[str, ...]
    valid_until: datetime | None

    @property
    def label(self) -> str:
        return f"agreement with {self.group_name} v{self.version}"


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What the rules ask about a case. `due_at` None: nothing was promised, so only now counts."""

    case_id: UUID
    exam_name: str
    subspecialty: str
    also_qualified: tuple[str, ...]
    facility_id: UUID
    facility_name: str
    jurisdiction: str
    time_zone: str
    report_languages: tuple[str, ...]
    offers: tuple[Offer, ...]
    due_at: datetime | None

    @property
    def qualified(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.subspecialty, *self.also_qualified)))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A reader, when they are on, and how much they have open over all their groups.

    `opened_at` is set when they have this very read open: it then counts neither against their capacity, nor does the end of the shift
    in which they opened it keep them from signing. `holds_it`: it is assigned to them and counted in `open`.
    """

    reader: ReaderFacts
    shifts: tuple[ShiftFacts, ...] = ()
    open: int = 0
    assigned_today: int = 0
    holds_it: bool = False
    opened_at: datetime | None = None


def eligibility(case: CaseFacts, candidate: Candidate, at: datetime) -> Verdict:
    """The verdict on one reader at `at`, under the offer that fits them best (the fewest blocking rules, then the first)."""
    fixed = {
        "licence": _licence(case, candidate.reader, at),
        "privilege": _privilege(case, candidate.reader, at),
        "subspecialty": _subspecialty(case, candidate.reader, at),
        "language": _language(case, candidate.reader),
        "capacity": _capacity(candidate),
    }
    options: list[tuple[int, int, Offer, UUID | None, tuple[Check, ...]]] = []
    for offer in case.offers:
        engagement, engagement_id = _engagement(case, candidate.reader, offer, at)
        checks: tuple[Check, ...] = (
            engagement,
            fixed["licence"],
            fixed["privilege"],
            fixed["subspecialty"],
            fixed["language"],
            _place(case, candidate.reader, offer),
            _shift(case, candidate, offer, at),
            fixed["capacity"],
        )
        options.append((sum(not c.passes for c in checks), len(options), offer, engagement_id, checks))
    if not options:
        none = Check("engagement", "fail", f"No agreement covers {case.exam_name}", case.facility_name)
        return _verdict(candidate, None, None, (none, *fixed.values()))
    _, _, offer, engagement_id, checks = min(options, key=lambda o: o[:2])
    return _verdict(candidate, offer, engagement_id, checks)


def _verdict(c: Candidate, offer: Offer | None, engagement_id: UUID | None, checks: tuple[Check, ...]) -> Verdict:
    return Verdict(
        reader_id=c.reader.reader_id,
        name=c.reader.name,
        hub=c.reader.hub,
        checks=checks,
        open=c.open,
        capacity=c.reader.capacity,
        assigned_today=c.assigned_today,
        group_id=offer.group_id if offer else None,
        agreement_id=offer.agreement_id if offer else None,
        engagement_id=engagement_id,
    )


def _engagement(case: CaseFacts, reader: ReaderFacts, offer: Offer, at: datetime) -> tuple[Check, UUID | None]:
    """Engaged by the agreement's group, with cover for the place, now and at the deadline; and the agreement itself lasts."""
    until = _deadline(case, at)

    def answer(outcome: Outcome, words: str) -> Check:
        return Check("engagement", outcome, words, offer.label)

    if not reader.is_active:
        return answer("fail", "No longer reads"), None
    if offer.valid_until is not None and until >= offer.valid_until:
        return answer("fail", f"The agreement ends {_moment(offer.valid_until, case)}, before the deadline"), None
    mine = [e for e in reader.engagements if e.organization_id == offer.group_id]
    held = next((e for e in mine if valid_at(e.valid_from, e.valid_until, at)), None)
    if held is None:
        ended = max((e.valid_until for e in mine if e.valid_until and e.valid_until <= at), default=None)
        begins = min((e.valid_from for e in mine if e.valid_from > at), default=None)
        if begins:
            return answer("fail", f"Engaged by {offer.group_name} only from {_date(begins, case)}"), None
        words = (
            f"Engagement with {offer.group_name} ended {_date(ended, case, is_end=True)}"
            if ended
            else (f"Not engaged by {offer.group_name}")
        )
        return answer("fail", words), None
    if not any(valid_at(e.valid_from, e.valid_until, until) for e in mine):
        end = held.valid_until or until
        return answer("fail", f"Engagement ends {_moment(end, case)}, before the deadline"), None
    covered = held.malpractice_jurisdictions  # none named: the group's own cover, everywhere
    if covered and case.jurisdiction not in covered and not any(c == case.jurisdiction.split("-")[0] for c in covered):
        return answer("fail", f"No malpractice cover in {name_of(case.jurisdiction)}"), None
    return answer("pass", f"Engaged by {offer.group_name}" + (", as a locum" if held.is_locum else "")), held.id


def _licence(case: CaseFacts, reader: ReaderFacts, at: datetime) -> Check:
    """Licensed where the images were made, now and at the deadline, as the jurisdiction's rule says."""
    policy = jurisdiction(case.jurisdiction)
    place = name_of(case.jurisdiction)
    if policy is None or policy.licence_rule is None:
        return Check("licence", "unknown", f"The licence rule of {place} is not known; ask", "policy")
    source = f"{policy.regulator or place}, policy {policy.rule_code}"
    held = reader.licences
    if policy.licence_rule == "federal_any_state":
        held = tuple(x for x in held if same_country(x.jurisdiction, case.jurisdiction))
        return Check("licence", *_licensed(held, f"{place}: any state", case, at), source)
    if policy.licence_rule == "local_plus_home":
        outcome, words = _licensed(_in(held, case.jurisdiction), place, case, at)
        home = reader.place.jurisdiction if reader.place else None
        if outcome == "pass" and home is None:
            return Check("licence", "unknown", f"{words}; home licence unknown, since their place is", source)
        if outcome == "pass" and home is not None and not same_country(home, case.jurisdiction):
            at_home, home_words = _licensed(_in(held, home), name_of(home), case, at)
            if at_home != "pass":
                return Check("licence", at_home, f"{place} asks for the home licence too: {home_words}", source)
        return Check("licence", outcome, words, source)
    if policy.licence_rule not in LICENCE_BY_PLACE_OF_PATIENT:
        rule = policy.licence_rule.replace("_", " ")
        return Check("licence", "unknown", f"{place} has a rule of its own ({rule}); ask", source)
    return Check("licence", *_licensed(_in(held, case.jurisdiction), place, case, at), source)


def _in(licences: Sequence[LicenceFacts], code: str) -> tuple[LicenceFacts, ...]:
    return tuple(x for x in licences if x.jurisdiction == code)


def _licensed(licences: Sequence[LicenceFacts], place: str, case: CaseFacts, at: datetime) -> tuple[Outcome, str]:
    """Whether `licences` (all of one place) allow it, in words."""
    until = _deadline(case, at)
    if not licences:
        return "fail", f"Not licensed in {place}"
    stopped = next((x for x in licences if x.status != "active" and valid_at(x.valid_from, x.valid_until, at)), None)
    if stopped:
        return "fail", f"{place} licence is {stopped.status}"
    active = [x for x in licences if x.status == "active"]
    now = [x for x in active if valid_at(x.valid_from, x.valid_until, at)]
    if not now:
        ended = max((x.valid_until for x in licences if x.valid_until and x.valid_until <= at), default=None)
        begins = min((x.valid_from for x in active if x.valid_from > at), default=None)
        if ended:
            return "fail", f"{place} licence ended {_date(ended, case, is_end=True)}"
        return "fail", f"{place} licence begins {_date(begins, case)}" if begins else f"{place} licence is revoked"
    then = [x for x in active if valid_at(x.valid_from, x.valid_until, until)]
    if not then:
        end = max(x.valid_until for x in now if x.valid_until)
        return "fail", f"{place} licence ends {_moment(end, case)}, before the deadline"
    if not any(x.is_verified for x in now):
        return "unknown", f"{place} licence awaits its check at the register"
    if not any(x.is_verified for x in then):
        return "unknown", f"{place} licence: renewal not verified"
    best = max((x for x in then if x.is_verified), key=lambda x: (x.valid_until is None, x.valid_until or at))
    end_words = f" to {_date(best.valid_until, case, is_end=True)}" if best.valid_until else ", no end"
    return "pass", f"Licence {place}, {best.scope}{end_words}"


def _privilege(case: CaseFacts, reader: ReaderFacts, at: datetime) -> Check:
    """The facility lets them read exams of this subspecialty, now and at the deadline."""
    until, where = _deadline(case, at), case.facility_name

    def answer(outcome: Outcome, words: str) -> Check:
        return Check("privilege", outcome, words, where)

    mine = [p for p in reader.privileges if p.facility_id == case.facility_id]
    if not mine:
        return answer("fail", f"No privilege at {where}")
    stopped = next((p for p in mine if p.status != "active" and valid_at(p.valid_from, p.valid_until, at)), None)
    if stopped:
        return answer("fail", f"Privilege at {where} is {stopped.status}")
    now = [p for p in mine if valid_at(p.valid_from, p.valid_until, at)]
    if not now:
        begins = min((p.valid_from for p in mine if p.valid_from > at), default=None)
        ended = max((p.valid_until for p in mine if p.valid_until and p.valid_until <= at), default=None)
        if begins:
            return answer("fail", f"Privilege at {where} begins {_date(begins, case)}")
        return answer("fail", f"Privilege at {where} ended {_date(ended, case, is_end=True)}")
    covering = [p for p in now if not p.subspecialties or set(p.subspecialties) & set(case.qualified)]
    if not covering:
        only = sorted({s for p in now for s in p.subspecialties})
        since = min(p.valid_from for p in now)
        return answer("fail", f"Privilege at {where} is {_words(only)} only, since {_date(since, case)}")
    lasting = [
        p
        for p in mine
        if p.status == "active"
        and valid_at(p.valid_from, p.valid_until, until)
        and (not p.subspecialties or set(p.subspecialties) & set(case.qualified))
    ]
    if not lasting:
        end = max(p.valid_until for p in covering if p.valid_until)
        return answer("fail", f"Privilege at {where} ends {_moment(end, case)}, before the deadline")
    return answer("pass", f"Privilege at {where}")


def _subspecialty(case: CaseFacts, reader: ReaderFacts, at: datetime) -> Check:
    """A certificate, valid now, in the exam's subspecialty or in one that is qualified as well."""
    source = f"exam class {case.exam_name}"
    now = [c for c in reader.certificates if valid_at(c.valid_from, c.valid_until, at)]
    fitting = next((c for s in case.qualified for c in now if c.subspecialty == s), None)
    if fitting:
        return Check("subspecialty", "pass", f"{_sentence(fitting.subspecialty)}, {fitting.board}", source)
    lapsed = next((c for c in reader.certificates if c.subspecialty in case.qualified), None)
    if lapsed:
        when = lapsed.valid_until
        words = f"{_sentence(lapsed.subspecialty)} certificate " + (
            f"ended {_date(when, case, is_end=True)}"
            if when and when <= at
            else f"begins {_date(lapsed.valid_from, case)}"
        )
        return Check("subspecialty", "fail", words, source)
    held = sorted({c.subspecialty for c in now})
    has = f"; {_words(held)} only" if held else "; no certificate"
    return Check("subspecialty", "fail", f"No {_words(case.qualified, 'or')}{has}", source)


def _language(case: CaseFacts, reader: ReaderFacts) -> Check:
    """Reports in a language that the facility reads."""
    if not case.report_languages:
        return Check("language", "unknown", f"{case.facility_name} named no report language; ask", case.facility_name)
    fitting = next((x for x in case.report_languages if x in reader.languages), None)
    if fitting:
        return Check("language", "pass", f"Reports in {LANGUAGES.get(fitting, fitting)}", case.facility_name)
    wanted = _words([LANGUAGES.get(x, x) for x in case.report_languages], "or")
    return Check("language", "fail", f"Doesn't report in {wanted}", case.facility_name)


def _place(case: CaseFacts, reader: ReaderFacts, offer: Offer) -> Check:
    """Where they are now: the agreement and the law of the images' jurisdiction let the images be seen from there."""
    if reader.place is None:
        return Check("place", "unknown", "Reads from an unknown place; ask them to say where they are", offer.label)
    here, code = reader.place.jurisdiction, case.jurisdiction
    seen_from, images = f"{reader.place.name} ({name_of(here)})", f"images of {name_of(code)}"
    if offer.viewing_places and not any(_covers(p, here) for p in offer.viewing_places):
        allowed = _words([name_of(p) for p in offer.viewing_places], "or")
        return Check("place", "fail", f"{seen_from} not allowed: images stay in {allowed}", offer.label)
    if same_country(here, code):
        return Check("place", "pass", f"Reads from {seen_from}", offer.label)
    policy = jurisdiction(code)
    law = f"policy {policy.rule_code}: {policy.view_basis or 'no basis given'}" if policy else "policy"
    limits = (policy.view_from_outside, policy.offshore(offer.read_kind)) if policy else (None, None)
    if "forbidden" in limits:
        what = (
            f"{images} may not be seen from outside"
            if limits[0] == "forbidden"
            else (f"{offer.read_kind} reads from outside {name_of(code)} are forbidden")
        )
        return Check("place", "fail", f"{seen_from}: {what}", law)
    if None in limits:
        return Check("place", "unknown", f"{seen_from}: not known whether {images} may be seen from outside; ask", law)
    if "conditional" in limits and not offer.viewing_places:
        return Check(
            "place", "unknown", f"{seen_from}: {images} on conditions only, and the agreement names no places", law
        )
    return Check("place", "pass", f"Reads from {seen_from}", f"{offer.label}; {law}")


def _covers(allowed: str, place: str) -> bool:
    """`US` allows `US-MA`; `US-MA` allows only itself."""
    return allowed == place or (("-" not in allowed) and same_country(allowed, place))


def _shift(case: CaseFacts, candidate: Candidate, offer: Offer, at: datetime) -> Check:
    """On shift for the group now; or on when they opened it."""
    mine = [s for s in candidate.shifts if s.organization_id == offer.group_id]
    zone = candidate.reader.place.time_zone if candidate.reader.place else "UTC"
    source = f"rota of {offer.group_name}"
    on = next((s for s in mine if s.starts_at <= at < s.ends_at), None)
    if on:
        end = max(s.ends_at for s in mine if s.starts_at <= at < s.ends_at)
        return Check("shift", "pass", f"On shift to {_clock(end, at, zone)}", source)
    opened = candidate.opened_at
    if opened and any(s.starts_at <= opened < s.ends_at for s in mine):
        return Check("shift", "pass", f"On shift when opened, {_clock(opened, at, zone)}", source)
    comes = min((s.starts_at for s in mine if s.starts_at > at), default=None)
    if comes is None:
        return Check("shift", "fail", "Off shift", source)
    late = ", after the deadline" if case.due_at and comes >= case.due_at else ""
    return Check("shift", "fail", f"Off shift. Comes on {_clock(comes, at, zone)}{late}", source)


def _capacity(candidate: Candidate) -> Check:
    """Fewer open reads, over all their groups, than they take."""
    reader = candidate.reader
    others = candidate.open - (1 if candidate.holds_it else 0)
    groups = len({e.organization_id for e in reader.engagements})
    over = " over both groups" if groups == 2 else (" over all groups" if groups > 2 else "")
    load = f"{candidate.open} of {reader.capacity}{over}"
    if others < reader.capacity:
        return Check("capacity", "pass", f"{load} open", HOUSE)
    return Check("capacity", "fail", f"Full: {load}", HOUSE)


def _deadline(case: CaseFacts, at: datetime) -> datetime:
    """Until when something must hold: the deadline, or now when it has passed or nothing was promised."""
    return max(at, case.due_at) if case.due_at else at


def _date(when: datetime | None, case: CaseFacts, *, is_end: bool = False) -> str:
    """A day at the site. An end is exclusive in the tables; people name the last day that counts."""
    if when is None:
        return "some day"
    local = (when - timedelta(microseconds=1) if is_end else when).astimezone(ZoneInfo(case.time_zone))
    return f"{local.day} {local:%b %Y}"


def _moment(when: datetime, case: CaseFacts) -> str:
    local = when.astimezone(ZoneInfo(case.time_zone))
    return f"{local.day} {local:%b %Y %H:%M}"


def _clock(when: datetime, at: datetime, zone: str) -> str:
    """`06:00 in Zurich`, with the date when it is another day there."""
    local, today = when.astimezone(ZoneInfo(zone)), at.astimezone(ZoneInfo(zone))
    day = "" if local.date() == today.date() else f"{local.day} {local:%b} "
    return f"{day}{local:%H:%M} in {zone.rsplit('/', 1)[-1].replace('_', ' ')}"


def _words(items: Sequence[str], last: Literal["and", "or"] = "and") -> str:
    shown = [{"msk": "MSK"}.get(i, i.replace("_", " ")) for i in items]
    return f" {last} ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def _sentence(word: str) -> str:
    shown = _words([word])
    return shown[0].upper() + shown[1:]
