"""The run queue: claims, outcomes, leases and recovery (ports/queue.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import orjson
from msgspec import structs

from treadle.backends.checkpoints import saver as checkpoints
from treadle.backends.engine.connection import Connection, require_lease
from treadle.backends.engine.jobs import Engine
from treadle.backends.live.hub import Hub
from treadle.backends.tables import deliveries, retention, rows, threads, writes
from treadle.backends.tables.log import extend
from treadle.backends.tables.turns import Candidate, Turns, leave, wake_behind, wake_limited, wake_thread
from treadle.errors import LeaseLost
from treadle.model import CancelAction, Event
from treadle.ports.queue import DEFAULT_LIMITS, Claim, ClaimBatch, Lease, Limits, Outcome, WorkerInfo

T = TypeVar("T")

_INTERRUPTED = "UserInterrupt"
_ROLLED_BACK = "UserRollback"

# SQLite cannot use an index on a column of RETURNING, so a lookup by one of them would scan the whole table.
_TAKE = """
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
_LOST = """
SELECT r.run_id, r.crashes, r.cancel_action FROM runs r JOIN threads t ON t.thread_id = r.thread_id
WHERE r.status = 'running'
  AND (?1 <> 0 OR r.worker_id NOT IN (SELECT w.worker_id FROM workers w WHERE w.expires_at > ?2))
/*pg: FOR NO KEY UPDATE OF r, t SKIP LOCKED */
"""
_GONE = "SELECT thread_id FROM threads WHERE gone_at < ? LIMIT 500 /*pg: FOR UPDATE SKIP LOCKED */"
_RECONSIDERED = 4096
"""Number of runs waiting for slots that are examined again after the limits have changed."""
_LOOKED_AFTER = 64


