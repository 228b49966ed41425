"""Which exam class a requested procedure is. Data from `data/exam_classes.yaml` and `data/exam_words.yaml`; pure after loading."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, cast

import yaml

XR = "DX"
"""CR and DX are both plain radiography; classes and words say DX."""

_FOLDED = str.maketrans({"ø": "o", "æ": "ae", "đ": "d", "ł": "l"})


@dataclass(frozen=True, slots=True)
class ExamClass:
    """A class of exams, for routing, effort, templates and priors. `minutes` is a median of interpretation time."""

    id: str
    name: str
    modalities: tuple[str, ...]
    region: str
    subspecialty: str
    also_qualified: tuple[str, ...]
    laterality: str
    """required, optional, bilateral or none."""
    contrast: str
    """none, iv, iv_and_noncontrast, oral, intravesical or optional."""
    rpid: str | None
    loinc: str | None
    minutes: float
    priors: dict[str, Any]
    template: str | None
    words: tuple[frozenset[str], ...]
    """Alternatives of concepts that name the class; none for a general class."""

    @property
    def modality(self) -> str:
        """The modality that the class is filed under."""
        return self.modalities[0]

    @property
    def is_general(self) -> bool:
        """Taken when the procedure names no body part."""
        return not self.words

    @property
    def subspecialties(self) -> frozenset[str]:
        """A reader of any of these is qualified."""
        return frozenset((self.subspecialty, *self.also_qualified))


@dataclass(frozen=True)
class _Words:
    modalities: dict[str, re.Pattern[str]]
    sections: dict[str, str]
    weak_sections: dict[str, str]
    concepts: dict[str, re.Pattern[str]]
    hides: dict[str, list[str]]
    contrast: dict[str, re.Pattern[str]]
    laterality: dict[str, re.Pattern[str]]
    zones: dict[str, frozenset[str]]
    everywhere: frozenset[str]
    body_parts: dict[str, frozenset[str]]


def exam_classes() -> tuple[ExamClass, ...]:
    """All classes, in the order of the file."""
    return tuple(_classes().values())


def exam_class(id_: str) -> ExamClass:
    """The class with this id. Raises KeyError."""
    return _classes()[id_]


def find_exam_class(id_: str | None) -> ExamClass | None:
    """The class with this id, or None: for ids that an older table knew."""
    return _classes().get(id_ or "")


def classify(
    text: str | None,
    *,
    code: str | None = None,
    modality: str | None = None,
    body_part: str | None = None,
) -> ExamClass:
    """The class of a requested procedure.

    A RadLex Playbook or LOINC code decides, with the text where classes share it; else modality and the words of the text, then of
    the body part. Where nothing names the body part, the general class of the modality, or `other_general`.

    Args:
        text: what the site calls the procedure, English or Norwegian.
        code: the site's, RadLex (RPID...) or LOINC code.
        modality: DICOM Modality, or an HL7 section id (OBR-24, table 0074).
        body_part: DICOM BodyPartExamined or HL7 body site.
    """
    plain = folded(text)
    known = [c for c in exam_classes() if code and code.strip().upper() in (c.rpid, c.loinc)]
    if known:
        return _best(known, plain, _concepts(plain)) or known[0]
    kind = modality_of(modality, plain)
    candidates = [c for c in exam_classes() if kind in c.modalities and not _by_pet_only(c, kind)]
    for source in (plain, folded(body_part), f"{plain} {folded(body_part)}"):
        found = _best(candidates, plain, _concepts(source))
        if found is not None:
            return found
    return next((c for c in candidates if c.is_general), exam_class("other_general"))


def modality_of(modality: str | None, text: str | None = None) -> str | None:
    """The DICOM Modality meant by `modality` (DICOM or HL7 table 0074) and the words of `text`; DX for CR. None: not told."""
    words, said = _words(), (modality or "").strip().upper()
    said = {"CR": XR, "PET": "PT", "OT": ""}.get(said, said)
    sure = words.sections.get(said) or (said if said in words.modalities else None)
    told = next((m for m, pattern in words.modalities.items() if pattern.search(f" {folded(text)} ")), None)
    if told == "PT" and sure == "CT":
        return "PT"
    return sure or told or words.weak_sections.get(said)


def laterality_of(text: str | None) -> str | None:
    """L, R or B when the text names exactly one side, or both."""
    plain = f" {folded(text)} "
    found = {side for side, pattern in _words().laterality.items() if pattern.search(plain)}
    return "B" if "B" in found or found == {"L", "R"} else next(iter(found), None)


def zones_of_body_part(body_part: str | None) -> frozenset[str]:
    """Where in the body a DICOM Body Part Examined lies; empty: not told, not known, or the whole body."""
    term = re.sub(r"[^A-Z]", "", (body_part or "").upper())
    return _words().body_parts.get(term) or _zones(_concepts(folded(body_part)))


def zones_of_procedure(text: str | None, exam: ExamClass | None) -> frozenset[str]:
    """Where in the body a procedure looks, by its words, else by its class; empty: not told, or everywhere."""
    concepts = _concepts(folded(text))
    if concepts & _words().everywhere:
        return frozenset()
    if found := _zones(concepts):
        return found
    return _zones(frozenset(c for alternative in exam.words for c in alternative)) if exam else frozenset()


def _zones(concepts: frozenset[str]) -> frozenset[str]:
    words = _words()
    if concepts & words.everywhere:
        return frozenset()
    return frozenset(zone for c in concepts for zone in words.zones.get(c, ()))


def folded(text: str | None) -> str:
    """`text` in lower case, without accents and marks, single spaces."""
    lower = unicodedata.normalize("NFKD", (text or "").casefold().translate(_FOLDED))
    kept = "".join(c for c in lower if not unicodedata.combining(c))
    return " ".join(re.sub(r"[^a-z0-9]+", " ", kept).split())


def _by_pet_only(candidate: ExamClass, kind: str | None) -> bool:
    return kind == "CT" and "PT" in candidate.modalities


def _concepts(text: str) -> frozenset[str]:
    words = _words()
    found = {name for name, pattern in words.concepts.items() if pattern.search(f" {text} ")}
    hidden = {name for strong in found for name in words.hides.get(strong, ())}
    return frozenset(found - hidden)


def _best(candidates: list[ExamClass], text: str, concepts: frozenset[str]) -> ExamClass | None:
    """The candidate that most of the concepts name; then the one whose contrast fits; then the first."""
    fitting = [
        (max(len(w) for w in c.words if w <= concepts), c) for c in candidates if any(w <= concepts for w in c.words)
    ]
    if not fitting:
        return None
    most = max(n for n, _ in fitting)
    named = [c for n, c in fitting if n == most]
    wanted = _contrast(text)
    return next((c for c in named if c.contrast == wanted), named[0])


def _contrast(text: str) -> str | None:
    patterns, plain = _words().contrast, f" {text} "
    if patterns["both"].search(plain):
        return "iv_and_noncontrast"
    if patterns["none"].search(plain):
        return "none"
    return "iv" if patterns["iv"].search(plain) or text.endswith((" with", " w")) else None


def _load(name: str) -> dict[str, Any]:
    return cast(dict[str, Any], yaml.safe_load((files(__package__) / "data" / name).read_text("utf-8")))


@cache
def _classes() -> dict[str, ExamClass]:
    return {c["id"]: _class(c) for c in _load("exam_classes.yaml")["classes"]}


def _class(row: dict[str, Any]) -> ExamClass:
    modalities = tuple(m for m in row["modality"].split("|"))
    return ExamClass(
        id=row["id"],
        name=row["name"],
        modalities=tuple(dict.fromkeys(XR if m == "CR" else m for m in modalities)),
        region=row["region"],
        subspecialty=row["subspecialty"],
        also_qualified=tuple(row["also_qualified"]),
        laterality=row["laterality"],
        contrast=row["contrast"],
        rpid=row["codes"]["rpid"],
        loinc=row["codes"]["loinc"],
        minutes=float(row["minutes"]["median"]),
        priors=row["priors"],
        template=row["template"],
        words=tuple(frozenset(alternative) for alternative in row["words"]),
    )


@cache
def _words() -> _Words:
    data = _load("exam_words.yaml")
    return _Words(
        modalities=_patterns(data["modalities"]),
        sections=data["sections"],
        weak_sections=data["weak_sections"],
        concepts=_patterns(data["concepts"]),
        hides=data["hides"],
        contrast=_patterns(data["contrast"]),
        laterality=_patterns(data["laterality"]),
        zones={concept: frozenset(zones) for concept, zones in data["zones"].items()},
        everywhere=frozenset(data["everywhere"]),
        body_parts={term: frozenset(zones) for term, zones in data["body_parts"].items()},
    )


def _patterns(table: dict[str, list[str]]) -> dict[str, re.Pattern[str]]:
    return {name: re.compile("|".join(_pattern(str(p)) for p in phrases)) for name, phrases in table.items()}


def _pattern(phrase: str) -> str:
    return f" {folded(phrase)}" + ("" if phrase.endswith("*") else " ")
