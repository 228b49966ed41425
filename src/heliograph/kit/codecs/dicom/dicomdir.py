"""DICOMDIR: the index of files on a medium (PS3.3 Annex F, PS3.10 8.6), written in Explicit VR Little Endian.

Records go down patient, study, series, and what kind of object a file holds. What a key of Type 1 lacks in the object is filled in as
other writers do, since a record without it is none: readers refuse the whole directory for one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from heliograph.kit.codecs.dicom.explicit import element_bytes, head
from heliograph.kit.codecs.dicom.from_json import BadJson, from_json
from heliograph.kit.codecs.dicom.part10 import EXPLICIT_LITTLE, part10_header

MEDIA_STORAGE_DIRECTORY: Final = "1.2.840.10008.1.3.10"
Json = Mapping[str, Any]
_IN_USE: Final = 0xFFFF
_ANY: Final = "00100020"  # which tag a value is tried under makes no difference

_CLASSES: Final[Mapping[str, str]] = {
    "1.2.840.10008.5.1.4.1.1.4.2": "SPECTROSCOPY",
    "1.2.840.10008.5.1.4.1.1.66": "RAW DATA",
    "1.2.840.10008.5.1.4.1.1.66.1": "REGISTRATION",
    "1.2.840.10008.5.1.4.1.1.66.2": "FIDUCIAL",
    "1.2.840.10008.5.1.4.1.1.66.3": "REGISTRATION",
    "1.2.840.10008.5.1.4.1.1.66.5": "SURFACE",
    "1.2.840.10008.5.1.4.1.1.66.6": "TRACT",
    "1.2.840.10008.5.1.4.1.1.67": "VALUE MAP",
    "1.2.840.10008.5.1.4.1.1.68.1": "SURFACE SCAN",
    "1.2.840.10008.5.1.4.1.1.68.2": "SURFACE SCAN",
    "1.2.840.10008.5.1.4.1.1.77.1.5.3": "STEREOMETRIC",
    "1.2.840.10008.5.1.4.1.1.78.6": "SR DOCUMENT",
    "1.2.840.10008.5.1.4.1.1.79.1": "SR DOCUMENT",
    "1.2.840.10008.5.1.4.1.1.80.1": "MEASUREMENT",
    "1.2.840.10008.5.1.4.1.1.88.59": "KEY OBJECT DOC",
    "1.2.840.10008.5.1.4.1.1.90.1": "ASSESSMENT",
    "1.2.840.10008.5.1.4.1.1.131": "PRESENTATION",
    "1.2.840.10008.5.1.4.1.1.481.2": "RT DOSE",
    "1.2.840.10008.5.1.4.1.1.481.3": "RT STRUCTURE SET",
    "1.2.840.10008.5.1.4.1.1.481.4": "RT TREAT RECORD",
    "1.2.840.10008.5.1.4.1.1.481.5": "RT PLAN",
    "1.2.840.10008.5.1.4.1.1.481.6": "RT TREAT RECORD",
    "1.2.840.10008.5.1.4.1.1.481.7": "RT TREAT RECORD",
    "1.2.840.10008.5.1.4.1.1.481.8": "RT PLAN",
    "1.2.840.10008.5.1.4.1.1.481.9": "RT TREAT RECORD",
}
_FAMILIES: Final[Mapping[str, str]] = {
    "1.2.840.10008.5.1.4.1.1.9.": "WAVEFORM",
    "1.2.840.10008.5.1.4.1.1.11.": "PRESENTATION",
    "1.2.840.10008.5.1.4.1.1.78.": "MEASUREMENT",
    "1.2.840.10008.5.1.4.1.1.88.": "SR DOCUMENT",
    "1.2.840.10008.5.1.4.1.1.104.": "ENCAP DOC",
}

# Keys of a file's record (PS3.3 F.5): of Type 1, with what stands for a missing one, and of Type 2.
_NUMBER: Final = ("00200013", "IS", 1)
_CONTENT_AT: Final = (("00080023", "DA", "19000101"), ("00080033", "TM", "000000"))
_LABEL: Final = ("00700080", "CS", "UNNAMED")
_DESCRIBED: Final = (("00700081", "LO"), ("00700084", "PN"))
_DOCUMENT_TITLE: Final = {
    "00080100": {"vr": "SH", "Value": ["121071"]},
    "00080102": {"vr": "SH", "Value": ["DCM"]},
    "00080104": {"vr": "LO", "Value": ["Finding"]},
}
_CONCEPT: Final = ("0040A043", "SQ", _DOCUMENT_TITLE)
_One = tuple[str, str, Any]
_KEYS: Final[Mapping[str, tuple[tuple[_One, ...], tuple[tuple[str, str], ...]]]] = {
    "IMAGE": ((_NUMBER,), ()),
    "RT DOSE": ((_NUMBER, ("3004000A", "CS", "PLAN")), ()),
    "RT STRUCTURE SET": ((_NUMBER, ("30060002", "SH", "UNNAMED")), (("30060008", "DA"), ("30060009", "TM"))),
    "RT PLAN": ((_NUMBER, ("300A0002", "SH", "UNNAMED")), (("300A0006", "DA"), ("300A0007", "TM"))),
    "RT TREAT RECORD": ((_NUMBER,), (("30080250", "DA"), ("30080251", "TM"))),
    "PRESENTATION": ((("00700082", "DA", "19000101"), ("00700083", "TM", "000000"), _NUMBER, _LABEL), _DESCRIBED),
    "WAVEFORM": ((_NUMBER, *_CONTENT_AT), ()),
    "RAW DATA": ((_NUMBER, *_CONTENT_AT), ()),
    "SR DOCUMENT": (
        (_NUMBER, ("0040A491", "CS", "PARTIAL"), ("0040A493", "CS", "UNVERIFIED"), *_CONTENT_AT, _CONCEPT),
        (),
    ),
    "KEY OBJECT DOC": ((_NUMBER, *_CONTENT_AT, _CONCEPT), ()),
    "SPECTROSCOPY": (
        (
            ("00080008", "CS", "ORIGINAL"),
            *_CONTENT_AT,
            _NUMBER,
            ("00280008", "IS", 1),
            ("00280010", "US", 1),
            ("00280011", "US", 1),
            ("00289001", "UL", 1),
            ("00289002", "UL", 1),
        ),
        (),
    ),
    "ENCAP DOC": (
        (_NUMBER, ("00420012", "LO", "application/octet-stream")),
        (("00080023", "DA"), ("00080033", "TM"), ("00420010", "ST"), ("0040A043", "SQ")),
    ),
    "REGISTRATION": ((_NUMBER, *_CONTENT_AT, _LABEL), _DESCRIBED),
    "FIDUCIAL": ((_NUMBER, *_CONTENT_AT, _LABEL), _DESCRIBED),
    "VALUE MAP": ((_NUMBER, *_CONTENT_AT, _LABEL), _DESCRIBED),
    "SURFACE": ((_NUMBER, *_CONTENT_AT, _LABEL), _DESCRIBED),
    "TRACT": ((_NUMBER, *_CONTENT_AT, _LABEL), _DESCRIBED),
    "MEASUREMENT": ((_NUMBER, *_CONTENT_AT, _LABEL), _DESCRIBED),
    "SURFACE SCAN": (_CONTENT_AT, ()),
    "ASSESSMENT": ((_NUMBER, ("00080012", "DA", "19000101")), (("00080013", "TM"),)),
    "STEREOMETRIC": ((), ()),
}


@dataclass(frozen=True, slots=True)
class FileReference:
    """A file of the medium: its ID, component by component (PS3.10 8.2), and what it holds."""

    components: tuple[str, ...]
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


@dataclass(slots=True)
class _Record:
    kind: str
    keys: bytes
    file: FileReference | None = None
    below: list[_Record] = field(default_factory=list)
    at: int = 0

    def size(self) -> int:
        return len(_item(self, 0, 0))

    def all(self) -> Iterator[_Record]:
        yield self
        for one in self.below:
            yield from one.all()


class Dicomdir:
    """Takes files in order, patient by patient and so down; `to_bytes` is the finished file. Keys are in the DICOM JSON model."""

    def __init__(self, sop_instance_uid: str, file_set_id: str = "HELIOGRAPH") -> None:
        self._uid, self._id = sop_instance_uid, file_set_id
        self._patients: list[_Record] = []
        self._patient: tuple[str, str] | None = None

    def patient(self, name: str | None, identifier: tuple[str, str]) -> None:
        """Begins a patient, unless it is the one that was begun last; `name` with its groups separated by `=`.

        `identifier` is the Patient ID and, to tell two of one ID apart, its issuer.
        """
        if identifier == self._patient:
            return
        self._patient = identifier
        groups = dict(zip(("Alphabetic", "Ideographic", "Phonetic"), (name or "").split("="), strict=False))
        shown = {k: v for k, v in groups.items() if v}
        named = _usable({"00100010": {"vr": "PN", "Value": [shown] if shown else []}}, "00100010", "PN") or {"vr": "PN"}
        keys = {"00100010": named, "00100020": _of("LO", identifier[0], "UNKNOWN")}
        self._patients.append(_Record("PATIENT", _encoded(keys)))

    def study(self, uid: str, *, at: tuple[str, str], study_id: str, description: str, accession: str) -> None:
        """Begins a study of the patient; `at` is its date and time as DA and TM."""
        keys = {
            "00080020": _of("DA", at[0], "19000101"),
            "00080030": _of("TM", at[1], "000000"),
            "00080050": _of("SH", accession),
            "00081030": _of("LO", description),
            "0020000D": _of("UI", uid),
            "00200010": _of("SH", study_id, "1"),
        }
        self._patients[-1].below.append(_Record("STUDY", _encoded(keys)))

    def series(self, uid: str, *, modality: str, number: int) -> None:
        """Begins a series of the study."""
        keys = {"00080060": _of("CS", modality, "OT"), "0020000E": _of("UI", uid), "00200011": _of("IS", number)}
        self._patients[-1].below[-1].below.append(_Record("SERIES", _encoded(keys)))

    def file(self, file: FileReference, document: Json) -> None:
        """A file of the series; its record's keys are taken from `document`, the object's own."""
        kind = record_type(file.sop_class_uid)
        self._patients[-1].below[-1].below[-1].below.append(_Record(kind, _keys(kind, document), file))

    def to_bytes(self) -> bytes:
        """The DICOMDIR."""
        start = part10_header(MEDIA_STORAGE_DIRECTORY, self._uid, EXPLICIT_LITTLE)
        fixed = len(_beginning(self._id, 0, 0)) + len(head(0x00041220, "SQ", 0))
        at = len(start) + fixed
        records = [record for patient in self._patients for record in patient.all()]
        for record in records:
            record.at = at
            at += record.size()
        first, last = (self._patients[0].at, self._patients[-1].at) if self._patients else (0, 0)
        parts = [start, _beginning(self._id, first, last), head(0x00041220, "SQ", at - len(start) - fixed)]
        following = {id(one): after.at for level in _levels(self._patients) for one, after in pairwise(level)}
        parts += [_item(r, following.get(id(r), 0), r.below[0].at if r.below else 0) for r in records]
        return b"".join(parts)


def record_type(sop_class_uid: str) -> str:
    """The Directory Record Type (PS3.3 F.5) of an object's class; IMAGE where the standard has no other."""
    if found := _CLASSES.get(sop_class_uid):
        return found
    return next((kind for family, kind in _FAMILIES.items() if sop_class_uid.startswith(family)), "IMAGE")


