"""The SQLite engine: one writer thread that commits jobs in groups, and one read connection per reading thread.

A job is a plain function over the connection. The writer takes all waiting jobs, runs them in one transaction, commits,
runs the ``after_commit`` callbacks, and only then resolves the futures. One fsync thus serves all runs, and readers are
never notified of an event that is not durable. Jobs run in order. If a job fails after it has written, the group is
rolled back and runs again with a savepoint around each job.

While the disk cannot be written, jobs with a key (those of runs) wait; the others fail with DatabaseUnavailable.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

from treadle.auth import filters
from treadle.backends.engine.connection import Connection, Work
from treadle.backends.engine.jobs import EngineClosed, Job, Submitting, deliver
from treadle.errors import DatabaseUnavailable, TreadleError
from treadle.ports.clock import Clock

T = TypeVar("T")

_GROUP = 256
_READERS = 4
_PAUSE_SECONDS = 0.2
"""Pause between attempts to write while the disk cannot be written."""
_DISK = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_BUSY,
}
"""Errors that may pass without a change of the statement; the low byte of SQLite's extended codes."""


class SqliteConnection(sqlite3.Connection):
    """The only writer's connection. Its transactions are serial, so everything it touches is locked."""

    indexes_metadata = False

    def lock_thread(self, thread_id: str) -> None: ...
    def lock_thread_of(self, run_id: str) -> None: ...
    def lock_assistant(self, assistant_id: str) -> None: ...


class SqliteEngine(Submitting):
    """Opens and migrates the file at once. ``start`` starts the writer; ``close`` commits the queued jobs.

    ``commits`` and ``jobs`` count the writer's work.
    """

    kind: Literal["sqlite", "postgres"] = "sqlite"

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self.path = path
        self.clock = clock
        self._jobs: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._callbacks: list[Callable[[], None]] = []
        self._local = threading.local()
        self._connections: list[SqliteConnection] = []
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
        """Commit the queued jobs and refuse later ones. Idempotent."""
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

    def after_commit(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    # reading

    def reader(self) -> SqliteConnection:
        """This thread's read connection. Outside ``read``, each statement sees the latest commit."""
        connection: SqliteConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
        return connection

    async def read(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.snapshot, work)

    async def _lookup(self, work: Work[T]) -> T:
        return work(self.reader())

    def lookup(self, work: Work[T]) -> Awaitable[T]:
        # A lookup by index is cheaper here than a switch to another thread.
        return self._lookup(work)

    def snapshot(self, work: Work[T]) -> T:
        connection = self.reader()
        with _disk_errors():
            connection.execute("BEGIN")
            try:
                return work(connection)
            finally:
                connection.execute("COMMIT")

    def steady_seconds(self) -> float:
        return float("inf")

    def sizes(self, conn: Connection) -> dict[str, int]:
        files = {"database": self.path, "wal": self.path.with_name(f"{self.path.name}-wal")}
        return {name: file.stat().st_size if file.exists() else 0 for name, file in files.items()}

    def rows(self, conn: Connection, table: str) -> int:
        return conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0]

    def version(self, conn: Connection) -> str:
        return sqlite3.sqlite_version

    # inside

    def _connect(self) -> SqliteConnection:
        connection = sqlite3.connect(
            self.path,
            timeout=10.0,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
            factory=SqliteConnection,
        )
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA cache_size = -16384")
        connection.create_function("greatest", 2, max, deterministic=True)
        connection.create_function("json_contains", 2, _json_contains, deterministic=True)
        connection.create_function("json_permits", 2, _json_permits, deterministic=True)
        with self._lock:
            self._connections.append(connection)
        return connection

    def _put(self, job: Job[Any]) -> None:
        with self._lock:
            if self._closed:
                raise EngineClosed("the database is closed")
            self._jobs.put(job)

    def _write_jobs(self) -> None:
        held: list[Job[Any]] = []
        ending = False
        while not ending:
            group, ending = self._gather(held)
            held = self._commit(group) if group else []
        _refuse(held, EngineClosed("the database was closed before its disk became writable again"))

    def _gather(self, held: list[Job[Any]]) -> tuple[list[Job[Any]], bool]:
        """The jobs to write next: those held back, and the waiting ones. The second value is True if no more
        will come."""
        group = list(held)
        try:
            job = self._jobs.get(timeout=_PAUSE_SECONDS if held else None)
            while job is not None:
                group.append(job)
                if len(group) >= _GROUP + len(held):
                    return group, False
                job = self._jobs.get_nowait()
        except queue.Empty:
            return group, False
        return group, True

    def _commit(self, group: list[Job[Any]]) -> list[Job[Any]]:
        """Commit a group. Returns the jobs that wait for the disk: those of runs, if it could not be written."""
        conn, held = self._writer, list[Job[Any]]()
        self._callbacks.clear()
        try:
            conn.execute("BEGIN IMMEDIATE")
            # Optimistic: savepoints cost time, so jobs get them only after one has failed and left partial writes.
            if not all(map(self._run, group)):
                conn.execute("ROLLBACK")
                self._callbacks.clear()
                conn.execute("BEGIN IMMEDIATE")
                for job in group:
                    self._run_apart(job)
            conn.execute("COMMIT")
            self.commits += 1
            self.jobs += len(group)
        except BaseException as error:  # The batch failed: fail its waiters, or keep the jobs that wait for the disk.
            with contextlib.suppress(sqlite3.Error):
                conn.execute("ROLLBACK")
            self._callbacks.clear()
            group, held = _split_failed(group, error)
        # Notify readers before the waiters: a waiter that continues may look for the effect of its write at once.
        for callback in self._callbacks:
            callback()
        deliver(group)
        return held

    def _run(self, job: Job[Any]) -> bool:
        """Run one job. False if it failed after it had written. Raises only if the whole transaction is lost."""
        changes, mark = self._writer.total_changes, len(self._callbacks)
        job.error = None
        try:
            job.result = job.work(self._writer)
        except BaseException as error:  # the error belongs to the submitter of the job
            if not self._writer.in_transaction or _is_disk_error(error):
                raise
            job.error = error
            # The failed job changes nothing, so nothing is notified for it; the other jobs still commit.
            del self._callbacks[mark:]
            return self._writer.total_changes == changes
        return True

    def _run_apart(self, job: Job[Any]) -> None:
        """``_run`` in a savepoint, which undoes the writes of a failed job."""
        self._writer.execute("SAVEPOINT job")
        if not self._run(job):
            self._writer.execute("ROLLBACK TO job")
        self._writer.execute("RELEASE job")


