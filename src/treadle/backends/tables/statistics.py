"""Numbers about the database and this process (ports.statistics.Statistics)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from treadle.backends.engine.connection import Connection
from treadle.backends.engine.jobs import Engine
from treadle.backends.live.hub import Hub
from treadle.backends.tables import server_state
from treadle.backends.tables.turns import KIND_OF_BLOCKER
from treadle.ports.statistics import PRIORITY_CLASSES, Depth, QueueWait, ServerMetrics, ServerOverview

T = TypeVar("T")

TABLES = (
    "assistants",
    "checkpoint_blobs",
    "checkpoint_writes",
    "checkpoints",
    "crons",
    "event_chunks",
    "runs",
    "store_items",
    "threads",
    "webhook_deliveries",
)
_COUNT_SECONDS = 60.0
"""Counting scans an index, so its result is reused for this long."""

# All numbers about active runs come from one pass over them.
_ACTIVE = f"""
SELECT status, graph_id, CASE WHEN priority < 0 THEN 0 WHEN priority = 0 THEN 1 ELSE 2 END,
    coalesce({KIND_OF_BLOCKER}, 'nothing'), count(*),
    min(CASE WHEN available_at <= ? THEN available_at END)
FROM runs WHERE status IN ('pending', 'running') GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
_WORKERS = "SELECT count(*) FROM workers WHERE expires_at > ?"
_WAITING = """
SELECT available_at, EXISTS (SELECT 1 FROM runs x WHERE x.thread_id = r.thread_id AND x.status = 'running')
FROM runs r WHERE status IN ('pending', 'running') AND status = 'pending' AND available_at <= ?
ORDER BY available_at LIMIT 10000
"""
_PATIENCE = 20
"""A slow result is reused for this many times its duration, so that scrapers do not slow down a long queue."""
_SLOW_SECONDS = 0.05


class Active(NamedTuple):
    running: int
    depths: list[Depth]
    waiting: QueueWait


class Patient(Generic[T]):
    """Caches the result of a slow query for a multiple of its duration."""

    def __init__(self, ask: Callable[[Connection], T]) -> None:
        self._ask = ask
        self._found: T | None = None
        self._until = 0.0

    def look(self, conn: Connection) -> T:
        began = time.monotonic()
        if self._found is None or began >= self._until:
            self._found = self._ask(conn)
            took = time.monotonic() - began
            self._until = began + _PATIENCE * took if took > _SLOW_SECONDS else began
        return self._found


class SqlStatistics:
    def __init__(self, engine: Engine, hub: Hub) -> None:
        self._engine = engine
        self._hub = hub
        self._rows: Mapping[str, int] = {}
        self._counted_at: float | None = None
        self._active = Patient(self._ask_active)
        self._by_status = Patient(server_state.runs_by_status)

    async def metrics(self) -> ServerMetrics:
        return await self._engine.read(self._metrics)

    async def overview(self) -> ServerOverview:
        return await self._engine.read(self._overview)

    def _metrics(self, conn: Connection) -> ServerMetrics:
        now, counts = self._engine.clock.now(), self._hub.counts
        active = self._active.look(conn)
        return ServerMetrics(
            pending=sum(depth.runs for depth in active.depths),
            running=active.running,
            waiting=active.waiting,
            depths=active.depths,
            expired=counts.expired,
            workers=conn.execute(_WORKERS, (now,)).fetchone()[0],
            ended=dict(counts.ended),
            claims=counts.claims,
            events=counts.events,
            commits=self._engine.commits,
            jobs=self._engine.jobs,
            rows=self._count(conn),
            file_bytes=self._engine.sizes(conn),
        )

    def _overview(self, conn: Connection) -> ServerOverview:
        now = self._engine.clock.now()
        return ServerOverview(
            metrics=self._metrics(conn),
            kind=self._engine.kind,
            version=self._engine.version(conn),
            runs=self._by_status.look(conn),
            workers=server_state.workers(conn, now),
            outbox=server_state.outbox(conn, now),
            crons=server_state.crons(conn),
        )

    def _ask_active(self, conn: Connection) -> Active:
        now = self._engine.clock.now()
        found = conn.execute(_ACTIVE, (now,)).fetchall()
        return Active(
            running=sum(row[4] for row in found if row[0] == "running"),
            depths=[_depth(row, now) for row in found if row[0] == "pending"],
            waiting=_waiting(conn.execute(_WAITING, (now,)).fetchall(), now),
        )

    def _count(self, conn: Connection) -> Mapping[str, int]:
        now = self._engine.clock.monotonic()
        if self._counted_at is None or now - self._counted_at >= _COUNT_SECONDS:
            self._rows = {table: self._engine.rows(conn, table) for table in TABLES}
            self._counted_at = now
        return self._rows


def _waiting(due: list[tuple[int, int]], now: int) -> QueueWait:
    waits = [(now - available_at) / 1e6 for available_at, _ in due]
    free = [wait for wait, (_, blocked) in zip(waits, due, strict=True) if not blocked]
    if not waits:
        return QueueWait(0, None, None, None)
    return QueueWait(len(waits), waits[0], waits[len(waits) // 2], free[0] if free else None)


def _depth(row: tuple[Any, ...], now: int) -> Depth:
    _, graph_id, priority, blocked_by, runs, available_at = row
    oldest = None if available_at is None else (now - available_at) / 1e6
    return Depth(graph_id, PRIORITY_CLASSES[priority], blocked_by, runs, oldest)
