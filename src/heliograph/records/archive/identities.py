"""Whom the images of a study name, one by one: where they disagree, a person has to look. And what can be put right of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from pydicom.datadict import dictionary_VR
from sqlalchemy import func, select

from heliograph.kit.codecs.dicom import json_text
from heliograph.kit.db.session import ActorSession
from heliograph.records.archive.corrections import BIRTH_DATE, CORRECTABLE, ISSUER, NAME, PATIENT_ID, SEX, words
from heliograph.records.archive.examine import date_of
from heliograph.records.archive.model import Instance
from heliograph.records.archive.overlay import overlays

_MOST = 20


@dataclass(frozen=True, slots=True)
class Identity:
    """A patient as images name them, as they were stored, and how many images do."""

    name: str = field(repr=False)
    id: str = field(repr=False)
    issuer: str = field(repr=False)
    birth_date: date | None = field(repr=False)
    sex: str
    number_of_instances: int


def identities_of(session: ActorSession, study_id: UUID) -> list[Identity]:
    """Each different patient that shown images of the study name, the most frequent first; at most 20."""
    tags = (NAME, PATIENT_ID, ISSUER, BIRTH_DATE, SEX)
    columns: list[Any] = [Instance.header[tag].label(f"t{tag}") for tag in tags]
    rows = session.execute(
        select(func.count().label("number"), *columns)
        .where(Instance.study_id == study_id, Instance.rejection_id.is_(None), Instance.is_made_here.is_(False))
        .group_by(*columns)
        .order_by(func.count().desc())
        .limit(_MOST)
    )
    found = []
    for number, *elements in rows:
        name, value, issuer, born, sex = (json_text(element or {}) for element in elements)
        found.append(Identity(name, value, issuer, date_of(born), sex, number))
    return found


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute that can be put right by hand, as the study goes out now. `value` is text as in a data set."""

    tag: str
    name: str
    vr: str
    value: str = field(repr=False)


def attributes_of(session: ActorSession, study_id: UUID) -> list[Attribute]:
    """What can be put right of a study that does not say who the patient is, by tag: as its first image has it, with what is in force."""
    header = session.scalar(
        select(Instance.header)
        .where(Instance.study_id == study_id, Instance.rejection_id.is_(None), Instance.is_made_here.is_(False))
        .order_by(Instance.id)
        .limit(1)
    )
    right = overlays(session, [study_id]).get(study_id)
    in_force = {f"{tag:08X}": text for tag, text in right.values.items()} if right else {}
    return [
        Attribute(
            tag, words([tag]), dictionary_VR(int(tag, 16)), in_force.get(tag, json_text((header or {}).get(tag, {})))
        )
        for tag in sorted(CORRECTABLE - {PATIENT_ID, ISSUER})
    ]
