"""What is put right of a study: proposed by what is sent again, taken by a person, told on the way out, and taken back."""

from __future__ import annotations

import io
import json
from pathlib import Path
from uuid import UUID

import pydicom
import pytest

from heliograph.app.context import Context
from heliograph.kit.actor import system
from heliograph.kit.codecs.dicom import corrected, dicom_json
from heliograph.kit.codecs.dicom.transcode import ENCODABLE, transcoded
from heliograph.records.archive import corrections, metadata, overlay, present, proposals, search, spool
from heliograph.records.archive.corrections import NotCorrectable, NothingToUndo
from heliograph.records.archive.held import HeldFacts
from heliograph.records.archive.index import Indexed
from heliograph.records.archive.proposals import NoProposal, OtherPerson
from heliograph.records.archive.queries import StudyFacts, instance_places, study_by_uid
from heliograph.records.archive.search_results import Wanted, described
from tests.cast import Cast
from tests.records.archive import files

STUDY, SERIES = "2.999.1", "2.999.1.1"
NAME, ID, BIRTH, ACCESSION = "00100010", "00100020", "00100030", "00080050"


def came(context: Context, cast: Cast, *data: bytes, llano: bool = False) -> Indexed:
    """Files these as Norfjord's, or Llano Verde's."""
    organization, place = (cast.llano, cast.llano_facility) if llano else (cast.norfjord, cast.norfjord_facility)
    folder = context.settings.spool_dir
    return files.index(
        context.works, context.objects, [spool.receive(folder, organization, place, None, b"", d) for d in data]
    )


def slices(name: str = "LARSEN^Kari", patient: str = "NF-1", count: int = 2, fill: int = 0, **more: str) -> list[bytes]:
    numbers = range(1, count + 1)
    return [
        files.ct(STUDY, SERIES, n, sop=f"{SERIES}.{n}", name=name, patient=patient, fill=fill + n, **more)  # type: ignore[arg-type]
        for n in numbers
    ]


def changed(data: bytes, **attributes: object) -> bytes:
    """The object with other attributes, as another program would write it."""
    ds = pydicom.dcmread(io.BytesIO(data))
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def study(context: Context, cast: Cast) -> StudyFacts:
    with context.works.read(system("test", cast.norfjord)) as work:
        found = study_by_uid(work.session, cast.norfjord, STUDY)
    assert found is not None
    return found


def held(context: Context, cast: Cast) -> list[HeldFacts]:
    with context.works.read(system("test", cast.norfjord)) as work:
        return files.held_objects(work.session)


def accept(context: Context, cast: Cast, held_id: UUID, **options: bool) -> None:
    with context.works.begin(system("test", cast.norfjord)) as work:
        proposals.accept(work, held_id, "the site corrected the name", **options)


def correct(context: Context, cast: Cast, values: dict[str, str]) -> UUID | None:
    with context.works.begin(system("test", cast.norfjord)) as work:
        return corrections.correct(work, study(context, cast).id, "entered", values, "typed wrong")


def undo(context: Context, cast: Cast) -> None:
    with context.works.begin(system("test", cast.norfjord)) as work:
        corrections.undo_correction(work, study(context, cast).id, "it was right")


def out(context: Context, cast: Cast) -> list[bytes]:
    """The files of the study as they go out, by WADO-RS and by DIMSE, which must say the same."""
    with context.works.read(system("test", cast.norfjord)) as work:
        places = instance_places(work.session, study(context, cast).id)
        stored = present.objects_of_study(work.session, study(context, cast).id)
    wado = [b"".join(overlay.outgoing_file(context.objects, p)) for p in places]
    assert [b"".join(overlay.outgoing_file(context.objects, s)) for s in stored] == wado
    return wado


def documents(context: Context, cast: Cast) -> list[dict[str, object]]:
    with context.works.read(system("test", cast.norfjord)) as work:
        found = metadata.series_documents(work.session, study(context, cast).id)
        return json.loads(metadata.study_document(work.session, context.objects, found))  # type: ignore[no-any-return]


