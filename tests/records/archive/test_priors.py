"""A prior is earlier: what was examined after the case's own studies is not compared with."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from heliograph.app.context import Context
from heliograph.kit.actor import system
from heliograph.kit.work import Work
from heliograph.records.archive.model import Study
from heliograph.records.archive.queries import priors_of
from heliograph.records.patients.identify import identify
from tests.cast import Cast


def _study(work: Work, cast: Cast, patient_id: UUID, uid: str, day: date | None, time: str | None = None) -> UUID:
    study = Study(
        organization_id=cast.norfjord,
        facility_id=cast.norfjord_facility,
        patient_id=patient_id,
        study_instance_uid=uid,
        study_date=day,
        study_time=time,
        number_of_instances=1,
        first_received_at=work.now,
        last_received_at=work.now,
    )
    work.session.add(study)
    work.session.flush()
    return study.id


def test_only_earlier_studies_are_priors(context: Context, cast: Cast) -> None:
    with context.works.begin(system("test", cast.norfjord)) as work:
        patient = identify(work, cast.norfjord, "NORFJORD", "1", names=("A", "B"), birth_date=None, sex=None)
        today = date(2026, 11, 25)
        current = _study(work, cast, patient.id, "1.1", today, "100000")
        last_year = _study(work, cast, patient.id, "1.2", date(2025, 3, 1))
        this_morning = _study(work, cast, patient.id, "1.3", today, "080000")
        _study(work, cast, patient.id, "1.4", today, "120000")
        _study(work, cast, patient.id, "1.5", date(2026, 11, 26))
        assert [f.id for f in priors_of(work.session, patient.id, [current])] == [this_morning, last_year]
