"""A connection to PostgreSQL as the verbs speak to it (engine.Connection): their SQL, pipelined and prepared.

The connection stays in pipeline mode: a statement is sent and not waited for until somebody looks at a result. So a
transaction costs about as many round trips as it has questions.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import RawCursor
from psycopg.adapt import Buffer, Dumper
from psycopg.types.numeric import Int8BinaryDumper
from psycopg.types.string import BytesBinaryDumper, StrDumper

from treadle.backends.dialect import Statement, postgres

_XID = b"SELECT pg_current_xact_id()::text"
_LOCK_THREAD = b"SELECT 1 FROM threads WHERE thread_id = $1 FOR NO KEY UPDATE"
_LOCK_THREAD_OF = b"""
SELECT 1 FROM threads WHERE thread_id = (SELECT thread_id FROM runs WHERE run_id = $1) FOR NO KEY UPDATE
"""
_LOCK_ASSISTANT = b"SELECT 1 FROM assistants WHERE assistant_id = $1 FOR NO KEY UPDATE"
_STATEMENTS = 1000


class _FlagDumper(Dumper):
    """Booleans are 0 and 1 in both databases."""

    oid = psycopg.adapters.types["int8"].oid

    def dump(self, obj: Any) -> Buffer:
        return b"1" if obj else b"0"


class PostgresCursor:
    """The rows of one statement."""

    __slots__ = ("_cursor", "_pipeline")

    def __init__(self, cursor: RawCursor[Any], pipeline: psycopg.Pipeline) -> None:
        self._cursor = cursor
        self._pipeline = pipeline

    @property
    def rowcount(self) -> int:
        self._pipeline.sync()
        return self._cursor.rowcount

    def fetchone(self) -> Any:
        return self._cursor.fetchone()

    def fetchmany(self, size: int, /) -> list[Any]:
        return self._cursor.fetchmany(size)

    def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor.fetchall())

    def close(self) -> None:
        self._cursor.close()


class PostgresConnection:
    """One session. ``writes`` false: for reading, where nothing is locked.

    A transaction begins with ``begin`` and ends with ``commit`` or ``rollback``. ``xid`` is its number once it has
    changed something, None before; it is known before the commit is sent."""

    def __init__(self, url: str, *, name: str, settings: str, connect_seconds: float, writes: bool = True) -> None:
        self._raw = psycopg.connect(
            url,
            autocommit=True,
            cursor_factory=RawCursor,
            application_name=name,
            connect_timeout=max(2, int(connect_seconds)),
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=10_000,
        )
        self._raw.execute(settings.encode())
        self._raw.prepare_threshold = 1
        self._raw.prepared_max = _STATEMENTS
        for kind, dumper in (
            (int, Int8BinaryDumper),
            (bool, _FlagDumper),
            (str, StrDumper),
            (bytes, BytesBinaryDumper),
        ):
            self._raw.adapters.register_dumper(kind, dumper)
        self._writes = writes
        self._statements: dict[str, Statement] = {}
        self._xid: RawCursor[Any] | None = None
        self._pipelining = self._raw.pipeline()  # kept: the mode ends with this object
        self._pipeline = self._pipelining.__enter__()

    # statements

    def execute(self, sql: str, parameters: Any = (), /) -> PostgresCursor:
        statement = self._statements.get(sql)
        if statement is None:
            statement = self._statements[sql] = postgres(sql)
        if statement.writes and self._xid is None:
            self._xid = self._send(_XID)
        return PostgresCursor(self._send(statement.text, statement.bind(parameters)), self._pipeline)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> None:
        for each in parameters:
            self.execute(sql, each)

    def lock_thread(self, thread_id: str) -> None:
        if self._writes:
            self._send(_LOCK_THREAD, (thread_id,))

    def lock_thread_of(self, run_id: str) -> None:
        if self._writes:
            self._send(_LOCK_THREAD_OF, (run_id,))

    def lock_assistant(self, assistant_id: str) -> None:
        if self._writes:
            self._send(_LOCK_ASSISTANT, (assistant_id,))

    def _send(self, text: bytes, parameters: Any = None) -> RawCursor[Any]:
        cursor: RawCursor[Any] = RawCursor(self._raw)
        return cursor.execute(text, parameters, binary=True)

    # transactions

    def begin(self, kind: bytes = b"") -> None:
        self._xid = None
        self._send(b"BEGIN " + kind)

    def savepoint(self) -> None:
        self._send(b"SAVEPOINT job")

    def release(self) -> None:
        self._send(b"RELEASE SAVEPOINT job")

    def undo(self) -> None:
        """Back to the savepoint."""
        self._send(b"ROLLBACK TO SAVEPOINT job")

    @property
    def xid(self) -> str | None:
        row = None if self._xid is None else self._xid.fetchone()
        return row[0] if row else None

    def commit(self) -> None:
        """Returns when it is durable. Raises the first error of the statements that nobody waited for."""
        self._send(b"COMMIT")
        self._pipeline.sync()

    def sync(self) -> None:
        """Returns when all that was sent has been answered. Raises the first error among it."""
        self._pipeline.sync()

    def rollback(self) -> None:
        """After an error, whatever it was."""
        with suppress(psycopg.Error):
            self._pipeline.sync()
        self._send(b"ROLLBACK")
        self._pipeline.sync()

    # the session

    @property
    def broken(self) -> bool:
        return self._raw.closed

    def cut(self) -> None:
        """Breaks the session off, from any thread: whoever waits for an answer gets an error."""
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self._raw.pgconn.socket)) as connection:
            connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(psycopg.Error):
            if not self._raw.closed:
                self._pipelining.__exit__(None, None, None)
            self._raw.close()
