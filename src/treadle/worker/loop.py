"""The worker: claims due runs and executes them on the graphs' event loop, up to ``concurrency`` at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from treadle.errors import LeaseLost
from treadle.model import CancelAction
from treadle.ports.queue import Wakeup, WorkerInfo
from treadle.worker.attempt import Attempt
from treadle.worker.execute import Resources, execute

logger = structlog.get_logger("treadle.worker")


class Worker:
    """Await ``run`` on the graphs' event loop. ``cancel`` may be called from any thread. ``info`` describes the
    worker."""

    def __init__(self, worker_id: str, resources: Resources, wakeup: Wakeup, info: WorkerInfo | None = None) -> None:
        self.worker_id = worker_id
        self.info = info
        self._resources = resources
        self._wakeup = wakeup
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self._draining = False
        # True if due runs exceeded the free slots: the next attempt to end makes room.
        self._more = False
        self._attempts: dict[str, Attempt] = {}
        # Cancel marks that arrived between the commit of a claim and its result on this loop.
        self._early: dict[str, CancelAction] = {}
        self._unsubscribe: list[Callable[[], None]] = []

    async def run(self) -> None:
        """Claim and execute runs until ``drain``."""
        self._loop = asyncio.get_running_loop()
        self._unsubscribe = [self._wakeup.on_queue(self.wake), self._wakeup.on_cancel(self.cancel)]
        try:
            while not self._draining:
                self._changed.clear()
                await self._wait(await self._claim())
        finally:
            for unsubscribe in self._unsubscribe:
                unsubscribe()

    def wake(self) -> None:
        """Check for claimable runs. From any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: this worker has ended
                self._loop.call_soon_threadsafe(self._changed.set)

    def cancel(self, run_id: str, action: CancelAction) -> None:
        """Cancel a run that got a cancel mark. A hint that may be repeated. From any thread."""
        attempt = self._attempts.get(run_id)
        if attempt is None:
            self._early[run_id] = action
        elif attempt.cancelled != action:
            self._cancel(attempt, action)

    def _cancel(self, attempt: Attempt, action: CancelAction) -> None:
        assert self._loop is not None
        attempt.cancelled = action
        if attempt.cut_off_at is None:
            attempt.cut_off_at = self._resources.clock.monotonic() + self._resources.settings.cancel_seconds
        self._loop.call_soon_threadsafe(attempt.stop)

    def overdue(self) -> list[Attempt]:
        """Cancelled attempts that did not stop in time. From any thread."""
        now = self._resources.clock.monotonic()
        return [
            each for each in tuple(self._attempts.values()) if each.cut_off_at is not None and each.cut_off_at <= now
        ]

    def abandon(self, attempt: Attempt) -> None:
        """Stop counting an attempt that was ended from outside. Its code may still run, but can write nothing."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._forget, attempt)

    def active(self) -> list[Attempt]:
        return list(self._attempts.values())

    def stop_claiming(self) -> None:
        """Stop claiming. From any thread."""
        self._draining = True
        self.wake()

    async def drain(self, seconds: float) -> None:
        """After ``stop_claiming``: wait up to ``seconds`` for running attempts, then hand the rest back to the
        queue."""
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=seconds)
        for attempt in self.active():
            attempt.hand_back()
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=self._resources.settings.cancel_seconds)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [attempt.task for attempt in self._attempts.values() if attempt.task is not None]

    async def _claim(self) -> float:
        """Claim due runs, up to the free slots. Returns the number of seconds until the next claim."""
        poll = self._resources.settings.poll_seconds
        room = self._resources.settings.concurrency - len(self._attempts)
        if room <= 0:
            self._more = True
            return poll
        try:
            claimed = await self._resources.queue.claim(self.worker_id, room, self._resources.limits)
        except Exception as error:  # the database cannot be written now; nothing is lost, so retry
            logger.error("claiming failed", error=repr(error))
            return poll
        self._more = len(claimed.claims) >= room
        if claimed.claims:
            logger.debug("claimed runs", count=len(claimed.claims), free_slots=room)
        for claim in claimed.claims:
            self._begin(Attempt(claim))
        if not claimed.claims:
            self._early.clear()
        if claimed.next_due is None:
            return poll
        return min(poll, max(0.0, (claimed.next_due - self._resources.clock.now()) / 1e6))

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)

    def _begin(self, attempt: Attempt) -> None:
        self._attempts[attempt.lease.run_id] = attempt
        attempt.task = asyncio.get_running_loop().create_task(
            execute(attempt, self._resources), name=f"run {attempt.lease.run_id}"
        )
        attempt.task.add_done_callback(lambda task: self._done(attempt, task))
        if (action := self._early.pop(attempt.lease.run_id, None)) is not None:
            self._cancel(attempt, action)
        if self._draining:
            attempt.hand_back()

    def _done(self, attempt: Attempt, task: asyncio.Task[None]) -> None:
        self._forget(attempt)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("an attempt failed unexpectedly", run_id=attempt.lease.run_id, exc_info=error)

    def _forget(self, attempt: Attempt) -> None:
        if self._attempts.get(attempt.lease.run_id) is attempt:
            del self._attempts[attempt.lease.run_id]
        if self._more:
            self._changed.set()


async def hand_back(resources: Resources, attempts: list[Attempt]) -> None:
    """Hand back the runs of code that does not yield, from outside its loop."""
    for attempt in attempts:
        with suppress(LeaseLost):
            await resources.queue.release(attempt.lease)
