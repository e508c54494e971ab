"""The verbs of a transaction in SQL (ports.Transaction), and the statements that queue and log share with them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import orjson

from treadle.backends import checkpoints, rows, webhooks
from treadle.backends.conditions import assistant_filter, run_filter
from treadle.backends.crons import CronVerbs
from treadle.backends.engine import Connection
from treadle.backends.hub import Hub
from treadle.backends.limits import leave, wake_thread
from treadle.backends.run_rows import RunSearchVerbs
from treadle.backends.thread_rows import ThreadVerbs
from treadle.backends.thread_search import ThreadSearchVerbs
from treadle.errors import LeaseLost
from treadle.model import ACTIVE, JSON, Assistant, CancelAction, Event, Run, Thread, ThreadStatus, ThreadTTL
from treadle.ports import ActiveRun, Ended, NewRun, Outcome
from treadle.queries import AssistantQuery, RunQuery
from treadle.reading import Chunk

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
# What a new run waits for as far as its thread and its time say; the rest is for those who claim.
_BLOCKED_BY = """
CASE WHEN ?7 > ?6 THEN 'time' WHEN EXISTS (
    SELECT 1 FROM runs WHERE thread_id = ?2 AND status IN ('pending', 'running')
    AND (status = 'running' OR available_at <= ?6)
) THEN 'thread' END
"""
_PENDING = """
SELECT count(*) FROM (
    SELECT 1 FROM runs WHERE status = 'pending' AND blocked_by IS NULL
    UNION ALL SELECT 1 FROM runs WHERE status = 'pending' AND blocked_by <> 'time'
    UNION ALL SELECT 1 FROM runs WHERE status = 'pending' AND blocked_by = 'time' LIMIT ?
) AS counted
"""
_RUNS = f"SELECT {rows.RUN} FROM runs r JOIN run_requests q USING (run_id)"
_THREADS = f"SELECT {rows.THREAD}, o.body FROM threads t LEFT JOIN outputs o USING (output_id)"
_THREAD_HEADS = f"SELECT {rows.THREAD}, NULL FROM threads t"


class Standing(NamedTuple):
    """A run that is about to end, and its thread, which is locked: ``event_seq`` and ``thread_seq`` are the last
    numbers given, ``thread_output`` is what the thread shows, ``followed`` whether other runs wait on it."""

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


class SqlTransaction(ThreadVerbs, ThreadSearchVerbs, RunSearchVerbs, CronVerbs, webhooks.DeliveryVerbs):
    """ports.Transaction over one connection. ``tell`` runs a hint once the transaction is durable."""

    def __init__(self, conn: Connection, *, now: int, hub: Hub, tell: Tell) -> None:
        self.now = now
        self._conn = conn
        self._hub = hub
        self._tell = tell

    def _one(self, sql: str, *parameters: Any) -> tuple[Any, ...] | None:
        return self._conn.execute(sql, parameters).fetchone()

    def _all(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._conn.execute(sql, parameters).fetchall()

    # assistants

    def assistant(self, assistant_id: str) -> Assistant | None:
        row = self._one(f"SELECT {rows.ASSISTANT} FROM assistants WHERE assistant_id = ?", assistant_id)
        return rows.assistant(row) if row else None

    def lock_assistant(self, assistant_id: str) -> None:
        self._conn.lock_assistant(assistant_id)

    def put_assistant(self, assistant: Assistant) -> None:
        a = assistant
        bodies = (rows.dump(a.config), rows.dump(a.context), rows.dump(a.metadata))
        created_at, updated_at = rows.microseconds(a.created_at), rows.microseconds(a.updated_at)
        self._conn.execute(
            "INSERT INTO assistants (assistant_id, graph_id, config, context, metadata, name, created_at, updated_at,"
            " version, description) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (assistant_id) DO UPDATE SET"
            " graph_id = excluded.graph_id, config = excluded.config, context = excluded.context,"
            " metadata = excluded.metadata, name = excluded.name, updated_at = excluded.updated_at,"
            " version = excluded.version, description = excluded.description",
            (a.assistant_id, a.graph_id, *bodies, a.name, created_at, updated_at, a.version, a.description),
        )
        self._conn.execute(
            "INSERT INTO assistant_versions (assistant_id, version, graph_id, config, context, metadata,"
            " name, created_at, description) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (a.assistant_id, a.version, a.graph_id, *bodies, a.name, updated_at, a.description),
        )

    def assistant_versions(self, assistant_id: str) -> list[Assistant]:
        found = self._all(
            "SELECT assistant_id, graph_id, config, context, metadata, name, created_at, created_at, version,"
            " description FROM assistant_versions WHERE assistant_id = ? ORDER BY version DESC",
            (assistant_id,),
        )
        return [rows.assistant(row) for row in found]

    def delete_assistant(self, assistant_id: str) -> bool:
        return self._conn.execute("DELETE FROM assistants WHERE assistant_id = ?", (assistant_id,)).rowcount > 0

    def search_assistants(self, query: AssistantQuery) -> list[Assistant]:
        where, parameters = assistant_filter(query)
        column = "lower(name)" if query.sort_by == "name" else query.sort_by
        order = f"{column} {'ASC' if query.ascending else 'DESC'}, assistant_id"
        found = self._all(
            f"SELECT {rows.ASSISTANT} FROM assistants{where} ORDER BY {order} LIMIT ? OFFSET ?",
            (*parameters, query.limit, query.offset),
        )
        return [rows.assistant(row) for row in found]

    def count_assistants(self, query: AssistantQuery) -> int:
        where, parameters = assistant_filter(query)
        return self._all(f"SELECT count(*) FROM assistants{where}", parameters)[0][0]

    # threads

    def thread(self, thread_id: str, *, values: bool = True) -> Thread | None:
        self._conn.lock_thread(thread_id)
        select = _THREADS if values else _THREAD_HEADS
        row = self._one(f"{select} WHERE t.thread_id = ? AND coalesce(t.gone_at, 0) = 0", thread_id)
        return rows.thread(row) if row else None

    def thread_metadata(self, thread_id: str) -> JSON | None:
        row = self._one("SELECT metadata FROM threads WHERE thread_id = ?", thread_id)
        return rows.load(row[0]) if row else None

    def insert_thread(self, thread_id: str, *, metadata: JSON, ttl: ThreadTTL | None = None) -> None:
        lifetime = (ttl.ttl, ttl.strategy) if ttl else (None, None)
        self._conn.execute(
            "INSERT INTO threads (thread_id, created_at, updated_at, state_updated_at, metadata, ttl_minutes,"
            " ttl_strategy) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (thread_id, self.now, self.now, self.now, rows.dump(metadata), *lifetime),
        )

    def merge_thread(self, thread_id: str, *, metadata: JSON) -> None:
        row = self._one("SELECT metadata FROM threads WHERE thread_id = ?", thread_id)
        if row is None:
            return
        merged = rows.load(row[0]) | metadata
        self._conn.execute(
            "UPDATE threads SET metadata = ?, updated_at = ? WHERE thread_id = ?",
            (rows.dump(merged), self.now, thread_id),
        )

    def rest_thread(
        self, thread_id: str, *, status: ThreadStatus, output: bytes | None, interrupts: JSON, error: JSON | None
    ) -> None:
        old = self._one("SELECT output_id FROM threads WHERE thread_id = ?", thread_id)
        output_id = None if output is None else insert_output(self._conn, output, self.now)
        rest(self._conn, thread_id, self.now, status, output_id, interrupts, error, old_output=old[0] if old else None)
        wake_thread(self._conn, thread_id)
        self._conn.execute("UPDATE threads SET held_until = NULL WHERE thread_id = ?", (thread_id,))
        self._tell(self._hub.queue_changed)

    def delete_thread(self, thread_id: str) -> bool:
        if self._one("SELECT 1 FROM threads WHERE thread_id = ?", thread_id) is None:
            return False
        delete_thread(self._conn, thread_id, self.now, self._hub, self._tell)
        return True

    def copy_thread(self, source: str, target: str) -> None:
        self._conn.execute(
            "INSERT INTO threads (thread_id, created_at, updated_at, state_updated_at, status, resting, settled,"
            " output_id, metadata, config, error, interrupts, ttl_minutes, ttl_strategy) SELECT ?, ?, ?,"
            " state_updated_at, resting, resting, settled, output_id, metadata, config, error, interrupts,"
            " ttl_minutes, ttl_strategy FROM threads WHERE thread_id = ?",
            (target, self.now, self.now, source),
        )
        checkpoints.copy_thread_checkpoints(self._conn, source, target)

    # runs

    def run(self, run_id: str) -> Run | None:
        self._conn.lock_thread_of(run_id)
        row = self._one(f"{_RUNS} WHERE r.run_id = ?", run_id)
        return rows.run(row) if row else None

    def run_is_temporary(self, run_id: str) -> bool:
        return self._one("SELECT 1 FROM runs WHERE run_id = ? AND temporary <> 0", run_id) is not None

    def insert_run(self, run: NewRun, *, thread_metadata: JSON | None = None, thread_config: JSON | None = None) -> Run:
        metadata, kwargs = rows.dump(run.metadata), orjson.dumps(run.kwargs)
        self._conn.execute(
            "INSERT INTO runs (run_id, thread_id, assistant_id, graph_id, multitask_strategy, created_at, updated_at,"
            " available_at, temporary, metadata, webhook, priority, concurrency_key, tags, blocked_by)"
            f" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, {_BLOCKED_BY})",
            (
                *(run.run_id, run.thread_id, run.assistant_id, run.graph_id, run.multitask_strategy, self.now),
                *(run.available_at, run.temporary, metadata, run.kwargs.get("webhook")),
                *(run.priority, run.concurrency_key, rows.dump_or_none(run.kwargs["config"].get("tags") or None)),
            ),
        )
        self._conn.execute("INSERT INTO run_requests (run_id, kwargs) VALUES (?, ?)", (run.run_id, kwargs))
        # Metadata that stays is not named: whatever follows from metadata would be looked at.
        changed = {} if thread_metadata is None else {"metadata": rows.dump(thread_metadata)}
        if thread_config is not None:
            changed["config"] = rows.dump(thread_config)
        assigned = "".join(f", {column} = ?" for column in changed)
        self._conn.execute(
            f"UPDATE threads SET status = 'busy', updated_at = ?{assigned} WHERE thread_id = ?",
            (self.now, *changed.values(), run.thread_id),
        )
        self._tell(lambda: self._hub.created(run.run_id))
        self._tell(self._hub.queue_changed)
        shown, session = rows.request_of(run.kwargs)
        return Run(
            run_id=run.run_id,
            thread_id=run.thread_id,
            assistant_id=run.assistant_id,
            created_at=rows.moment(self.now),
            updated_at=rows.moment(self.now),
            status="pending",
            metadata=run.metadata,
            kwargs=shown,
            multitask_strategy=run.multitask_strategy,
            langsmith_session_name=session,
        )

    def active_runs(self, thread_id: str) -> list[ActiveRun]:
        self._conn.lock_thread(thread_id)
        found = self._all(
            "SELECT position, run_id, status, cancel_action FROM runs"
            " WHERE thread_id = ? AND status IN ('pending', 'running')",
            (thread_id,),
        )
        return [ActiveRun(*row[1:]) for row in sorted(found)]

    def pending_runs(self, most: int) -> int:
        return self._all(_PENDING, (most,))[0][0]

    def active_run_ids(self, status: Literal["pending", "running", "all"]) -> list[tuple[str, str]]:
        wanted = ("pending", "running") if status == "all" else (status, status)
        listed = "temporary IN (0, 1) AND status IN (?, ?)"  # as the index of listed runs has it
        found = self._all(f"SELECT thread_id, run_id FROM runs WHERE {listed} ORDER BY +position", wanted)
        return [(thread_id, run_id) for thread_id, run_id in found]

    def list_runs(self, query: RunQuery) -> list[Run]:
        where, parameters = run_filter(query)
        page = f"SELECT r.position FROM runs r{where} ORDER BY r.position DESC LIMIT ? OFFSET ?"
        found = self._all(
            f"SELECT {rows.RUN} FROM ({page}) AS page CROSS JOIN runs r ON r.position = page.position"
            " CROSS JOIN run_requests q ON q.run_id = r.run_id ORDER BY page.position DESC",
            (*parameters, query.limit, query.offset),
        )
        return [rows.run(row) for row in found]

    def mark_cancel(self, run_id: str, action: CancelAction, reason: str) -> None:
        marked = self._one(
            "UPDATE runs SET cancel_action = ?1, cancel_reason = coalesce(cancel_reason, ?2), updated_at = ?3"
            " WHERE run_id = ?4 AND status = 'running' AND (cancel_action IS NULL OR cancel_action <> 'rollback')"
            " RETURNING cancel_action",
            *(action, reason, self.now, run_id),
        )
        if marked:
            self._tell(lambda: self._hub.cancel_marked(run_id, action))

    def end_pending(self, run_id: str, outcome: Outcome) -> None:
        self._conn.lock_thread_of(run_id)
        run = standing(self._conn, run_id)
        if run is None or run.status != "pending":
            raise LeaseLost(f"run {run_id} is not pending")
        thread_id = run.thread_id
        if outcome.rollback:
            webhooks.enqueue(self._conn, run_id, self.now, outcome, self._hub, self._tell)
            self._tell(lambda: self._hub.ended("rolled_back"))
            # It may have run: a run that lost its worker, or was handed back, is pending again.
            checkpoints.delete_runs_checkpoints(self._conn, thread_id, run_id)
            delete_run(self._conn, run_id, self._hub, self._tell)
        else:
            end_run(self._conn, run, self.now, outcome, [], self._hub, self._tell)
            count_events(self._conn, thread_id, run.thread_seq + 1)
        if run.temporary:
            retire(self._conn, thread_id, self.now)
        derive(self._conn, thread_id, self.now)
        leave(self._conn, run.graph_id, run.concurrency_key, limited=True)
        self._tell(self._hub.queue_changed)

    def delete_run(self, run_id: str) -> bool:
        if self._one("SELECT 1 FROM runs WHERE run_id = ?", run_id) is None:
            return False
        delete_run(self._conn, run_id, self._hub, self._tell)
        return True

    def ended(self, run_id: str) -> Ended | None:
        row = self._one(
            "SELECT status, error, interrupts, body FROM runs LEFT JOIN outputs USING (output_id) WHERE run_id = ?",
            run_id,
        )
        if row is None:
            return None
        status, error, interrupts, output = row
        return Ended(status, rows.load_or_none(error), rows.load_or_none(interrupts), output)

    # idempotency

    def remembered(self, key: str) -> tuple[str, list[str]] | None:
        row = self._one("SELECT digest, run_ids FROM idempotency_keys WHERE key = ?", key)
        return (row[0], row[1].split(",")) if row else None

    def remember(self, key: str, digest: str, run_ids: list[str]) -> None:
        self._conn.execute(
            "INSERT INTO idempotency_keys (key, digest, run_ids, created_at) VALUES (?, ?, ?, ?)",
            (key, digest, ",".join(run_ids), self.now),
        )


# --- statements that the queue and the log use too --------------------------------------------------------------------


def derive(conn: Connection, thread_id: str, now: int) -> None:
    """The thread's status, from its runs; the next of them that waited for its turn is ready."""
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
    """What the thread rests in once no run is active; ``output_id`` None keeps its values (``old_output``).

    ``event_seq`` is the last number of its order where events were appended to it."""
    parameters = (status, output_id, rows.dump(interrupts), rows.dump_or_none(error), now, event_seq, thread_id)
    conn.execute(_REST, parameters)
    if output_id is not None and old_output is not None:
        conn.execute(_DROP_OUTPUT, (old_output,))


