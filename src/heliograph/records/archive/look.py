"""What a received object is, before its sender is answered."""

from __future__ import annotations

from dataclasses import dataclass

from heliograph.kit.codecs.dicom import DicomError, Header, NotDicom, opened, read_file_meta, read_header
from heliograph.kit.codecs.dicom.claimed import Claimed, claimed
from heliograph.kit.codecs.dicom.strays import without_strays
from heliograph.kit.log import log
from heliograph.records.archive import spool, statuses
from heliograph.records.archive.errors import OutOfSpace

_log = log(__name__)


@dataclass(frozen=True, slots=True)
class Looked:
    """Either `header`, with a warning (0: nothing is odd), or `error`: why it can't be filed. `claimed`: which object it says it is."""

    claimed: Claimed
    header: Header | None = None
    warning: int = 0
    error: DicomError | None = None


def look(entry: spool.Incoming) -> Looked:
    """Reads what was received; elements of groups 0000 and 0002 in its data set are taken out of the file.

    Raises:
        OutOfSpace: there was something to take out, and the disk is full.
    """
    try:
        header, warning = _read(entry)
        if header.has_strays:
            with opened(entry.temporary) as data:
                entry.replace(without_strays(data))
            header, _ = _read(entry)
            warning = statuses.ELEMENTS_DISCARDED
    except DicomError as error:
        return Looked(claimed(entry.temporary), error=error)
    except (OSError, OutOfSpace):
        raise
    except Exception:  # noqa: BLE001 - whatever a file does to the parsers, its sender is answered
        _log.exception("an object made the parser fail")
        return Looked(claimed(entry.temporary), error=NotDicom("the object could not be read"))
    named = Claimed(
        header.sop_class_uid, header.sop_instance_uid, header.study_instance_uid, header.series_instance_uid
    )
    return Looked(named, header, warning)


def _read(entry: spool.Incoming) -> tuple[Header, int]:
    with opened(entry.temporary) as data:
        header = read_header(data)
        meta = read_file_meta(data)
    said = (meta.sop_class_uid or header.sop_class_uid, meta.sop_instance_uid or header.sop_instance_uid)
    is_odd = header.pixels_short or said != (header.sop_class_uid, header.sop_instance_uid)
    return header, statuses.NOT_OF_ITS_CLASS if is_odd else 0
