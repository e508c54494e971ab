"""Writes shared by transactions, the queue and the log: events, outputs, the end of runs, the status of threads."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import orjson

from treadle.backends import chunks
from treadle.backends.checkpoints import saver as checkpoints
from treadle.backends.engine.connection import Connection
from treadle.backends.live.hub import Hub
from treadle.backends.tables import deliveries, rows
from treadle.backends.tables.turns import leave, wake_thread
from treadle.model import ACTIVE, JSON, CancelAction, Event, ThreadStatus
from treadle.ports.log import Chunk
from treadle.ports.queue import Outcome

Tell = Callable[[Callable[[], None]], None]


_DERIVE = """
UPDATE threads SET updated_at = ?, status = CASE
    WHEN EXISTS (SELECT 1 FROM runs WHERE runs.thread_id = threads.thread_id AND runs.status IN ('pending', 'running'))
    THEN 'busy' ELSE resting END
WHERE thread_id = ?
"""


_REST = """
UPDATE threads SET resting = ?1, output_id = coalesce(?2, output_id), interrupts = ?3, error = ?4, settled = 1,
    state_updated_at = ?5, updated_at = ?5, event_seq = coalesce(?6, event_seq), status = CASE
    WHEN EXISTS (SELECT 1 FROM runs WHERE runs.thread_id = threads.thread_id AND runs.status IN ('pending', 'running'))
    THEN 'busy' ELSE ?1 END
WHERE thread_id = ?7
"""


_STANDING = """
SELECT r.run_id, r.thread_id, r.status, r.attempt, r.event_seq, t.event_seq, t.output_id, r.webhook, r.temporary,
    r.cancel_action, r.cancel_reason, r.graph_id, r.concurrency_key, r.limited,
    CASE WHEN EXISTS (SELECT 1 FROM runs x WHERE x.thread_id = r.thread_id AND x.status = 'pending') THEN 1 ELSE 0 END
FROM runs r JOIN threads t ON t.thread_id = r.thread_id WHERE r.run_id = ?
"""


_DROP_OUTPUT = """
DELETE FROM outputs WHERE output_id = ?
AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.output_id = outputs.output_id)
AND NOT EXISTS (SELECT 1 FROM threads WHERE threads.output_id = outputs.output_id)
"""


class Standing(NamedTuple):
    """A run about to end, with its locked thread. ``event_seq`` and ``thread_seq`` are the last assigned numbers,
    ``thread_output`` is the thread's current output, ``followed`` whether other runs wait behind it."""

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
    followed: int


def standing(conn: Connection, run_id: str) -> Standing | None:
    row = conn.execute(_STANDING, (run_id,)).fetchone()
    return Standing(*row) if row else None


def derive(conn: Connection, thread_id: str, now: int) -> None:
    """Derive the thread's status from its runs, and make the next waiting run ready."""
    conn.execute(_DERIVE, (now, thread_id))
    wake_thread(conn, thread_id)


def rest(
    conn: Connection,
    thread_id: str,
    now: int,
    status: ThreadStatus,
    output_id: int | None,
    interrupts: JSON,
    error: JSON | None,
    *,
    old_output: int | None,
    event_seq: int | None = None,
) -> None:
    """Set the thread's state for when no run is active; ``output_id`` None keeps its values (``old_output``).

    ``event_seq`` is the last number of the thread's order, if events were appended.
    """
    parameters = (status, output_id, rows.dump(interrupts), rows.dump_or_none(error), now, event_seq, thread_id)
    conn.execute(_REST, parameters)
    if output_id is not None and old_output is not None:
        conn.execute(_DROP_OUTPUT, (old_output,))


def insert_output(conn: Connection, body: bytes, now: int) -> int:
    """Insert an output and return its id, generated here (the millisecond and 22 random bits) to save a round trip."""
    output_id = now // 1000 << 22 | random.getrandbits(22)
    conn.execute("INSERT INTO outputs (output_id, body) VALUES (?, ?)", (output_id, body))
    return output_id


def count_events(conn: Connection, thread_id: str, thread_seq: int) -> None:
    """Record the last assigned number of the thread's order."""
    conn.execute("UPDATE threads SET event_seq = ? WHERE thread_id = ?", (thread_seq, thread_id))


