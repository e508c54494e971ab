"""The event log: appending under a lease, and reading by run or by thread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from treadle.backends import chunks
from treadle.backends.engine.connection import Connection, lease_lost
from treadle.backends.engine.jobs import Engine
from treadle.backends.live.hub import Hub
from treadle.backends.live.tail import TailFollower, ThreadFollower
from treadle.backends.tables import writes
from treadle.backends.tables.tx import SqlPort, Tx
from treadle.model import Event
from treadle.ports.log import Chunk
from treadle.ports.queue import Lease

# One statement checks the fencing token, assigns the numbers and reads the thread's: append is the hottest write, and
# each statement more would be a round trip on PostgreSQL. A run with a worker is running; a condition on its status
# would tempt planners to use the index of running runs instead of the primary key.
_ADVANCE = """
UPDATE runs SET event_seq = event_seq + ?1 WHERE run_id = ?2 AND attempt = ?3 AND worker_id IS NOT NULL
RETURNING event_seq, (SELECT t.event_seq FROM threads t WHERE t.thread_id = ?4)
"""
# Starts at the chunk that contains ``?2``, found by one seek in the index instead of by last_seq, which no index has.
_READ_RUN = """
SELECT first_seq, events FROM event_chunks WHERE run_id = ?1
  AND first_seq >= coalesce((SELECT max(first_seq) FROM event_chunks WHERE run_id = ?1 AND first_seq <= ?2), ?2)
  AND last_seq >= ?2
ORDER BY first_seq LIMIT 64
"""
_READ_THREAD = """
SELECT thread_seq - (last_seq - first_seq), events FROM event_chunks
WHERE thread_id = ? AND thread_seq > ? ORDER BY thread_seq LIMIT ?
"""
_READ_CHUNKS = 64
_READ_BYTES = 4 * 1024 * 1024
"""Bounds the memory of one read: the chunk that crosses the limit is the last."""
_BOUNDS = """
SELECT coalesce((SELECT min(first_seq) FROM event_chunks WHERE run_id = ?1), event_seq + 1), event_seq
FROM runs WHERE run_id = ?1
"""
_CONTAINING = """
SELECT thread_seq - last_seq, first_seq, events FROM event_chunks
WHERE thread_id = :thread AND first_seq <= :seq AND last_seq >= :seq
"""


def extend(tx: Tx, lease: Lease, events: Sequence[Event]) -> None:
    """Append events for the holder of ``lease``. Raises LeaseLost."""
    # The thread is locked before its number is read: two runs of a thread may append at the same time, and their
    # chunks must not get the same numbers.
    tx.conn.lock_thread(lease.thread_id)
    row = tx.one(_ADVANCE, len(events), lease.run_id, lease.attempt, lease.thread_id)
    if row is None:
        raise lease_lost(lease)
    if events:
        seq, thread_seq = row[0], row[1] + len(events)
        writes.set_thread_seq(tx, lease.thread_id, thread_seq)
        writes.append_events(tx, lease.run_id, lease.thread_id, lease.attempt, seq, thread_seq, events)


class SqlEventLog(SqlPort):
    """ports.log.EventLog."""

    def __init__(self, engine: Engine, hub: Hub, *, poll_seconds: float = 30.0) -> None:
        super().__init__(engine, hub)
        self._poll_seconds = poll_seconds

    async def append(self, lease: Lease, events: Sequence[Event]) -> None:
        # The key keeps the jobs of a thread in order, and makes them wait for the database instead of failing.
        await self._write(lambda tx: extend(tx, lease, events), key=lease.thread_id)

    def follow(self, run_id: str, after: int = 0) -> TailFollower:
        return self._hub.follow(run_id, after, self._read_run, self._poll_seconds)

    async def _read_run(self, run_id: str, after: int) -> tuple[Sequence[Chunk], bool]:
        return await self._engine.read(lambda conn: _run_chunks(conn, run_id, after))

    async def bounds(self, run_id: str) -> tuple[int, int]:
        row = await self._engine.read(lambda conn: conn.execute(_BOUNDS, (run_id,)).fetchone())
        return row or (1, 0)

    def follow_thread(self, thread_id: str, after: int = 0) -> ThreadFollower:
        return self._hub.follow_thread(thread_id, after, self._read_thread, self._poll_seconds)

    async def _read_thread(self, thread_id: str, after: int) -> tuple[Sequence[Chunk], bool]:
        return await self._engine.read(lambda conn: _thread_chunks(conn, thread_id, after))

    async def thread_cursor(self, thread_id: str, event_id: tuple[int, int] | None = None) -> int:
        if event_id is None:
            return await self._engine.read(lambda conn: _last_seq(conn, thread_id))
        return await self._engine.read(lambda conn: _locate(conn, thread_id, *event_id))


def _run_chunks(conn: Connection, run_id: str, after: int) -> tuple[Sequence[Chunk], bool]:
    """The chunks with events after ``after``, and whether more may follow."""
    # Both statements see one snapshot; otherwise a run that ends in between would be taken for ended before its last
    # events have been read.
    active = conn.execute(
        "SELECT 1 FROM runs WHERE run_id = ? AND status IN ('pending', 'running')", (run_id,)
    ).fetchone()
    return _decode(conn.execute(_READ_RUN, (run_id, after + 1))), active is not None


def _thread_chunks(conn: Connection, thread_id: str, after: int) -> tuple[Sequence[Chunk], bool]:
    """``_run_chunks`` for a thread. If the thread was deleted and created again, its numbers start over; nothing more
    may follow then, which ends the readers of the deleted thread."""
    read = read_thread(conn, thread_id, after)
    return read, bool(read) or _last_seq(conn, thread_id) >= after


def read_thread(conn: Connection, thread_id: str, after: int, limit: int = _READ_CHUNKS) -> list[Chunk]:
    """The chunks, numbered in the thread, with events after ``after``. Deleted runs leave gaps."""
    return _decode(conn.execute(_READ_THREAD, (thread_id, after, limit)))


def _decode(rows: Iterable[tuple[int, bytes]]) -> list[Chunk]:
    decoded: list[Chunk] = []
    size = 0
    for first, blob in rows:
        decoded.append(chunks.decode(first, blob))
        size += len(blob)
        if size > _READ_BYTES:
            break
    return decoded


def _last_seq(conn: Connection, thread_id: str) -> int:
    row = conn.execute("SELECT event_seq FROM threads WHERE thread_id = ?", (thread_id,)).fetchone()
    return row[0] if row else 0


def _locate(conn: Connection, thread_id: str, ms: int, seq: int) -> int:
    """The thread's number of the event ``<ms>-<seq>``, where ``seq`` counts in the thread or in one of its runs.

    An event that was deleted, or does not exist yet, is taken for one numbered in the thread."""
    chunk = next((each for each in read_thread(conn, thread_id, seq - 1, limit=1) if each.first <= seq), None)
    if chunk is None or chunk.events[seq - chunk.first].ms != ms:
        for offset, first, blob in conn.execute(_CONTAINING, {"thread": thread_id, "seq": seq}):
            if chunks.decode(first, blob).events[seq - first].ms == ms:
                return offset + seq
    return min(seq, _last_seq(conn, thread_id))