def test_a_picture_sent_again_under_another_name_is_proposed_and_taken_with_one_act(
    context: Context, cast: Cast
) -> None:
    came(context, cast, *slices())
    again = slices(name="LARSSON^Kari", birth_date="19480313")
    assert came(context, cast, *again).held == 2
    waiting = held(context, cast)
    assert [h.reason for h in waiting] == ["correction", "correction"]
    assert waiting[0].detail == "the same picture is filed with other attributes: Patient's Name, Patient's Birth Date"
    assert study(context, cast).dicom_patient_name == "LARSEN^Kari"  # the first stays until a person has looked

    accept(context, cast, waiting[0].id)

    assert held(context, cast) == []
    now = study(context, cast)
    assert (now.dicom_patient_name, f"{now.dicom_birth_date}") == ("LARSSON^Kari", "1948-03-13")
    for file, sent in zip(out(context, cast), again, strict=True):
        ds, theirs = pydicom.dcmread(io.BytesIO(file)), pydicom.dcmread(io.BytesIO(sent))
        assert (ds.PatientName, ds.PatientBirthDate) == (theirs.PatientName, theirs.PatientBirthDate)
        assert ds.PixelData == theirs.PixelData
        (told,) = ds.OriginalAttributesSequence
        assert told.ReasonForTheAttributeModification == "CORRECT"
        assert told.ModifiedAttributesSequence[0].PatientName == "LARSEN^Kari"
    # Sent once more, as before or as it is now, it changes nothing and waits for nobody.
    assert came(context, cast, *again).repeated == came(context, cast, *slices()).repeated == 2
    assert held(context, cast) == []


def test_metadata_says_what_the_files_say_and_the_tags_differ(context: Context, cast: Cast) -> None:
    came(context, cast, *slices())
    before = documents(context, cast)
    assert before[0][NAME] == {"vr": "PN", "Value": [{"Alphabetic": "LARSEN^Kari"}]}
    correct(context, cast, {NAME: "Åsmund^Ål", "00104000": "a\\comment"})
    with context.works.read(system("test", cast.norfjord)) as work:
        facts = study(context, cast)
        one = metadata.instance_metadata(work.session, facts.id, SERIES, f"{SERIES}.1")
        right = overlay.overlays(work.session, [facts.id])[facts.id]
        places = instance_places(work.session, facts.id)
    made = documents(context, cast)
    for file, place, document in zip(out(context, cast), places, made, strict=True):
        of_file = dicom_json(file)
        stored = context.objects.get_range(place.object_key, place.object_offset, place.object_length)
        expected = corrected(dicom_json(stored), right.values, right.correction)
        assert of_file == expected
        assert {t: e for t, e in document.items() if t != "7FE00010"} == {
            t: e for t, e in expected.items() if t != "7FE00010"
        }
    assert json.loads(one or "")[NAME] == made[0][NAME] == {"vr": "PN", "Value": [{"Alphabetic": "Åsmund^Ål"}]}


def test_other_pixels_are_held_and_propose_nothing(context: Context, cast: Cast) -> None:
    came(context, cast, *slices())
    came(context, cast, *slices(name="LARSSON^Kari", fill=7))
    waiting = held(context, cast)
    assert {(h.reason, h.detail) for h in waiting} == {
        ("different_content", "an object with this SOP Instance UID is filed with other pixels; the first stays")
    }
    with pytest.raises(NoProposal):
        accept(context, cast, waiting[0].id)


@pytest.mark.parametrize("syntax", sorted(ENCODABLE))
def test_the_same_picture_in_another_transfer_syntax_is_the_same(context: Context, cast: Cast, syntax: str) -> None:
    (one,) = slices(count=1)
    came(context, cast, one)
    assert came(context, cast, b"".join(transcoded(one, syntax))).held == 1
    assert "the same picture and attributes in other bytes" in held(context, cast)[0].detail
    assert came(context, cast, b"".join(transcoded(changed(one, PatientName="LARSSON^Kari"), syntax))).held == 1
    assert "correction" in {h.reason for h in held(context, cast)}


