"""Writes that change several tables at once, shared by the queue, the log and the verbs of a transaction.

Lock order (PostgreSQL): the thread's row first, then its runs, then the advisory locks of slots. A job that took them
in another order could deadlock with one that did.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from treadle.backends import chunks
from treadle.backends.checkpoints import rows as checkpoint_rows
from treadle.backends.tables import deliveries, rows
from treadle.backends.tables.turns import free_slots, wake_thread
from treadle.backends.tables.tx import Tx
from treadle.model import ACTIVE, JSON, CancelAction, Event, ThreadStatus
from treadle.ports.log import Chunk
from treadle.ports.queue import Outcome

# A thread is busy while a run is active; its resting status is recorded all the same, for the time after.
_STATUS = """CASE
    WHEN EXISTS (SELECT 1 FROM runs WHERE runs.thread_id = threads.thread_id AND runs.status IN ('pending', 'running'))
    THEN 'busy' ELSE {} END"""
_UPDATE_STATUS = f"UPDATE threads SET updated_at = ?, status = {_STATUS.format('resting')} WHERE thread_id = ?"
_SETTLE = f"""
UPDATE threads SET resting = ?1, output_id = coalesce(?2, output_id), interrupts = ?3, error = ?4, settled = 1,
    state_updated_at = ?5, updated_at = ?5, event_seq = coalesce(?6, event_seq), status = {_STATUS.format("?1")}
WHERE thread_id = ?7
"""
_ENDING = """
SELECT r.run_id, r.thread_id, r.status, r.attempt, r.event_seq, t.event_seq, t.output_id, r.webhook, r.temporary,
    r.cancel_action, r.cancel_reason, r.graph_id, r.concurrency_key, r.limited,
    CASE WHEN EXISTS (SELECT 1 FROM runs x WHERE x.thread_id = r.thread_id AND x.status = 'pending') THEN 1 ELSE 0 END
FROM runs r JOIN threads t ON t.thread_id = r.thread_id WHERE r.run_id = ?
"""
# A copied thread shares the output of its source, so an output goes only with the last row that refers to it.
_DROP_OUTPUT = """
DELETE FROM outputs WHERE output_id = ?
AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.output_id = outputs.output_id)
AND NOT EXISTS (SELECT 1 FROM threads WHERE threads.output_id = outputs.output_id)
"""
_THREAD_OWNER = "thread:"
"""Prefix of the id under which a thread's own events are stored; no run id has it."""
_NEXT_THREAD_SEQ = "UPDATE threads SET event_seq = event_seq + 1 WHERE thread_id = ? RETURNING event_seq"
_INSERT_CHUNK = """
INSERT INTO event_chunks (run_id, first_seq, last_seq, thread_id, thread_seq, attempt, events)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""


class EndingRun(NamedTuple):
    """A run that is about to end, and its thread, which is locked.

    ``event_seq`` and ``thread_seq`` are the last event numbers of the run and the thread, ``thread_output`` is the
    output that the thread shows, ``has_successors`` tells whether other runs of the thread are pending."""

    run_id: str
    thread_id: str
    status: str
    attempt: int
    event_seq: int
    thread_seq: int
    thread_output: int | None
    webhook: str | None
    temporary: int
    cancel_action: CancelAction | None
    cancel_reason: str | None
    graph_id: str
    concurrency_key: str | None
    limited: int
    has_successors: int


def ending_run(tx: Tx, run_id: str) -> EndingRun | None:
    row = tx.one(_ENDING, run_id)
    return EndingRun(*row) if row else None


# --- threads ----------------------------------------------------------------------------------------------------------


def update_thread_status(tx: Tx, thread_id: str) -> None:
    """Derive the thread's status from its runs, and wake the next run that waits behind the thread."""
    tx.execute(_UPDATE_STATUS, (tx.now, thread_id))
    wake_thread(tx, thread_id)


def settle_thread(
    tx: Tx,
    thread_id: str,
    *,
    status: ThreadStatus,
    output_id: int | None,
    interrupts: JSON,
    error: JSON | None,
    old_output: int | None,
    event_seq: int | None = None,
) -> None:
    """Record the state that the thread rests in once no run is active.

    ``output_id`` None keeps its values (``old_output``). ``event_seq`` is its last event number, if events were
    appended."""
    tx.execute(
        _SETTLE,
        (status, output_id, rows.dump(interrupts), rows.dump_or_none(error), tx.now, event_seq, thread_id),
    )
    if output_id is not None and old_output is not None:
        tx.execute(_DROP_OUTPUT, (old_output,))


def insert_output(tx: Tx, body: bytes) -> int:
    # The id is made here, from the millisecond and 22 random bits: an id from the database would cost a round trip.
    output_id = tx.now // 1000 << 22 | random.getrandbits(22)
    tx.execute("INSERT INTO outputs (output_id, body) VALUES (?, ?)", (output_id, body))
    return output_id


def retire_thread(tx: Tx, thread_id: str) -> None:
    """Hide the thread of an ended stateless run. Its stream can still be joined until the sweep deletes it."""
    checkpoint_rows.delete_thread_checkpoints(tx.conn, thread_id)
    tx.execute("UPDATE threads SET gone_at = ? WHERE thread_id = ?", (tx.now, thread_id))


