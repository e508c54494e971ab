"""Decide which pending run starts next, and record the reasons for which the others wait (docs/limits.md).

A pending run is *ready* (``blocked_by`` is null) or waits in one queue: for its time, behind other runs of its thread,
for a slot of its graph, or for a slot of its concurrency key. A claim examines ready runs only, and moves those that
cannot start to the queue of the first reason it finds, so no claim examines a run twice for the same reason. The
transaction that removes a reason makes the best run of that queue ready again, which keeps these invariants:

- While a graph has a free slot and runs wait for it, some run of that graph is ready.
- While a key has a free slot and runs wait for it, one of them is ready, or waits for its graph.
- The first run of a thread that is neither running nor held never waits behind its thread. First is a run that had
  started and lost its worker, else the oldest due run; so a run that comes due in between two attempts of another
  run of the thread never starts in between them.

A key has a separate queue for each limited graph: if the graph is full, one run of the key waits for the graph and the
others stay in the key's queue. On PostgreSQL, counting the slots of a graph or key and waking its queue both require
an advisory lock; a claim that cannot get the lock skips the run for a moment instead of waiting.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from treadle.backends.tables.tx import Tx
from treadle.ports.queue import Limits

THREAD = "thread"
KIND_OF_BLOCKER = "substr(blocked_by, 1, instr(blocked_by || ':', ':') - 1)"
"""SQL: the kind of reason a run waits for (time, thread, graph or key); null if it is ready."""
_MAX_EXAMINED = 256
"""Runs that one claim examines at most: a claim is one job, and other writes wait for it."""
_BATCH = 64
_RETRY_MICROSECONDS = 5_000
"""Delay before the next claim if another process held the lock of a slot."""

# ORDER BY with LIMIT 1 follows an index; for min() a planner with stale statistics may choose a scan.
_EARLIEST = """
SELECT (SELECT available_at FROM runs WHERE status = 'pending' AND blocked_by = 'time' ORDER BY available_at LIMIT 1),
    (SELECT held_until FROM threads WHERE held_until IS NOT NULL ORDER BY held_until LIMIT 1)
"""
_COME_DUE = """
UPDATE runs SET blocked_by = NULL WHERE run_id IN (
    SELECT run_id FROM runs WHERE status = 'pending' AND blocked_by = 'time' AND available_at <= ?1
    ORDER BY available_at LIMIT 256 /*pg: FOR NO KEY UPDATE SKIP LOCKED */)
"""
_NEXT_DUE = """
SELECT (SELECT available_at FROM runs WHERE status = 'pending' AND blocked_by = 'time' ORDER BY available_at LIMIT 1)
"""
_EXPIRED_HOLDS = """
SELECT thread_id FROM threads WHERE held_until <= ? ORDER BY held_until LIMIT 64 /*pg: FOR NO KEY UPDATE SKIP LOCKED */
"""
_END_HOLD = "UPDATE threads SET held_until = NULL WHERE thread_id = ? AND held_until <= ?"
_BEHIND = """
    EXISTS (SELECT 1 FROM runs x WHERE x.thread_id = r.thread_id AND x.status = 'running')
    OR r.attempt = 0 AND (
        EXISTS (SELECT 1 FROM runs z WHERE z.thread_id = r.thread_id AND z.status = 'pending' AND z.attempt > 0)
        OR EXISTS (
            SELECT 1 FROM runs y WHERE y.thread_id = r.thread_id AND y.status = 'pending'
            AND y.position < r.position AND (y.available_at <= ?1 OR coalesce(y.blocked_by, '') <> 'time')))
"""
# A due run may start if no run of its thread is running, has started before, or is older and due, and if the thread is
# not held. Once a run is ready its time is not compared again, because the clock may go back.
# SKIP LOCKED: several processes claim at once, and each must find other runs instead of waiting for the same ones. The
# thread is locked with its run, so that no other transaction starts or ends a run of the thread meanwhile.
_READY = f"""
SELECT r.run_id, r.thread_id, r.graph_id, r.concurrency_key,
    CASE WHEN t.held_until > ?1 OR {_BEHIND} THEN 1 ELSE 0 END
FROM runs r CROSS JOIN threads t ON t.thread_id = r.thread_id
WHERE r.status = 'pending' AND r.blocked_by IS NULL
ORDER BY r.priority DESC, r.available_at, r.position LIMIT ?2 /*pg: FOR NO KEY UPDATE OF r, t SKIP LOCKED */
"""
# Checked again with the thread locked: _READY was evaluated before its locks were taken, and the run that blocked this
# one may have ended in between. Parking it then would leave it without anybody to wake it.
_PARK_BEHIND = f"""
UPDATE runs AS r SET blocked_by = 'thread' WHERE r.run_id = ?2 AND (
    EXISTS (SELECT 1 FROM threads t WHERE t.thread_id = r.thread_id AND t.held_until > ?1) OR {_BEHIND})