def test_what_a_sender_writes_anew_is_no_difference(context: Context, cast: Cast) -> None:
    """Another character set for the same text, instance creation and the order's own attributes."""
    (one,) = slices(count=1, name="Åsmund^Ål")
    came(context, cast, one)
    again = changed(one, SpecificCharacterSet="ISO_IR 100", InstanceCreationDate="20261126", RequestedProcedureID="R7")
    assert again != one
    assert came(context, cast, again).held == 1
    assert "the same picture and attributes in other bytes" in held(context, cast)[0].detail


@pytest.mark.parametrize(
    ("attributes", "named"),
    [
        ({"WindowCenter": "50"}, "Window Center"),
        ({"RescaleSlope": "2"}, "Rescale Slope"),
        ({"Laterality": "L"}, "Laterality"),
    ],
)
def test_what_belongs_to_the_picture_is_never_put_right(
    context: Context, cast: Cast, attributes: dict[str, str], named: str
) -> None:
    (one,) = slices(count=1)
    came(context, cast, one)
    came(context, cast, changed(one, PatientName="LARSSON^Kari", **attributes))
    (waiting,) = held(context, cast)
    assert waiting.reason == "different_content"
    assert (
        waiting.detail == f"an object with this SOP Instance UID is filed with other content ({named}); the first stays"
    )


def test_another_patient_id_files_the_study_under_that_patient(context: Context, cast: Cast) -> None:
    came(context, cast, *slices())
    was = study(context, cast).patient_id
    came(context, cast, *slices(name="NILSEN^Nora", patient="NF-2", birth_date="19700101"))
    accept(context, cast, held(context, cast)[0].id)
    now = study(context, cast)
    assert (now.dicom_patient_id, now.dicom_patient_name) == ("NF-2", "NILSEN^Nora")
    assert now.patient_id != was
    # Late images, as the scanner has them or as the site has put them right, belong to the study all the same.
    for patient in ("NF-1", "NF-2"):
        late = files.ct(STUDY, SERIES, 9, sop=f"{SERIES}.9{patient[-1]}", patient=patient)
        assert came(context, cast, late).stored == 1
        assert study(context, cast).match_state != "held"
    # A third patient is a conflict as ever.
    came(context, cast, files.ct(STUDY, SERIES, 9, sop=f"{SERIES}.99", patient="NF-3"))
    assert study(context, cast).match_state == "held"

    undo(context, cast)
    back = study(context, cast)
    assert (back.patient_id, back.dicom_patient_id, back.dicom_patient_name) == (was, "NF-1", "LARSEN^Kari")


def test_a_known_identifier_of_somebody_else_is_asked_about(context: Context, cast: Cast) -> None:
    came(context, cast, files.ct("2.999.2", "2.999.2.1", patient="NF-2", name="NILSEN^Nora", birth_date="19700101"))
    came(context, cast, *slices())
    came(context, cast, *slices(patient="NF-2"))  # Nora's number under Kari's name
    (one, _) = held(context, cast)
    with pytest.raises(OtherPerson):
        accept(context, cast, one.id)
    assert study(context, cast).dicom_patient_id == "NF-1"
    accept(context, cast, one.id, confirm_other_person=True)
    with context.works.read(system("test", cast.norfjord)) as work:
        nora = study_by_uid(work.session, cast.norfjord, "2.999.2")
    assert nora is not None
    assert study(context, cast).patient_id == nora.patient_id


def test_steps_are_taken_back_one_by_one(context: Context, cast: Cast) -> None:
    came(context, cast, *slices())
    stored = out(context, cast)
    correct(context, cast, {NAME: "ONE^Kari"})
    first = out(context, cast)
    correct(context, cast, {ACCESSION: "A2"})
    assert correct(context, cast, {ACCESSION: "A2"}) is None  # in force already: no further step
    assert study(context, cast).accession_number == "A2"
    undo(context, cast)
    assert (study(context, cast).dicom_patient_name, study(context, cast).accession_number) == ("ONE^Kari", "A1")
    assert [pydicom.dcmread(io.BytesIO(f)).AccessionNumber for f in out(context, cast)] == ["A1", "A1"]
    assert len(first) == 2
    undo(context, cast)
    assert out(context, cast) == stored  # byte for byte
    with pytest.raises(NothingToUndo):
        undo(context, cast)
    with context.works.read(system("test", cast.norfjord)) as work:
        steps = corrections.corrections_of(work.session, study(context, cast).id)
    assert [s.kind for s in steps] == ["entered", "entered", "undone", "undone"]
    assert not any(s.is_in_force for s in steps)


