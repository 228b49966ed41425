"""What is shown of a message to who may not see patient data: its structure."""

from __future__ import annotations

import pytest

from heliograph.records.sites.masking import view

ORDER = (
    "MSH|^~\\&|NFRIS|NORFJORD|HG|HG|20261125014100||ORM^O01|NF-77|P|2.3.1||||||8859/1\r"
    'PID|1||NF-1^^^NORFJORD^MR~0101480001^^^NO^NNNO||Bakke&van^S\\T\\lveig^""||19480312|F|||Fjordgata 1^^Bod\xf8||555 01\r'
    "NK1|1|Bakke^Odd|SPO\r"
    "GT1|1||Bakke^Odd\r"
    "IN1|1|PLAN|KOMP|Storebrand\r"
    "PV1|1|E|AKM^^^NF||||^Vik^Astrid||||||||||||V-100\r"
    "ORC|NW|P-1|F-1||SC\r"
    "OBR|1|P-1|F-1|CTHEAD^CT head||||||||Fell on ice||||^Vik^Astrid||NF-100||||||CT|||||||^Fall\r"
    "OBX|1|TX|WT^Weight||82 kg^secret|kg|||||F\r"
    "NTE|1||He fell\r"
    "DG1|1||S06^Intracranial injury\r"
    "ZDS|1.2.3^100^Application^DICOM\r"
    "ZPI|Bakke|NF-1\r"
).encode("latin-1")
SECRETS = (
    "NF-1", "0101480001", "Bakke", "lveig", "1948", "Fjordgata", "Bod", "555", "Odd", "SPO", "PLAN", "KOMP", "Storebrand", "V-100",
    "Fell on ice", "Fall", "82", "secret", "He fell", "S06", "Intracranial",
)  # fmt: skip


def _lines(masked: bool) -> dict[str, str]:
    return {one.name: one.line for one in view(ORDER, masked=masked)}


def test_patient_data_is_masked_and_the_structure_stays() -> None:
    lines = _lines(masked=True)
    whole = "\n".join(lines.values())
    assert [s for s in SECRETS if s in whole and s != "NF-1"] == []
    assert "NF-1^" not in whole
    assert lines["PID"] == ('PID|1||***^^^***^***~***^^^***^***||***&***^***^""||***|***|||***^^***||***')
    assert lines["ORC"] == "ORC|NW|P-1|F-1||SC"
    assert lines["OBR"].startswith("OBR|1|P-1|F-1|CTHEAD^CT head||||||||")
    assert lines["OBX"] == "OBX|1|TX|WT^Weight||***^***|***|||||F"
    assert lines["ZDS"] == "ZDS|1.2.3^100^Application^DICOM"
    assert lines["ZPI"] == "ZPI|***|***"
    assert lines["MSH"] == "MSH|^~\\&|NFRIS|NORFJORD|HG|HG|20261125014100||ORM^O01|NF-77|P|2.3.1||||||8859/1"


def test_clear_is_as_it_was_sent_in_its_character_set() -> None:
    assert "\r".join(_lines(masked=False).values()) + "\r" == ORDER.decode("latin-1")


def test_fields_have_their_names_and_say_what_is_masked() -> None:
    pid = next(one for one in view(ORDER, masked=True) if one.name == "PID")
    assert pid.title == "Patient Identification"
    assert [(f.number, f.name, f.is_masked) for f in pid.fields][:4] == [
        (1, "Set ID", False),
        (3, "Patient Identifier List", True),
        (5, "Patient Name", True),
        (7, "Date/Time of Birth", True),
    ]
    msh = view(ORDER, masked=True)[0]
    assert {f.number: (f.name, f.value) for f in msh.fields}[9] == ("Message Type", "ORM^O01")
    zpi = view(ORDER, masked=True)[-1]
    assert (zpi.title, zpi.fields[0].name) == (None, None)


@pytest.mark.parametrize("separator", ["*", "#"])
def test_a_mask_is_no_separator(separator: str) -> None:
    message = f"MSH|{separator}~\\&|A|B|||||ADT{separator}A08|1|P|2.5\rPID|1||NF-1{separator}x\r".encode()
    pid = view(message, masked=True)[1]
    stars = "XXX" if separator == "*" else "***"
    assert pid.fields[1].value == f"{stars}{separator}{stars}"


def test_what_is_no_hl7_shows_nothing_but_its_length() -> None:
    (one,) = view(b"GET /?name=Bakke HTTP/1.1\r\n", masked=True)
    assert (one.name, one.line, one.fields) == ("", "*** 27 bytes", [])
    assert "Bakke" in view(b"GET /?name=Bakke HTTP/1.1\r\n", masked=False)[0].line


def test_a_text_broken_over_lines_is_masked_as_a_whole() -> None:
    (_, obx) = view(b"MSH|^~\\&|A|B|||||ORU^R01|1|P|2.5\rOBX|1|TX|A||first\nlarsen was here\r", masked=True)
    assert obx.line == "OBX|1|TX|A||***"
