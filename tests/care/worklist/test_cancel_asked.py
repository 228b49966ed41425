"""A site cancels an order whose images are here: who waits is held, who reads is warned, what is reported stays."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.care.orders.cancel import cancel_by_message, decide_cancel
from heliograph.care.orders.incoming import IncomingPatient, OrderMessage
from heliograph.care.orders.model import Order
from heliograph.care.worklist import holds
from heliograph.care.worklist.access import steered_case
from heliograph.care.worklist.cancel_asked import HOLD
from heliograph.care.worklist.errors import OnHold
from heliograph.care.worklist.open import open_read
from tests.care.reading.help import make_read, sign, with_session
from tests.care.worklist.scene import Scene
from tests.cast import Cast


def cancelled(scene: Scene, order: UUID) -> str | None:
    """The site's message; what came of it."""
    with scene.works.begin(scene.platform) as work:
        row = work.session.get_one(Order, order)
        said = OrderMessage("cancelled", IncomingPatient("x"), accession_number=row.accession_number)
        received = cancel_by_message(work, row, said)
        work.record("message.processed", organization_id=scene.cast.norfjord)
    return received.change


def alarms(scene: Scene) -> list[str]:
    with scene.rows() as s:
        query = "select text from worklist.alarms where kind = 'cancel_requested' and cleared_at is null"
        return list(s.scalars(text(query)))


def hold_of(scene: Scene, case_id: UUID) -> str | None:
    with scene.works.read(scene.platform) as work:
        return holds.reason(work.session, case_id)


@pytest.fixture
def order(scene: Scene) -> tuple[UUID, UUID]:
    """An order with its complete images, and its case."""
    patient = scene.patient()
    made = scene.order(patient)
    study = scene.images(patient)
    scene.complete(study)
    return made, scene.case_of(study).id


def test_a_case_that_nobody_reads_waits_and_goes_on_when_it_is_kept(scene: Scene, order: tuple[UUID, UUID]) -> None:
    order_id, case_id = order
    read = scene.read(case_id)
    assert cancelled(scene, order_id) == "cancel_requested"
    assert hold_of(scene, case_id) == HOLD
    assert len(alarms(scene)) == 1
    with pytest.raises(OnHold), scene.works.begin(scene.cast.imogen) as work:
        open_read(work, read.id)
    with scene.works.begin(scene.cast.nadia) as work:
        decide_cancel(work, order_id, "The site called", keep=True)
    assert (hold_of(scene, case_id), alarms(scene)) == (None, [])
    with scene.works.begin(scene.cast.imogen) as work:
        assert open_read(work, read.id).eligible


def test_who_reads_it_goes_on_and_is_warned(scene: Scene, order: tuple[UUID, UUID]) -> None:
    order_id, case_id = order
    with scene.works.begin(scene.cast.imogen) as work:
        open_read(work, scene.read(case_id).id)
    assert cancelled(scene, order_id) == "cancel_requested"
    assert (hold_of(scene, case_id), scene.read(case_id).state) == (None, "reading")
    assert "while it is being read" in alarms(scene)[0]
    assert "case.cancel_requested" in scene.actions(case_id)
    with scene.works.begin(scene.cast.nadia) as work:
        decide_cancel(work, order_id, "Not wanted", keep=False)
    assert (scene.read(case_id).state, alarms(scene)) == ("cancelled", [])


def test_somebody_elses_hold_stays(scene: Scene, order: tuple[UUID, UUID]) -> None:
    order_id, case_id = order
    with scene.works.begin(scene.cast.nadia) as work:
        holds.hold(work, steered_case(work, case_id), "Waits for contrast")
    cancelled(scene, order_id)
    with scene.works.begin(scene.cast.nadia) as work:
        decide_cancel(work, order_id, "The site called", keep=True)
    assert hold_of(scene, case_id) == "Waits for contrast"


def test_a_report_that_is_signed_stays(context: Context, cast: Cast, scene: Scene) -> None:
    made = make_read(context, cast)
    sign(context, with_session(context, cast.imogen), made.read_id)
    with scene.rows() as s:
        order_id = s.scalars(text("select order_id from orders.order_studies")).one()
    assert cancelled(scene, order_id) == "cancel_refused"
    assert scene.read(made.case_id).state == "done"
    assert "is reported already" in alarms(scene)[0]
    with scene.rows() as s:
        assert s.scalar(text("select status from orders.orders where id = :id"), {"id": order_id}) == "scheduled"
