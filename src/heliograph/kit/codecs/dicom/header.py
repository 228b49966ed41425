"""The facts of one object that an archive indexes, read quickly and without the pixels."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from heliograph.kit.codecs.dicom.errors import BadIdentity, DicomError, NotDicom, TooDeep, Truncated
from heliograph.kit.codecs.dicom.inflate import MAX_INFLATED, inflate
from heliograph.kit.codecs.dicom.part10 import (
    DEFLATED,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    read_file_meta,
    valid_uid,
)
from heliograph.kit.codecs.dicom.source import Source, opened
from heliograph.kit.codecs.dicom.text import CharacterSet, PersonName
from heliograph.kit.codecs.dicom.walk import (
    PIXEL_TAGS,
    Element,
    Encoding,
    check_depth,
    elements,
    encoding_of,
    items,
)

_WHOLE = re.compile(r"[+-]?\d{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Header:
    """What one SOP instance says about itself. Texts are decoded; absent or unreadable values are None.

    Dates and times stay as written (PS3.5 6.2 DA, TM). `bits_stored`, `rows` and so on are counts.
    `bad_elements` are the tags whose values could not be read; `charset_suspect` says that names may be
    garbled, so matching must rest on identifiers alone; `charset_undeclared` that no character set is named, or the default
    repertoire alone; `pixels_short` that native pixel data holds less
    than rows, columns and frames promise; `has_strays` that elements of messages or files (groups 0000, 0002)
    stand in the data set.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    data_set_offset: int
    modality: str | None = None
    patient_id: str | None = field(default=None, repr=False)
    issuer_of_patient_id: str | None = None
    patient_name: PersonName = field(default_factory=PersonName, repr=False)
    patient_birth_date: str | None = field(default=None, repr=False)
    patient_sex: str | None = field(default=None, repr=False)
    accession_number: str | None = field(default=None, repr=False)
    issuer_of_accession_number: str | None = None
    study_id: str | None = field(default=None, repr=False)
    study_date: str | None = field(default=None, repr=False)
    study_time: str | None = field(default=None, repr=False)
    study_description: str | None = field(default=None, repr=False)
    series_date: str | None = field(default=None, repr=False)
    series_time: str | None = field(default=None, repr=False)
    series_number: int | None = None
    series_description: str | None = field(default=None, repr=False)
    protocol_name: str | None = field(default=None, repr=False)
    body_part_examined: str | None = None
    laterality: str | None = None
    instance_number: int | None = None
    acquisition_date: str | None = field(default=None, repr=False)
    acquisition_time: str | None = field(default=None, repr=False)
    image_type: tuple[str, ...] = ()
    rows: int | None = None
    columns: int | None = None
    number_of_frames: int = 1
    samples_per_pixel: int | None = None
    bits_allocated: int | None = None
    bits_stored: int | None = None
    pixel_representation: int | None = None
    photometric_interpretation: str | None = None
    has_pixels: bool = False
    pixels_short: bool = False
    institution_name: str | None = field(default=None, repr=False)
    referring_physician_name: PersonName = field(default_factory=PersonName, repr=False)
    station_name: str | None = field(default=None, repr=False)
    manufacturer: str | None = None
    manufacturer_model_name: str | None = None
    timezone_offset_from_utc: str | None = None
    lossy_image_compression: bool = False
    burned_in_annotation: str | None = None
    charset_suspect: bool = False
    charset_undeclared: bool = False
    has_strays: bool = False
    bad_elements: tuple[str, ...] = ()


def read_header(
    source: Source,
    *,
    transfer_syntax_uid: str | None = None,
    fallback_charset: str | None = None,
    max_inflated: int = MAX_INFLATED,
) -> Header:
    """The header of a DICOM file, or of a bare data set (no preamble).

    `transfer_syntax_uid` says how a bare data set is encoded; without it, it must start plausibly and
    its encoding is inferred. `fallback_charset` are the defined terms of the character set that counts where none is declared.
    An element with an unreadable value counts as absent.

    Raises:
        NotDicom, Truncated, BadIdentity, TooDeep, Bomb: `errors` says when; no text holds patient data.
    """
    with opened(source) as data:
        try:
            start, syntax = locate_data_set(data, transfer_syntax_uid)
            body = memoryview(inflate(data[start:], max_inflated=max_inflated)) if syntax in DEFLATED else data
            begin = 0 if syntax in DEFLATED else start
            return _Reader(body, begin, encoding_of(syntax), fallback_charset).header(syntax, start)
        except RecursionError:
            raise TooDeep("sequences are nested too deeply") from None


