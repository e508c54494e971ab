"""The queue of runs (ports.queue.Queue): claims, leases, and the transitions that workers make."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from msgspec import structs

from treadle.backends.checkpoints import rows as checkpoint_rows
from treadle.backends.engine.connection import lease_lost, require_lease
from treadle.backends.engine.jobs import Engine
from treadle.backends.live.hub import Hub
from treadle.backends.tables import retention, rows, threads, writes
from treadle.backends.tables.log import extend
from treadle.backends.tables.turns import (
    ReadyRun,
    ReadyRuns,
    free_slots,
    recheck_slots,
    recheck_threads,
    wake_thread,
)
from treadle.backends.tables.tx import SqlPort, Tx
from treadle.model import CancelAction, Event
from treadle.ports.queue import DEFAULT_LIMITS, Claim, ClaimBatch, Lease, Limits, Outcome, WorkerInfo

_INTERRUPTED = "UserInterrupt"
_ROLLED_BACK = "UserRollback"

# The subqueries compare with parameters: comparing with a column of RETURNING would make SQLite scan the table.
_START = """
UPDATE runs SET status = 'running', attempt = attempt + 1, worker_id = ?1, updated_at = ?2,
    started_at = coalesce(started_at, ?2), event_seq = event_seq + 1, limited = ?4, blocked_by = NULL
WHERE run_id = ?3
RETURNING attempt, assistant_id, graph_id, metadata, temporary, available_at, event_seq,
    (SELECT q.kwargs FROM run_requests q WHERE q.run_id = ?3),
    (SELECT t.error FROM threads t WHERE t.thread_id = ?5),
    (SELECT t.event_seq FROM threads t WHERE t.thread_id = ?5)
"""
_REQUEUE = """
UPDATE runs SET status = 'pending', worker_id = NULL, crashes = crashes + ?, updated_at = ? WHERE run_id = ?
RETURNING thread_id, graph_id, concurrency_key, limited
"""
_RENEW = """
INSERT INTO workers (worker_id, expires_at, host, pid, version, concurrency, started_at) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (worker_id) DO UPDATE SET expires_at = excluded.expires_at
"""
# SKIP LOCKED: if a run's thread is locked, another transaction is writing to the run or rescuing it.
_LOST = """
SELECT r.run_id, r.crashes, r.cancel_action FROM runs r JOIN threads t ON t.thread_id = r.thread_id
WHERE r.status = 'running'
  AND (?1 <> 0 OR r.worker_id NOT IN (SELECT w.worker_id FROM workers w WHERE w.expires_at > ?2))
