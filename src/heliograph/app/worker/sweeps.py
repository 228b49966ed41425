"""Which sweeps tick, and how often."""

from __future__ import annotations

from uuid import UUID

from heliograph.app.context import Context
from heliograph.app.worker.ticks import Tick
from heliograph.care.delivery import ledger
from heliograph.care.questions import jobs as questions
from heliograph.care.worklist import jobs as worklist
from heliograph.care.worklist.held_alarms import clear_held_alarms
from heliograph.exchange.dimse import commit_jobs as commitments
from heliograph.exchange.dimse import scu_jobs as transfers
from heliograph.exchange.hl7 import held as messages
from heliograph.governance.access.sign_in import forget_old_attempts
from heliograph.governance.audit.keys import audit_key
from heliograph.governance.audit.seal import seal
from heliograph.records.archive.complete import complete_quiet_studies
from heliograph.records.archive.deletion import purge_due
from heliograph.records.archive.names import keep_names


def sweeps(context: Context) -> list[Tick]:
    """Every sweep of the platform."""
    works, settings = context.works, context.settings
    key = audit_key(settings.keys_dir)
    names: dict[UUID, bytes] = {}
    return [
        Tick(
            "complete quiet studies", 0.25, lambda: complete_quiet_studies(works, quiet_seconds=settings.quiet_seconds)
        ),
        Tick("seal the record", 1.0, lambda: seal(works, key, settings.witness_file, context.objects)),
        Tick("assign waiting reads", 5.0, lambda: worklist.assign_waiting(works)),
        Tick("recheck assigned reads", 30.0, lambda: worklist.recheck_assigned(works)),
        Tick(
            "unmatched alarms",
            5.0,
            lambda: worklist.raise_unmatched_alarms(works, minutes=settings.unmatched_alarm_minutes),
        ),
        Tick("alarms of the quarantine that are over", 5.0, lambda: clear_held_alarms(works)),
        Tick(
            "questions without an answer",
            10.0,
            lambda: questions.raise_unanswered(works, minutes=settings.question_alarm_minutes),
        ),
        Tick("questions that are settled", 5.0, lambda: questions.close_settled(works)),
        Tick("alarms of held messages that are over", 5.0, lambda: messages.clear_held_alarms(works)),
        Tick("deliveries that are due", 1.0, lambda: ledger.enqueue_due(works, settings)),
        Tick("transfers that are due", 2.0, lambda: transfers.enqueue_due(works)),
        Tick("storage commitments that are due", 2.0, lambda: commitments.enqueue_due(works)),
        Tick("old storage commitments", 3600.0, lambda: commitments.forget_old(works)),
        Tick("deletions that are due", 60.0, lambda: purge_due(works, context.objects)),
        Tick("ledger of deliveries", 60.0, lambda: ledger.sweep_ledger(works)),
        Tick("broken promises", 10.0, lambda: worklist.promise_broken(works)),
        Tick("names beside the objects", 60.0, lambda: keep_names(works, context.objects, names)),
        Tick("old sign-in attempts", 3600.0, lambda: forget_old_attempts(works)),
    ]
