"""What an archive sends for comparison needs no order and makes no case."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from heliograph.app.context import Context
from heliograph.care.orders.match import match_study
from heliograph.care.worklist.model import Case
from heliograph.kit.actor import system
from heliograph.records.archive.model import Study
from tests.cast import Cast


def _study(context: Context, cast: Cast, state: str) -> UUID:
    with context.works.begin(system("test", cast.norfjord)) as work:
        study = Study(
            organization_id=cast.norfjord,
            facility_id=cast.norfjord_facility,
            study_instance_uid="1.2.3",
            accession_number="OLD1",
            first_received_at=work.now,
            last_received_at=work.now,
            match_state=state,
        )
        work.session.add(study)
        work.session.flush()
        work.record("study.first_image", organization_id=cast.norfjord, study_id=study.id)
        return study.id


def test_a_prior_is_not_matched_and_makes_no_case(context: Context, cast: Cast) -> None:
    study_id = _study(context, cast, "prior")
    with context.works.begin(system("test", cast.norfjord)) as work:
        assert match_study(work, study_id).state == "prior"
        assert work.session.scalars(select(Case)).all() == []


def test_the_same_study_from_a_scanner_waits_for_its_order(context: Context, cast: Cast) -> None:
    study_id = _study(context, cast, "unmatched")
    with context.works.begin(system("test", cast.norfjord)) as work:
        assert match_study(work, study_id).state == "unmatched"
