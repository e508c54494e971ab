"""Keep the worker's lease on its own thread, so that a blocking node cannot cost a run its lease."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

import structlog

from treadle.errors import LeaseLost
from treadle.ports.queue import Outcome
from treadle.worker.attempt import Attempt
from treadle.worker.execute import Resources
from treadle.worker.loop import Worker

logger = structlog.get_logger("treadle.lease")

_TICK = 0.25
_SWEEP_SECONDS = 60.0
_RESCUES = 6
"""Checks for lost workers per lease duration; they bound the delay of a takeover."""


class LeaseKeeper:
    """Renews the lease, repeats lost cancel marks, ends runs that do not stop, recovers runs, sweeps, and reports
    blocking nodes."""

    def __init__(
        self,
        worker: Worker,
        resources: Resources,
        *,
        graph_loop: asyncio.AbstractEventLoop,
        blocked_on: Callable[[], str],
    ) -> None:
        self._worker = worker
        self._resources = resources
        self._graph_loop = graph_loop
        self._blocked_on = blocked_on
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._pinged_at: float | None = None
        self._warned = False
        self._thread = threading.Thread(target=self._live, name="treadle-lease", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # it has already stopped
                self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)

    def _live(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._keep())

    async def _keep(self) -> None:
        self._loop = asyncio.get_running_loop()
        clock, settings = self._resources.clock, self._resources.settings
        renew_at = rescue_at = clock.monotonic()
        sweep_every = min(_SWEEP_SECONDS, max(1.0, settings.stateless_retention_seconds))
        sweep_at = clock.monotonic() + sweep_every
        while not self._stopping.is_set():
            self._check_loop()
            await self._guarded(self._cut_off)
            now = clock.monotonic()
            if now >= renew_at:
                renew_at = now + settings.lease_seconds / 4
                await self._guarded(self._renew)
            if now >= rescue_at:
                rescue_at = now + settings.lease_seconds / _RESCUES
                await self._guarded(self._rescue)
            if now >= sweep_at:
                sweep_at = now + sweep_every
                await self._guarded(self._sweep)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _TICK)

    async def _guarded(self, step: Callable[[], asyncio.Future[None] | object]) -> None:
        """Run a step; a step that fails is repeated at its next interval."""
        try:
            await step()  # type: ignore[misc]
        except Exception as error:  # the database cannot be reached now; the lease limits for how long
            logger.error("keeping the lease failed", step=getattr(step, "__name__", ""), error=repr(error))

    async def _renew(self) -> None:
        worker, seconds = self._worker, self._resources.settings.lease_seconds
        marks = await self._resources.queue.renew(worker.worker_id, seconds, worker.info)
        logger.debug("renewed the lease", worker_id=worker.worker_id, seconds=seconds, cancel_marks=len(marks))
        for run_id, action in marks.items():
            self._worker.cancel(run_id, action)

    async def _rescue(self) -> None:
        settings = self._resources.settings
        rescued = await self._resources.queue.rescue(
            max_attempts=settings.max_attempts, steady_seconds=settings.lease_seconds
        )
        if rescued:
            logger.warning("recovered the runs of lost workers", run_ids=rescued)

    async def _sweep(self) -> None:
        now, settings = self._resources.clock.now(), self._resources.settings
        await self._resources.queue.sweep(
            stateless_before=now - int(settings.stateless_retention_seconds * 1e6),
            keys_before=now - int(settings.idempotency_seconds * 1e6),
        )

    async def _cut_off(self) -> None:
        for attempt in self._worker.overdue():
            await self._end(attempt)
            self._worker.abandon(attempt)
            attempt.cut_off_at = None

    async def _end(self, attempt: Attempt) -> None:
        """End a run that does not stop, in the way that its cancel mark demands."""
        logger.warning("a cancelled run did not stop in time and is cut off", run_id=attempt.lease.run_id)
        with suppress(LeaseLost):
            outcome = Outcome(status="interrupted", thread_status="interrupted")
            await self._resources.queue.finish(attempt.lease, outcome, ())

    def _check_loop(self) -> None:
        """Ping the graphs' loop, and log the source line that blocks it."""
        now = self._resources.clock.monotonic()
        if self._pinged_at is None:
            self._pinged_at, self._warned = now, False
            with suppress(RuntimeError):  # the loop is closed: the server is stopping
                self._graph_loop.call_soon_threadsafe(self._pong)
        elif not self._warned and now - self._pinged_at > self._resources.settings.block_warning_seconds:
            self._warned = True
            logger.warning("a node blocks the event loop of the graphs", at=self._blocked_on())

    def _pong(self) -> None:
        self._pinged_at = None
