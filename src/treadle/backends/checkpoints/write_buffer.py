"""Write jobs of one saver on their way to the engine, in order, all of them fenced by one lease."""

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
    """Hands write jobs to the engine. ``post`` does not wait: what is posted while an earlier post still waits for the
    writer joins its job, so a busy writer gets fewer and larger jobs.

    A job that fails stops the buffer: nothing posted after it is written, and its error is raised by every later call.
    """

    def __init__(self, engine: Engine, lease: Lease | None) -> None:
        self._engine = engine
        self._lease = lease
        self._lock = threading.Lock()
        self._waiting: list[Work[None]] = []
        self._last: Future[None] | None = None
        self._unsettled: dict[Hashable, Future[None]] = {}
        # Of the last job that failed: it may be run again, so callers do not hear of it, but nothing goes before it.
        self._failed: BaseException | None = None
        self._error: BaseException | None = None

    def fenced(self, work: Work[T]) -> Work[T]:
        """``work``, but LeaseLost if the lease is not the run's current attempt by then."""
        lease = self._lease
        if lease is None:
            return work

        def guarded(conn: Connection) -> T:
            require_lease(conn, lease)
            return work(conn)

        return guarded

    def post(self, key: Hashable, work: Work[None]) -> None:
        """Queues ``work`` and returns. ``key`` names what it changes, for ``pending``."""
        with self._lock:
            self._check()
            self._waiting.append(work)
            if started := len(self._waiting) == 1:
                self._last = self._engine.submit(_Drain(self), key=self._lease and self._lease.thread_id)
            last = self._unsettled[key] = cast("Future[None]", self._last)
        if started:
            # Outside the lock: a future that is done already calls back at once.
            last.add_done_callback(self._settle)

    def pending(self, key: Hashable | None = None) -> Future[None] | None:
        """The future of the last posted job (of those that change ``key``), or None if there is nothing to wait for."""
        with self._lock:
            self._check()
            return self._last if key is None else self._unsettled.get(key)

    async def settled(self, key: Hashable | None = None) -> None:
        """Returns once all that was posted (for ``key``) is durable; raises the first error."""
        if future := self.pending(key):
            # Shielded: a waiter that is cancelled must not cancel the future that others wait for.
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
        """Ends the joining of the job that is about to run. Raises if one before it has failed."""
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
    """The job of a write buffer. What it has taken it keeps: it may have to be run again."""

    def __init__(self, buffer: WriteBuffer) -> None:
        self._buffer = buffer
        self._batch: list[Work[None]] | None = None
        self._failed: BaseException | None = None

    def __call__(self, conn: Connection) -> None:
        if self._failed is not None:
            self._buffer.forgive(self._failed)  # what it did was undone, and it is run again
        if self._batch is None:
            self._batch = self._buffer.take()
        try:
            self._buffer.write(conn, self._batch)
        except BaseException as error:
            # At once, and not when its future is resolved: the next job may be in the same group.
            self._failed = error
            self._buffer.fail(error)
            raise
