"""Orders out of messages by a feed's mapping: forms of several vendors and versions, and what is refused with its place."""

from __future__ import annotations

from typing import Any

import pytest

from heliograph.care.orders.incoming import OrderMessage, OrderNumbers
from heliograph.exchange.hl7.faults import BadOrder
from heliograph.exchange.hl7.orm import order_messages
from heliograph.exchange.hl7.pid import Site
from heliograph.kit.codecs.hl7 import parse
from heliograph.records.sites.mapping import mapping_of

PID = "PID|1||NF-7001^^^NORFJORD&2.999.1.1&ISO^MR~N-1^^^NATID^NI||Okonkwo&van&Okonkwo-Reyes^Tamsin^J^^^^L||19810704|F"
PV1 = "PV1|1|E|ED^12^A^NORFJORD||||4471^Abara^Nneka^^^Dr|88^Lind^Per^^^Dr"


def read(*segments: str, mapping: dict[str, Any] | None = None, msh: str = "ORM^O01|C1|P|2.3.1") -> list[OrderMessage]:
    header = rf"MSH|^~\&|RIS|NORFJORD|HELIO|HUB|20260312101000-0500||{msh}"
    message = parse("\r".join([header, PID, PV1, *segments]).encode(), "UNICODE UTF-8")
    return order_messages(message, Site("Europe/Oslo", "NORFJORD", mapping_of(mapping or {})))


def one(*segments: str, mapping: dict[str, Any] | None = None, msh: str = "ORM^O01|C1|P|2.3.1") -> OrderMessage:
    (order,) = read(*segments, mapping=mapping, msh=msh)
    return order


IHE = (
    "ORC|NW|PL-77^CPOE|FL-88^RIS||SC||1^^^20260312103000-0500^^S||20260312101000-0500|||4471^Abara^Nneka^^^Dr",
    "OBR|1|PL-77^CPOE|FL-88^RIS|CTHEAD^CT Head^NB^P-1^Head^NB|||||||||Fall; on anticoagulant||^^^Head|4471^Abara^Nneka^^^Dr||"
    "A2603120045|RP-5591|SPS-1||||CT|||1^^^^^S|||CART|^Head injury|||||||||||||CTHEADWO^CT HEAD WO",
    "ZDS|2.999.3.10.45^RIS^Application^DICOM",
)
OMI = (
    "ORC|NW|PL-90^CPOE|FL-90^RIS||SC||||20260312120000-0500|||4471^Abara^Nneka^^^Dr",
    "TQ1|1||||||20260313090000-0500||R^Routine^HL70485",
    "OBR|1|PL-90^CPOE|FL-90^RIS|MRKNEE^MR Knee|||||||||Twisting injury" + "|" * 33 + "LT^Left^HL70495",
    "NTE|1||Claustrophobia",
    "DG1|1||S83.2^Tear of meniscus^I10",
    "IPC|A2603120101^RIS|RP-6001|2.999.3.10.101|SPS-1|MR^Magnetic Resonance^DCM|P-1|MRI2|SUITE|MRI2AE",
    "IPC|A2603120101^RIS|RP-6001|2.999.3.10.101|SPS-2|MR^Magnetic Resonance^DCM|P-2|MRI2|SUITE|MRI2AE",
)


def test_an_order_of_ihe_scheduled_workflow() -> None:
    order = one(*IHE)
    (procedure,) = order.procedures
    assert (order.placer_number, order.filler_number, order.accession_number) == ("PL-77", "FL-88", "A2603120045")
    assert (order.priority, order.status, order.patient_class) == ("STAT", "scheduled", "E")
    assert order.indication == "Fall; on anticoagulant; Head injury"
    assert order.patient.names == ("Okonkwo", "Tamsin J")
    assert (procedure.code, procedure.modality, procedure.body_part) == ("CTHEAD", "CT", "Head")
    assert (procedure.study_instance_uid, procedure.requested_procedure_id) == ("2.999.3.10.45", "RP-5591")
    assert order.referrer_name == "Dr Nneka Abara"


def test_an_imaging_order_with_two_steps_is_one_procedure() -> None:
    order = one(*OMI, msh="OMI^O23^OMI_O23|C1|P|2.5.1")
    (procedure,) = order.procedures
    assert (order.accession_number, order.priority) == ("A2603120101", "ROUTINE")
    assert (procedure.laterality, procedure.modality) == ("L", "MR")
    assert (procedure.study_instance_uid, procedure.requested_procedure_id) == ("2.999.3.10.101", "RP-6001")
    assert order.notes == "Claustrophobia"
    assert order.indication == "Twisting injury; Tear of meniscus"


