"""The port of a database engine: jobs that read or write through a connection, and futures of their results.

Statements are written once, in SQLite's dialect; engine/dialect.py translates them for PostgreSQL.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future
from typing import Any, Generic, Literal, Protocol, TypeVar

from treadle.backends.engine.connection import Connection, Work
from treadle.errors import TreadleError
from treadle.ports.clock import Clock

T = TypeVar("T")


class Engine(Protocol):
    """Runs jobs: plain functions over a connection, each as if in its own transaction.

    A job may run again after a rollback (a broken connection, a lost race), so it must change nothing but the database.
    ``commits`` and ``jobs`` count writes.
    """

    kind: Literal["sqlite", "postgres"]

    @property
    def clock(self) -> Clock: ...
    @property
    def commits(self) -> int: ...
    @property
    def jobs(self) -> int: ...
    def close(self) -> None:
        """Commit the queued jobs and refuse later ones. Idempotent."""
        ...

    def submit(self, work: Work[T], *, key: str | None = None) -> Future[T]:
        """Queue a write job from any thread. The future resolves once the job is durable.

        Jobs with the same ``key`` run in the order of submission.
        """
        ...

    def enqueue(self, work: Work[T], *, key: str | None = None) -> asyncio.Future[T]:
        """``submit`` from an event loop."""
        ...

    async def write(self, work: Work[T], *, key: str | None = None) -> T:
        """Run a write job and return its result once it is durable."""
        ...

    def after_commit(self, callback: Callable[[], None]) -> None:
        """In a running job: call back on the writer's thread after the commit. Never called if the job does not
        commit."""
        ...

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on one snapshot, off the loop."""
        ...

    def lookup(self, work: Work[T]) -> Awaitable[T]:
        """``read`` for one or two lookups by key, on the cheapest connection."""
        ...

    def snapshot(self, work: Work[T]) -> T:
        """``read`` on the calling thread, which blocks."""
        ...

    def steady_seconds(self) -> float:
        """For how many seconds the database has been reachable without interruption."""
        ...

    def sizes(self, conn: Connection) -> dict[str, int]:
        """Bytes on disk, by file or relation."""
        ...

    def rows(self, conn: Connection, table: str) -> int:
        """The number of rows of a table; an estimate if counting is slow."""
        ...

    def version(self, conn: Connection) -> str: ...


class EngineClosed(TreadleError):
    """A job was submitted to an engine that has been closed."""


class Job(Generic[T]):
    """A queued job; ``deliver`` passes its outcome to the waiter."""

    __slots__ = ("error", "future", "key", "loop", "result", "work")

    def __init__(
        self,
        work: Work[T],
        key: str | None,
        future: Future[T] | asyncio.Future[T],
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.work = work
        self.key = key
        self.future = future
        self.loop = loop
        self.result: T | None = None
        self.error: BaseException | None = None

    def deliver(self) -> None:
        """Deliver the outcome. Repeated calls have no effect."""
        if self.future.done() and not self.future.cancelled():
            return
        # The waiter may have been cancelled; for a concurrent Future, set_running_or_notify_cancel reports that.
        if isinstance(self.future, Future) and not self.future.set_running_or_notify_cancel():
            return
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]


def deliver(group: Iterable[Job[Any]]) -> None:
    """Resolve the futures of a group, waking each event loop once."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[Job[Any]]] = defaultdict(list)
    for job in group:
        if job.loop is None:
            job.deliver()
        else:
            by_loop[job.loop].append(job)
    for loop, jobs in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nothing waits there
            loop.call_soon_threadsafe(_deliver_all, jobs)


def _deliver_all(jobs: list[Job[Any]]) -> None:
    for job in jobs:
        job.deliver()


class Submitting:
    """The queueing half of an engine. Each entry point calls ``_put`` with its kind of future."""

    def submit(self, work: Work[T], *, key: str | None = None) -> Future[T]:
        future: Future[T] = Future()
        self._put(Job(work, key, future, None))
        return future

    def enqueue(self, work: Work[T], *, key: str | None = None) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._put(Job(work, key, future, loop))
        return future

    async def write(self, work: Work[T], *, key: str | None = None) -> T:
        return await self.enqueue(work, key=key)

    def _put(self, job: Job[Any]) -> None:
        raise NotImplementedError