def append_events(
    conn: Connection,
    run_id: str,
    thread_id: str,
    attempt: int,
    last_seq: int,
    thread_seq: int,
    events: Sequence[Event],
    hub: Hub,
    tell: Tell,
) -> None:
    """Write one chunk that ends at ``last_seq``, and at ``thread_seq`` in the thread, and notify readers once it is
    durable.

    The caller records these numbers.
    """
    first, thread_first = last_seq - len(events) + 1, thread_seq - len(events) + 1
    blob = chunks.encode(events)
    conn.execute(
        "INSERT INTO event_chunks (run_id, first_seq, last_seq, thread_id, thread_seq, attempt, events)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (run_id, first, last_seq, thread_id, thread_seq, attempt, blob),
    )
    tell(lambda: hub.appended(run_id, thread_id, Chunk(first, events), thread_first, blob))


def end_run(
    conn: Connection, run: Standing, now: int, outcome: Outcome, events: Sequence[Event], hub: Hub, tell: Tell
) -> int | None:
    """Write the end of a run: last events, terminal event, status and output. Returns the id of the output.

    The caller counts the events (plus one) in the thread.
    """
    end = Event(now // 1000, "end", "", orjson.dumps({"run_id": run.run_id, "status": outcome.status}))
    output_id = None if outcome.output is None else insert_output(conn, outcome.output, now)
    last_seq = run.event_seq + len(events) + 1
    conn.execute(
        "UPDATE runs SET status = ?, finished_at = ?, updated_at = ?, worker_id = NULL, output_id = ?, error = ?,"
        " interrupts = ?, event_seq = ?, blocked_by = NULL WHERE run_id = ?",
        (
            *(outcome.status, now, now, output_id, rows.dump_or_none(outcome.error)),
            *(rows.dump_or_none(outcome.wait_interrupts), last_seq, run.run_id),
        ),
    )
    tell(lambda: hub.ended(outcome.status))
    thread_seq = run.thread_seq + len(events) + 1
    append_events(conn, run.run_id, run.thread_id, run.attempt, last_seq, thread_seq, (*events, end), hub, tell)
    if run.webhook is not None:
        deliveries.enqueue(conn, run.run_id, now, outcome, hub, tell)
    return output_id


def delete_run(conn: Connection, run_id: str, hub: Hub, tell: Tell) -> None:
    """Remove a run with its events and its output. The thread's current output is kept."""
    conn.execute("DELETE FROM event_chunks WHERE run_id = ?", (run_id,))
    row = conn.execute("DELETE FROM runs WHERE run_id = ? RETURNING output_id, thread_id", (run_id,)).fetchone()
    if row is not None:
        conn.execute(_DROP_OUTPUT, row[:1])
        tell(lambda: hub.thread_cut(row[1]))
    tell(lambda: hub.gone(run_id))


def retire(conn: Connection, thread_id: str, now: int) -> None:
    """Retire a temporary thread after its stateless run has ended: its stream can be joined until it is swept."""
    checkpoints.delete_thread_checkpoints(conn, thread_id)
    conn.execute("UPDATE threads SET gone_at = ? WHERE thread_id = ?", (now, thread_id))


def delete_thread(conn: Connection, thread_id: str, now: int, hub: Hub, tell: Tell) -> None:
    outputs = conn.execute(
        "SELECT output_id FROM runs WHERE thread_id = ?1 AND output_id IS NOT NULL"
        " UNION SELECT output_id FROM threads WHERE thread_id = ?1 AND output_id IS NOT NULL",
        (thread_id,),
    ).fetchall()
    deliveries.enqueue_active(conn, thread_id, now, hub, tell)
    removed = conn.execute(
        "DELETE FROM runs WHERE thread_id = ? RETURNING run_id, graph_id, concurrency_key, status", (thread_id,)
    ).fetchall()
    conn.execute("DELETE FROM event_chunks WHERE thread_id = ?", (thread_id,))
    conn.execute("DELETE FROM threads WHERE thread_id = ?", (thread_id,))
    conn.executemany(_DROP_OUTPUT, outputs)
    checkpoints.delete_thread_checkpoints(conn, thread_id)
    tell(lambda: hub.thread_cut(thread_id, whole=True))
    for run_id, graph_id, key, status in removed:
        if status in ACTIVE:
            leave(conn, graph_id, key, limited=True)
            tell(hub.queue_changed)
        tell(lambda run_id=run_id: hub.gone(run_id))
        # Its worker has lost it. The hint stops the code before its next write would fail.
        tell(lambda run_id=run_id: hub.cancel_marked(run_id, "interrupt"))