class SqlQueue:
    """Implements ports.queue.Queue."""

    def __init__(self, engine: Engine, hub: Hub) -> None:
        self._engine = engine
        self._hub = hub
        self._limits: Limits | None = None

    async def claim(self, worker_id: str, limit: int, limits: Limits = DEFAULT_LIMITS) -> ClaimBatch:
        claimed = await self._engine.write(lambda conn: self._claim(conn, worker_id, limit, limits))
        self._limits = limits
        return claimed

    def _claim(self, conn: Connection, worker_id: str, limit: int, limits: Limits) -> ClaimBatch:
        if limits != self._limits:
            wake_limited(conn, _RECONSIDERED)
        now = self._engine.clock.now()
        turns = Turns(conn, now, limits)
        claims = [self._take(conn, worker_id, each, now, turns.is_limited(each.graph_id)) for each in turns.take(limit)]
        return ClaimBatch(claims, turns.next_due)

    def _take(self, conn: Connection, worker_id: str, candidate: Candidate, now: int, limited: bool) -> Claim:
        run_id, thread_id = candidate.run_id, candidate.thread_id
        taken = conn.execute(_TAKE, (worker_id, now, run_id, limited, thread_id)).fetchone()
        attempt, assistant_id, graph_id, metadata, temporary, available_at, seq, kwargs, error, before = taken
        request = rows.load(kwargs)
        started = {"run_id": run_id, "attempt": attempt, "tags": request.get("config", {}).get("tags") or []}
        event = Event(now // 1000, "metadata", "", orjson.dumps(started))
        writes.count_events(conn, thread_id, before + 1)
        writes.append_events(
            conn, run_id, thread_id, attempt, seq, before + 1, (event,), self._hub, self._engine.after_commit
        )
        self._engine.after_commit(self._hub.claimed)
        return Claim(
            lease=Lease(run_id=run_id, thread_id=thread_id, attempt=attempt, worker_id=worker_id),
            assistant_id=assistant_id,
            graph_id=graph_id,
            metadata=rows.load(metadata),
            kwargs=request,
            temporary=bool(temporary),
            queued_seconds=max(0, now - available_at) / 1e6,
            resumed=attempt > 1,
            after_interrupt=error is not None and rows.load(error).get("error") == _INTERRUPTED,
        )

    async def finish(self, lease: Lease, outcome: Outcome, events: Sequence[Event]) -> None:
        await self._engine.write(lambda conn: self._finish(conn, lease, outcome, events), key=lease.thread_id)

    def _finish(self, conn: Connection, lease: Lease, outcome: Outcome, events: Sequence[Event]) -> None:
        conn.lock_thread(lease.thread_id)
        run = writes.standing(conn, lease.run_id)
        if run is None or run.status != "running" or run.attempt != lease.attempt:
            raise LeaseLost(f"attempt {lease.attempt} of run {lease.run_id} no longer holds it")
        self._end(conn, run, outcome, events)

    def _end(self, conn: Connection, run: writes.Standing, outcome: Outcome, events: Sequence[Event]) -> None:
        """End a running run with ``outcome``, or as its cancel mark demands. The caller has checked the lease."""
        now, hub, tell = self._engine.clock.now(), self._hub, self._engine.after_commit
        run_id, thread_id = run.run_id, run.thread_id
        if run.cancel_action is not None:
            outcome = _as_marked(outcome, run.cancel_action, run.cancel_reason or "")
            events = [each for each in events if each.mode != "error"]
        if outcome.rollback:
            deliveries.enqueue(conn, run_id, now, outcome, hub, tell)
            checkpoints.delete_runs_checkpoints(conn, thread_id, run_id)
            tell(lambda: hub.ended("rolled_back"))
            writes.delete_run(conn, run_id, hub, tell)
            conn.execute(
                "UPDATE threads SET error = ?, settled = 1 WHERE thread_id = ?",
                (rows.dump_or_none(outcome.error), thread_id),
            )
            writes.derive(conn, thread_id, now)
            # The run's log is deleted, so send thread followers an ``end`` event.
            over = Event(now // 1000, "end", "", orjson.dumps({"run_id": run_id, "status": "rolled_back"}))
            threads.append(conn, thread_id, over, hub, tell)
        else:
            writes.rest(
                *(conn, thread_id, now, outcome.thread_status),
                writes.end_run(conn, run, now, outcome, events, hub, tell),
                outcome.interrupts or {},
                outcome.error,
                old_output=run.thread_output,
                event_seq=run.thread_seq + len(events) + 1,
            )
        if run.temporary:
            writes.retire(conn, thread_id, now)
        if run.followed:
            wake_thread(conn, thread_id)
        if run.followed or run.limited or run.concurrency_key is not None:
            leave(conn, run.graph_id, run.concurrency_key, bool(run.limited))
            tell(hub.queue_changed)

    async def release(self, lease: Lease, events: Sequence[Event] = ()) -> None:
        await self._engine.write(lambda conn: self._release(conn, lease, events), key=lease.thread_id)

    def _release(self, conn: Connection, lease: Lease, events: Sequence[Event]) -> None:
        extend(conn, lease, events, self._hub, self._engine.after_commit)
        run = writes.standing(conn, lease.run_id)
        assert run is not None, "what was extended is there"
        if run.cancel_action is not None:
            self._end(conn, run, Outcome(status="interrupted"), ())
        else:
            self._requeue(conn, lease.run_id, charge=0)

    def _requeue(self, conn: Connection, run_id: str, *, charge: int) -> None:
        thread_id, *slots = conn.execute(_REQUEUE, (charge, self._engine.clock.now(), run_id)).fetchone()
        leave(conn, *slots)
        # An older run of the thread may have become due while this one was running.
        wake_thread(conn, thread_id)
        self._engine.after_commit(self._hub.queue_changed)

    async def reset(self, lease: Lease) -> bool:
        return await self._engine.write(lambda conn: self._reset(conn, lease), key=lease.thread_id)

    def _reset(self, conn: Connection, lease: Lease) -> bool:
        require_lease(conn, lease)
        if checkpoints.has_checkpoints(conn, lease.thread_id, lease.run_id):
            return True
        checkpoints.delete_loose_writes(conn, lease.thread_id, lease.run_id)
        return False

    async def renew(self, worker_id: str, seconds: float, info: WorkerInfo | None = None) -> dict[str, CancelAction]:
        return await self._engine.write(lambda conn: self._renew(conn, worker_id, seconds, info))

    def _renew(
        self, conn: Connection, worker_id: str, seconds: float, info: WorkerInfo | None
    ) -> dict[str, CancelAction]:
        expires_at = self._engine.clock.now() + int(seconds * 1e6)
        said = (None,) * 5 if info is None else structs.astuple(info)
        conn.execute(_RENEW, (worker_id, expires_at, *said))
        marked = conn.execute(
            "SELECT run_id, cancel_action FROM runs"
            " WHERE worker_id = ? AND status = 'running' AND cancel_action IS NOT NULL",
            (worker_id,),
        )
        return dict(marked.fetchall())

    async def rescue(self, *, max_attempts: int, exclusive: bool = False, steady_seconds: float = 0.0) -> list[str]:
        if self._engine.steady_seconds() < steady_seconds:
            return []
        return await self._engine.write(lambda conn: self._rescue(conn, max_attempts, exclusive))

    def _rescue(self, conn: Connection, max_attempts: int, exclusive: bool) -> list[str]:
        now = self._engine.clock.now()
        lost = conn.execute(_LOST, (exclusive, now)).fetchall()
        for run_id, crashes, cancel_action in lost:
            if cancel_action is None and crashes + 1 < max_attempts:
                self._requeue(conn, run_id, charge=1)
            else:
                run = writes.standing(conn, run_id)
                assert run is not None, "a run that is locked is there"
                self._end(conn, run, *_exhausted(crashes + 1, now))
        conn.execute("DELETE FROM workers WHERE ?1 <> 0 OR expires_at <= ?2", (exclusive, now))
        if exclusive:
            threads.release_all(conn)
        return [row[0] for row in lost]

    async def sweep(self, *, stateless_before: int, keys_before: int) -> None:
        await self._engine.write(lambda conn: self._sweep(conn, stateless_before, keys_before))

    def _sweep(self, conn: Connection, stateless_before: int, keys_before: int) -> None:
        gone = conn.execute(_GONE, (stateless_before,)).fetchall()
        for (thread_id,) in gone:
            writes.delete_thread(conn, thread_id, self._engine.clock.now(), self._hub, self._engine.after_commit)
        conn.execute("DELETE FROM idempotency_keys WHERE created_at < ?", (keys_before,))
        wake_limited(conn, _LOOKED_AFTER)
        wake_behind(conn, _LOOKED_AFTER)

    async def trim_runs(self, ended_before: int, limit: int = 100) -> int:
        return await self._engine.write(
            lambda conn: retention.trim(conn, ended_before, limit, self._hub, self._engine.after_commit)
        )

    async def expire_runs(self, ended_before: int, limit: int = 100) -> int:
        return await self._engine.write(
            lambda conn: retention.remove(conn, ended_before, limit, self._hub, self._engine.after_commit)
        )

    async def expire_threads(self, limit: int = 100) -> int:
        return await self._engine.write(lambda conn: self._expire_threads(conn, limit))

    def _expire_threads(self, conn: Connection, limit: int) -> int:
        now = self._engine.clock.now()
        expired = threads.expired(conn, now, limit)
        for thread_id, strategy in expired:
            if strategy == "delete":
                writes.delete_thread(conn, thread_id, now, self._hub, self._engine.after_commit)
            else:
                threads.prune(conn, thread_id, now)
        return len(expired)


def _exhausted(crashes: int, now: int) -> tuple[Outcome, list[Event]]:
    """The outcome of a run after its worker died in every attempt."""
    error = {"error": "AttemptsExhausted", "message": f"the process was lost under each of {crashes} attempts"}
    event = Event(now // 1000, "error", "", orjson.dumps(error))
    return Outcome(status="error", thread_status="error", error=error), [event]


def _as_marked(outcome: Outcome, action: CancelAction, reason: str) -> Outcome:
    """Replace the outcome of a run that has a cancel mark, so that no acknowledged cancellation is lost."""
    return Outcome(
        status="interrupted",
        thread_status="interrupted",
        error={"error": _INTERRUPTED if action == "interrupt" else _ROLLED_BACK, "message": reason},
        output=outcome.output,
        rollback=action == "rollback",
    )
