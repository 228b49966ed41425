"""What `rewrite` does to a file, done to its document in the DICOM JSON Model: new values, and the old ones told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydicom.datadict import dictionary_VR

from heliograph.kit.codecs.dicom.model import Json, json_element
from heliograph.kit.codecs.dicom.rewrite import Correction, moment_of

_CHARACTER_SET, _ORIGINALS, _MODIFIED = "00080005", "04000561", "04000550"


def corrected(document: Mapping[str, Any], values: Mapping[int, str], correction: Correction) -> Json:
    """The document with `values` (as `rewritten` takes them) and one more item of the Original Attributes Sequence.

    Tags ascend. The document itself is not changed.
    """
    if not values:
        return dict(document)
    new = {f"{tag:08X}": json_element(dictionary_VR(tag), text) for tag, text in values.items()}
    if _CHARACTER_SET not in document and not all(text.isascii() for text in values.values()):
        new[_CHARACTER_SET] = json_element("CS", "ISO_IR 192")
    before = {tag: document.get(tag, {"vr": new[tag]["vr"]}) for tag in sorted(new)}
    if _CHARACTER_SET in before:  # in this model all text is UTF-8, whatever the object says
        before[_CHARACTER_SET] = new[_CHARACTER_SET]
    item: Json = {
        _MODIFIED: {"vr": "SQ", "Value": [before]},
        "04000562": json_element("DT", moment_of(correction)),
        "04000563": json_element("LO", correction.system),
        "04000564": json_element("LO", correction.source),
        "04000565": json_element("CS", correction.reason),
    }
    earlier = document.get(_ORIGINALS, {}).get("Value", [])
    new[_ORIGINALS] = {"vr": "SQ", "Value": [*earlier, item]}
    return dict(sorted({**document, **new}.items()))
