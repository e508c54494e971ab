"""The event log: appending for the holder of a lease, and reading runs and threads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TypeVar

from treadle.backends import chunks
from treadle.backends.engine.connection import Connection
from treadle.backends.engine.jobs import Engine
from treadle.backends.live.hub import Hub
from treadle.backends.live.tail import TailFollower, ThreadFollower
from treadle.backends.tables import threads, writes
from treadle.errors import LeaseLost
from treadle.model import Event
from treadle.ports.log import Chunk
from treadle.ports.queue import Lease

T = TypeVar("T")


_EXTEND = """
UPDATE runs SET event_seq = event_seq + ?1 WHERE run_id = ?2 AND attempt = ?3 AND worker_id IS NOT NULL
RETURNING event_seq, (SELECT t.event_seq FROM threads t WHERE t.thread_id = ?4)
"""


_READ = """
SELECT first_seq, events FROM event_chunks WHERE run_id = ?1
  AND first_seq >= coalesce((SELECT max(first_seq) FROM event_chunks WHERE run_id = ?1 AND first_seq <= ?2), ?2)
  AND last_seq >= ?2
ORDER BY first_seq LIMIT 64
"""


_READ_BYTES = 4 * 1024 * 1024
"""Maximum amount of data per read; the chunk that exceeds it is the last."""


_BOUNDS = """
SELECT coalesce((SELECT min(first_seq) FROM event_chunks WHERE run_id = ?1), event_seq + 1), event_seq
FROM runs WHERE run_id = ?1
"""


def extend(conn: Connection, lease: Lease, events: Sequence[Event], hub: Hub, tell: writes.Tell) -> None:
    """Append events for the holder of ``lease``. One statement fences and numbers them. Raises LeaseLost."""
    conn.lock_thread(lease.thread_id)
    row = conn.execute(_EXTEND, (len(events), lease.run_id, lease.attempt, lease.thread_id)).fetchone()
    if row is None:
        raise LeaseLost(f"attempt {lease.attempt} of run {lease.run_id} no longer holds it")
    if events:
        seq, thread_seq = row[0], row[1] + len(events)
        writes.count_events(conn, lease.thread_id, thread_seq)
        writes.append_events(conn, lease.run_id, lease.thread_id, lease.attempt, seq, thread_seq, events, hub, tell)


class SqlEventLog:
    """Implements ports.log.EventLog."""

    def __init__(self, engine: Engine, hub: Hub, *, poll_seconds: float = 30.0) -> None:
        self._engine = engine
        self._hub = hub
        self._poll_seconds = poll_seconds

    async def append(self, lease: Lease, events: Sequence[Event]) -> None:
        work = partial(extend, lease=lease, events=events, hub=self._hub, tell=self._engine.after_commit)
        await self._engine.write(work, key=lease.thread_id)

    def follow(self, run_id: str, after: int = 0) -> TailFollower:
        return self._hub.follow(run_id, after, self._read, self._poll_seconds)

    async def _read(self, run_id: str, after: int) -> tuple[Sequence[Chunk], bool]:
        return await self._engine.read(lambda conn: _read_chunks(conn, run_id, after))

    async def bounds(self, run_id: str) -> tuple[int, int]:
        found = await self._engine.read(lambda conn: conn.execute(_BOUNDS, (run_id,)).fetchone())
        return found or (1, 0)

    def follow_thread(self, thread_id: str, after: int = 0) -> ThreadFollower:
        return self._hub.follow_thread(thread_id, after, self._read_thread, self._poll_seconds)

    async def _read_thread(self, thread_id: str, after: int) -> tuple[Sequence[Chunk], bool]:
        return await self._engine.read(lambda conn: _read_thread(conn, thread_id, after))

    async def thread_cursor(self, thread_id: str, event_id: tuple[int, int] | None = None) -> int:
        if event_id is None:
            return await self._engine.read(lambda conn: threads.last_seq(conn, thread_id))
        return await self._engine.read(lambda conn: threads.locate(conn, thread_id, *event_id))


def _read_thread(conn: Connection, thread_id: str, after: int) -> tuple[Sequence[Chunk], bool]:
    """The chunks of a thread. The second value is False for a thread recreated under its id, which ends older
    readers."""
    chunks = threads.read(conn, thread_id, after)
    return chunks, bool(chunks) or threads.last_seq(conn, thread_id) >= after


def _read_chunks(conn: Connection, run_id: str, after: int) -> tuple[Sequence[Chunk], bool]:
    """The chunks with events after ``after``, and whether more may follow."""
    active = conn.execute(
        "SELECT 1 FROM runs WHERE run_id = ? AND status IN ('pending', 'running')", (run_id,)
    ).fetchone()
    history: list[Chunk] = []
    size = 0
    for first, blob in conn.execute(_READ, (run_id, after + 1)):
        history.append(chunks.decode(first, blob))
        size += len(blob)
        if size > _READ_BYTES:
            break
    return history, active is not None
