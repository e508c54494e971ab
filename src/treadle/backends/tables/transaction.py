"""The operations of a transaction in SQL (ports/records.py), and statements shared with the queue and the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, TypeVar

import orjson

from treadle.backends.checkpoints import saver as checkpoints
from treadle.backends.engine.connection import Connection
from treadle.backends.engine.jobs import Engine
from treadle.backends.live.hub import Hub
from treadle.backends.tables import deliveries, rows
from treadle.backends.tables.conditions import assistant_filter, run_filter
from treadle.backends.tables.crons import CronVerbs
from treadle.backends.tables.run_search import RunSearchVerbs
from treadle.backends.tables.thread_search import ThreadSearchVerbs
from treadle.backends.tables.threads import ThreadVerbs
from treadle.backends.tables.turns import leave, wake_thread
from treadle.backends.tables.writes import (
    Tell,
    count_events,
    delete_run,
    delete_thread,
    derive,
    end_run,
    insert_output,
    rest,
    retire,
    standing,
)
from treadle.errors import LeaseLost
from treadle.model import JSON, Assistant, CancelAction, Run, Thread, ThreadStatus, ThreadTTL
from treadle.ports.queries import AssistantQuery, ThreadRunsQuery
from treadle.ports.queue import Outcome
from treadle.ports.records import ActiveRun, NewRun, RunResult, Transaction
from treadle.times import from_microseconds, to_microseconds

T = TypeVar("T")

# The blocker of a new run, as far as its thread and its time determine it; claims determine the rest.
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


class SqlTransaction(ThreadVerbs, ThreadSearchVerbs, RunSearchVerbs, CronVerbs, deliveries.DeliveryVerbs):
    """Implements ports.records.Transaction. ``tell`` sends a hint once the transaction is durable."""

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
        created_at, updated_at = to_microseconds(a.created_at), to_microseconds(a.updated_at)
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

    def record_thread_state(
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
        # Unchanged metadata is not assigned, because triggers would process it.
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
            created_at=from_microseconds(self.now),
            updated_at=from_microseconds(self.now),
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
        listed = "temporary IN (0, 1) AND status IN (?, ?)"  # the condition of the index of listed runs
        found = self._all(f"SELECT thread_id, run_id FROM runs WHERE {listed} ORDER BY +position", wanted)
        return [(thread_id, run_id) for thread_id, run_id in found]

    def list_runs(self, query: ThreadRunsQuery) -> list[Run]:
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
            deliveries.enqueue(self._conn, run_id, self.now, outcome, self._hub, self._tell)
            self._tell(lambda: self._hub.ended("rolled_back"))
            # It may have started: a run that lost its worker or was handed back is pending again.
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

    def run_result(self, run_id: str) -> RunResult | None:
        row = self._one(
            "SELECT status, error, interrupts, body FROM runs LEFT JOIN outputs USING (output_id) WHERE run_id = ?",
            run_id,
        )
        if row is None:
            return None
        status, error, interrupts, output = row
        return RunResult(status, rows.load_or_none(error), rows.load_or_none(interrupts), output)

    # idempotency

    def idempotency_record(self, key: str) -> tuple[str, list[str]] | None:
        row = self._one("SELECT digest, run_ids FROM idempotency_keys WHERE key = ?", key)
        return (row[0], row[1].split(",")) if row else None

    def save_idempotency_record(self, key: str, digest: str, run_ids: list[str]) -> None:
        self._conn.execute(
            "INSERT INTO idempotency_keys (key, digest, run_ids, created_at) VALUES (?, ?, ?, ?)",
            (key, digest, ",".join(run_ids), self.now),
        )


class SqlRecords:
    """Implements ports.records.Records."""

    def __init__(self, engine: Engine, hub: Hub) -> None:
        self._engine = engine
        self._hub = hub

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        return await self._engine.write(lambda conn: work(self._transaction(conn)))

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._engine.read(lambda conn: work(self._transaction(conn)))

    def lookup(self, work: Callable[[Transaction], T]) -> Awaitable[T]:
        return self._engine.lookup(lambda conn: work(self._transaction(conn)))

    def _transaction(self, conn: Connection) -> SqlTransaction:
        return SqlTransaction(conn, now=self._engine.clock.now(), hub=self._hub, tell=self._engine.after_commit)
