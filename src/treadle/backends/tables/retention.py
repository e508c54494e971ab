"""Retention of ended runs: trim their events to the last one, later remove the runs themselves.

Each call is one short transaction, and many processes may sweep at once. The thread keeps its state, its last output
and its checkpoints.
"""

from __future__ import annotations

from treadle.backends import chunks
from treadle.backends.tables import writes
from treadle.backends.tables.tx import Tx

_CHUNKS = 1000
"""Chunks deleted in one transaction: a long log must not block the writer."""
# SKIP LOCKED: a run that another sweeper is trimming, or whose thread is in use, is left for the next sweep.
_UNTRIMMED = """
SELECT r.run_id, r.thread_id, r.event_seq FROM runs r CROSS JOIN threads t ON t.thread_id = r.thread_id
WHERE r.finished_at < ?1 AND r.finished_at IS NOT NULL AND r.trimmed = 0
ORDER BY r.finished_at LIMIT ?2 /*pg: FOR NO KEY UPDATE OF r, t SKIP LOCKED */
"""
_TRIMMED = """
SELECT r.run_id FROM runs r CROSS JOIN threads t ON t.thread_id = r.thread_id
WHERE r.finished_at < ?1 AND r.trimmed <> 0
ORDER BY r.finished_at LIMIT ?2 /*pg: FOR NO KEY UPDATE OF r, t SKIP LOCKED */
"""
_DELETE_CHUNKS = """
DELETE FROM event_chunks WHERE run_id = ?1 AND first_seq IN (
    SELECT first_seq FROM event_chunks WHERE run_id = ?1 AND last_seq < ?2 ORDER BY first_seq LIMIT ?3)
"""
_LAST = "SELECT first_seq, events FROM event_chunks WHERE run_id = ? AND last_seq = ?"
_KEEP_LAST = "UPDATE event_chunks SET first_seq = last_seq, events = ? WHERE run_id = ? AND last_seq = ?"


def trim(tx: Tx, ended_before: int, limit: int) -> int:
    """Remove all events but the last, which still shows late readers the end; return the number of runs, or ``limit``
    if there may be more."""
    chunks_left, trimmed = _CHUNKS, 0
    for run_id, thread_id, last_seq in tx.all(_UNTRIMMED, ended_before, limit):
        chunks_left -= tx.execute(_DELETE_CHUNKS, (run_id, last_seq, chunks_left)).rowcount
        tx.after_commit(lambda thread_id=thread_id: tx.hub.thread_cut(thread_id))
        if chunks_left <= 0:
            return limit
        _keep_last(tx, run_id, last_seq)
        tx.execute("UPDATE runs SET trimmed = 1 WHERE run_id = ?", (run_id,))
        trimmed += 1
    return trimmed


def _keep_last(tx: Tx, run_id: str, last_seq: int) -> None:
    row = tx.one(_LAST, run_id, last_seq)
    if row is not None and row[0] < last_seq:
        last = chunks.decode(*row).events[-1]
        tx.execute(_KEEP_LAST, (chunks.encode([last]), run_id, last_seq))


def remove(tx: Tx, ended_before: int, limit: int) -> int:
    """Remove trimmed runs; return their number."""
    trimmed = tx.all(_TRIMMED, ended_before, limit)
    for (run_id,) in trimmed:
        writes.delete_run(tx, run_id)
        tx.after_commit(tx.hub.expired)
    return len(trimmed)