def _levels(records: list[_Record]) -> Iterator[list[_Record]]:
    yield records
    for record in records:
        yield from _levels(record.below)


def _of(vr: str, value: str | int, instead: str = "") -> dict[str, Any]:
    """The element of one value, or of `instead` where there is none that can be written."""
    found = _usable({_ANY: {"vr": vr, "Value": [value]}}, _ANY, vr)
    return found or ({"vr": vr, "Value": [instead]} if instead else {"vr": vr})


def _keys(kind: str, document: Json) -> bytes:
    """The keys of a file's record; a value of the object that can't be written is taken for missing."""
    required, optional = _KEYS[kind]
    keys: dict[str, Any] = {}
    for tag, vr, instead in required:
        keys[tag] = _usable(document, tag, vr) or {"vr": vr, "Value": [instead]}
    for tag, vr in optional:
        keys[tag] = _usable(document, tag, vr) or {"vr": vr}
    return _encoded(keys)


def _usable(document: Json, tag: str, vr: str) -> dict[str, Any] | None:
    element = document.get(tag)
    if not isinstance(element, Mapping) or element.get("vr") != vr:
        return None
    values = element.get("Value") or []
    if all(value is None or value == "" for value in values):
        return None
    found = {"vr": vr, "Value": values}
    try:
        _encoded({tag: found})
    except (BadJson, UnicodeError):
        return None
    return found


