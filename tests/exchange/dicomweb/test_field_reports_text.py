"""Field reports A01-A07: text in odd and wrong character sets, from the wire to every place where it is told or matched."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.records.archive.queries import study_briefs
from tests.cast import Cast
from tests.exchange.dicomweb.conftest import Served
from tests.exchange.dicomweb.odd import UTF8, Archive, image
from tests.kit.codecs import dicom_bytes as wire
from tests.records.archive import files
from tests.web import sign_in_as


@pytest.fixture
def archive(context: Context, cast: Cast, served: Served) -> Archive:
    return Archive(context, cast, served.client(cast.eirik))


# Of each: what is declared, the name's bytes, the name, its first group in lower case to search by, an LO's bytes, its values.
TEXTS = [
    ("GB18030", b"Wang^XiaoDong=\xd5\x5c^\xd5\x5c", "Wang^XiaoDong=誠^誠", b"\xd5\x5c\\CT", ["誠", "CT"]),  # A01
    ("GBK", "王^小东=誠".encode("gbk"), "王^小东=誠", "胸部誠".encode("gbk"), ["胸部誠"]),
    (
        "ISO 2022 IR 13\\ISO 2022 IR 87",  # A02
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎",
        b"\xb1\xb2\x5c\x1b$B;3ED\x1b(J",
        ["ｱｲ", "山田"],
    ),
    ("ISO 2022 IR 6\\ISO 2022 IR 87", b"Y=\x1b$B;3ED\x1b(B", "Y=山田", b"\x1b$B;3ED\x1b(B\\b", ["山田", "b"]),  # A04
    (
        "\\ISO 2022 IR 149",
        b"Hong^G=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce=\x1b$)C\xc8\xab",
        "Hong^G=洪^吉=홍",
        b"\x1b$)C\xc8\xab\\\x1b$)C\xb1\xe6",
        ["홍", "길"],
    ),
    ("\\ISO 2022 IR 58", b"Zhang=\x1b$)A\xd5\xc5", "Zhang=张", b"\x1b$)A\xd5\xc5", ["张"]),
    ("ISO 2022 IR 100\\ISO 2022 IR 144", b"M\xfcller=\x1b-L\xb8\xd2", "Müller=Ив", b"\xc4\\\x1b-L\xb8", ["Ä", "И"]),
    ("ISO_IR 192", "Müller^Jörg=王=Ω".encode(), "Müller^Jörg=王=Ω", "Schädel\\Ω".encode(), ["Schädel", "Ω"]),
    ("ISO_IR 203", "Œuf".encode("iso8859_15"), "Œuf", "€".encode("iso8859_15"), ["€"]),
    ("ISO_IR 166", "สมชาย".encode("iso8859_11"), "สมชาย", "ปอด".encode("iso8859_11"), ["ปอด"]),
]


@pytest.mark.parametrize(("terms", "name", "decoded", "lo", "values"), TEXTS, ids=[one[0] for one in TEXTS])
def test_a_name_in_each_character_set_is_the_same_everywhere(
    archive: Archive, terms: str, name: bytes, decoded: str, lo: bytes, values: list[str]
) -> None:
    """Field reports A01, A02 and A04: decoded, then split; told in UTF-8 or in what the caller asked in; found by what it says."""
    data = image(
        "1.2.7",
        terms,
        wire.text(0x00100010, "PN", name),
        wire.text(0x00081030, "LO", lo),
        wire.text(0x00101001, "PN", name + b"\\" + name),
        wire.items(0x00081032, wire.text(0x00080104, "LO", lo)),
    )
    archive.store(data)
    groups = dict(zip(("Alphabetic", "Ideographic", "Phonetic"), decoded.split("="), strict=False))
    made = archive.metadata("1.2.7")
    assert made["00080005"] == UTF8
    assert made["00100010"]["Value"] == [groups]
    assert made["00101001"]["Value"] == [groups, groups]
    assert made["00081030"]["Value"] == values
    assert made["00081032"]["Value"][0]["00080104"]["Value"] == values
    assert archive.rows(
        "select dicom_patient_name, study_description, charset_suspect, dicom_patient_id from archive.studies"
    ) == [(decoded, values[0], False, "NF-77")]
    for group in groups.values():
        (one,) = archive.studies(PatientName=group)
        assert (one["00100010"]["Value"], one["00080005"]) == ([groups], UTF8)
        assert archive.studies(PatientName=group[0] + "*") == [one]
        (answer,) = archive.find(PatientName=group, StudyDescription="")
        assert (str(answer.PatientName), answer.SpecificCharacterSet) == (decoded, "ISO_IR 192")
        (answer,) = archive.find(PatientName=group, charset="GB18030" if terms == "GB18030" else "ISO_IR 192")
        assert str(answer.PatientName) == decoded
    assert files.body(archive.kept("1.2.7")) == files.body(data)


def test_a_query_in_gb18030_is_decoded_before_it_is_split(archive: Archive) -> None:
    """Field report A01: a key with a backslash for its second byte is one value, and asks for nobody else."""
    archive.store(
        image("1.2.7", "GB18030", wire.text(0x00100010, "PN", b"\xd5\x5c")),
        image("1.2.8", "GB18030", wire.text(0x00100010, "PN", "宋".encode("gb18030")), patient="NF-78"),
    )
    (answer,) = archive.find(charset="GB18030", PatientName="誠", PatientID="")
    assert (answer.SpecificCharacterSet, str(answer.PatientName), answer.PatientID) == ("GB18030", "誠", "NF-77")


UMLAUTS = [
    (None, b"M\xfcller^J\xf6rg", "Müller^Jörg"),
    ("ISO_IR 100", "Müller^Jörg".encode(), "MÃ¼ller^JÃ¶rg"),
    ("ISO_IR 192", b"M\xfcller^J\xf6rg", "M\ufffdller^J\ufffdrg"),
    ("ISO_IR 100", "王^小东".encode("gbk"), "Íõ^Ð¡¶«"),
    (None, "王^小东".encode("gbk"), "Íõ^Ð¡¶«"),
    ("FOO_BAR", b"M\xfcller^J\xf6rg", "Müller^Jörg"),
    ("GB18030\\ISO IR 192", "王^小东".encode("gbk"), "王^小东"),
    ("ISO IR 192", "Müller^Jörg".encode(), "Müller^Jörg"),
    ("\\ISO 2022 IR 149", b"\x1b$)C\xc8\xab^\xb1\xe6", "홍^길"),
]


def test_a_garbled_name_makes_no_second_patient_and_is_marked(archive: Archive) -> None:
    """Field reports A04 and A05: stored as it came, flagged where the study is shown, matched by identifier and issuer alone."""
    sent = {}
    for number, (terms, name, _) in enumerate(UMLAUTS):
        study = f"1.2.7.{number}"
        birth = wire.text(
            0x00100030, "DA", f"19{50 + number}0101"
        )  # so that the name decides whether it is somebody else
        sent[study] = image(study, terms, wire.text(0x00100010, "PN", name), birth)
    archive.store(*sent.values())
    assert archive.rows("select count(*) from patients.patients") == [(1,)]
    shown = archive.rows(
        "select dicom_patient_name, charset_suspect, match_state from archive.studies order by study_instance_uid"
    )
    assert shown == [(name, True, "unmatched") for _, _, name in UMLAUTS]
    for study, data in sent.items():
        assert files.body(archive.kept(study)) == files.body(data)
        assert archive.metadata(study)["00080005"] == UTF8
    assert len(archive.studies(PatientID="NF-77")) == len(UMLAUTS)
    assert {a.SpecificCharacterSet for a in archive.find(PatientID="NF-77", PatientName="")} == {"ISO_IR 192"}
    with archive.context.works.read(archive.cast.eirik) as work:
        ids = [row[0] for row in work.session.execute(text("select id from archive.studies"))]
        assert all(brief.charset_suspect for brief in study_briefs(work.session, ids).values())


def test_the_mark_is_where_the_study_is_shown(archive: Archive) -> None:
    """Field report A05: on the board, beside what the images say of themselves."""
    archive.store(
        image("1.2.7", None, wire.text(0x00100010, "PN", b"M\xfcller")),
        image("1.2.8", "ISO_IR 100", wire.text(0x00100010, "PN", b"M\xfcller")),
    )
    board = sign_in_as(archive.context, archive.cast.nadia).get("/api/board").json()
    shown = {
        one["study"]["study_instance_uid"]: (one["study"]["charset_suspect"], one["study"]["dicom_patient"]["name"])
        for one in board["unmatched"]
    }
    assert shown == {"1.2.7": (True, "Müller"), "1.2.8": (False, "Müller")}


def test_another_person_with_a_plain_name_is_held_whatever_else_is_garbled(archive: Archive) -> None:
    """Field report A05: only a garbled name proves nothing; one in ASCII says who it is."""
    birth = wire.text(0x00100030, "DA", "19480312")
    archive.store(image("1.2.7", "ISO_IR 100", wire.text(0x00100010, "PN", "Larsen^Kari"), birth))
    other = wire.text(0x00100030, "DA", "19770101")
    where = wire.text(0x00080080, "LO", b"\xc5lesund")
    archive.store(image("1.2.8", None, wire.text(0x00100010, "PN", "Strand^Berit"), other, where))
    found = archive.rows("select match_state, charset_suspect from archive.studies order by study_instance_uid")
    assert found == [("unmatched", False), ("held", True)]


def set_charset(owner_url: str, table: str, row: UUID, terms: str | None) -> None:
    engine = create_engine(owner_url)
    with engine.begin() as connection:
        connection.execute(
            text(f"update sites.{table} set fallback_charset = :t where id = :i"), {"t": terms, "i": row}
        )
    engine.dispose()


def test_a_senders_own_character_set_counts_where_none_is_declared(
    archive: Archive, owner_url: str, tmp_path: Path
) -> None:
    """Field report A05: a fallback by calling AE, else by facility; the bytes stay, and what is declared is believed."""
    name = wire.text(0x00100010, "PN", "王^小东".encode("gbk"))
    ours = archive.cast
    set_charset(owner_url, "facilities", ours.norfjord_facility, "ISO_IR 100")
    set_charset(owner_url, "callers", ours.caller, "GB18030")
    data = {
        "1.2.1": image("1.2.1", None, name),
        "1.2.2": image("1.2.2", "ISO_IR 6", name),
        "1.2.3": image("1.2.3", "ISO_IR 144", wire.text(0x00100010, "PN", "Иванов".encode("iso8859_5"))),
    }
    assert archive.send(tmp_path, *data.values()) == [0, 0, 0]
    found = archive.rows("select dicom_patient_name, charset_suspect from archive.studies order by study_instance_uid")
    assert found == [("王^小东", False), ("王^小东", False), ("Иванов", False)]
    made = archive.metadata("1.2.1")
    assert (made["00080005"], made["00100010"]["Value"]) == (UTF8, [{"Alphabetic": "王^小东"}])
    (one,) = archive.studies(PatientName="王*", StudyInstanceUID="1.2.1")
    assert one["00100010"]["Value"] == [{"Alphabetic": "王^小东"}]
    (kept,) = archive.rows("select object_key from archive.instances where sop_instance_uid = '1.2.1.1.1'")
    assert "王^小东".encode("gbk") in archive.context.objects.get(kept[0])
    # By STOW there is no calling AE: the facility's.
    archive.store(image("1.2.4", None, wire.text(0x00100010, "PN", b"M\xfcller")))
    assert archive.rows(
        "select dicom_patient_name, charset_suspect from archive.studies where study_instance_uid = '1.2.4'"
    ) == [("Müller", False)]


@pytest.mark.parametrize(
    ("terms", "kept"),
    [
        ("GB18030", "GB18030"),
        (" ISO 2022 IR 13 \\ ISO 2022 IR 87 ", "ISO 2022 IR 13\\ISO 2022 IR 87"),
        ("\\ISO 2022 IR 149", "\\ISO 2022 IR 149"),
        ("", None),
        ("UTF-16", 422),
        ("GB18030\\ISO_IR 100", 422),
    ],
)
def test_an_administrator_says_what_a_sender_writes(
    context: Context, cast: Cast, terms: str, kept: str | int | None
) -> None:
    """Field report A05: among the settings of a caller and of a facility, defined terms alone."""
    astrid = sign_in_as(context, cast.astrid)
    places: list[tuple[str, UUID]] = [("callers", cast.caller), ("facilities", cast.norfjord_facility)]
    for place, row in places:
        answer = astrid.patch(f"/api/admin/{place}/{row}", json={"fallback_charset": terms})
        if isinstance(kept, int):
            assert (answer.status_code, terms in answer.text) == (kept, False)
            continue
        assert answer.status_code == 204, answer.text
        (one,) = (found for found in astrid.get(f"/api/admin/{place}").json() if found["id"] == str(row))
        assert one["fallback_charset"] == kept


def test_items_bear_their_own_character_sets(archive: Archive) -> None:
    """Field report A07: each item is read in its own set, those within it too, and all are told in UTF-8."""
    chinese = wire.text(0x00080005, "CS", "GB18030") + wire.text(0x00400007, "LO", b"\xd5\x5c")
    plain = wire.text(0x00400007, "LO", b"\xc4")
    archive.store(
        image("1.2.7", "ISO_IR 100", wire.text(0x00100010, "PN", b"M\xfcller"), wire.items(0x00400275, chinese, plain))
    )
    first, second = archive.metadata("1.2.7")["00400275"]["Value"]
    assert (first["00080005"], first["00400007"]["Value"], second["00400007"]["Value"]) == (UTF8, ["誠"], ["Ä"])
    series = archive.client.get(
        "/dicomweb/norfjord/series", params={"StudyInstanceUID": "1.2.7", "includefield": "00400275"}
    )
    (told,) = series.json()
    assert told["00400275"]["Value"][0]["00400007"]["Value"] == ["誠"]
    assert archive.rows("select charset_suspect from archive.studies") == [(False,)]