def delete_thread(tx: Tx, thread_id: str) -> None:
    """Delete the thread with its runs, events, outputs and checkpoints; active runs lose their lease."""
    outputs = tx.all(
        "SELECT output_id FROM runs WHERE thread_id = ?1 AND output_id IS NOT NULL"
        " UNION SELECT output_id FROM threads WHERE thread_id = ?1 AND output_id IS NOT NULL",
        thread_id,
    )
    deliveries.enqueue_active(tx, thread_id)
    deleted = tx.all(
        "DELETE FROM runs WHERE thread_id = ? RETURNING run_id, graph_id, concurrency_key, status", thread_id
    )
    tx.execute("DELETE FROM event_chunks WHERE thread_id = ?", (thread_id,))
    tx.execute("DELETE FROM threads WHERE thread_id = ?", (thread_id,))
    tx.conn.executemany(_DROP_OUTPUT, outputs)
    checkpoint_rows.delete_thread_checkpoints(tx.conn, thread_id)
    tx.after_commit(lambda: tx.hub.thread_cut(thread_id, whole=True))
    for run_id, graph_id, key, status in deleted:
        if status in ACTIVE:
            free_slots(tx, graph_id, key, limited=True)
        tx.after_commit(lambda run_id=run_id: tx.hub.gone(run_id))
        # The worker would notice only at its next write that the run is gone: this hint stops its code sooner.
        tx.after_commit(lambda run_id=run_id: tx.hub.cancel_marked(run_id, "interrupt"))


# --- events -----------------------------------------------------------------------------------------------------------


def set_thread_seq(tx: Tx, thread_id: str, thread_seq: int) -> None:
    """Record the last event number of the thread."""
    tx.execute("UPDATE threads SET event_seq = ? WHERE thread_id = ?", (thread_seq, thread_id))


def append_events(
    tx: Tx, run_id: str, thread_id: str, attempt: int, last_seq: int, thread_seq: int, events: Sequence[Event]
) -> None:
    """Write one chunk that ends at ``last_seq`` of the run and ``thread_seq`` of the thread, and notify its readers.

    The caller records both numbers: it mostly has an UPDATE of these rows to make anyway."""
    first, thread_first = last_seq - len(events) + 1, thread_seq - len(events) + 1
    blob = chunks.encode(events)
    tx.execute(_INSERT_CHUNK, (run_id, first, last_seq, thread_id, thread_seq, attempt, blob))
    tx.after_commit(lambda: tx.hub.appended(run_id, thread_id, Chunk(first, events), thread_first, blob))


def append_thread_event(tx: Tx, thread_id: str, event: Event) -> None:
    """Append an event that belongs to no run, and notify the thread's readers."""
    row = tx.one(_NEXT_THREAD_SEQ, thread_id)
    if row is None:
        return
    (seq,) = row
    tx.execute(_INSERT_CHUNK, (_THREAD_OWNER + thread_id, seq, seq, thread_id, seq, 0, chunks.encode([event])))
    tx.after_commit(lambda: tx.hub.published_in_thread(thread_id, Chunk(seq, (event,))))


# --- runs -------------------------------------------------------------------------------------------------------------


def end_event(tx: Tx, run_id: str, status: str) -> Event:
    return Event(tx.now // 1000, "end", "", orjson.dumps({"run_id": run_id, "status": status}))


def end_run(tx: Tx, run: EndingRun, outcome: Outcome, events: Sequence[Event]) -> int | None:
    """The terminal transition: append the last events and the terminal one, record status and output, enqueue the
    webhook. Returns the id of the output.

    The caller records the thread's event number, which grows by the events and one."""
    output_id = None if outcome.output is None else insert_output(tx, outcome.output)
    appended = (*events, end_event(tx, run.run_id, outcome.status))
    last_seq, thread_seq = run.event_seq + len(appended), run.thread_seq + len(appended)
    tx.execute(
        "UPDATE runs SET status = ?, finished_at = ?, updated_at = ?, worker_id = NULL, output_id = ?, error = ?,"
        " interrupts = ?, event_seq = ?, blocked_by = NULL WHERE run_id = ?",
        (
            *(outcome.status, tx.now, tx.now, output_id, rows.dump_or_none(outcome.error)),
            *(rows.dump_or_none(outcome.wait_interrupts), last_seq, run.run_id),
        ),
    )
    tx.after_commit(lambda: tx.hub.ended(outcome.status))
    append_events(tx, run.run_id, run.thread_id, run.attempt, last_seq, thread_seq, appended)
    if run.webhook is not None:
        deliveries.enqueue(tx, run.run_id, outcome)
    return output_id


def roll_back_run(tx: Tx, run: EndingRun, outcome: Outcome) -> None:
    """Delete the run with its events and checkpoints, after its webhook has been enqueued from its row."""
    deliveries.enqueue(tx, run.run_id, outcome)
    # Also of a pending run: one that lost its worker or was handed back may have written checkpoints.
    checkpoint_rows.delete_runs_checkpoints(tx.conn, run.thread_id, run.run_id)
    tx.after_commit(lambda: tx.hub.ended("rolled_back"))
    delete_run(tx, run.run_id)


def delete_run(tx: Tx, run_id: str) -> None:
    """Delete a run with its events and its output, unless its thread still shows that output."""
    tx.execute("DELETE FROM event_chunks WHERE run_id = ?", (run_id,))
    row = tx.one("DELETE FROM runs WHERE run_id = ? RETURNING output_id, thread_id", run_id)
    if row is not None:
        tx.execute(_DROP_OUTPUT, row[:1])
        tx.after_commit(lambda: tx.hub.thread_cut(row[1]))
    tx.after_commit(lambda: tx.hub.gone(run_id))
