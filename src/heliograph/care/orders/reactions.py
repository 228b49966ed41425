"""What orders do when rooms below announce something."""

from __future__ import annotations

from heliograph.care.orders.match import match_study
from heliograph.kit.work import Work
from heliograph.records.archive.events import ImagesIndexed


def match_images(work: Work, event: ImagesIndexed) -> None:
    """New images: the study may answer an order that is here already."""
    match_study(work, event.study_id)
