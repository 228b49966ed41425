"""Which sweeps tick, and how often."""

from __future__ import annotations

from heliograph.app.context import Context
from heliograph.app.worker.ticks import Tick
from heliograph.governance.audit.keys import audit_key
from heliograph.governance.audit.seal import seal
from heliograph.records.archive.complete import complete_quiet_studies


def sweeps(context: Context) -> list[Tick]:
    """Every sweep of the platform."""
    works, settings = context.works, context.settings
    key = audit_key(settings.keys_dir)
    return [
        Tick(
            "complete quiet studies", 0.25, lambda: complete_quiet_studies(works, quiet_seconds=settings.quiet_seconds)
        ),
        Tick("seal the record", 1.0, lambda: seal(works, key, settings.witness_file, context.objects)),
    ]
