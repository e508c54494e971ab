"""The SQLite engine: one writer thread that commits jobs in groups, and a read connection for every reading thread.

A job is a plain function over the connection. The writer takes whatever jobs are waiting, runs each in a savepoint of
its own inside one transaction, commits once, tells (``tell``) and only then resolves the futures: so a single fsync
serves every run of the moment, and nothing is told that is not durable. Jobs run in the order they were given.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any, Generic, TypeVar

from treadle import filters
from treadle.errors import LeaseLost, TreadleError
from treadle.ports import Clock, Lease

T = TypeVar("T")

_GROUP = 256
_READERS = 4

_HOLD = "SELECT 1 FROM runs WHERE run_id = ? AND attempt = ? AND status = 'running'"


def hold(conn: sqlite3.Connection, lease: Lease) -> None:
    """Raises LeaseLost unless ``lease`` is the current attempt of a running run. The fence of every write of a run."""
    if conn.execute(_HOLD, (lease.run_id, lease.attempt)).fetchone() is None:
        raise LeaseLost(f"attempt {lease.attempt} of run {lease.run_id} no longer holds it")


class EngineClosed(TreadleError):
    """A job was given to an engine that has been closed."""


class _Job(Generic[T]):
    """A piece of work on its way to the writer; ``deliver`` takes its outcome to whoever waits."""

    __slots__ = ("error", "future", "loop", "result", "work")

    def __init__(
        self,
        work: Callable[[sqlite3.Connection], T],
        future: Future[T] | asyncio.Future[T],
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.work = work
        self.future = future
        self.loop = loop
        self.result: T | None = None
        self.error: BaseException | None = None

    def deliver(self) -> None:
        # A waiter may have been cancelled meanwhile; a concurrent Future refuses that in set_running_or_notify_cancel.
        if isinstance(self.future, Future) and not self.future.set_running_or_notify_cancel():
            return
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]


class Engine:
    """Opens (and migrates) the file at once; ``start`` starts the writer, ``close`` commits what is queued and ends.

    ``commits`` and ``jobs`` count what the writer has done."""

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self.path = path
        self.clock = clock
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._told: list[Callable[[], None]] = []
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False
        self.commits = 0
        self.jobs = 0
        self._writer = self._connect()
        self._writer.execute("PRAGMA journal_mode = WAL")
        self._writer.execute("PRAGMA synchronous = FULL")
        self._writer.execute("PRAGMA foreign_keys = ON")
        self._writer.execute("PRAGMA wal_autocheckpoint = 4000")
        self._writer.execute("PRAGMA journal_size_limit = 67108864")
        migrate(self._writer)
        self._thread = threading.Thread(target=self._write_jobs, name="treadle-writer", daemon=True)
        self._pool = ThreadPoolExecutor(_READERS, thread_name_prefix="treadle-reader")

    def start(self) -> None:
        if not self._thread.is_alive() and not self._closed:
            self._thread.start()

    def close(self) -> None:
        """Idempotent. Jobs given before are committed; later ones are refused."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown()
        for connection in self._connections:
            connection.close()

    # writing

    def submit(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Queues a write job from any thread. The future resolves once the job is durable."""
        future: Future[T] = Future()
        self._put(_Job(work, future, None))
        return future

    def enqueue(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Queues a write job from an event loop. The order of jobs is the order of these calls."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._put(_Job(work, future, loop))
        return future

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs a write job and returns its result once it is durable."""
        return await self.enqueue(work)

    def tell(self, callback: Callable[[], None]) -> None:
        """For a running job: calls back on the writer thread after the commit, or never if the job does not commit."""
        self._told.append(callback)

    # reading

    def reader(self) -> sqlite3.Connection:
        """This thread's own read connection; outside ``read`` each statement sees what is committed."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
        return connection

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs ``work`` on a reader thread, on one snapshot."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._snapshot, work)

    def _snapshot(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self.reader()
        connection.execute("BEGIN")
        try:
            return work(connection)
        finally:
            connection.execute("COMMIT")

    # inside

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=10.0, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA cache_size = -16384")
        connection.create_function("json_contains", 2, _json_contains, deterministic=True)
        connection.create_function("json_permits", 2, _json_permits, deterministic=True)
        with self._lock:
            self._connections.append(connection)
        return connection

    def _put(self, job: _Job[Any]) -> None:
        with self._lock:
            if self._closed:
                raise EngineClosed("the database is closed")
            self._jobs.put(job)

    def _write_jobs(self) -> None:
        while (job := self._jobs.get()) is not None:
            group = [job]
            ending = False
            while len(group) < _GROUP:
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if job is None:
                    ending = True
                    break
                group.append(job)
            self._commit(group)
            if ending:
                return

    def _commit(self, group: list[_Job[Any]]) -> None:
        conn = self._writer
        self._told.clear()
        try:
            conn.execute("BEGIN IMMEDIATE")
            for job in group:
                self._run(job)
            conn.execute("COMMIT")
            self.commits += 1
            self.jobs += len(group)
        except BaseException as error:  # the disk is full or broken: the whole group failed, and each waiter hears it
            with contextlib.suppress(sqlite3.Error):
                conn.execute("ROLLBACK")
            for job in group:
                job.error = job.error or error
            self._told.clear()
        for callback in self._told:
            callback()
        _deliver(group)

    def _run(self, job: _Job[Any]) -> None:
        """Runs one job in its savepoint. Raises only if the whole transaction is lost."""
        conn, mark = self._writer, len(self._told)
        conn.execute("SAVEPOINT job")
        try:
            job.result = job.work(conn)
        except BaseException as error:  # it belongs to whoever gave the job
            job.error = error
            del self._told[mark:]
            if not conn.in_transaction:
                raise
            conn.execute("ROLLBACK TO job")
        conn.execute("RELEASE job")


def _deliver(group: list[_Job[Any]]) -> None:
    """Resolves the futures of a group, waking each event loop once."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[_Job[Any]]] = defaultdict(list)
    for job in group:
        if job.loop is None:
            job.deliver()
        else:
            by_loop[job.loop].append(job)
    for loop, jobs in by_loop.items():
        with contextlib.suppress(RuntimeError):  # that loop has been closed: nobody waits any more
            loop.call_soon_threadsafe(_deliver_all, jobs)


def _deliver_all(jobs: list[_Job[Any]]) -> None:
    for job in jobs:
        job.deliver()


def migrate(conn: sqlite3.Connection) -> None:
    """Brings the file to the newest schema; each migration is one transaction and is recorded in user_version."""
    (version,) = conn.execute("PRAGMA user_version").fetchone()
    scripts = sorted(
        (item for item in resources.files("treadle.backends.migrations").iterdir() if item.name.endswith(".sql")),
        key=lambda item: item.name,
    )
    if version > len(scripts):
        raise TreadleError(f"the database has schema {version}, this treadle knows {len(scripts)}: upgrade treadle")
    for number, script in enumerate(scripts[version:], start=version + 1):
        conn.executescript(f"BEGIN IMMEDIATE;\n{script.read_text()}\nPRAGMA user_version = {number};\nCOMMIT;")


def _json_contains(document: str | None, part: str) -> bool:
    """Containment as PostgreSQL's ``@>`` has it. What SQLite lacks."""
    import msgspec

    return document is not None and contains(msgspec.json.decode(document), msgspec.json.decode(part))


def _json_permits(metadata: str | None, filters_json: str) -> bool:
    """Whether the metadata passes all filters of a JSON array."""
    import msgspec

    return metadata is not None and filters.permits(msgspec.json.decode(filters_json), msgspec.json.decode(metadata))


def contains(document: Any, part: Any) -> bool:
    """Whether every key and element of ``part`` is found in ``document``, at every depth."""
    if isinstance(part, dict):
        return isinstance(document, dict) and all(
            key in document and contains(document[key], value) for key, value in part.items()
        )
    if isinstance(part, list):
        return isinstance(document, list) and all(any(contains(have, want) for have in document) for want in part)
    return (type(document) is type(part) and document == part) or _same_number(document, part)


def _same_number(left: Any, right: Any) -> bool:
    numbers = (int, float)
    return (
        isinstance(left, numbers)
        and isinstance(right, numbers)
        and not isinstance(left, bool)
        and not isinstance(right, bool)
        and left == right
    )
