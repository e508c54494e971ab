"""Remove old data of ended runs: first all events except the last, then the runs.

Each call is one short transaction, and many processes may sweep concurrently. The thread keeps its state, its last
output and its checkpoints.
"""

from __future__ import annotations

from treadle.backends import chunks
from treadle.backends.engine.connection import Connection
from treadle.backends.live.hub import Hub
from treadle.backends.tables import writes

_CHUNKS = 1000
"""Maximum number of log rows deleted per transaction."""
_UNTRIMMED = """
SELECT r.run_id, r.thread_id, r.event_seq FROM runs r CROSS JOIN threads t ON t.thread_id = r.thread_id
WHERE r.finished_at < ?1 AND r.finished_at IS NOT NULL AND r.trimmed = 0
ORDER BY r.finished_at LIMIT ?2 /*pg: FOR NO KEY UPDATE OF r, t SKIP LOCKED */
"""
_OLD = """
SELECT r.run_id FROM runs r CROSS JOIN threads t ON t.thread_id = r.thread_id
WHERE r.finished_at < ?1 AND r.trimmed <> 0
ORDER BY r.finished_at LIMIT ?2 /*pg: FOR NO KEY UPDATE OF r, t SKIP LOCKED */
"""
_CUT = """
DELETE FROM event_chunks WHERE run_id = ?1 AND first_seq IN (
    SELECT first_seq FROM event_chunks WHERE run_id = ?1 AND last_seq < ?2 ORDER BY first_seq LIMIT ?3)
"""
_LAST = "SELECT first_seq, events FROM event_chunks WHERE run_id = ? AND last_seq = ?"
_KEEP_LAST = "UPDATE event_chunks SET first_seq = last_seq, events = ? WHERE run_id = ? AND last_seq = ?"


def trim(conn: Connection, ended_before: int, limit: int, hub: Hub, tell: writes.Tell) -> int:
    """Delete all events except the last, which tells readers that the run has ended. Returns the number of runs;
    ``limit`` means that there may be more."""
    left, trimmed = _CHUNKS, 0
    for run_id, thread_id, last_seq in conn.execute(_UNTRIMMED, (ended_before, limit)).fetchall():
        left -= conn.execute(_CUT, (run_id, last_seq, left)).rowcount
        tell(lambda thread_id=thread_id: hub.thread_cut(thread_id))
        if left <= 0:
            return limit
        _keep_last(conn, run_id, last_seq)
        conn.execute("UPDATE runs SET trimmed = 1 WHERE run_id = ?", (run_id,))
        trimmed += 1
    return trimmed


def _keep_last(conn: Connection, run_id: str, last_seq: int) -> None:
    found = conn.execute(_LAST, (run_id, last_seq)).fetchone()
    if found is not None and found[0] < last_seq:
        last = chunks.decode(*found).events[-1]
        conn.execute(_KEEP_LAST, (chunks.encode([last]), run_id, last_seq))


def remove(conn: Connection, ended_before: int, limit: int, hub: Hub, tell: writes.Tell) -> int:
    """Remove trimmed runs. Returns their number."""
    old = conn.execute(_OLD, (ended_before, limit)).fetchall()
    for (run_id,) in old:
        writes.delete_run(conn, run_id, hub, tell)
        tell(hub.expired)
    return len(old)