def locate_data_set(data: memoryview, transfer_syntax_uid: str | None = None) -> tuple[int, str]:
    """Where the data set begins in `data`, and its transfer syntax UID.

    Raises:
        NotDicom: neither a DICOM file nor a plausible bare data set.
        Truncated: the bytes end inside the file meta information.
    """
    if len(data) >= 132 and bytes(data[128:132]) == b"DICM":
        meta = read_file_meta(data)
        return meta.data_set_offset, meta.transfer_syntax_uid
    if transfer_syntax_uid is not None:
        return 0, transfer_syntax_uid
    if len(data) < 16 or bytes(data[:2]) != b"\x08\x00" or data[3] != 0:
        raise NotDicom("there is no DICM prefix")
    if bytes(data[4:6]).isalpha() and bytes(data[4:6]).isupper():
        return 0, EXPLICIT_LITTLE
    if int.from_bytes(data[4:8], "little") > len(data):
        raise NotDicom("there is no DICM prefix")
    return 0, IMPLICIT_LITTLE


def frame_bits(rows: int, columns: int, samples: int, bits_allocated: int, photometric: str) -> int:
    """Bits of one native frame (PS3.5 8.1.1); YBR_FULL_422 shares its colour samples between two pixels."""
    if photometric == "YBR_FULL_422" and samples == 3:
        return rows * columns * 2 * bits_allocated
    return rows * columns * samples * bits_allocated


