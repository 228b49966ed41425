"""Runs the worker's three loops."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from procrastinate import App

from heliograph.app.context import Context
from heliograph.app.worker.sweeps import sweeps
from heliograph.app.worker.tasks import COMMITMENTS_AT_ONCE, TRANSFERS_AT_ONCE, make_tasks
from heliograph.app.worker.ticks import run_ticks
from heliograph.kit.log import log
from heliograph.records.archive import indexer
from heliograph.records.archive.commitments import QUEUE as COMMITMENTS
from heliograph.records.sites.transfers import QUEUE as TRANSFERS

_log = log(__name__)
RESCUE_AFTER = 30
"""Seconds without a heartbeat after which a job's worker counts as dead."""


def run(context: Context, stop: threading.Event) -> None:
    """Works until `stop`. When the queue's worker ends by itself (it does after a long database outage), the process ends too, so that
    its supervisor starts it again."""
    threads = [
        threading.Thread(target=run_ticks, args=(context.engine, sweeps(context), stop), name="ticks"),
        threading.Thread(
            target=indexer.run, args=(context.works, context.objects, context.settings, stop), name="indexer"
        ),
    ]
    for thread in threads:
        thread.start()
    try:
        asyncio.run(_run_queue(context, stop))
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=10)


async def _run_queue(context: Context, stop: threading.Event) -> None:
    app = make_tasks(context, stop)
    workers = context.settings.workers
    threads = ThreadPoolExecutor(workers + TRANSFERS_AT_ONCE + COMMITMENTS_AT_ONCE + 2, thread_name_prefix="job")
    asyncio.get_running_loop().set_default_executor(threads)
    async with app.open_async():
        running = [
            asyncio.create_task(
                app.run_worker_async(
                    queues=[queue],
                    concurrency=concurrency,
                    install_signal_handlers=False,
                    fetch_job_polling_interval=1.0,
                    delete_jobs="successful",
                    shutdown_graceful_timeout=5,
                )
            )
            for queue, concurrency in (
                ("default", workers),
                (TRANSFERS, TRANSFERS_AT_ONCE),
                (COMMITMENTS, COMMITMENTS_AT_ONCE),
            )
        ]
        rescue = asyncio.create_task(_rescue(app))
        stopped = asyncio.create_task(asyncio.to_thread(stop.wait))
        await asyncio.wait({*running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if any(worker.done() for worker in running) and not stop.is_set():
            _log.error("the queue's worker ended by itself")
        stop.set()
        for task in (rescue, *running):
            task.cancel()
        await asyncio.gather(*running, rescue, return_exceptions=True)


async def _rescue(app: App) -> None:
    """Jobs of a killed worker stay `doing` for ever and block their lock: they are put back."""
    while True:
        try:
            for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=RESCUE_AFTER):
                await app.job_manager.retry_job(job)
                _log.warning("rescued a job of a dead worker", job=job.id, task=job.task_name)
        except Exception as error:  # noqa: BLE001 (the next round tries again)
            _log.warning("rescue failed", error=type(error).__name__)
        await asyncio.sleep(10)
