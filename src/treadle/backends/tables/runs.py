"""The table of runs: creating, reading and cancelling them, and ending those that have not started."""

from __future__ import annotations

from typing import Literal

import orjson

from treadle.backends.tables import rows, writes
from treadle.backends.tables.conditions import run_filter
from treadle.backends.tables.turns import free_slots
from treadle.backends.tables.tx import Tx
from treadle.errors import LeaseLost
from treadle.model import JSON, CancelAction, Run
from treadle.ports.queries import ThreadRunsQuery
from treadle.ports.queue import Outcome
from treadle.ports.records import ActiveRun, NewRun, RunResult
from treadle.times import from_microseconds

# The reasons to wait that are known at creation; limits are checked by claims.
_BLOCKED_BY = """
CASE WHEN ?7 > ?6 THEN 'time' WHEN EXISTS (
    SELECT 1 FROM runs WHERE thread_id = ?2 AND status IN ('pending', 'running')
    AND (status = 'running' OR available_at <= ?6)
) THEN 'thread' END
"""
# Three ranges of the index by blocked_by: together they are all pending runs, and the count stops at the limit.
_COUNT_PENDING = """
SELECT count(*) FROM (
    SELECT 1 FROM runs WHERE status = 'pending' AND blocked_by IS NULL
    UNION ALL SELECT 1 FROM runs WHERE status = 'pending' AND blocked_by <> 'time'
    UNION ALL SELECT 1 FROM runs WHERE status = 'pending' AND blocked_by = 'time' LIMIT ?
) AS counted
"""
_INSERT = f"""
INSERT INTO runs (run_id, thread_id, assistant_id, graph_id, multitask_strategy, created_at, updated_at,
    available_at, temporary, metadata, webhook, priority, concurrency_key, tags, blocked_by)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, {_BLOCKED_BY})
"""


class RunVerbs(Tx):
    def run(self, run_id: str) -> Run | None:
        self.conn.lock_thread_of(run_id)
        row = self.one(f"SELECT {rows.RUN} FROM runs r JOIN run_requests q USING (run_id) WHERE r.run_id = ?", run_id)
        return rows.run(row) if row else None

    def run_is_temporary(self, run_id: str) -> bool:
        return self.one("SELECT 1 FROM runs WHERE run_id = ? AND temporary <> 0", run_id) is not None

    def insert_run(self, run: NewRun, *, thread_metadata: JSON | None = None, thread_config: JSON | None = None) -> Run:
        metadata, kwargs = rows.dump(run.metadata), orjson.dumps(run.kwargs)
        self.execute(
            _INSERT,
            (
                *(run.run_id, run.thread_id, run.assistant_id, run.graph_id, run.multitask_strategy, self.now),
                *(run.available_at, run.temporary, metadata, run.kwargs.get("webhook")),
                *(run.priority, run.concurrency_key, rows.dump_or_none(run.kwargs["config"].get("tags") or None)),
            ),
        )
        self.execute("INSERT INTO run_requests (run_id, kwargs) VALUES (?, ?)", (run.run_id, kwargs))
        # Only name columns that change: naming metadata fires the trigger that rebuilds thread_metadata.
        changed = {} if thread_metadata is None else {"metadata": rows.dump(thread_metadata)}
        if thread_config is not None:
            changed["config"] = rows.dump(thread_config)
        assigned = "".join(f", {column} = ?" for column in changed)
        self.execute(
            f"UPDATE threads SET status = 'busy', updated_at = ?{assigned} WHERE thread_id = ?",
            (self.now, *changed.values(), run.thread_id),
        )
        self.after_commit(lambda: self.hub.created(run.run_id))
        self.after_commit(self.hub.queue_changed)
        request, session = rows.split_request(run.kwargs)
        return Run(
            run_id=run.run_id,
            thread_id=run.thread_id,
            assistant_id=run.assistant_id,
            created_at=from_microseconds(self.now),
            updated_at=from_microseconds(self.now),
            status="pending",
            metadata=run.metadata,
            kwargs=request,
            multitask_strategy=run.multitask_strategy,
            langsmith_session_name=session,
        )

    def active_runs(self, thread_id: str) -> list[ActiveRun]:
        self.conn.lock_thread(thread_id)
        active = self.all(
            "SELECT position, run_id, status, cancel_action FROM runs"
            " WHERE thread_id = ? AND status IN ('pending', 'running')",
            thread_id,
        )
        return [ActiveRun(*row[1:]) for row in sorted(active)]

    def pending_runs(self, most: int) -> int:
        return self.value(_COUNT_PENDING, (most,))

    def active_run_ids(self, status: Literal["pending", "running", "all"]) -> list[tuple[str, str]]:
        statuses = ("pending", "running") if status == "all" else (status, status)
        # "temporary IN (0, 1)" is always true; it matches the leading column of the index.
        where = "temporary IN (0, 1) AND status IN (?, ?)"
        return self.all(f"SELECT thread_id, run_id FROM runs WHERE {where} ORDER BY +position", *statuses)

    def list_runs(self, query: ThreadRunsQuery) -> list[Run]:
        where, parameters = run_filter(query)
        page = f"SELECT r.position FROM runs r{where} ORDER BY r.position DESC LIMIT ? OFFSET ?"
        matches = self.all(
            f"SELECT {rows.RUN} FROM ({page}) AS page CROSS JOIN runs r ON r.position = page.position"
            " CROSS JOIN run_requests q ON q.run_id = r.run_id ORDER BY page.position DESC",
            *(*parameters, query.limit, query.offset),
        )
        return [rows.run(row) for row in matches]

    def mark_cancel(self, run_id: str, action: CancelAction, reason: str) -> None:
        marked = self.one(
            "UPDATE runs SET cancel_action = ?1, cancel_reason = coalesce(cancel_reason, ?2), updated_at = ?3"
            " WHERE run_id = ?4 AND status = 'running' AND (cancel_action IS NULL OR cancel_action <> 'rollback')"
            " RETURNING cancel_action",
            *(action, reason, self.now, run_id),
        )
        if marked:
            self.after_commit(lambda: self.hub.cancel_marked(run_id, action))

    def end_pending(self, run_id: str, outcome: Outcome) -> None:
        self.conn.lock_thread_of(run_id)
        run = writes.ending_run(self, run_id)
        if run is None or run.status != "pending":
            raise LeaseLost(f"run {run_id} is not pending")
        if outcome.rollback:
            writes.roll_back_run(self, run, outcome)
        else:
            writes.end_run(self, run, outcome, [])
            writes.set_thread_seq(self, run.thread_id, run.thread_seq + 1)
        if run.temporary:
            writes.retire_thread(self, run.thread_id)
        writes.update_thread_status(self, run.thread_id)
        # The run may have been the ready one that represented its queues, so its place passes to the next.
        free_slots(self, run.graph_id, run.concurrency_key, limited=True)

    def delete_run(self, run_id: str) -> bool:
        if self.one("SELECT 1 FROM runs WHERE run_id = ?", run_id) is None:
            return False
        writes.delete_run(self, run_id)
        return True

    def run_result(self, run_id: str) -> RunResult | None:
        row = self.one(
            "SELECT status, error, interrupts, body FROM runs LEFT JOIN outputs USING (output_id) WHERE run_id = ?",
            run_id,
        )
        if row is None:
            return None
        status, error, interrupts, output = row
        return RunResult(status, rows.load_or_none(error), rows.load_or_none(interrupts), output)