/*pg: FOR NO KEY UPDATE OF r, t SKIP LOCKED */
"""
_RETIRED = "SELECT thread_id FROM threads WHERE gone_at < ? LIMIT 500 /*pg: FOR UPDATE SKIP LOCKED */"
_RECHECKED_ON_CHANGE = 4096
"""Runs waiting for slots that a claim makes ready when the limits have changed."""
_RECHECKED_PER_SWEEP = 64


class SqlQueue(SqlPort):
    """ports.queue.Queue."""

    def __init__(self, engine: Engine, hub: Hub) -> None:
        super().__init__(engine, hub)
        self._limits: Limits | None = None

    async def claim(self, worker_id: str, limit: int, limits: Limits = DEFAULT_LIMITS) -> ClaimBatch:
        changed = limits != self._limits
        batch = await self._write(lambda tx: _claim(tx, worker_id, limit, limits, changed))
        # Only after the commit: if the claim fails, the next one must recheck the slots.
        self._limits = limits
        return batch

    async def finish(self, lease: Lease, outcome: Outcome, events: Sequence[Event]) -> None:
        await self._write(lambda tx: _finish(tx, lease, outcome, events), key=lease.thread_id)

    async def release(self, lease: Lease, events: Sequence[Event] = ()) -> None:
        await self._write(lambda tx: _release(tx, lease, events), key=lease.thread_id)

    async def reset(self, lease: Lease) -> bool:
        return await self._write(lambda tx: _reset(tx, lease), key=lease.thread_id)

    async def renew(self, worker_id: str, seconds: float, info: WorkerInfo | None = None) -> dict[str, CancelAction]:
        return await self._write(lambda tx: _renew(tx, worker_id, seconds, info))

    async def rescue(self, *, max_attempts: int, exclusive: bool = False, steady_seconds: float = 0.0) -> list[str]:
        if self._engine.steady_seconds() < steady_seconds:
            return []
        return await self._write(lambda tx: _rescue(tx, max_attempts, exclusive))

    async def sweep(self, *, stateless_before: int, keys_before: int) -> None:
        await self._write(lambda tx: _sweep(tx, stateless_before, keys_before))

    async def trim_runs(self, ended_before: int, limit: int = 100) -> int:
        return await self._write(lambda tx: retention.trim(tx, ended_before, limit))

    async def expire_runs(self, ended_before: int, limit: int = 100) -> int:
        return await self._write(lambda tx: retention.remove(tx, ended_before, limit))

    async def expire_threads(self, limit: int = 100) -> int:
        return await self._write(lambda tx: threads.expire(tx, limit))


def _claim(tx: Tx, worker_id: str, limit: int, limits: Limits, changed: bool) -> ClaimBatch:
    if changed:
        recheck_slots(tx, _RECHECKED_ON_CHANGE)
    ready = ReadyRuns(tx, limits)
    claims = [_start(tx, worker_id, run, ready.is_limited(run.graph_id)) for run in ready.take(limit)]
    return ClaimBatch(claims, ready.next_due)


def _start(tx: Tx, worker_id: str, run: ReadyRun, limited: bool) -> Claim:
    """Begin the next attempt of a run. Its number is the fencing token of every later write."""
    run_id, thread_id = run.run_id, run.thread_id
    row = tx.one(_START, worker_id, tx.now, run_id, limited, thread_id)
    attempt, assistant_id, graph_id, metadata, temporary, available_at, seq, kwargs, error, thread_seq = row
    request = rows.load(kwargs)
    data = {"run_id": run_id, "attempt": attempt, "tags": request.get("config", {}).get("tags") or []}
    event = Event(tx.now // 1000, "metadata", "", orjson.dumps(data))
    writes.set_thread_seq(tx, thread_id, thread_seq + 1)
    writes.append_events(tx, run_id, thread_id, attempt, seq, thread_seq + 1, (event,))
    tx.after_commit(tx.hub.claimed)
    return Claim(
        lease=Lease(run_id=run_id, thread_id=thread_id, attempt=attempt, worker_id=worker_id),
        assistant_id=assistant_id,
        graph_id=graph_id,
        metadata=rows.load(metadata),
        kwargs=request,
        temporary=bool(temporary),
        queued_seconds=max(0, tx.now - available_at) / 1e6,
        resumed=attempt > 1,
        after_interrupt=error is not None and rows.load(error).get("error") == _INTERRUPTED,
    )


def _finish(tx: Tx, lease: Lease, outcome: Outcome, events: Sequence[Event]) -> None:
    tx.conn.lock_thread(lease.thread_id)
    run = writes.ending_run(tx, lease.run_id)
    if run is None or run.status != "running" or run.attempt != lease.attempt:
        raise lease_lost(lease)
    _end(tx, run, outcome, events)


def _end(tx: Tx, run: writes.EndingRun, outcome: Outcome, events: Sequence[Event]) -> None:
    """End a running run with ``outcome``, or as its cancel mark demands. The caller has checked the lease."""
    if run.cancel_action is not None:
        outcome = _cancelled(outcome, run.cancel_action, run.cancel_reason or "")
        events = [event for event in events if event.mode != "error"]
    if outcome.rollback:
        _roll_back(tx, run, outcome)
    else:
        writes.settle_thread(
            tx,
            run.thread_id,
            status=outcome.thread_status,
            output_id=writes.end_run(tx, run, outcome, events),
            interrupts=outcome.interrupts or {},
            error=outcome.error,
            old_output=run.thread_output,
            event_seq=run.thread_seq + len(events) + 1,
        )
    if run.temporary:
        writes.retire_thread(tx, run.thread_id)
    if run.has_successors:
        wake_thread(tx, run.thread_id)
    if run.has_successors or run.limited or run.concurrency_key is not None:
        free_slots(tx, run.graph_id, run.concurrency_key, bool(run.limited))


def _roll_back(tx: Tx, run: writes.EndingRun, outcome: Outcome) -> None:
    writes.roll_back_run(tx, run, outcome)
    tx.execute(
        "UPDATE threads SET error = ?, settled = 1 WHERE thread_id = ?",
        (rows.dump_or_none(outcome.error), run.thread_id),
    )
    writes.update_thread_status(tx, run.thread_id)
    # The run's log is deleted, so the followers of the thread need an end event of the thread's own.
    writes.append_thread_event(tx, run.thread_id, writes.end_event(tx, run.run_id, "rolled_back"))


def _release(tx: Tx, lease: Lease, events: Sequence[Event]) -> None:
    extend(tx, lease, events)
    run = writes.ending_run(tx, lease.run_id)
    assert run is not None, "extend has checked the lease"
    if run.cancel_action is not None:
        _end(tx, run, Outcome(status="interrupted"), ())
    else:
        _requeue(tx, lease.run_id, charge=0)


def _requeue(tx: Tx, run_id: str, *, charge: int) -> None:
    thread_id, *slots = tx.one(_REQUEUE, charge, tx.now, run_id)
    free_slots(tx, *slots)
    # An older run of the thread may have come due while this one was running.
    wake_thread(tx, thread_id)


def _reset(tx: Tx, lease: Lease) -> bool:
    require_lease(tx.conn, lease)
    if checkpoint_rows.has_checkpoints(tx.conn, lease.thread_id, lease.run_id):
        return True
    checkpoint_rows.delete_loose_writes(tx.conn, lease.thread_id, lease.run_id)
    return False


def _renew(tx: Tx, worker_id: str, seconds: float, info: WorkerInfo | None) -> dict[str, CancelAction]:
    description = (None,) * 5 if info is None else structs.astuple(info)
    tx.execute(_RENEW, (worker_id, tx.now + int(seconds * 1e6), *description))
    # The cancel marks come with each renewal, so a lost hint delays a cancel by one renewal at most.
    return dict(
        tx.all(
            "SELECT run_id, cancel_action FROM runs"
            " WHERE worker_id = ? AND status = 'running' AND cancel_action IS NOT NULL",
            worker_id,
        )
    )


def _rescue(tx: Tx, max_attempts: int, exclusive: bool) -> list[str]:
    lost = tx.all(_LOST, exclusive, tx.now)
    for run_id, crashes, cancel_action in lost:
        if cancel_action is None and crashes + 1 < max_attempts:
            _requeue(tx, run_id, charge=1)
        else:
            run = writes.ending_run(tx, run_id)
            assert run is not None, "_LOST has locked the run"
            _end(tx, run, *_exhausted(crashes + 1, tx.now))
    tx.execute("DELETE FROM workers WHERE ?1 <> 0 OR expires_at <= ?2", (exclusive, tx.now))
    if exclusive:
        threads.release_all_holds(tx)
    return [row[0] for row in lost]


def _sweep(tx: Tx, stateless_before: int, keys_before: int) -> None:
    for (thread_id,) in tx.all(_RETIRED, stateless_before):
        writes.delete_thread(tx, thread_id)
    tx.execute("DELETE FROM idempotency_keys WHERE created_at < ?", (keys_before,))
    recheck_slots(tx, _RECHECKED_PER_SWEEP)
    recheck_threads(tx, _RECHECKED_PER_SWEEP)


def _exhausted(crashes: int, now: int) -> tuple[Outcome, list[Event]]:
    """The outcome and the last event of a run that lost its process in each of its attempts."""
    error = {"error": "AttemptsExhausted", "message": f"the process was lost under each of {crashes} attempts"}
    event = Event(now // 1000, "error", "", orjson.dumps(error))
    return Outcome(status="error", thread_status="error", error=error), [event]


def _cancelled(outcome: Outcome, action: CancelAction, reason: str) -> Outcome:
    """The outcome of a run with a cancel mark. It replaces any other outcome, so no acknowledged cancel is lost."""
    return Outcome(
        status="interrupted",
        thread_status="interrupted",
        error={"error": _INTERRUPTED if action == "interrupt" else _ROLLED_BACK, "message": reason},
        output=outcome.output,
        rollback=action == "rollback",
    )