"""
_PARK = "UPDATE runs SET blocked_by = ? WHERE run_id = ?"
_WAKE = """
UPDATE runs SET blocked_by = NULL WHERE run_id = (
    SELECT run_id FROM runs WHERE status = 'pending' AND blocked_by <> 'time' AND blocked_by = ?
    ORDER BY priority DESC, available_at, position LIMIT 1 /*pg: FOR NO KEY UPDATE SKIP LOCKED */)
"""
_WAKE_THREAD = """
UPDATE runs SET blocked_by = NULL WHERE blocked_by = 'thread' AND run_id = coalesce(
    (SELECT run_id FROM runs WHERE thread_id = ?1 AND status = 'pending' AND attempt > 0 LIMIT 1),
    (SELECT run_id FROM runs WHERE thread_id = ?1 AND status = 'pending' AND blocked_by = 'thread'
    ORDER BY position LIMIT 1))
"""
_WAKE_SOME = """
UPDATE runs SET blocked_by = NULL WHERE run_id IN (
    SELECT run_id FROM runs WHERE status = 'pending' AND blocked_by <> 'time' AND blocked_by >= ?1 AND blocked_by < ?2
    ORDER BY blocked_by, priority DESC, available_at, position LIMIT ?3 /*pg: FOR NO KEY UPDATE SKIP LOCKED */)
"""
_QUEUE = """
SELECT blocked_by FROM runs WHERE status = 'pending' AND blocked_by <> 'time' AND blocked_by >= ? AND blocked_by < ?
ORDER BY blocked_by LIMIT 1
"""
_TRY_LOCK = """
SELECT CASE WHEN ?1 = ?1 /*pg: AND pg_try_advisory_xact_lock(hashtextextended($1, 0)) */ THEN 1 ELSE 0 END
"""
_LOCK = "SELECT ?1 /*pg: || pg_advisory_xact_lock(hashtextextended($1, 0))::text */"
_RUNNING = {
    "graph": "SELECT count(*) FROM runs WHERE status = 'running' AND limited <> 0 AND graph_id = ?",
    "key": "SELECT count(*) FROM runs WHERE status = 'running' AND concurrency_key = ?",
}


class Slot(NamedTuple):
    """A limited resource: a run takes one slot of its graph and one of its concurrency key."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


class ReadyRun(NamedTuple):
    """``behind``: another run of its thread seems to come first, or the thread is held."""

    run_id: str
    thread_id: str
    graph_id: str
    key: str | None
    behind: int


