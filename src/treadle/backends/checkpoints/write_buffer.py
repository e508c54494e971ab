"""The write jobs of one saver, passed to the engine in order and fenced by one lease."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import TypeVar, cast

from treadle.backends.engine.connection import Connection, require_lease
from treadle.backends.engine.jobs import Engine
from treadle.ports.queue import Lease

T = TypeVar("T")
Work = Callable[[Connection], T]


class WriteBuffer:
    """Passes write jobs to the engine.

    ``post`` does not wait. Jobs posted while an earlier one still waits for the writer are merged into it, so a busy
    writer gets fewer, larger jobs. A job that fails stops the buffer: later jobs are not written, and every later call
    raises its error.
    """

    def __init__(self, engine: Engine, lease: Lease | None) -> None:
        self._engine = engine
        self._lease = lease
        self._lock = threading.Lock()
        self._waiting: list[Work[None]] = []
        self._last: Future[None] | None = None
        self._unsettled: dict[Hashable, Future[None]] = {}
        # The error of a failed job. The job may run again, so callers are not told yet, but no later job may overtake
        # it.
        self._failed: BaseException | None = None
        self._error: BaseException | None = None

    def fenced(self, work: Work[T]) -> Work[T]:
        """``work`` with a check that the lease is the run's current attempt at that time. Raises LeaseLost
        otherwise."""
        lease = self._lease
        if lease is None:
            return work

        def guarded(conn: Connection) -> T:
            require_lease(conn, lease)
            return work(conn)

        return guarded

    def post(self, key: Hashable, work: Work[None]) -> None:
        """Queue ``work`` and return. ``key`` names the data that it changes, for ``pending``."""
        with self._lock:
            self._check()
            self._waiting.append(work)
            if started := len(self._waiting) == 1:
                self._last = self._engine.submit(_Drain(self), key=self._lease and self._lease.thread_id)
            last = self._unsettled[key] = cast("Future[None]", self._last)
        if started:
            # Outside the lock: a future that is already done calls back at once.
            last.add_done_callback(self._settle)

    def pending(self, key: Hashable | None = None) -> Future[None] | None:
        """The future of the last posted job (of those that change ``key``), or None if nothing is pending."""
        with self._lock:
            self._check()
            return self._last if key is None else self._unsettled.get(key)

    async def settled(self, key: Hashable | None = None) -> None:
        """Wait until all posted jobs (for ``key``) are durable. Raises the first error."""
        if future := self.pending(key):
            # Shielded: cancelling one waiter must not cancel the future of the others.
            await asyncio.shield(asyncio.wrap_future(future))
            self._check()

    def settle(self, key: Hashable | None = None) -> None:
        """``settled`` for a thread that may block."""
        if future := self.pending(key):
            future.result()
            self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def take(self) -> list[Work[None]]:
        """Close the job that is about to run to further merging. Raises if an earlier job has failed."""
        with self._lock:
            batch, self._waiting = self._waiting, []
            if (error := self._error or self._failed) is not None:
                raise error
        return batch

    def fail(self, error: BaseException) -> None:
        with self._lock:
            self._failed = self._failed or error

    def forgive(self, error: BaseException) -> None:
        with self._lock:
            self._failed = None if self._failed is error else self._failed

    def write(self, conn: Connection, batch: list[Work[None]]) -> None:
        if self._lease is not None:
            require_lease(conn, self._lease)
        for work in batch:
            work(conn)

    def _settle(self, future: Future[None]) -> None:
        error = future.exception()
        with self._lock:
            self._error = self._error or error
            self._unsettled = {key: last for key, last in self._unsettled.items() if last is not future}


class _Drain:
    """The job of a write buffer. It keeps the work that it has taken, because it may have to run again."""

    def __init__(self, buffer: WriteBuffer) -> None:
        self._buffer = buffer
        self._batch: list[Work[None]] | None = None
        self._failed: BaseException | None = None

    def __call__(self, conn: Connection) -> None:
        if self._failed is not None:
            self._buffer.forgive(self._failed)  # its changes were rolled back, and it runs again
        if self._batch is None:
            self._batch = self._buffer.take()
        try:
            self._buffer.write(conn, self._batch)
        except BaseException as error:
            # Set at once, before its future is resolved, because the next job may be in the same group.
            self._failed = error
            self._buffer.fail(error)
            raise