def test_a_general_order_without_filler_number_and_accession() -> None:
    order = one(
        "ORC|NW|PL-95^CPOE|||||||20260312123000-0500",
        "TQ1|1||||||||S^Stat^HL70485",
        "OBR|1|PL-95^CPOE||USABD^US Abdomen|||||||||||||||||||||||||||R10.9^Abdominal pain^I10",
        msh="OMG^O19^OMG_O19|C1|P|2.5.1|||AL|ER",
    )
    assert (order.placer_number, order.filler_number, order.accession_number) == ("PL-95", None, None)
    assert (order.priority, order.indication) == ("STAT", "Abdominal pain")


def test_steps_of_two_studies_under_one_order_are_refused() -> None:
    other = OMI[-1].replace("2.999.3.10.101", "2.999.3.10.102")
    with pytest.raises(BadOrder) as refused:
        read(*OMI[:-1], other, msh="OMI^O23^OMI_O23|C1|P|2.5.1")
    assert (refused.value.fault, str(refused.value.location)) == ("207", "IPC^2^3")


def test_two_places_that_must_agree_and_do_not_are_refused_by_name() -> None:
    with pytest.raises(BadOrder) as refused:
        read(*OMI[:2], OMI[2].replace("|MRKNEE", "|MRKNEE", 1), "IPC|A1|RP|2.999.1", "ZDS|2.999.2^^Application^DICOM")
    assert refused.value.fault == "207"
    assert str(refused.value.location) == "ZDS^1^1"
    assert "ZDS-1.1 differs from IPC-3.1" in refused.value.detail


@pytest.mark.parametrize("said", ["110180^Study Instance UID^DCM", "Study Instance UID"])
def test_the_study_uid_in_an_observation(said: str) -> None:
    order = one(*IHE[:2], f"OBX|1|HD|{said}||2.999.7.7||||||O")
    assert order.procedures[0].study_instance_uid == "2.999.7.7"


def test_what_is_no_uid_is_left_out_and_said() -> None:
    order = one(*IHE[:2], "ZDS|none yet")
    assert order.procedures[0].study_instance_uid is None
    assert order.remarks == ("ZDS-1.1 is no UID; it was left out.",)


def test_a_feed_that_puts_the_accession_number_elsewhere() -> None:
    mapping = {"values": {"accession_number": {"paths": ["OBR-20", "ZXA-2.1"], "otherwise": []}}}
    assert one(*IHE, mapping=mapping).accession_number == "SPS-1"
    assert one(IHE[0], IHE[1].replace("SPS-1", ""), "ZXA|1|A-77^X", mapping=mapping).accession_number == "A-77"
    with pytest.raises(BadOrder) as refused:
        read(*IHE, "ZXA|1|A-77", mapping=mapping)
    assert (refused.value.fault, str(refused.value.location)) == ("207", "ZXA^1^2")


def test_a_feed_whose_places_may_differ_takes_the_first() -> None:
    mapping = {"values": {"accession_number": {"paths": ["OBR-20", "OBR-18"], "agree": False}}}
    assert one(*IHE, mapping=mapping).accession_number == "SPS-1"


def test_codes_of_a_feed_go_before_the_tables_of_all() -> None:
    mapping = {"priorities": {"R": "STROKE", "e1": "stat"}, "modalities": {"MAMMO": "MG"}}
    orc, obr = IHE[0].replace("^^S|", "^^E1|"), IHE[1].replace("^^S|", "|").replace("|CT|", "|MAMMO|")
    order = one(orc, obr, mapping=mapping)
    assert (order.priority, order.procedures[0].modality) == ("STAT", "MG")
    assert one(orc.replace("E1", "R"), obr, mapping=mapping).priority == "STROKE"
    unknown = one(orc, obr)
    assert (unknown.priority, unknown.priority_defaulted) == ("ROUTINE", True)


def test_whose_identifier_is_the_patients() -> None:
    assert one(*IHE).patient.value == "NF-7001"
    mapping = {"patient_id": {"types": ["NI"], "authorities": ["NATID"]}}
    order = one(*IHE, mapping=mapping)
    assert (order.patient.value, order.patient.authority) == ("N-1", "NATID")


