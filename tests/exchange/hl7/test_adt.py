"""ADT in: one patient by identifier, what changed and what was only empty, merges, and what a person must decide."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from heliograph.app.context import Context
from heliograph.kit.actor import system
from heliograph.records.patients.doubts import open_doubts
from heliograph.records.patients.queries import find
from tests.cast import Cast
from tests.exchange.hl7.wire import Wire, sample, wired

PATIENTS = "select family_name, given_name, birth_date::text, sex, merged_into_id is not null from patients.patients order by id"
IDENTIFIERS = "select i.authority, i.value, i.type from patients.identifiers i order by i.authority, i.value"
DOUBTS = "select kind, told ->> 'family_name', decision, settled_at is null from patients.doubts order by raised_at, id"
ALARMS = "select kind, cleared_at is null from worklist.alarms order by raised_at, id"
OKONKWO = ("Okonkwo-Reyes", "Tamsin J", "1981-07-04", "F", False)
_numbers = iter(range(1, 1000))


@pytest.fixture
def wire(context: Context, cast: Cast, owner_url: str) -> Iterator[Wire]:
    with wired(context, cast, owner_url) as running:
        yield running


def adt(trigger: str, *segments: str, sender: str = "ADTX|NORTHBAY") -> bytes:
    """An ADT message of these segments."""
    number = next(_numbers)
    head = rf"MSH|^~\&|{sender}|HELIO|HUB|2026112502{number:04d}+0100||ADT^{trigger}|T{number}|P|2.5.1"
    return "\r".join((head, f"EVN|{trigger}|20261125", *segments)).encode() + b"\r"


def pid(*ids: str, name: str = "Lind^Ada", born: str = "19700101", sex: str = "F") -> str:
    listed = "~".join(i if "^" in i else f"{i}^^^NORTHBAY^MR" for i in ids)
    return f"PID|1||{listed}||{name}||{born}|{sex}"


def mrg(*ids: str, name: str = "") -> str:
    return "MRG|" + "~".join(i if "^" in i else f"{i}^^^NORTHBAY^MR" for i in ids) + (f"||||||{name}" if name else "")


def whose(context: Context, cast: Cast, value: str, authority: str = "NORTHBAY") -> object:
    with context.works.read(system("test", cast.norfjord)) as work:
        found = find(work.session, cast.norfjord, authority, value)
        return found.id if found else None


def test_an_admitted_patient_has_all_identifiers_and_no_account_number(wire: Wire) -> None:
    wire.takes(sample("01"))
    assert wire.rows(PATIENTS) == [OKONKWO]
    assert wire.rows(IDENTIFIERS) == [("NATID", "NX-7782201", "NI"), ("NORTHBAY", "104417", "MR")]
    wire.takes(sample("01"))
    assert wire.rows(PATIENTS) == [OKONKWO]


def test_a_name_in_three_representations_is_one_name(wire: Wire) -> None:
    wire.takes(sample("02"))
    assert wire.rows("select family_name, given_name, ideographic_name, phonetic_name from patients.patients") == [
        ("YAMAMOTO", "MIU", "山本^美羽", "ヤマモト^ミウ")
    ]


def test_empty_leaves_and_null_deletes(wire: Wire) -> None:
    wire.takes(sample("01"))
    wire.takes(sample("03"))
    assert wire.rows(PATIENTS) == [OKONKWO]
    wire.takes(adt("A08", 'PID|1||104417^^^NORTHBAY^MR||||""|'))
    assert wire.rows(PATIENTS) == [(*OKONKWO[:2], None, "F", False)]
    wire.takes(adt("A31", 'PID|1||104417^^^NORTHBAY^MR||""|||""'))
    assert wire.rows(PATIENTS) == [("Okonkwo-Reyes", "Tamsin J", None, None, False)]
    assert '""' not in str(wire.rows("select * from patients.patients"))


def test_a_year_is_no_birth_date(wire: Wire) -> None:
    wire.takes(sample("19"))
    assert wire.rows(PATIENTS) == [("Lindqvist", "Per", None, "M", False)]
    wire.takes(sample("19").replace(b"1949", b"19490506").replace(b"LF-0001", b"LF-0002"))
    wire.takes(sample("19").replace(b"LF-0001", b"LF-0003"))
    assert wire.rows(PATIENTS) == [("Lindqvist", "Per", "1949-05-06", "M", False)]


def test_the_sites_own_number_is_chosen_by_type_and_authority(wire: Wire, context: Context, cast: Cast) -> None:
    wire.takes(sample("26"))
    assert wire.rows("select family_name, ideographic_name from patients.patients") == [("Haddad", "حداد^ليث")]
    assert wire.rows(IDENTIFIERS) == [("ALNOOR", "AN-3321", "MR"), ("EID", "784-DEMO-0001", "NI")]
    assert whose(context, cast, "AN-3321", "ALNOOR") == whose(context, cast, "784-DEMO-0001", "EID")


def test_without_an_identifier_there_is_no_patient(wire: Wire) -> None:
    assert wire.refuses(sample("25")) == ("AE", "101", "PID^1^3")
    assert wire.rows(PATIENTS) == []
    assert wire.rows("select fate, payload from sites.messages") == [("rejected", sample("25"))]


@pytest.mark.parametrize("trigger", ["A01", "A04", "A05", "A08", "A28", "A31"])
def test_each_of_these_makes_and_changes(wire: Wire, trigger: str) -> None:
    wire.takes(adt(trigger, pid("1", name="Lind^Ada")))
    wire.takes(adt(trigger, pid("1", name="Lind-Berg^Ada")))
    assert wire.rows(PATIENTS) == [("Lind-Berg", "Ada", "1970-01-01", "F", False)]


def test_name_and_birth_date_that_both_differ_wait_for_a_person(wire: Wire, context: Context, cast: Cast) -> None:
    wire.takes(adt("A04", pid("1")))
    other = adt("A08", pid("1", name="Strand^Eva", born="19880203"))
    for _ in range(2):
        assert wire.refuses(other) == ("AE", "205", "PID^1^3")
    assert wire.rows(PATIENTS) == [("Lind", "Ada", "1970-01-01", "F", False)]
    assert wire.rows(DOUBTS) == [("told_differs", "Strand", None, True)]
    assert wire.rows(ALARMS) == [("identity_doubt", True)]
    assert len(wire.rows("select 1 from sites.messages where fate = 'rejected'")) == 2
    assert "Strand" not in str(wire.rows("select text from worklist.alarms"))
    with context.works.read(cast.nadia) as work:
        assert [d.kind for d in open_doubts(work.session)] == ["told_differs"]
    with context.works.read(cast.harper) as work:
        assert open_doubts(work.session) == []


def test_an_order_whose_patient_is_in_doubt_waits_too(wire: Wire) -> None:
    wire.takes(sample("01").replace(b"Okonkwo-Reyes", b"Strand").replace(b"19810704", b"19500101"))
    assert wire.refuses(sample("06")) == ("AE", "205", "PID^1^3")
    assert wire.rows("select 1 from orders.orders") == []
    assert wire.rows(ALARMS) == [("identity_doubt", True)]


def test_only_the_name_or_only_the_birth_date_is_a_correction(wire: Wire) -> None:
    wire.takes(adt("A04", pid("1")))
    wire.takes(adt("A08", pid("1", name="Strand^Ada")))
    wire.takes(adt("A08", pid("1", name="Strand^Ada", born="19700102")))
    assert wire.rows(PATIENTS) == [("Strand", "Ada", "1970-01-02", "F", False)]
    assert wire.rows(DOUBTS) == []


def test_identifiers_of_two_patients_merge_nobody(wire: Wire, context: Context, cast: Cast) -> None:
    wire.takes(adt("A04", pid("1", "N1^^^NATID^NI")))
    wire.takes(adt("A04", pid("2", "N1^^^NATID^NI")))
    assert [merged for *_, merged in wire.rows(PATIENTS)] == [False, False]
    assert whose(context, cast, "N1", "NATID") == whose(context, cast, "1") != whose(context, cast, "2")
    assert wire.rows(DOUBTS) == [("two_patients", None, None, True)]
    wire.takes(adt("A08", pid("2", "N1^^^NATID^NI")))
    assert len(wire.rows(DOUBTS)) == 1
    # The site merges them itself: the question is over.
    wire.takes(adt("A40", pid("1"), mrg("2")))
    assert wire.rows(DOUBTS) == [("two_patients", None, "same", False)]
    assert wire.rows(ALARMS) == [("identity_doubt", False)]


def test_a_merge_and_its_duplicate(wire: Wire, context: Context, cast: Cast) -> None:
    wire.takes(sample("01"))
    wire.takes(adt("A04", pid("998812", name="Reyes^T", born="19810704")))
    for again in ("NB-A40-0002", "NB-A40-0003"):
        wire.takes(sample("04").replace(b"NB-A40-0002", again.encode()))
    assert [merged for *_, merged in wire.rows(PATIENTS)] == [False, True]
    assert (
        whose(context, cast, "998812") == whose(context, cast, "104417") == whose(context, cast, "NX-7782201", "NATID")
    )
    assert len(wire.rows("select 1 from patients.merges")) == 1
    assert wire.rows("select count(*) from audit.events where action = 'patient.merged'") == [(2,)]


def test_a_retired_identifier_that_nobody_knew_means_the_survivor(wire: Wire, context: Context, cast: Cast) -> None:
    wire.takes(sample("04"))
    assert wire.rows("select family_name, given_name, merged_into_id is not null from patients.patients order by id") == [
        ("Okonkwo-Reyes", "Tamsin J", False), ("Reyes", "T", True),
    ]  # fmt: skip
    assert whose(context, cast, "998812") == whose(context, cast, "104417")
    # What comes later under it is the survivor's, and changes nothing of them.
    wire.takes(adt("A08", pid("998812", name="Reyes^T", born="")))
    assert wire.rows(PATIENTS)[0] == OKONKWO


def test_a_merge_without_authority_is_the_feeds(wire: Wire, context: Context, cast: Cast) -> None:
    wire.takes(sample("01"))
    wire.takes(adt("A04", pid("77120^^^ELSEWHERE^MR", "9", name="Okonkwo^T", born="19810704")))
    wire.takes(sample("05"))
    assert whose(context, cast, "77120") == whose(context, cast, "104417")
    assert whose(context, cast, "77120", "ELSEWHERE") != whose(context, cast, "104417")


def test_a_merge_without_authority_where_the_feed_has_none_is_refused(wire: Wire) -> None:
    wire.do("update sites.facilities set patient_id_authority = '' where code = 'NORTHBAY'")
    assert wire.refuses(sample("05")) == ("AE", "204", "PID^1^3")
    assert wire.rows(PATIENTS) == []


@pytest.mark.parametrize("trigger", ["A18", "A30", "A34", "A36", "A39", "A40"])
def test_nobody_is_merged_with_themself(wire: Wire, trigger: str) -> None:
    wire.takes(adt("A04", pid("1")))
    assert wire.refuses(adt(trigger, pid("1"), mrg("1"))) == ("AE", "207", "MRG^1^1")
    assert wire.rows("select 1 from patients.merges") == []
    wire.takes(adt(trigger, pid("1"), mrg("2")))
    assert len(wire.rows("select 1 from patients.merges")) == 1


def test_a_reversed_merge_makes_no_circle(wire: Wire, context: Context, cast: Cast) -> None:
    wire.takes(adt("A04", pid("A")))
    wire.takes(adt("A04", pid("B")))
    for survivor, retired in (("A", "B"), ("B", "A"), ("A", "B")):
        wire.takes(adt("A40", pid(survivor), mrg(retired)))
    assert whose(context, cast, "A") == whose(context, cast, "B")
    assert [merged for *_, merged in wire.rows(PATIENTS)] == [False, True]
    assert (
        wire.rows("select fault from sites.messages where fault is not null")
        == [("The two identifiers name one patient already.",)] * 2
    )


def test_a_chain_of_merges_ends_at_the_last_survivor(wire: Wire, context: Context, cast: Cast) -> None:
    for survivor, retired in (("B", "A"), ("C", "B"), ("D", "C")):
        wire.takes(adt("A40", pid(survivor), mrg(retired)))
    assert len({whose(context, cast, value) for value in "ABCD"}) == 1


def test_a_retired_identifier_that_was_merged_elsewhere_waits_for_a_person(wire: Wire) -> None:
    wire.takes(adt("A40", pid("A"), mrg("B")))
    wire.takes(adt("A04", pid("C")))
    assert wire.refuses(adt("A40", pid("C"), mrg("B"))) == ("AE", "205", "MRG^1^1")
    assert wire.rows(DOUBTS) == [("two_patients", None, None, True)]
    assert len(wire.rows("select 1 from patients.merges")) == 1


def test_several_merges_in_one_message_are_all_done_or_none(wire: Wire, context: Context, cast: Cast) -> None:
    assert wire.refuses(adt("A40", pid("A"), mrg("B"), pid("C"), mrg("C"))) == ("AE", "207", "MRG^2^1")
    assert wire.rows(PATIENTS) == []
    wire.takes(adt("A40", pid("A"), "PD1", mrg("B"), "PV1|1|I", pid("C"), mrg("D")))
    assert whose(context, cast, "A") == whose(context, cast, "B")
    assert whose(context, cast, "C") == whose(context, cast, "D") != whose(context, cast, "A")


def test_a_merge_of_two_who_differ_in_all_is_done_and_looked_at(wire: Wire) -> None:
    wire.takes(adt("A04", pid("1")))
    wire.takes(adt("A04", pid("2", name="Strand^Eva", born="19880203")))
    wire.takes(adt("A40", pid("1"), mrg("2")))
    assert [merged for *_, merged in wire.rows(PATIENTS)] == [False, True]
    assert wire.rows(DOUBTS) == [("merged_differ", None, None, True)]
    assert wire.rows(ALARMS) == [("identity_doubt", True)]


def test_a_merge_without_mrg_is_refused(wire: Wire) -> None:
    assert wire.refuses(adt("A40", pid("1"))) == ("AE", "101", "MRG^1")
    assert wire.refuses(adt("A40", pid("1"), "MRG|")) == ("AE", "101", "MRG^1^1")


def test_another_number_is_no_merge(wire: Wire, context: Context, cast: Cast) -> None:
    wire.takes(adt("A04", pid("1")))
    wire.takes(adt("A47", pid("2"), mrg("1")))
    assert whose(context, cast, "2") == whose(context, cast, "1")
    assert len(wire.rows(PATIENTS)) == 1
    assert wire.rows("select 1 from patients.merges") == []
    wire.takes(adt("A04", pid("3", name="Strand^Eva")))
    assert wire.refuses(adt("A47", pid("3", name="Strand^Eva"), mrg("1"))) == ("AE", "205", "MRG^1^1")
    assert len(wire.rows(PATIENTS)) == 2


def test_moves_and_discharges_are_refused_unless_the_feed_ignores_them(wire: Wire) -> None:
    assert wire.refuses(adt("A03", pid("1")))[:2] == ("AR", "201")
    wire.do("update sites.endpoints set ignored = '{ADT^A03}'")
    wire.takes(adt("A03", pid("1")))
    assert wire.rows(PATIENTS) == []


def test_the_record_names_fields_and_authorities_never_values(wire: Wire) -> None:
    wire.takes(sample("01"))
    wire.takes(sample("04"))
    wire.takes(adt("A08", pid("104417", name="Okonkwo^Tamsin", born="19810704")))
    told = str(wire.rows("select action, reason, detail from audit.events"))
    assert "family_name" in told
    for secret in ("Okonkwo", "Tamsin", "104417", "998812", "7782201", "1981"):
        assert secret not in told