def _is_disk_error(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DISK


@contextlib.contextmanager
def _disk_errors() -> Generator[None]:
    """Raise DatabaseUnavailable for errors that may pass."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if not _is_disk_error(error):
            raise
        raise DatabaseUnavailable(f"the database cannot be read now: {error}") from error


def _split_failed(group: list[Job[Any]], error: BaseException) -> tuple[list[Job[Any]], list[Job[Any]]]:
    """Split a failed group into the jobs that have failed and those to run again."""
    if not _is_disk_error(error):
        _fail(group, error)
        return group, []
    failed = [job for job in group if job.key is None]
    _fail(failed, DatabaseUnavailable(f"the database cannot be written now: {error}"))
    return failed, [job for job in group if job.key is not None]


def _fail(jobs: list[Job[Any]], error: BaseException) -> None:
    for job in jobs:
        job.error = job.error or error


def _refuse(jobs: list[Job[Any]], error: BaseException) -> None:
    _fail(jobs, error)
    deliver(jobs)


def migrate(conn: SqliteConnection) -> None:
    """Migrate the file to the newest schema. Each migration is one transaction, recorded in user_version."""
    (version,) = conn.execute("PRAGMA user_version").fetchone()
    scripts = sorted(
        (item for item in resources.files("treadle.backends.migrations").iterdir() if item.name.endswith(".sql")),
        key=lambda item: item.name,
    )
    if version > len(scripts):
        raise TreadleError(
            f"the database has schema {version}, but this release supports at most {len(scripts)}: upgrade treadle"
        )
    for number, script in enumerate(scripts[version:], start=version + 1):
        conn.executescript(f"BEGIN IMMEDIATE;\n{script.read_text()}\nPRAGMA user_version = {number};\nCOMMIT;")


def _json_contains(document: str | None, part: str) -> bool:
    """Containment like PostgreSQL's ``@>``, which SQLite lacks."""
    import msgspec

    return document is not None and contains(msgspec.json.decode(document), msgspec.json.decode(part))


def _json_permits(metadata: str | None, filters_json: str) -> bool:
    """Whether the metadata passes all filters of a JSON array."""
    import msgspec

    return metadata is not None and filters.permits(msgspec.json.decode(filters_json), msgspec.json.decode(metadata))


def contains(document: Any, part: Any) -> bool:
    """Whether ``document`` contains every key and element of ``part``, at every depth."""
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
