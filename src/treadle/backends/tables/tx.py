"""The transaction of one job, and the base of the ports that run jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from treadle.backends.engine.connection import Connection, Work
from treadle.backends.engine.jobs import Engine
from treadle.backends.live.hub import Hub

T = TypeVar("T")


class Tx:
    """A job's transaction: ``now`` is its one instant (unix microseconds), ``execute`` runs a statement in it.

    ``after_commit`` takes a callback that runs once the transaction is durable, and never if it fails. Everything that
    other threads or processes may notice goes through it, so no one is notified of a change that can still be lost."""

    __slots__ = ("after_commit", "conn", "execute", "hub", "now")

    def __init__(
        self, conn: Connection, now: int, hub: Hub, after_commit: Callable[[Callable[[], None]], None]
    ) -> None:
        self.conn = conn
        self.execute = conn.execute
        self.now = now
        self.hub = hub
        self.after_commit = after_commit

    def one(self, sql: str, *parameters: Any) -> Any:
        """The first row, or None."""
        return self.execute(sql, parameters).fetchone()

    def all(self, sql: str, *parameters: Any) -> list[Any]:
        return self.execute(sql, parameters).fetchall()

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The only column of the only row."""
        return self.execute(sql, parameters).fetchone()[0]


class SqlPort:
    """A port over SQL: each of its verbs is one job, a function over a ``Tx``."""

    def __init__(self, engine: Engine, hub: Hub) -> None:
        self._engine = engine
        self._hub = hub

    def _write(self, work: Callable[[Tx], T], *, key: str | None = None) -> Awaitable[T]:
        return self._engine.write(self._job(work), key=key)

    def _read(self, work: Callable[[Tx], T]) -> Awaitable[T]:
        return self._engine.read(self._job(work))

    def _job(self, work: Callable[[Tx], T]) -> Work[T]:
        engine, hub = self._engine, self._hub
        return lambda conn: work(Tx(conn, engine.clock.now(), hub, engine.after_commit))
