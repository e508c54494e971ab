"""The PostgreSQL engine: groups of jobs on one connection, safe with many processes and broken connections.

A group is one transaction. If one of its jobs fails, the group is rolled back and its jobs run one by one. A job that
meets another transaction's lock leaves the group and waits on a separate thread, together with the later jobs of its
key. A process that was stopped in the middle of a transaction thus delays only the jobs that need its locks.

A broken connection is reopened, and the interrupted jobs run again. If it broke during a commit, the database is asked
for the outcome of that transaction, so a job is never done twice and never lost.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Literal, TypeVar

import psycopg
import structlog
from psycopg import errors

from treadle.backends.engine.connection import Connection, Work
from treadle.backends.engine.jobs import EngineClosed, Job, Submitting, deliver
from treadle.backends.engine.postgres_connection import PostgresConnection
from treadle.errors import DatabaseUnavailable, UnprocessableError
from treadle.ports.clock import Clock

T = TypeVar("T")

logger = structlog.get_logger("treadle.postgres")

_GROUP = 64
_READERS = 4
_ASIDE = 4
_TRIES = 5
_PATIENCE_SECONDS = 15.0
"""How long a job outside of runs waits for an unreachable database. Jobs of runs wait without a limit."""
_CLOSE_SECONDS = 10.0
_LOCKED = errors.LockNotAvailable
_RACED = (
    errors.DeadlockDetected,
    errors.SerializationFailure,
    errors.UniqueViolation,
    errors.ForeignKeyViolation,
)

_SETTINGS = {
    "statement_timeout": "20s",
    "idle_in_transaction_session_timeout": "5s",
    # Always use indexes: statistics of a young database must not persuade the planner otherwise.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "jit": "off",
}
_SNAPSHOT = b"ISOLATION LEVEL REPEATABLE READ READ ONLY"
_ESTIMATE = "SELECT CAST(reltuples AS BIGINT) FROM pg_class WHERE oid = to_regclass(?)"
_LARGE = 100_000
"""Number of rows above which the planner's estimate is used, because counting takes seconds."""
_NOW = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"


class DatabaseClock:
    """The database's time, which all processes share.

    Between two queries it advances by this machine's monotonic clock, so that setting the system's time does not
    shorten a lease.
    """

    def __init__(self) -> None:
        self._offset: int | None = None
        self.synced_at = float("-inf")

    def now(self) -> int:
        assert self._offset is not None, "the clock has not been set"
        return self._offset + time.monotonic_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    def sync(self, conn: Connection) -> None:
        before = time.monotonic_ns()
        (now,) = conn.execute(_NOW).fetchone()
        after = time.monotonic_ns()
        # A slow response is inaccurate: always use the first one, later ones only if they were fast.
        if self._offset is None or after - before < 100_000_000:
            self._offset = now - (before + after) // 2000
            self.synced_at = time.monotonic()


class _Undone(psycopg.InternalError):
    """A job of the group failed after it had written: the group is rolled back, to run job by job."""


