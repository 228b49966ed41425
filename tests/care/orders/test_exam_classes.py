"""What sites call a procedure, and the class it is."""

from __future__ import annotations

import pytest

from heliograph.care.orders.exam_classes import (
    classify,
    exam_class,
    exam_classes,
    find_exam_class,
    laterality_of,
    modality_of,
)

SUBSPECIALTIES = {
    "neuro",
    "body",
    "chest",
    "msk",
    "breast",
    "cardiac",
    "emergency",
    "ir",
    "nuclear",
    "pediatric",
    "vascular",
}


def test_there_are_86_classes_and_a_general_one_for_each_modality() -> None:
    named = [c for c in exam_classes() if not c.is_general]
    assert len(named) == 86
    assert {c.modality for c in exam_classes() if c.is_general} == {
        "CT",
        "MR",
        "DX",
        "MG",
        "US",
        "NM",
        "PT",
        "RF",
        "XA",
        "OT",
    }
    assert {s for c in exam_classes() for s in c.subspecialties} <= SUBSPECIALTIES
    assert exam_class("ct_head_wo").template == "ct_head"
    assert exam_class("mr_knee_wo").laterality == "required"
    assert find_exam_class("from an older table") is None


@pytest.mark.parametrize("given", [c for c in exam_classes() if not c.is_general], ids=lambda c: c.id)
def test_each_class_is_found_by_its_own_name(given) -> None:
    assert classify(given.name, modality=given.modality).id == given.id
    assert classify(given.name).id == given.id


@pytest.mark.parametrize(
    ("text", "modality", "body_part", "expected"),
    [
        ("CT Head without contrast", "CT", None, "ct_head_wo"),
        ("CT HEAD W/O CONTRAST", None, None, "ct_head_wo"),
        ("CT HEAD WO CONTRAST", "RAD", None, "ct_head_wo"),
        ("CT head w/ contrast", "CT", None, "ct_head_w"),
        ("CT BRAIN W/WO CONTRAST", "CT", None, "ct_head_wwo"),
        ("CT head, stroke?", "CT", None, "ct_head_wo"),
        ("CT stroke protocol", "CT", None, "cta_head_neck_stroke"),
        ("CT hode uten kontrast", "CT", None, "ct_head_wo"),
        ("CT caput før og etter kontrast", "CT", None, "ct_head_wwo"),
        ("CT angio hode og hals", "CT", None, "cta_head_neck_stroke"),
        ("CT lungeemboli", "CT", None, "cta_chest_pe"),
        ("CTPA", None, None, "cta_chest_pe"),
        ("CT thorax/abdomen/bekken med kontrast", "CT", None, "ct_cap_w"),
        ("CT abdomen og bekken uten kontrast (nyrestein)", "CT", None, "ct_ap_wo"),
        ("CT cervikalcolumna", "CT", None, "ct_cspine_wo"),
        ("CT C-spine", "CT", None, "ct_cspine_wo"),
        ("Traume-CT", None, None, "ct_trauma_panscan"),
        ("MR brain", "NMR", None, "mr_brain_wo"),
        ("MR hjerne uten og med kontrast", "MR", None, "mr_brain_wwo"),
        ("MR LS-columna", "MR", None, "mr_lspine_wo"),
        ("MR kne høyre", "MR", None, "mr_knee_wo"),
        ("MR right knee with contrast", "MR", None, "mr_knee_wo"),
        ("XR CHEST 2 VIEWS", "RAD", None, "xr_chest_2v"),
        ("Røntgen thorax", None, None, "xr_chest_1v"),
        ("RG Håndledd venstre", "CR", None, "xr_upper_limb"),
        ("Rtg. ankel", "DX", None, "xr_lower_limb"),
        ("Ultralyd abdomen", None, None, "us_abdomen_complete"),
        ("UL nyrer og urinveier", "RUS", None, "us_renal"),
        ("Mammografi screening", "MG", None, "mg_screening_2d"),
        ("PET/CT FDG skull base to mid-thigh", "CT", None, "pt_ct_skull_thigh"),
        ("Exam 17", "CT", "HEAD", "ct_head_wo"),
        ("", "DX", "CHEST", "xr_chest_1v"),
        ("Something else", "CT", None, "ct_general"),
        ("Second opinion", "MR", None, "mr_general"),
        ("Something else", "RAD", None, "xr_general"),
        ("Something else", None, None, "other_general"),
        (None, None, None, "other_general"),
        ("hode", "XX", None, "other_general"),
    ],
)
def test_what_sites_write(text, modality, body_part, expected) -> None:
    assert classify(text, modality=modality, body_part=body_part).id == expected


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        ("RPID22", "", "ct_head_wo"),
        ("30799-1", "anything", "ct_head_wo"),
        ("29252-4", "CT chest", "ct_chest_wo"),  # shared by two classes: the text decides
        ("29252-4", "HRCT", "ct_hrct_ild"),
        ("NF-001", "CT hode", "ct_head_wo"),
    ],
)
def test_codes(code, text, expected) -> None:
    assert classify(text, code=code, modality="CT").id == expected


@pytest.mark.parametrize(
    ("modality", "text", "expected"),
    [("CR", None, "DX"), ("NMR", None, "MR"), ("RUS", None, "US"), ("RAD", "CT head", "CT"), ("RAD", None, "DX"),
     ("PET", None, "PT"), ("CT", "PET/CT", "PT"), (None, "ultrasound", "US"), ("OT", None, None), (None, None, None)],
)  # fmt: skip
def test_modality(modality, text, expected) -> None:
    assert modality_of(modality, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("MR right knee", "R"), ("MR kne venstre", "L"), ("høyre hånd", "R"), ("bilateral knees", "B"),
     ("left and right hand", "B"), ("CT L-spine", None), ("", None)],
)  # fmt: skip
def test_laterality(text, expected) -> None:
    assert laterality_of(text) == expected
