"""What the verbs need of a database: the connection they speak through, the engine that commits, the fence of a lease.

Statements are written once. They are SQL that SQLite takes as it stands; ``dialect`` says how PostgreSQL comes to it.
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
    """Runs jobs: plain functions over a connection, each in a transaction of its own or as if it were.

    A job may be run again when what it did was undone (a connection that broke, a race that was lost), so it changes
    nothing but the database. ``commits`` and ``jobs`` count what was written."""

    kind: Literal["sqlite", "postgres"]

    @property
    def clock(self) -> Clock: ...
    @property
    def commits(self) -> int: ...
    @property
    def jobs(self) -> int: ...
    def close(self) -> None:
        """Idempotent. Jobs given before are committed; later ones are refused."""
        ...

    def submit(self, work: Work[T], *, key: str | None = None) -> Future[T]:
        """Queues a write job from any thread. The future resolves once the job is durable. Jobs with the same ``key``
        are run in the order they were given."""
        ...

    def enqueue(self, work: Work[T], *, key: str | None = None) -> asyncio.Future[T]:
        """``submit`` from an event loop."""
        ...

    async def write(self, work: Work[T], *, key: str | None = None) -> T:
        """Runs a write job and returns its result once it is durable."""
        ...

    def after_commit(self, callback: Callable[[], None]) -> None:
        """For a running job: calls back on the writer's thread after the commit, or never if the job does not
        commit."""
        ...

    async def read(self, work: Work[T]) -> T:
        """Runs ``work`` on one snapshot, off the loop."""
        ...

    def lookup(self, work: Work[T]) -> Awaitable[T]:
        """``read`` for one or two look-ups by key, wherever that is cheapest."""
        ...

    def snapshot(self, work: Work[T]) -> T:
        """``read`` on the calling thread, which waits."""
        ...

    def steady_seconds(self) -> float:
        """For how long the database has been within reach without a break."""
        ...

    def sizes(self, conn: Connection) -> dict[str, int]:
        """Bytes on the disk, by what takes them."""
        ...

    def rows(self, conn: Connection, table: str) -> int:
        """How many rows a table has, or about how many where that takes long to count."""
        ...

    def version(self, conn: Connection) -> str: ...


class EngineClosed(TreadleError):
    """A job was given to an engine that has been closed."""


class Job(Generic[T]):
    """A piece of work on its way to the writer; ``deliver`` takes its outcome to whoever waits."""

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
        """Once, however often it is called."""
        if self.future.done() and not self.future.cancelled():
            return
        # A waiter may have been cancelled meanwhile; a concurrent Future refuses that in set_running_or_notify_cancel.
        if isinstance(self.future, Future) and not self.future.set_running_or_notify_cancel():
            return
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]


def deliver(group: Iterable[Job[Any]]) -> None:
    """Resolves the futures of a group, waking each event loop once."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[Job[Any]]] = defaultdict(list)
    for job in group:
        if job.loop is None:
            job.deliver()
        else:
            by_loop[job.loop].append(job)
    for loop, jobs in by_loop.items():
        with contextlib.suppress(RuntimeError):  # that loop has been closed: nobody waits any more
            loop.call_soon_threadsafe(_deliver_all, jobs)


def _deliver_all(jobs: list[Job[Any]]) -> None:
    for job in jobs:
        job.deliver()


class Submitting:
    """The queueing half of an engine: each way in is ``_put`` with a future of its kind."""

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
