"""The verbs of a transaction (ports.records.Transaction), gathered from the modules of the tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from treadle.backends.engine.connection import Work
from treadle.backends.engine.jobs import Engine
from treadle.backends.live.hub import Hub
from treadle.backends.tables.assistants import AssistantVerbs
from treadle.backends.tables.crons import CronVerbs
from treadle.backends.tables.deliveries import DeliveryVerbs
from treadle.backends.tables.run_search import RunSearchVerbs
from treadle.backends.tables.runs import RunVerbs
from treadle.backends.tables.thread_search import ThreadSearchVerbs
from treadle.backends.tables.threads import ThreadVerbs
from treadle.ports.records import Transaction

T = TypeVar("T")


class SqlTransaction(
    AssistantVerbs, ThreadVerbs, ThreadSearchVerbs, RunVerbs, RunSearchVerbs, CronVerbs, DeliveryVerbs
):
    """ports.records.Transaction over one connection."""

    def idempotency_record(self, key: str) -> tuple[str, list[str]] | None:
        row = self.one("SELECT digest, run_ids FROM idempotency_keys WHERE key = ?", key)
        return (row[0], row[1].split(",")) if row else None

    def save_idempotency_record(self, key: str, digest: str, run_ids: list[str]) -> None:
        self.execute(
            "INSERT INTO idempotency_keys (key, digest, run_ids, created_at) VALUES (?, ?, ?, ?)",
            (key, digest, ",".join(run_ids), self.now),
        )


class SqlRecords:
    """ports.records.Records."""

    def __init__(self, engine: Engine, hub: Hub) -> None:
        self._engine = engine
        self._hub = hub

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        return await self._engine.write(self._job(work))

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._engine.read(self._job(work))

    def lookup(self, work: Callable[[Transaction], T]) -> Awaitable[T]:
        return self._engine.lookup(self._job(work))

    def _job(self, work: Callable[[Transaction], T]) -> Work[T]:
        engine, hub = self._engine, self._hub
        return lambda conn: work(SqlTransaction(conn, engine.clock.now(), hub, engine.after_commit))