class _Session:
    """A connection that is reopened when it breaks."""

    def __init__(self, url: str, name: str, *, lock_ms: int, writes: bool) -> None:
        self._url = url
        self._name = name
        self._settings = {**_SETTINGS, "lock_timeout": f"{lock_ms}ms"}
        self._writes = writes
        self._connection: PostgresConnection | None = None

    def connection(self) -> PostgresConnection:
        """The open connection. Raises psycopg.OperationalError if the database cannot be reached."""
        if self._connection is None or self._connection.broken:
            self.close()
            self._connection = PostgresConnection(
                self._url, name=self._name, settings=self._settings, connect_seconds=5.0, writes=self._writes
            )
        return self._connection

    def is_lost_by(self, error: psycopg.OperationalError) -> bool:
        """Whether the error means that the connection is gone, rather than that a statement failed."""
        return self._connection is None or self._connection.broken or (error.sqlstate or "").startswith(("08", "57P"))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class PostgresEngine(Submitting):
    """Implements engine.jobs.Engine. ``start`` connects; the schema must exist (``migrate``)."""

    kind: Literal["sqlite", "postgres"] = "postgres"

    def __init__(self, url: str, *, clock: Clock | None = None, name: str = "treadle") -> None:
        self._url = url
        self._name = name
        self._shared_clock = None if clock else DatabaseClock()
        self._clock: Clock = clock or self._shared_clock or DatabaseClock()
        self._jobs: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._telling = threading.Lock()
        self._closed = False
        self._local = threading.local()
        self._sessions: list[_Session] = []
        self._parked: dict[str, deque[Job[Any]]] = {}
        self._lost_at = float("-inf")
        self.commits = 0
        self.jobs = 0
        self._thread = threading.Thread(target=self._write_jobs, name="treadle-writer", daemon=True)
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(_READERS, thread_name_prefix="treadle-reader")
        self._aside = ThreadPoolExecutor(_ASIDE, thread_name_prefix="treadle-aside")

    @property
    def clock(self) -> Clock:
        return self._clock

    def start(self) -> None:
        """Connect. Raises psycopg.OperationalError if the database cannot be reached."""
        if self._shared_clock is not None:
            self._shared_clock.sync(self._session("reader", lock_ms=0, writes=False).connection())
        self._thread.start()

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(_CLOSE_SECONDS)
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._aside.shutdown()
        self._pool.shutdown()
        for session in self._sessions:
            session.close()

    def after_commit(self, callback: Callable[[], None]) -> None:
        self._local.told.append(callback)

    def _session(self, role: str, *, lock_ms: int, writes: bool) -> _Session:
        """The session of the current thread."""
        session: _Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = _Session(self._url, f"{self._name} {role}", lock_ms=lock_ms, writes=writes)
            with self._lock:
                self._sessions.append(session)
        return session

    # reading

    async def read(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, work, True)

    async def lookup(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, work, False)

    def snapshot(self, work: Work[T]) -> T:
        return self._pool.submit(self._read, work, True).result()

    def _read(self, work: Work[T], snapshot: bool) -> T:
        session = self._session("reader", lock_ms=0, writes=False)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return _look(session, work, snapshot)
            except psycopg.OperationalError as error:
                if not session.is_lost_by(error):
                    raise _mapped(error) from error
                if not self._may_wait(deadline):
                    raise DatabaseUnavailable("the database cannot be reached now") from error
            except psycopg.Error as error:
                raise _mapped(error) from error

    def _may_wait(self, deadline: float) -> bool:
        return time.monotonic() < deadline and not self._ended.wait(0.1)

    def steady_seconds(self) -> float:
        return time.monotonic() - self._lost_at

    def sizes(self, conn: Connection) -> dict[str, int]:
        return {"database": conn.execute("SELECT pg_database_size(current_database())").fetchone()[0]}

    def rows(self, conn: Connection, table: str) -> int:
        estimate = conn.execute(_ESTIMATE, (table,)).fetchone()[0]
        return estimate if estimate >= _LARGE else conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0]

    def version(self, conn: Connection) -> str:
        return conn.execute("SELECT current_setting('server_version')").fetchone()[0]

    # writing

    def _put(self, job: Job[Any]) -> None:
        with self._lock:
            if self._closed:
                raise EngineClosed("the database is closed")
            self._jobs.put(job)

    def _write_jobs(self) -> None:
        self._local.told = []
        session = self._session("writer", lock_ms=100, writes=True)
        ending = False
        while not ending and (job := self._jobs.get()) is not None:
            group = [job]
            while len(group) < _GROUP and not ending:
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if job is None:
                    ending = True
                else:
                    group.append(job)
            if group := self._unparked(group):
                self._commit(session, group)

    def _unparked(self, group: Sequence[Job[Any]]) -> list[Job[Any]]:
        """The jobs of the group that may run now. The others wait behind an earlier job of their key."""
        if not self._parked:
            return list(group)
        free: list[Job[Any]] = []
        with self._lock:
            for job in group:
                waiting = self._parked.get(job.key) if job.key is not None else None
                (free if waiting is None else waiting).append(job)
        return free

    def _commit(self, session: _Session, group: list[Job[Any]]) -> None:
        try:
            self._attempt(session, group)
        except psycopg.Error:
            # One job failed, and a pipeline does not report which: run them one by one.
            for job in group:
                self._alone(session, job)
            return
        self._done(group)

    def _alone(self, session: _Session, job: Job[Any]) -> None:
        if not self._unparked([job]):
            return
        try:
            self._persist(session, job)
        except _LOCKED:
            self._park(job)
            return
        self._done([job])

    def _park(self, job: Job[Any]) -> None:
        """Another transaction holds a lock that the job needs. Move it, and later jobs of its key, to another
        thread."""
        key = job.key or f"job {id(job)}"
        with self._lock:
            waiting = self._parked.setdefault(key, deque())
            waiting.append(job)
        if len(waiting) == 1:
            self._aside.submit(self._write_parked, key)

    def _write_parked(self, key: str) -> None:
        self._local.told = []
        session = self._session("aside", lock_ms=8000, writes=True)
        while True:
            with self._lock:
                if not self._parked[key]:
                    del self._parked[key]
                    return
                job = self._parked[key][0]
            try:
                self._persist(session, job)
            except _LOCKED as error:
                job.error = _mapped(error)
            self._done([job])
            with self._lock:
                self._parked[key].popleft()

    def _persist(self, session: _Session, job: Job[Any]) -> None:
        """Run one job until it succeeds or fails for good. Raises if a lock was not available."""
        for tries in range(_TRIES):
            try:
                self._attempt(session, [job])
            except _LOCKED:
                raise
            except _RACED as error:
                # Another process was first. With its changes visible, the job may have a different result.
                if tries == _TRIES - 1:
                    job.error = _mapped(error)
            except psycopg.Error as error:
                job.error = _mapped(error)
                return
            else:
                return

    def _attempt(self, session: _Session, group: list[Job[Any]]) -> None:
        """Run the group in one transaction, over as many connections as necessary.

        Raises the database's error of a statement; then nothing is committed.
        """
        began = time.monotonic()
        while True:
            xid: str | None = None
            try:
                conn = session.connection()
                self._run(conn, group)
                xid = conn.xid
                conn.commit()
                return
            except psycopg.Error as error:
                if not (isinstance(error, psycopg.OperationalError) and session.is_lost_by(error)):
                    self._undo(session)
                    raise
                session.close()
                self._lost_at = time.monotonic()
                if xid is not None and self._outcome(session, xid, group):
                    return
                self._local.told.clear()
                if not self._wait(group, began):
                    return

    def _outcome(self, session: _Session, xid: str, group: list[Job[Any]]) -> bool:
        """Whether the outcome of an unacknowledged commit is settled, as done or as unknowable."""
        try:
            return self._is_committed(session, xid)
        except DatabaseUnavailable as unknown:
            self._local.told.clear()
            for job in group:
                job.error = unknown
            return True

    def _run(self, conn: PostgresConnection, group: list[Job[Any]]) -> None:
        self._local.told.clear()
        conn.begin()
        if self._shared_clock is not None and time.monotonic() - self._shared_clock.synced_at > 10.0:
            self._shared_clock.sync(conn)
        for job in group:
            mark, sent, job.error = len(self._local.told), conn.sent, None
            try:
                job.result = job.work(conn)
            except psycopg.Error:
                raise
            except BaseException as error:  # the error belongs to the submitter of the job
                job.error = error
                del self._local.told[mark:]
                if conn.sent > sent:
                    self._take_back(conn, group)

    def _take_back(self, conn: PostgresConnection, group: list[Job[Any]]) -> None:
        """Roll back a job that failed after it had written."""
        if len(group) > 1:
            raise _Undone
        conn.rollback()
        conn.begin()

    def _undo(self, session: _Session) -> None:
        self._local.told.clear()
        try:
            session.connection().rollback()
        except psycopg.Error:
            session.close()

    def _is_committed(self, session: _Session, xid: str) -> bool:
        """Ask for the outcome of a transaction whose commit was not acknowledged, until it is known."""
        pause = 0.05
        while not self._ended.is_set():
            try:
                conn = session.connection()
                conn.begin()
                (status,) = conn.execute("SELECT pg_xact_status(CAST(CAST(? AS TEXT) AS xid8))", (xid,)).fetchone()
                conn.commit()
            except psycopg.Error as error:
                logger.warning("the database cannot be reached", error=str(error).strip())
                session.close()
            else:
                if status != "in progress":
                    return status == "committed"
            self._ended.wait(pause)
            pause = min(1.0, pause * 2)
        raise DatabaseUnavailable("the server stopped before the database reported the outcome of a commit")

    def _wait(self, group: list[Job[Any]], began: float) -> bool:
        """Pause before the next connection attempt. Jobs outside of runs give up after a while; False if none is
        left."""
        if self._closed or time.monotonic() - began > _PATIENCE_SECONDS:
            for job in group:
                if self._closed or job.key is None:
                    job.error = DatabaseUnavailable("the database cannot be reached now")
            deliver([job for job in group if job.error is not None])
            group[:] = [job for job in group if job.error is None]
        time.sleep(min(1.0, 0.05 + (time.monotonic() - began) / 10))
        return bool(group)

    def _done(self, group: list[Job[Any]]) -> None:
        with self._telling:
            self.commits += 1
            self.jobs += len(group)
            for callback in self._local.told:
                callback()
            self._local.told.clear()
        deliver(group)


def _look(session: _Session, work: Work[T], snapshot: bool) -> T:
    conn = session.connection()
    if snapshot:
        conn.begin(_SNAPSHOT)
    try:
        result = work(conn)
        conn.commit() if snapshot else conn.sync()
    except BaseException:
        with suppress(psycopg.Error):
            conn.rollback()
        raise
    return result


def _mapped(error: psycopg.Error) -> Exception:
    """The treadle error for a driver's error."""
    if isinstance(error, psycopg.DataError):
        return UnprocessableError(f"a text contains characters that the database cannot store: {error}")
    if isinstance(error, psycopg.OperationalError):
        return DatabaseUnavailable(f"the database is too busy: {error}")
    return error
