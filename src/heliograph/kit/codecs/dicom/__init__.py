"""DICOM bytes <-> values: file meta information, headers, the JSON model, frame tables."""

from heliograph.kit.codecs.dicom.corrected import corrected
from heliograph.kit.codecs.dicom.errors import (
    BadIdentity,
    Bomb,
    DicomError,
    FrameMissing,
    NotDicom,
    TooDeep,
    Truncated,
)
from heliograph.kit.codecs.dicom.frames import FrameTable, frame_table, read_frame
from heliograph.kit.codecs.dicom.from_json import BadJson, Bulk, from_json
from heliograph.kit.codecs.dicom.header import Header, locate_data_set, read_header
from heliograph.kit.codecs.dicom.inflate import inflate
from heliograph.kit.codecs.dicom.model import dicom_json, json_element, json_text
from heliograph.kit.codecs.dicom.part10 import FileMeta, part10_header, read_file_meta, valid_uid
from heliograph.kit.codecs.dicom.rewrite import CannotRewrite, Correction, rewritten
from heliograph.kit.codecs.dicom.source import Source, opened
from heliograph.kit.codecs.dicom.text import CharacterSet, PersonName, person_name

__all__ = [
    "BadIdentity",
    "BadJson",
    "Bomb",
    "Bulk",
    "CannotRewrite",
    "CharacterSet",
    "Correction",
    "DicomError",
    "FileMeta",
    "FrameMissing",
    "FrameTable",
    "Header",
    "NotDicom",
    "PersonName",
    "Source",
    "TooDeep",
    "Truncated",
    "corrected",
    "dicom_json",
    "frame_table",
    "from_json",
    "inflate",
    "json_element",
    "json_text",
    "locate_data_set",
    "opened",
    "part10_header",
    "person_name",
    "read_file_meta",
    "read_frame",
    "read_header",
    "rewritten",
    "valid_uid",
]