def test_delimiters_of_the_sender_repetitions_and_subcomponents() -> None:
    header = "MSH*:!?%*RIS*NORFJORD*HELIO*HUB*20260312101000-0500**ORM:O01*C1*P*2.3"
    body = ["PID*1**NF-1:::NORFJORD:MR**O'Dea%x:Fi", "ORC*NW*1*A-1", "OBR*1*1*A-1*X:XR CHEST*********a ?S? b!c ?F? d"]
    message = parse("\r".join([header, *body]).encode(), "UNICODE UTF-8")
    (order,) = order_messages(message, Site("Europe/Oslo", "NORFJORD"))
    assert order.patient.names == ("O'Dea", "Fi")
    assert order.indication == "a : b; c * d"


def test_null_asks_to_delete_and_empty_does_not() -> None:
    obr = 'OBR|1|P|F|X^XR|||||||||""|||"" ' + "|" * 29 + '""'
    order = one("ORC|XO|P|F", obr.replace('"" |', '""|'), "NTE|1||", 'NTE|2||""')
    assert order.clear == {"indication", "notes"}
    assert order.procedures[0].clear == {"laterality"}
    assert one("ORC|XO|P|F", "OBR|1|P|F|X^XR").clear == frozenset()


def test_times_by_the_zone_of_the_field_the_message_or_the_facility() -> None:
    def at(orc9: str, msh7: str) -> tuple[str | None, str | None]:
        header = rf"MSH|^~\&|RIS|NORFJORD|HELIO|HUB|{msh7}||ORM^O01|C1|P|2.3.1"
        text = "\r".join([header, PID, f"ORC|NW|P|F||||||{orc9}", "OBR|1|P|F|X^XR"])
        (order,) = order_messages(parse(text.encode(), "ASCII"), Site("Europe/Oslo", "NORFJORD"))
        return tuple(t.isoformat() if t else None for t in (order.ordered_at, order.said_at))

    assert at("20260312103000-0330", "20260312101000+0300")[0] == "2026-03-12T10:30:00-03:30"
    assert at("20260312103000", "20260312101000+0300")[0] == "2026-03-12T10:30:00+03:00"
    assert at("202603121030", "20260312101000")[0] == "2026-03-12T10:30:00+01:00"
    assert at("202603", "20260312101000") == (None, "2026-03-12T10:10:00+01:00")
    # The hour that the clock shows twice tells no order of messages.
    assert at("20261025023000", "20261025023100")[1] is None


@pytest.mark.parametrize(
    ("code", "text", "side"), [("LT", "", "L"), ("", "Right", "R"), ("50", "Bilateral", "B"), ("", "", None)]
)
def test_the_side(code: str, text: str, side: str | None) -> None:
    order = one("ORC|NW|P|F", "OBR|1|P|F|X^XR HAND" + "|" * 41 + f"{code}^{text}")
    assert order.procedures[0].laterality == side


def test_a_replacement_names_what_it_replaces() -> None:
    old = ("ORC|RP|P-1|F-1", "OBR|1|P-1|F-1|X^XR HAND||||||||||||||A-1")
    new = ("ORC|RO|P-2|F-2", "OBR|2|P-2|F-2|Y^XR WRIST||||||||||||||A-2")
    order = one(*old, *new)
    assert (order.control, order.placer_number, order.replaces) == ("new", "P-2", OrderNumbers("P-1", "F-1"))
    assert order.positions == (1,)
    by_parent = one("ORC|RO|P-2|F-2|||||P-1&CPOE^F-1&RIS", new[1])
    assert by_parent.replaces == OrderNumbers("P-1", "F-1")
    # Without another number it is a change.
    assert one(*old).control == "changed"
    assert one(old[0].replace("RP", "RO"), old[1]).replaces is None


def test_several_obr_under_one_orc_keep_their_own_numbers() -> None:
    order = one(
        "ORC|NW|P-1|F-1", "OBR|1|P-1|F-1|X^CT CHEST||||||||||||||A-1", "OBR|2|P-2|F-2|Y^CT PELVIS||||||||||||||A-1"
    )
    assert [(p.placer_number, p.filler_number) for p in order.procedures] == [("P-1", "F-1"), ("P-2", "F-2")]
    assert order.positions == (0, 1)
