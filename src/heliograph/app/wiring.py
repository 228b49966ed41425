"""Which reactions follow which event: the one place where rooms meet upwards."""

from __future__ import annotations

from heliograph.care.orders import reactions as orders
from heliograph.care.orders.events import OrderChanged, StudyMatched
from heliograph.care.worklist import reactions as worklist
from heliograph.kit.events import Reactions
from heliograph.records.archive.events import ImagesIndexed, StudyCompleted


def wire(reactions: Reactions) -> Reactions:
    """Registers every reaction, in the order in which they must run: images are matched to their order before the worklist hears of
    them."""
    reactions.on(ImagesIndexed, orders.match_images)
    reactions.on(ImagesIndexed, worklist.on_images_indexed)
    reactions.on(StudyMatched, worklist.on_study_matched)
    reactions.on(StudyCompleted, worklist.on_study_completed)
    reactions.on(OrderChanged, worklist.on_order_changed)
    return reactions
