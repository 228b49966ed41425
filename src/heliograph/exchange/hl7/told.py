"""What a message says of a patient: all identifiers, all representations of the name (HL7 v2.5.1 3.4.2, 3.4.10). Pure."""

from __future__ import annotations

from heliograph.exchange.hl7.faults import BadOrder
from heliograph.exchange.hl7.pid import Site, patient_of
from heliograph.kit.codecs.hl7 import FieldMissing, Location, Message, Repetition, Segment
from heliograph.records.patients.identify import Told, ToldIdentifier

PLAIN_TYPES = ("MR", "PI", "PT", "")
"""Of table 0203, what a number of a site's own is called: where such a one names no authority, it is the feed's."""


def told_of(pid: Segment, message: Message, site: Site) -> Told:
    """What PID says. A field that was not sent is None; `""` is in `clear`, but for the name: nobody is left nameless by a message.

    Raises:
        FieldMissing: no identifier.
        BadOrder: it has no authority and neither has the feed (204); the birth date is none (102).
    """
    patient = patient_of(pid, message, site)
    own = ToldIdentifier(patient.value, _authority(patient.authority, site, pid, 3))
    return Told(
        identifiers=_with_own(own, listed(pid, 3, site)),
        names=patient.names,
        ideographic=_representation(pid.repetitions(5), "I"),
        phonetic=_representation(pid.repetitions(5), "P"),
        birth_date=patient.birth_date,
        sex=patient.sex,
        clear=patient.clear,
    )


def retired_of(mrg: Segment, site: Site) -> Told:
    """What MRG says of who was merged: MRG-1, in old versions MRG-4, and MRG-7. Raises: FieldMissing, BadOrder (204)."""
    field = 1 if any(r.text(1) for r in mrg.repetitions(1)) else 4
    found = listed(mrg, field, site)
    if not found:
        if any(r.text(1) for r in mrg.repetitions(field)):
            _authority(None, site, mrg, field)
        raise FieldMissing("MRG", mrg.sequence, 1)
    names = mrg.repetitions(7)
    return Told(identifiers=found, names=_name(names[0]) if names and names[0].text(1) else None)


def listed(segment: Segment, field: int, site: Site) -> tuple[ToldIdentifier, ...]:
    """The identifiers of a list of CX, the site's own number first: by authority and type, never by position. A bare number of another
    type than a site's own names nobody, and is left out."""
    own = site.mapping.authorities or ((site.patient_id_authority,) if site.patient_id_authority else ())
    found = []
    for r in segment.repetitions(field):
        value, kind = (r.text(1) or "").strip(), (r.text(5) or "").strip().upper()
        authority = (r.text(4) or r.text(4, 2) or "").strip()
        if not authority and kind in PLAIN_TYPES:
            authority = site.patient_id_authority
        if value and authority:
            found.append(ToldIdentifier(value, authority, kind or "MR"))
    return tuple(sorted(dict.fromkeys(found), key=lambda i: (i.authority not in own, i.type not in PLAIN_TYPES)))


def _with_own(own: ToldIdentifier, found: tuple[ToldIdentifier, ...]) -> tuple[ToldIdentifier, ...]:
    same = next((i for i in found if (i.value, i.authority) == (own.value, own.authority)), own)
    return (same, *(i for i in found if i != same))


def _authority(sent: str | None, site: Site, segment: Segment, field: int) -> str:
    authority = (sent or "").strip() or site.patient_id_authority
    if not authority:
        words = "The identifier has no assigning authority, and none is configured for this feed."
        raise BadOrder("204", Location(segment.name, segment.sequence, field), words)
    return authority


def _name(r: Repetition) -> tuple[str, str]:
    given = " ".join(part.strip() for n in (2, 3) if (part := r.text(n)))
    return (r.text(1) or "").strip(), given


def _representation(names: tuple[Repetition, ...], wanted: str) -> str | None:
    """The name in another representation (table 4000: I ideographic, P phonetic) as a group of a DICOM PN, `family^given`."""
    found = next((r for r in names if r.text(8) == wanted and (r.text(1) or r.text(2))), None)
    return "^".join(part for part in _name(found) if part) if found is not None else None