def insert_output(conn: Connection, body: bytes, now: int) -> int:
    """Its id is made here, so that nobody has to wait for it: the millisecond, and 22 bits of chance."""
    output_id = now // 1000 << 22 | random.getrandbits(22)
    conn.execute("INSERT INTO outputs (output_id, body) VALUES (?, ?)", (output_id, body))
    return output_id


def count_events(conn: Connection, thread_id: str, thread_seq: int) -> None:
    """The last number given in the thread's order."""
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
    """Writes one chunk that ends at ``last_seq``, in the thread's order at ``thread_seq``, and tells its readers once
    it is durable. The caller counts it."""
    first, thread_first = last_seq - len(events) + 1, thread_seq - len(events) + 1
    blob = rows.encode_events(list(events))
    conn.execute(
        "INSERT INTO event_chunks (run_id, first_seq, last_seq, thread_id, thread_seq, attempt, events)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (run_id, first, last_seq, thread_id, thread_seq, attempt, blob),
    )
    tell(lambda: hub.appended(run_id, thread_id, Chunk(first, events), thread_first, blob))


def end_run(
    conn: Connection, run: Standing, now: int, outcome: Outcome, events: Sequence[Event], hub: Hub, tell: Tell
) -> int | None:
    """The terminal transition: last events, terminal event, status and output. Returns the id of the output.

    The caller counts the events (and one) in the thread."""
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
        webhooks.enqueue(conn, run.run_id, now, outcome, hub, tell)
    return output_id


