"""What the database holds and what this process did, in numbers (usage.Statistics)."""

from __future__ import annotations

from collections.abc import Mapping

from treadle.backends.engine import Connection, Engine
from treadle.backends.hub import Hub
from treadle.usage import Figures, Waiting

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
"""Counting goes through an index from end to end, so that its result is used for a while."""

_PENDING = "SELECT count(*) FROM runs WHERE status = 'pending'"
_RUNNING = "SELECT count(*) FROM runs WHERE status = 'running'"
_WORKERS = "SELECT count(*) FROM workers WHERE expires_at > ?"
_WAITING = """
SELECT available_at, EXISTS (SELECT 1 FROM runs x WHERE x.thread_id = r.thread_id AND x.status = 'running')
FROM runs r WHERE status = 'pending' AND available_at <= ? ORDER BY available_at LIMIT 10000
"""


class SqlStatistics:
    def __init__(self, engine: Engine, hub: Hub) -> None:
        self._engine = engine
        self._hub = hub
        self._rows: Mapping[str, int] = {}
        self._counted_at: float | None = None

    async def figures(self) -> Figures:
        return await self._engine.read(self._read)

    def _read(self, conn: Connection) -> Figures:
        now, counts = self._engine.clock.now(), self._hub.counts
        return Figures(
            pending=conn.execute(_PENDING).fetchone()[0],
            running=conn.execute(_RUNNING).fetchone()[0],
            waiting=_waiting(conn.execute(_WAITING, (now,)).fetchall(), now),
            workers=conn.execute(_WORKERS, (now,)).fetchone()[0],
            ended=dict(counts.ended),
            claims=counts.claims,
            events=counts.events,
            commits=self._engine.commits,
            jobs=self._engine.jobs,
            rows=self._count(conn),
            file_bytes=self._engine.sizes(conn),
        )

    def _count(self, conn: Connection) -> Mapping[str, int]:
        time = self._engine.clock.monotonic()
        if self._counted_at is None or time - self._counted_at >= _COUNT_SECONDS:
            self._rows = {table: conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}
            self._counted_at = time
        return self._rows


def _waiting(due: list[tuple[int, int]], now: int) -> Waiting:
    waits = [(now - available_at) / 1e6 for available_at, _ in due]
    free = [wait for wait, (_, blocked) in zip(waits, due, strict=True) if not blocked]
    if not waits:
        return Waiting(0, None, None, None)
    return Waiting(len(waits), waits[0], waits[len(waits) // 2], free[0] if free else None)
