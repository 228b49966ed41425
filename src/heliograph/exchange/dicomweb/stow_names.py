"""Objects of one request whose contents are durable and whose names are not: their folders are synced once, before the answer."""

from __future__ import annotations

import contextlib
from pathlib import Path

from heliograph.exchange.dicomweb.stow_outcome import Outcome
from heliograph.kit.log import log
from heliograph.records.archive import spool
from heliograph.records.archive.statuses import OUT_OF_RESOURCES

_log = log(__name__)


class Names:
    """Files that were made durable but for their names. `add` may be called by several threads."""

    def __init__(self) -> None:
        self._files: list[tuple[int, Path]] = []

    def add(self, number: int, entry: spool.Incoming) -> None:
        """Part `number` of the outcome is in `entry`, which is committed."""
        if entry.committed is not None:
            self._files.append((number, entry.committed.path))

    def sync(self, outcome: Outcome) -> None:
        """Makes the names durable. Where a folder can't be synced nothing of it is stored: its parts are refused, and their files go."""
        for folder in {path.parent for _, path in self._files}:
            try:
                spool.sync_folder(folder)
            except OSError:
                _log.exception("a spool folder could not be synced; what came into it is refused")
                for number, path in self._files:
                    if path.parent == folder:
                        outcome.refuse(number, OUT_OF_RESOURCES)
                        with contextlib.suppress(OSError):
                            path.unlink(missing_ok=True)