def delete_run(conn: Connection, run_id: str, hub: Hub, tell: Tell) -> None:
    """Removes a run with its events and its output; what the thread shows stays."""
    conn.execute("DELETE FROM event_chunks WHERE run_id = ?", (run_id,))
    row = conn.execute("DELETE FROM runs WHERE run_id = ? RETURNING output_id, thread_id", (run_id,)).fetchone()
    if row is not None:
        conn.execute(_DROP_OUTPUT, row[:1])
        tell(lambda: hub.thread_cut(row[1]))
    tell(lambda: hub.gone(run_id))


def retire(conn: Connection, thread_id: str, now: int) -> None:
    """The stateless run of a temporary thread has ended: the thread goes, its stream can be joined until the sweep."""
    checkpoints.delete_thread_checkpoints(conn, thread_id)
    conn.execute("UPDATE threads SET gone_at = ? WHERE thread_id = ?", (now, thread_id))


def delete_thread(conn: Connection, thread_id: str, now: int, hub: Hub, tell: Tell) -> None:
    outputs = conn.execute(
        "SELECT output_id FROM runs WHERE thread_id = ?1 AND output_id IS NOT NULL"
        " UNION SELECT output_id FROM threads WHERE thread_id = ?1 AND output_id IS NOT NULL",
        (thread_id,),
    ).fetchall()
    webhooks.enqueue_active(conn, thread_id, now, hub, tell)
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
        # Whoever executes it has lost it: a hint, so that its code does not go on until its next write.
        tell(lambda run_id=run_id: hub.cancel_marked(run_id, "interrupt"))