def _encoded(keys: Json) -> bytes:
    return b"".join(from_json(keys))


def _beginning(file_set_id: str, first: int, last: int) -> bytes:
    return (
        element_bytes(0x00041130, "CS", file_set_id.encode())
        + element_bytes(0x00041200, "UL", struct.pack("<I", first))
        + element_bytes(0x00041202, "UL", struct.pack("<I", last))
        + element_bytes(0x00041212, "US", b"\0\0")
    )


def _item(record: _Record, following: int, lower: int) -> bytes:
    parts = [
        element_bytes(0x00041400, "UL", struct.pack("<I", following)),
        element_bytes(0x00041410, "US", struct.pack("<H", _IN_USE)),
        element_bytes(0x00041420, "UL", struct.pack("<I", lower)),
        element_bytes(0x00041430, "CS", record.kind.encode()),
    ]
    if record.file is not None:
        parts += [
            element_bytes(0x00041500, "CS", "\\".join(record.file.components).encode()),
            element_bytes(0x00041510, "UI", record.file.sop_class_uid.encode()),
            element_bytes(0x00041511, "UI", record.file.sop_instance_uid.encode()),
            element_bytes(0x00041512, "UI", record.file.transfer_syntax_uid.encode()),
        ]
    body = b"".join((*parts, record.keys))
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body


def file_ids(dicomdir: Json) -> Sequence[tuple[str, ...]]:
    """The files that a DICOMDIR in the JSON model names, component by component."""
    records = dicomdir.get("00041220", {}).get("Value") or []
    found = (record.get("00041500", {}).get("Value") for record in records if isinstance(record, Mapping))
    return [tuple(str(part) for part in parts) for parts in found if parts]