class ReadyRuns:
    """The runs that may start, best first, in one transaction.

    ``next_due`` is when to claim again (unix microseconds), None if no run is delayed."""

    def __init__(self, tx: Tx, limits: Limits) -> None:
        self._tx = tx
        self._limits = limits
        self._free: dict[Slot, int | None] = {}
        self._empty: set[str] = set()
        self._skipped: set[str] = set()
        self._woken = False
        self.next_due = self._wake_due()

    def take(self, count: int) -> Iterator[ReadyRun]:
        """Yield up to ``count`` runs. The caller must mark each as running before it asks for the next."""
        examined = 0
        while count > 0:
            self._woken = False
            limit = (count if examined == 0 else max(count, _BATCH)) + len(self._skipped)
            batch = self._tx.all(_READY, self._tx.now, limit)
            for run in map(ReadyRun._make, batch):
                if count > 0 and run.run_id not in self._skipped and self._may_start(run):
                    count -= 1
                    yield run
            # A run that was woken while this batch was examined is not in it, so a short batch need not be the last.
            if len(batch) < limit and not self._woken:
                return
            examined += limit
            if examined > _MAX_EXAMINED + count:
                self.next_due = self._tx.now
                return

    def is_limited(self, graph_id: str) -> bool:
        return graph_id in self._limits.graphs

    def _wake_due(self) -> int | None:
        """Make the runs ready whose time has come or whose thread's hold has expired; return the next due time."""
        now = self._tx.now
        due, held_until = self._tx.one(_EARLIEST)
        if due is not None and due <= now:
            self._tx.execute(_COME_DUE, (now,))
            due = self._tx.value(_NEXT_DUE)
        if held_until is not None and held_until <= now:
            for (thread_id,) in self._tx.all(_EXPIRED_HOLDS, now):
                self._tx.execute(_END_HOLD, (thread_id, now))
                wake_thread(self._tx, thread_id)
        return due

    def _may_start(self, run: ReadyRun) -> bool:
        """Whether the run may start now. If not, it is parked in the queue of the first reason."""
        slots = self._slots(run)
        free = [self._free_slots(slot) for slot in slots]
        if None in free:
            # Another process counts one of the slots now. A claim never waits for a lock, because every job behind it
            # would wait too; the next claim finds the run again.
            self._skipped.add(run.run_id)
            retry_at = self._tx.now + _RETRY_MICROSECONDS
            self.next_due = min(self.next_due or retry_at, retry_at)
            return False
        if run.behind and self._park_behind(run):
            self._pass_on(run, slots)
            return False
        full = next((slot for slot in slots if not self._free[slot]), None)
        if full is None:
            for slot in slots:
                self._free[slot] = (self._free[slot] or 0) - 1
            self._pass_on(run, slots)
            return True
        queue = self._queue(full, run)
        self._tx.execute(_PARK, (queue, run.run_id))
        self._empty.discard(queue)
        if full.kind == "key":
            # Not for a full graph: the run that waits for its graph represents its key there, so no other run of the
            # key has to be examined in its place.
            self._pass_on(run, slots)
        return False

    def _slots(self, run: ReadyRun) -> list[Slot]:
        slots = [Slot("graph", run.graph_id)] if self.is_limited(run.graph_id) else []
        return slots if run.key is None else [*slots, Slot("key", run.key)]

    def _queue(self, slot: Slot, run: ReadyRun) -> str:
        if slot.kind == "graph":
            return str(slot)
        return key_queue(slot.name, run.graph_id if self.is_limited(run.graph_id) else "")

    def _free_slots(self, slot: Slot) -> int | None:
        """The number of free slots; None while another process holds the slot's lock."""
        if slot not in self._free:
            self._free[slot] = self._count_free(slot)
        return self._free[slot]

    def _count_free(self, slot: Slot) -> int | None:
        if not self._tx.value(_TRY_LOCK, (str(slot),)):
            return None
        running = self._tx.value(_RUNNING[slot.kind], (slot.name,))
        allowed = self._limits.graphs[slot.name] if slot.kind == "graph" else self._limits.key
        return max(0, allowed - running)

    def _park_behind(self, run: ReadyRun) -> bool:
        return self._tx.execute(_PARK_BEHIND, (self._tx.now, run.run_id)).rowcount > 0

    def _pass_on(self, run: ReadyRun, slots: list[Slot]) -> None:
        """Wake the next run of each slot that is still free: this run was examined on behalf of its queues."""
        for slot in slots:
            queue = self._queue(slot, run)
            if self._free[slot] and queue not in self._empty:
                if _wake(self._tx, queue):
                    self._woken = True
                else:
                    self._empty.add(queue)


def key_queue(key: str, graph_id: str) -> str:
    """The queue of a key's runs of one limited graph; ``graph_id`` is empty for all graphs without a limit.

    Keys contain no line breaks, so the name is unambiguous."""
    return f"key:{key}\n{graph_id}"


def _wake(tx: Tx, queue: str) -> bool:
    """Make the best run of the queue ready; False if the queue is empty."""
    return tx.execute(_WAKE, (queue,)).rowcount > 0


def wake_thread(tx: Tx, thread_id: str) -> None:
    """Make the first run ready that waits behind its thread."""
    tx.execute(_WAKE_THREAD, (thread_id,))


def free_slots(tx: Tx, graph_id: str, key: str | None, limited: bool) -> None:
    """Pass the slots of a run that ended, or was handed back, to the next runs in their queues.

    ``limited`` is true if its graph may have a limit. The locks are taken before the queues are read: a claim that is
    about to park a run in them has counted the slots under the same lock, so no parked run can be missed."""
    if limited:
        graph = str(Slot("graph", graph_id))
        tx.execute(_LOCK, (graph,))
        tx.execute(_WAKE, (graph,))
    if key is not None:
        tx.execute(_LOCK, (str(Slot("key", key)),))
        queue, end = key_queue(key, ""), f"key:{key}\v"
        while row := tx.one(_QUEUE, queue, end):
            tx.execute(_WAKE, row)
            queue = f"{row[0]}\x01"  # the start of the next queue's range
    tx.after_commit(tx.hub.queue_changed)


def recheck_slots(tx: Tx, limit: int) -> None:
    """Make the first runs ready that wait for slots, because the limits may have changed."""
    for kind in ("graph", "key"):
        tx.execute(_WAKE_SOME, (f"{kind}:", f"{kind};", limit))


def recheck_threads(tx: Tx, limit: int) -> None:
    """Make the first runs ready that wait behind their threads: a safety net in case a wake-up was missed."""
    tx.execute(_WAKE_SOME, (THREAD, THREAD + "\x01", limit))
