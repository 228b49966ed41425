"""QIDO-RS (PS3.18 10.6): query parameters in, DICOM JSON out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pydicom.datadict import tag_for_keyword

from heliograph.kit.codecs.dicom import person_name
from heliograph.kit.errors import Invalid
from heliograph.records.archive.queries import StudyFacts
from heliograph.records.archive.search import MOST, InstanceFacts, SeriesFacts, StudyFilter

Json = dict[str, Any]

DEFAULT_LIMIT = 100
# Returned besides the required ones where the images carry them (PS3.18 Table 10.6.3-4): viewers sort series by these.
SERIES_TAGS = ("00080021", "00080031", "00400244", "00400245", "00181030", "00080060")
INSTANCE_TAGS = ("00080008", "00080012", "00080013", "00200032", "00200037", "00201041")


class BadQuery(Invalid):
    """A query parameter can't be understood."""

    status = 400


@dataclass(frozen=True, slots=True)
class Query:
    """What a search asked: attributes by tag, the page, further fields. `ignored` are parameters that we don't match on."""

    values: dict[str, str]
    limit: int
    offset: int
    fields: tuple[str, ...] = ()
    all_fields: bool = False
    ignored: tuple[str, ...] = field(default=())


def parse(parameters: Iterable[tuple[str, str]], known: Mapping[str, str]) -> Query:
    """The query; `known` names the tags that this resource matches on. Attributes come as keyword or tag.

    Raises:
        BadQuery
    """
    values: dict[str, str] = {}
    ignored: list[str] = []
    fields: list[str] = []
    limit, offset, all_fields = DEFAULT_LIMIT, 0, False
    for name, value in parameters:
        if name == "limit":
            limit = max(1, min(_whole(name, value), MOST))
        elif name == "offset":
            offset = _whole(name, value)
        elif name == "includefield":
            all_fields = all_fields or value == "all"
            fields += [t for part in value.split(",") if (t := tag_of(part))]
        elif name == "fuzzymatching":
            if value.lower() == "true":
                ignored.append(name)
        else:
            tag = tag_of(name)
            if tag in known:
                both = (values[tag], value) if tag in values else (value,)
                values[tag] = ",".join(both)
            else:
                ignored.append(name[:64])
    return Query(values, limit, offset, tuple(dict.fromkeys(fields)), all_fields, tuple(ignored))


def tag_of(name: str) -> str:
    """The tag (eight hex digits) of a keyword or tag; empty if it is neither."""
    if len(name) == 8 and all(c in "0123456789abcdefABCDEF" for c in name):
        return name.upper()
    tag = tag_for_keyword(name)
    return f"{tag:08X}" if tag is not None else ""


STUDY_KEYS = {
    "0020000D": "StudyInstanceUID",
    "00100020": "PatientID",
    "00100010": "PatientName",
    "00080050": "AccessionNumber",
    "00080020": "StudyDate",
    "00080061": "ModalitiesInStudy",
    "00081030": "StudyDescription",
    "00200010": "StudyID",
    "00080090": "ReferringPhysicianName",
}
SERIES_KEYS = {"0020000E": "SeriesInstanceUID", "00080060": "Modality", "00200011": "SeriesNumber"}
INSTANCE_KEYS = {
    "0020000E": "SeriesInstanceUID",
    "00080018": "SOPInstanceUID",
    "00080016": "SOPClassUID",
    "00200013": "InstanceNumber",
}


def study_filter(query: Query) -> StudyFilter:
    """Raises BadQuery."""
    v = query.values
    first, last = date_range(v.get("00080020", ""))
    return StudyFilter(
        study_instance_uids=_several(v.get("0020000D", "")),
        patient_id=v.get("00100020", ""),
        patient_name=v.get("00100010", ""),
        accession_number=v.get("00080050", ""),
        study_description=v.get("00081030", ""),
        study_id=v.get("00200010", ""),
        referring_physician=v.get("00080090", ""),
        study_date_from=first,
        study_date_until=last,
        modalities=_several(v.get("00080061", "")),
    )


def number_of(query: Query, tag: str) -> int | None:
    """An IS value to match, or None. Raises BadQuery."""
    text = query.values.get(tag, "")
    return _whole(tag, text) if text else None


