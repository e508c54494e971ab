"""A PostgreSQL connection for the SQL functions (engine.connection.Connection), directly over libpq's pipeline.

A statement is prepared once, sent when it is executed, and awaited when its result is read. A transaction costs about
one round trip per result that is needed, and a few microseconds per statement in this process.
"""

from __future__ import annotations

import select
import struct
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result

from treadle.backends.engine.dialect import Statement, postgres

_XID = "SELECT CAST(pg_current_xact_id() AS TEXT)"
_LOCK_THREAD = "SELECT 1 FROM threads WHERE thread_id = ? /*pg: FOR NO KEY UPDATE */"
_LOCK_THREAD_OF = """
SELECT 1 FROM threads WHERE thread_id = (SELECT thread_id FROM runs WHERE run_id = ?) /*pg: FOR NO KEY UPDATE */
"""
_LOCK_ASSISTANT = "SELECT 1 FROM assistants WHERE assistant_id = ? /*pg: FOR NO KEY UPDATE */"

_ANSWER_SECONDS = 25.0
"""Longer than statement_timeout: a server that is silent for this long is gone."""

_INT8, _TEXT, _BYTEA, _FLOAT8 = 20, 25, 17, 701
_pack_int = struct.Struct("!q").pack
_pack_float = struct.Struct("!d").pack

_GOOD = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)


def _encode(value: Any) -> tuple[int, bytes | None]:
    """The type and the binary form of a parameter. Booleans are 0 and 1 in both databases."""
    if value is None:
        return 0, None
    if isinstance(value, str):
        return _TEXT, value.encode()
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise OverflowError(f"{value} does not fit into 64 bits")
        return _INT8, _pack_int(value)
    if isinstance(value, float):
        return _FLOAT8, _pack_float(value)
    return _BYTEA, bytes(value)


class PostgresCursor:
    """The rows of one statement. Reading them waits for the result."""

    __slots__ = ("_connection", "_next", "_rows", "result")

    def __init__(self, connection: PostgresConnection) -> None:
        self._connection = connection
        self._rows: list[Any] | None = None
        self._next = 0
        self.result: pq.abc.PGresult | None = None

    def _all(self) -> list[Any]:
        if self._rows is None:
            self._rows = self._connection.rows(self)
        return self._rows

    @property
    def rowcount(self) -> int:
        return self._connection.answer(self).command_tuples or 0

    def fetchone(self) -> Any:
        found = self.fetchmany(1)
        return found[0] if found else None

    def fetchmany(self, size: int, /) -> list[Any]:
        found = self._all()[self._next : self._next + size]
        self._next += len(found)
        return found

    def fetchall(self) -> list[Any]:
        return self.fetchmany(len(self._all()))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())

    def close(self) -> None: ...


class _Preparing:
    """A placeholder in the queue of results, for a statement that is being prepared."""

    __slots__ = ("key",)

    def __init__(self, key: tuple[bytes, tuple[int, ...]]) -> None:
        self.key = key


