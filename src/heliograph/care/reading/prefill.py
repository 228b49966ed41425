"""What a new draft says already: the question from the order, what was done, and what it can be compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from heliograph.care.reading.access import OwnRead
from heliograph.care.reading.queries import orders_of_case
from heliograph.kit.work import Work
from heliograph.records.archive.queries import StudyFacts, priors_of

MOST_PRIORS = 3


def first_content(work: Work, read: OwnRead, studies: Sequence[StudyFacts]) -> dict[str, Any]:
    """The content of a new draft. An addendum begins empty; nothing in Findings or Impression is ever prefilled."""
    if read.is_addendum:
        return {"sections": {"addendum": ""}, "fields": {}}
    indications = [o.indication for o in orders_of_case(work.session, read.case_id) if o.indication]
    priors = priors_of(work.session, read.patient_id, [s.id for s in studies]) if read.patient_id else []
    return {
        "sections": {
            "indication": "\n".join(dict.fromkeys(indications)),
            "technique": "\n".join(_performed(s) for s in studies),
            "comparison": _comparison(priors, {m for s in studies for m in s.modalities}),
            "findings": "",
            "impression": "",
        },
        "fields": {},
    }


def _performed(study: StudyFacts) -> str:
    return f"{_named(study)}{_dated(study, ', ')}."


def _comparison(priors: Sequence[StudyFacts], modalities: set[str]) -> str:
    """The newest few, those of the same modality first; a study without a date can't be told apart in words and is left out."""
    dated = [p for p in priors if p.study_date]
    dated.sort(key=lambda p: not modalities & set(p.modalities))  # stable: newest first within each half
    return "\n".join(f"{_named(p)}{_dated(p, ' of ')}." for p in dated[:MOST_PRIORS]) or "None available."


def _named(study: StudyFacts) -> str:
    modality = "/".join(study.modalities)
    words = (study.study_description or study.body_part or "").strip()
    if not words:
        return modality or "Study"
    return words if not modality or words.upper().startswith(modality.upper()) else f"{modality}: {words}"


def _dated(study: StudyFacts, before: str) -> str:
    day = study.study_date
    return f"{before}{day.day} {day:%B %Y}" if day else ""