class _Reader:
    """Top-level elements of one data set by tag, and their values, each read on its own."""

    def __init__(self, data: memoryview, start: int, encoding: Encoding, fallback_charset: str | None) -> None:
        self.data = data
        self.encoding = encoding
        self.bad: set[int] = set()
        self.found: dict[int, Element] = {}
        self.has_strays = False
        patients: set[bytes] = set()
        for element in elements(data, start, len(data), encoding):
            if element.tag >> 16 in {0x0000, 0x0002}:  # belongs to messages and files, not to data sets
                self.has_strays = True
                continue
            if element.tag == 0x00100020:
                patients.add(self.raw(element).strip(b" \0"))
            if element.vr == "SQ" and not element.undefined:
                self._check(element)
            self.found.setdefault(element.tag, element)
        if len(patients) > 1:
            raise BadIdentity("PatientID", "occurs twice with different values")
        self.fallback = fallback_charset
        self.text = self._character_set(self.found.get(0x00080005))

    def _character_set(self, declared: Element | None) -> CharacterSet:
        return CharacterSet(self._terms(declared), fallback=self.fallback)

    def _terms(self, declared: Element | None) -> bytes | None:
        return self.raw(declared) if declared and declared.length <= 256 else None

    def _check(self, element: Element) -> None:
        try:
            check_depth(self.data, element, 1)
        except (Truncated, NotDicom):  # its length is known, so the rest can be read
            self.bad.add(element.tag)

    def raw(self, element: Element) -> bytes:
        return bytes(self.data[element.offset : element.offset + element.length])

    def bytes_of(self, tag: int, most: int = 10240) -> bytes | None:
        element = self.found.get(tag)
        if element is None or element.vr == "SQ":
            return None
        if element.length > most:
            self.bad.add(tag)
            return None
        return self.raw(element)

    def code(self, tag: int) -> str | None:
        """First value of an element in the default repertoire (CS, DA, TM, UI, AE ...)."""
        value = self.bytes_of(tag)
        if value is None:
            return None
        return value.decode("ascii", "replace").split("\\", 1)[0].strip(" \0") or None

    def string(self, tag: int) -> str | None:
        value = self.bytes_of(tag)
        return (self.text.values(value)[0] or None) if value else None

    def whole(self, tag: int) -> int | None:
        """First value of an IS element."""
        text = self.code(tag)
        if text is None:
            return None
        if not _WHOLE.fullmatch(text):
            self.bad.add(tag)
            return None
        number = int(text)
        return number if -(2**31) <= number < 2**31 else None

    def short(self, tag: int) -> int | None:
        """First value of a US element."""
        value = self.bytes_of(tag)
        if value is None:
            return None
        if len(value) < 2:
            if value:
                self.bad.add(tag)
            return None
        return int.from_bytes(value[:2], "little" if self.encoding.little else "big")

    def name(self, tag: int) -> PersonName:
        value = self.bytes_of(tag)
        return self.text.names(value)[0] if value else PersonName()

    def uid(self, tag: int, keyword: str) -> str:
        value = self.bytes_of(tag) or b""
        text = value.decode("ascii", "replace").strip(" \0")
        if not text:
            raise BadIdentity(keyword, "is missing")
        if not valid_uid(text):
            raise BadIdentity(keyword, "is not a valid UID")
        return text

    def inside(self, tag: int, inner_tags: tuple[int, ...]) -> str | None:
        """The first of `inner_tags` with a value in the first item of a sequence."""
        element = self.found.get(tag)
        if element is None or element.vr != "SQ":
            return None
        try:
            for start, stop, delimited in items(self.data, element, depth=1):
                inner = {
                    e.tag: e
                    for e in elements(self.data, start, stop + 8 * delimited, element.inner, in_item=delimited)
                    if e.tag in {0x00080005, *inner_tags} and e.length <= 1024
                }
                charset = self._character_set(inner[0x00080005]) if 0x00080005 in inner else self.text
                for wanted in inner_tags:
                    if wanted in inner and (text := charset.decode(self.raw(inner[wanted])).strip(" \0")):
                        return text
                return None
        except DicomError:
            self.bad.add(tag)
        return None

    def header(self, syntax: str, data_set_offset: int) -> Header:
        sop_class, sop_instance = self.uid(0x00080016, "SOPClassUID"), self.uid(0x00080018, "SOPInstanceUID")
        study, series = self.uid(0x0020000D, "StudyInstanceUID"), self.uid(0x0020000E, "SeriesInstanceUID")
        rows, columns = self.short(0x00280010), self.short(0x00280011)
        pixel = next((self.found[tag] for tag in PIXEL_TAGS if tag in self.found), None)
        # MR spectroscopy has rows and columns of spectra (PS3.3 C.8.14.1); Pixel Data Provider URL stands for pixels that are elsewhere.
        if rows and columns and pixel is None and not self.found.keys() & {0x00287FE0, 0x56000020}:
            raise Truncated("the object describes an image but has no pixel data")
        frames = max(1, self.whole(0x00280008) or 1)
        samples, allocated = self.short(0x00280002) or 1, self.short(0x00280100)
        photometric = self.code(0x00280004)
        short = (
            pixel is not None
            and not pixel.undefined
            and bool(rows and columns and allocated)
            and pixel.length * 8
            < frames * frame_bits(rows or 0, columns or 0, samples, allocated or 0, photometric or "")
        )
        image_type = (self.bytes_of(0x00080008) or b"").decode("ascii", "replace").strip(" \0")
        return Header(
            sop_class_uid=sop_class,
            sop_instance_uid=sop_instance,
            study_instance_uid=study,
            series_instance_uid=series,
            transfer_syntax_uid=syntax,
            data_set_offset=data_set_offset,
            modality=self.code(0x00080060),
            patient_id=self.string(0x00100020),
            issuer_of_patient_id=self.string(0x00100021),
            patient_name=self.name(0x00100010),
            patient_birth_date=self.code(0x00100030),
            patient_sex=self.code(0x00100040),
            accession_number=self.string(0x00080050),
            issuer_of_accession_number=self.inside(0x00080051, (0x00400031, 0x00400032)),
            study_id=self.string(0x00200010),
            study_date=self.code(0x00080020),
            study_time=self.code(0x00080030),
            study_description=self.string(0x00081030),
            series_date=self.code(0x00080021),
            series_time=self.code(0x00080031),
            series_number=self.whole(0x00200011),
            series_description=self.string(0x0008103E),
            protocol_name=self.string(0x00181030),
            body_part_examined=self.code(0x00180015),
            laterality=self.code(0x00200062) or self.code(0x00200060),
            instance_number=self.whole(0x00200013),
            acquisition_date=self.code(0x00080022),
            acquisition_time=self.code(0x00080032),
            image_type=tuple(part.strip() for part in image_type.split("\\")) if image_type else (),
            rows=rows,
            columns=columns,
            number_of_frames=frames,
            samples_per_pixel=self.short(0x00280002),
            bits_allocated=allocated,
            bits_stored=self.short(0x00280101),
            pixel_representation=self.short(0x00280103),
            photometric_interpretation=photometric,
            has_pixels=pixel is not None,
            pixels_short=short,
            institution_name=self.string(0x00080080),
            referring_physician_name=self.name(0x00080090),
            station_name=self.string(0x00081010),
            manufacturer=self.string(0x00080070),
            manufacturer_model_name=self.string(0x00081090),
            timezone_offset_from_utc=self.code(0x00080201),
            lossy_image_compression=self.code(0x00282110) == "01",
            burned_in_annotation=self.code(0x00280301),
            charset_suspect=self.text.suspect,
            charset_undeclared=CharacterSet(self._terms(self.found.get(0x00080005))).is_default,
            has_strays=self.has_strays,
            bad_elements=tuple(f"{tag:08X}" for tag in sorted(self.bad)),
        )