class PostgresConnection:
    """One session, used by one thread. With ``writes`` false it only reads, and locks nothing.

    A transaction starts with ``begin`` and ends with ``commit`` or ``rollback``. ``xid`` is its number if it may have
    changed something, otherwise None; it is known before the commit is sent. ``sent`` counts its statements that change
    or lock rows.
    """

    indexes_metadata = True

    def __init__(
        self, url: str, *, name: str, settings: Mapping[str, str], connect_seconds: float, writes: bool = True
    ) -> None:
        self._raw = psycopg.connect(
            url,
            autocommit=True,
            application_name=name,
            connect_timeout=max(2, int(connect_seconds)),
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=10_000,
        )
        self._pgconn = self._raw.pgconn
        self._rows_of = Transformer.from_context(self._raw)
        self._encoding = "utf-8"
        self._poll = select.poll()
        self._poll.register(self._pgconn.socket)
        self._writes = writes
        self._statements: dict[str, Statement] = {}
        self._prepared: dict[tuple[bytes, tuple[int, ...]], bytes] = {}
        self._named = 0
        self._answers: deque[PostgresCursor | _Preparing | None] = deque()
        self._locked: set[str] = set()
        self._xid: PostgresCursor | None = None
        self.sent = 0
        self._pgconn.nonblocking = 1
        self._pgconn.enter_pipeline_mode()
        for setting, value in settings.items():
            self._send(f"SET {setting} = '{value}'".encode())
        self.sync()

    # statements

    def execute(self, sql: str, parameters: Any = (), /) -> PostgresCursor:
        statement = self._statements.get(sql)
        if statement is None:
            statement = self._statements[sql] = postgres(sql)
        if statement.writes:
            self._changes()
        return self._send(statement.text, statement.bind(parameters))

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> None:
        for each in parameters:
            self.execute(sql, each)

    def lock_thread(self, thread_id: str) -> None:
        if self._writes and thread_id not in self._locked:
            self._locked.add(thread_id)
            self._lock(_LOCK_THREAD, thread_id)

    def lock_thread_of(self, run_id: str) -> None:
        if self._writes:
            self._lock(_LOCK_THREAD_OF, run_id)

    def lock_assistant(self, assistant_id: str) -> None:
        if self._writes:
            self._lock(_LOCK_ASSISTANT, assistant_id)

    def _lock(self, sql: str, key: str) -> None:
        self._changes()
        self.execute(sql, (key,))

    def _changes(self) -> None:
        self.sent += 1
        if self._xid is None:
            # Requested together with the first change, so that it costs no extra round trip.
            self._xid = self.execute(_XID)

    def _send(self, text: bytes, parameters: Sequence[Any] = ()) -> PostgresCursor:
        types: list[int] = []
        values: list[bytes | None] = []
        for parameter in parameters:
            type, value = _encode(parameter)
            types.append(type)
            values.append(value)
        key = (text, tuple(types))
        name = self._prepared.get(key) or self._prepare(key)
        self._pgconn.send_query_prepared(name, values, [1] * len(values), result_format=1)
        cursor = PostgresCursor(self)
        self._answers.append(cursor)
        return cursor

    def _prepare(self, key: tuple[bytes, tuple[int, ...]]) -> bytes:
        self._named += 1
        name = self._prepared[key] = b"s%d" % self._named
        self._pgconn.send_prepare(name, key[0], key[1])
        self._answers.append(_Preparing(key))
        return name

    # transactions

    def begin(self, kind: bytes = b"") -> None:
        self._xid = None
        self._locked.clear()
        self.sent = 0
        self._send(b"BEGIN " + kind)

    @property
    def xid(self) -> str | None:
        row = None if self._xid is None else self._xid.fetchone()
        return row[0] if row else None

    def commit(self) -> None:
        """Commit, and return once it is durable. Raises the first error of the statements that were not awaited."""
        self._send(b"COMMIT")
        self.sync()

    def rollback(self) -> None:
        """Roll back after any error."""
        with suppress(psycopg.Error):
            self.sync()
        self._send(b"ROLLBACK")
        self.sync()

    def sync(self) -> None:
        """Wait for all results. Raises the first error among them."""
        self._pgconn.pipeline_sync()
        self._answers.append(None)
        error: psycopg.Error | None = None
        while self._answers:
            try:
                self._take()
            except psycopg.Error as failed:
                if self.broken:
                    raise
                error = error or failed
        if error is not None:
            raise error

    # results

    def answer(self, cursor: PostgresCursor) -> pq.abc.PGresult:
        """Wait for the cursor's result. Raises the database's error of this statement or an earlier one."""
        if cursor.result is None:
            # A sync rather than a flush. After a flush, the session never counts as idle, and a process that was
            # stopped in the middle of a transaction would keep its locks.
            self._pgconn.pipeline_sync()
            self._answers.append(None)
            while cursor.result is None and self._answers:
                self._take()
        assert cursor.result is not None, "the statement was not sent on this connection"
        return cursor.result

    def rows(self, cursor: PostgresCursor) -> list[Any]:
        result = self.answer(cursor)
        self._rows_of.set_pgresult(result, format=pq.Format.BINARY)
        return self._rows_of.load_rows(0, result.ntuples, tuple)

    def _take(self) -> None:
        """Process the next result."""
        awaited = self._answers.popleft()
        result = self._receive()
        if awaited is None:
            return
        if result is None:
            raise psycopg.OperationalError("the connection is lost")
        while self._receive() is not None:
            pass
        if result.status in _GOOD:
            if isinstance(awaited, PostgresCursor):
                awaited.result = result
            return
        if isinstance(awaited, _Preparing):
            self._prepared.pop(awaited.key, None)
        if result.status == pq.ExecStatus.FATAL_ERROR:
            raise error_from_result(result, encoding=self._encoding)
        raise psycopg.errors.PipelineAborted("a statement before this one failed")

    def _receive(self) -> pq.abc.PGresult | None:
        deadline = time.monotonic() + _ANSWER_SECONDS
        while self._pgconn.flush():
            self._wait(select.POLLIN | select.POLLOUT, deadline)
        while self._pgconn.is_busy():
            self._wait(select.POLLIN, deadline)
        return self._pgconn.get_result()

    def _wait(self, events: int, deadline: float) -> None:
        self._poll.modify(self._pgconn.socket, events)
        if not self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            self.close()
            raise psycopg.OperationalError("the database no longer responds")
        self._pgconn.consume_input()

    # the session

    @property
    def broken(self) -> bool:
        return self._raw.closed

    def close(self) -> None:
        with suppress(psycopg.Error):
            self._raw.close()