@pytest.mark.parametrize(
    "values",
    [
        {"0020000D": "2.999.7"},
        {"00280010": "5"},
        {BIRTH: "1948-03-12"},
        {BIRTH: "19481399"},
        {ID: "x" * 65},
        {NAME: "a\nb"},
    ],
)
def test_only_what_can_be_put_right_is(context: Context, cast: Cast, values: dict[str, str]) -> None:
    came(context, cast, *slices())
    with pytest.raises(NotCorrectable):
        correct(context, cast, values)
    assert out(context, cast) == slices()


def test_equal_uids_of_another_organisation_are_neither_compared_nor_changed(context: Context, cast: Cast) -> None:
    came(context, cast, *slices())
    assert came(context, cast, *slices(name="OTHER^One", patient="LV-1"), llano=True).stored == 2
    correct(context, cast, {NAME: "ONE^Kari"})
    with context.works.read(system("test", cast.llano)) as work:
        theirs = study_by_uid(work.session, cast.llano, STUDY)
        assert theirs is not None
        assert theirs.dicom_patient_name == "OTHER^One"
        assert overlay.overlays(work.session, [theirs.id, study(context, cast).id]) == {}


def test_bytes_that_are_away_propose_nothing_and_lose_nothing(context: Context, cast: Cast) -> None:
    came(context, cast, *slices(count=1))
    with context.works.read(system("test", cast.norfjord)) as work:
        (place,) = instance_places(work.session, study(context, cast).id)
    path = context.objects.path_of(place.object_key)
    assert path is not None
    Path(path).unlink()
    assert came(context, cast, *slices(count=1, name="LARSSON^Kari")).held == 1
    assert held(context, cast)[0].reason == "different_content"


def test_searches_find_and_tell_what_is_put_right(context: Context, cast: Cast) -> None:
    came(context, cast, *slices())
    correct(context, cast, {NAME: "ÅS^Kari", ACCESSION: "A2", "00104000": "a comment"})
    with context.works.read(system("test", cast.norfjord)) as work:
        scope = search.Scope(cast.norfjord)
        for key, value, found in ((NAME, "ås*", 1), (NAME, "LARSEN*", 0), (ACCESSION, "A2", 1), (ACCESSION, "A1", 0)):
            asked = search.prepare("STUDY", [search.Key((key,), value)])
            assert len(search.matching(work.session, scope, asked, limit=9)) == found
        for level in ("STUDY", "SERIES", "IMAGE"):
            ids = search.matching(work.session, scope, search.prepare(level, []), limit=9)
            for wanted in (Wanted({t: {} for t in (NAME, ACCESSION, "00104000")}), Wanted({}, everything=True)):
                for match in described(work.session, scope, level, ids, wanted):
                    if level == "STUDY" or not wanted.everything:
                        assert match.elements[NAME] == {"vr": "PN", "Value": [{"Alphabetic": "ÅS^Kari"}]}
                        assert match.elements["00104000"] == {"vr": "LT", "Value": ["a comment"]}
                        assert match.elements[ACCESSION] == {"vr": "SH", "Value": ["A2"]}


def test_a_correction_that_comes_with_the_first_is_proposed_all_the_same(context: Context, cast: Cast) -> None:
    """Both in one batch: the first is being filed when the second is met."""
    done = came(context, cast, *slices(count=1), *slices(count=1, name="LARSSON^Kari"))
    assert (done.stored, done.held) == (1, 1)
    assert held(context, cast)[0].reason == "correction"
    accept(context, cast, held(context, cast)[0].id)
    assert pydicom.dcmread(io.BytesIO(out(context, cast)[0])).PatientName == "LARSSON^Kari"