def date_range(text: str) -> tuple[date | None, date | None]:
    """A DA range (PS3.4 C.2.2.2.5): `20260101`, `20260101-`, `-20260131` or `20260101-20260131`.

    Raises:
        BadQuery
    """
    if not text:
        return None, None
    first, dash, last = text.partition("-")
    return _date(first), _date(last if dash else first)


def study_json(study: StudyFacts, root: str) -> Json:
    """A study (PS3.18 Table 10.6.3-3). `root` is the address of the DICOMweb root."""
    return {
        "00080020": element("DA", _da(study.study_date)),
        "00080030": element("TM", study.study_time),
        "00080050": element("SH", study.accession_number),
        "00080056": element("CS", "ONLINE"),
        "00080061": {"vr": "CS", **({"Value": list(study.modalities)} if study.modalities else {})},
        "00080090": element("PN", study.referring_physician),
        "00080201": element("SH", study.timezone_offset),
        "00081030": element("LO", study.study_description),
        "00081190": element("UR", f"{root}/studies/{study.study_instance_uid}"),
        "00100010": element("PN", study.dicom_patient_name),
        "00100020": element("LO", study.dicom_patient_id),
        "00100021": element("LO", study.dicom_patient_issuer),
        "00100030": element("DA", _da(study.dicom_birth_date)),
        "00100040": element("CS", study.dicom_sex),
        "0020000D": element("UI", study.study_instance_uid),
        "00200010": element("SH", study.study_id),
        "00201206": element("IS", study.number_of_series),
        "00201208": element("IS", study.number_of_instances),
    }


def series_json(series: SeriesFacts, root: str) -> Json:
    """A series (PS3.18 Table 10.6.3-4)."""
    url = f"{root}/studies/{series.study_instance_uid}/series/{series.series_instance_uid}"
    return _sorted(
        {
            **series.more,
            "00080060": element("CS", series.modality),
            "0008103E": element("LO", series.series_description),
            "00081190": element("UR", url),
            "00180015": element("CS", series.body_part),
            "0020000D": element("UI", series.study_instance_uid),
            "0020000E": element("UI", series.series_instance_uid),
            "00200011": element("IS", series.series_number),
            "00200060": element("CS", series.laterality),
            "00201209": element("IS", series.number_of_instances),
        }
    )


def instance_json(instance: InstanceFacts, root: str) -> Json:
    """An instance (PS3.18 Table 10.6.3-5)."""
    series = f"{root}/studies/{instance.study_instance_uid}/series/{instance.series_instance_uid}"
    found = {
        **instance.more,
        "00080016": element("UI", instance.sop_class_uid),
        "00080018": element("UI", instance.sop_instance_uid),
        "00080056": element("CS", "ONLINE"),
        "00080060": element("CS", instance.modality),
        "00081190": element("UR", f"{series}/instances/{instance.sop_instance_uid}"),
        "00083002": element("UI", instance.transfer_syntax_uid),
        "0020000D": element("UI", instance.study_instance_uid),
        "0020000E": element("UI", instance.series_instance_uid),
        "00200013": element("IS", instance.instance_number),
    }
    if instance.number_of_frames:
        found["00280008"] = element("IS", instance.number_of_frames)
        found["00280010"] = element("US", instance.rows)
        found["00280011"] = element("US", instance.columns)
        found["00280100"] = element("US", instance.bits_allocated)
    return _sorted(found)


def element(vr: str, value: str | int | None) -> Json:
    """One element of the DICOM JSON model (PS3.18 F.2); without a value it is only its VR."""
    if value is None or value == "":
        return {"vr": vr}
    if vr == "PN":
        name = person_name(str(value))
        groups = {
            "Alphabetic": name.alphabetic,
            "Ideographic": name.ideographic,
            "Phonetic": name.phonetic,
        }
        return {"vr": vr, "Value": [{key: text for key, text in groups.items() if text}]}
    return {"vr": vr, "Value": [value]}


def _sorted(found: Json) -> Json:
    return {tag: found[tag] for tag in sorted(found)}


def _da(value: date | None) -> str | None:
    return value.strftime("%Y%m%d") if value else None


def _several(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.replace("\\", ",").split(",") if part.strip())


def _whole(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadQuery(f"{name[:64]} must be a number")
    return int(text)


def _date(text: str) -> date | None:
    if not text:
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if len(text) == 8 else _bad_date()
    except ValueError:
        return _bad_date()


def _bad_date() -> date:
    raise BadQuery("a date must be YYYYMMDD or a range of two, joined by -")
