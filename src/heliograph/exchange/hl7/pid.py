"""PID to a patient (HL7 v2.5.1 3.4.2): whose identifier it is, names, birth date, sex, and what the sender asks to delete. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from heliograph.care.orders.incoming import IncomingPatient
from heliograph.exchange.hl7.faults import BadOrder
from heliograph.exchange.hl7.feed import Feed
from heliograph.kit.codecs.hl7 import (
    NULL,
    BadDtm,
    FieldMissing,
    Location,
    Message,
    Precision,
    Repetition,
    Segment,
    parse_dtm,
)
from heliograph.records.sites.mapping import FeedMapping, defaults, mapping_of

SEXES = {"M": "M", "F": "F", "O": "O", "A": "O", "N": "O"}
"""HL7 table 0001 to DICOM; U and what nobody knows are none."""


@dataclass(frozen=True, slots=True)
class Site:
    """What the reading of a message needs to know of its sender."""

    time_zone: str
    patient_id_authority: str
    mapping: FeedMapping = field(default_factory=defaults)


def site_of(feed: Feed) -> Site:
    """The feed's. Raises: BadMapping, for what was never saved here."""
    return Site(feed.facility.time_zone, feed.facility.patient_id_authority, mapping_of(feed.endpoint.mapping))


def patient_of(pid: Segment, message: Message, site: Site) -> IncomingPatient:
    """The patient that a PID segment names.

    Raises:
        FieldMissing: no identifier.
        BadOrder: the birth date is none (102).
    """
    value, authority = identifier_of(pid, site)
    clear = tuple(n for n, number in (("birth_date", 7), ("sex", 8)) if pid.get(number) is NULL)
    return IncomingPatient(
        value=value,
        authority=authority,
        names=names_of(pid.repetitions(5)),
        birth_date=birth_date_of(pid, message, site),
        sex=SEXES.get((pid.text(8) or "").strip().upper()),
        clear=clear,
    )


def identifier_of(pid: Segment, site: Site) -> tuple[str, str | None]:
    """The site's own number from the lists of identifiers: by authority and type, never by position (HL7 v2.5.1 3.4.2.3).

    Raises:
        FieldMissing: the fields that the feed's mapping names hold none.
    """
    where = site.mapping.values["patient_id"]
    for paths in (where.paths, where.otherwise):
        for path in paths:
            found = _chosen(pid.repetitions(path.field), path.repetition, site) if path.segment == "PID" else None
            if found is not None:
                return found
    raise FieldMissing("PID", pid.sequence, where.paths[0].field if where.paths else 3)


def _chosen(list_: tuple[Repetition, ...], only: int | None, site: Site) -> tuple[str, str | None] | None:
    mine = [r for n, r in enumerate(list_, 1) if only in (None, n)]
    sent = [(r.text(1), r.text(4) or r.text(4, 2), (r.text(5) or "").strip().upper()) for r in mine]
    listed = [(v.strip(), a, t) for v, a, t in sent if v and v.strip()]
    own, types = site.mapping.authorities or (site.patient_id_authority,), site.mapping.identifier_types

    def preference(entry: tuple[str, str | None, str]) -> tuple[bool, bool, int]:
        _, authority, kind = entry
        return (
            authority not in own,
            authority is not None and kind not in (*types, ""),
            types.index(kind) if kind in types else len(types),
        )

    if not listed:
        return None
    value, authority, _ = min(listed, key=preference)
    return value, authority


def names_of(repetitions: tuple[Repetition, ...]) -> tuple[str, str] | None:
    """Family and given names of the legal name in letters (XPN-7 `L`, XPN-8 `A`), else of the first. None: none was sent."""
    usable = [r for r in repetitions if r.text(1) or r.text(2)]
    if not usable:
        return None
    best = min(usable, key=lambda r: ((r.text(8) or "A") != "A", (r.text(7) or "L") != "L"))
    given = " ".join(part.strip() for n in (2, 3) if (part := best.text(n)))
    return (best.text(1) or "").strip(), given


def birth_date_of(pid: Segment, message: Message, site: Site) -> date | None:
    """PID-7; None where only a year or month is told, which is no date. Raises: BadOrder (102)."""
    sent = pid.text(7)
    if sent is None:
        return None
    try:
        told = parse_dtm(sent, ZoneInfo(site.time_zone), message.zone)
    except BadDtm as error:
        raise BadOrder("102", Location("PID", pid.sequence, 7), "PID-7 is no date of the form YYYYMMDD.") from error
    return told.date if told.precision >= Precision.DAY else None
