"""Decide which pending run starts next, and what the others wait for (docs/limits.md).

A pending run is *ready* (``blocked_by`` is null), or waits in one queue: for its time, behind other runs of its thread,
for a slot of its graph, or for a slot of its concurrency key. A claim only examines ready runs, and moves those that
cannot start to the queue of the first blocker it finds, so it never examines a run twice for the same blocker. A
transaction that removes a blocker makes the best run of that queue ready again. These invariants hold:

- While a graph has a free slot and runs wait for it, some run of that graph is ready.
- While a key has a free slot and runs wait for it, one of these runs is ready or waits for its graph.
- If a thread is neither running nor held, its first run does not wait behind the thread. The first run is one that had
  started and lost its worker, otherwise the one due longest. So no other run starts between two attempts of a run.

The queues of a key are separate for each limited graph: if a graph is full, one run of the key waits for the graph, and
the others stay in the key's queue. On PostgreSQL, a transaction that counts the slots of a graph or key, or reads its
queue, holds its lock. A claim that does not get the lock skips the run for a moment, so claims never wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from treadle.backends.engine.connection import Connection
from treadle.ports.queue import Limits

TIME, THREAD = "time", "thread"
KIND_OF_BLOCKER = "substr(blocked_by, 1, instr(blocked_by || ':', ':') - 1)"
"""SQL for the kind of a run's blocker: time, thread, graph or key; null for a ready run."""
_EXAMINED = 256
"""Maximum number of runs examined per claim, so that other writes do not wait long."""
_BATCH = 64
_SOON = 5_000
"""Microseconds until the next claim, if another process was counting a slot."""

# These select the first row in an index order instead of a minimum, which old statistics could turn into a scan.
_LOOK = """
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
_HELD_TOO_LONG = """
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
# A due run is ready if no run of its thread is running, none is waiting that has started before or is older and due,
# and the thread is not held. Whether it is due was decided earlier, and is not checked again with a clock that may go
# backwards.
_READY = f"""
SELECT r.run_id, r.thread_id, r.graph_id, r.concurrency_key,
    CASE WHEN t.held_until > ?1 OR {_BEHIND} THEN 1 ELSE 0 END
FROM runs r CROSS JOIN threads t ON t.thread_id = r.thread_id
WHERE r.status = 'pending' AND r.blocked_by IS NULL
ORDER BY r.priority DESC, r.available_at, r.position LIMIT ?2 /*pg: FOR NO KEY UPDATE OF r, t SKIP LOCKED */
"""
# Check again now that the thread is locked: the blocker may have gone in the meantime.
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
    """A slot of a graph or of a key, which a limited run occupies."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


class Candidate(NamedTuple):
    """A ready run. ``behind`` is true if another run of its thread seems to come first."""

    run_id: str
    thread_id: str
    graph_id: str
    key: str | None
    behind: int


class Turns:
    """The runs that may start, best first. ``next_due`` is the time of the next check, or None if no run is delayed.

    ``now`` is in unix microseconds. Everything happens in the transaction of ``conn``.
    """

    def __init__(self, conn: Connection, now: int, limits: Limits) -> None:
        self._conn = conn
        self._now = now
        self._limits = limits
        self._free: dict[Slot, int | None] = {}
        self._empty: set[str] = set()
        self._passed: set[str] = set()
        self._woken = False
        self.next_due = self._come_due()

    def take(self, count: int) -> Iterator[Candidate]:
        """Yield up to ``count`` runs. Mark each one as running before requesting the next."""
        examined = 0
        while count > 0:
            self._woken = False
            asked = (count if examined == 0 else max(count, _BATCH)) + len(self._passed)
            found = self._conn.execute(_READY, (self._now, asked)).fetchall()
            for candidate in map(Candidate._make, found):
                if count > 0 and candidate.run_id not in self._passed and self._may_run(candidate):
                    count -= 1
                    yield candidate
            if len(found) < asked and not self._woken:
                return
            examined += asked
            if examined > _EXAMINED + count:
                self.next_due = self._now
                return

    def is_limited(self, graph_id: str) -> bool:
        return graph_id in self._limits.graphs

    def _come_due(self) -> int | None:
        """Make delayed runs ready that are due now, and runs behind an expired hold of their thread."""
        due, held = self._conn.execute(_LOOK).fetchone()
        if due is not None and due <= self._now:
            self._conn.execute(_COME_DUE, (self._now,))
            (due,) = self._conn.execute(_NEXT_DUE).fetchone()
        if held is not None and held <= self._now:
            for (thread_id,) in self._conn.execute(_HELD_TOO_LONG, (self._now,)).fetchall():
                self._conn.execute(_END_HOLD, (thread_id, self._now))
                wake_thread(self._conn, thread_id)
        return due

    def _may_run(self, candidate: Candidate) -> bool:
        """Whether the run may start. If not, it is moved to the queue of its blocker."""
        slots = self._slots(candidate)
        free = [self._count(slot) for slot in slots]
        if None in free:
            self._passed.add(candidate.run_id)
            self.next_due = min(self.next_due or self._now + _SOON, self._now + _SOON)
            return False
        if candidate.behind and self._is_behind(candidate):
            self._pass_on(candidate, slots)
            return False
        full = next((slot for slot in slots if not self._free[slot]), None)
        if full is None:
            for slot in slots:
                self._free[slot] = (self._free[slot] or 0) - 1
            self._pass_on(candidate, slots)
            return True
        queue = self._queue(full, candidate)
        self._conn.execute(_PARK, (queue, candidate.run_id))
        self._empty.discard(queue)
        if full.kind == "key":
            # The run represents its key in the graph's queue, so the key's other runs need not follow.
            self._pass_on(candidate, slots)
        return False

    def _slots(self, candidate: Candidate) -> list[Slot]:
        slots = [Slot("graph", candidate.graph_id)] if candidate.graph_id in self._limits.graphs else []
        return slots if candidate.key is None else [*slots, Slot("key", candidate.key)]

    def _queue(self, slot: Slot, candidate: Candidate) -> str:
        if slot.kind == "graph":
            return str(slot)
        return key_queue(slot.name, candidate.graph_id if candidate.graph_id in self._limits.graphs else "")

    def _count(self, slot: Slot) -> int | None:
        """The number of free slots, or None if another process is counting them."""
        if slot not in self._free:
            self._free[slot] = self._counted(slot)
        return self._free[slot]

    def _counted(self, slot: Slot) -> int | None:
        if not self._conn.execute(_TRY_LOCK, (str(slot),)).fetchone()[0]:
            return None
        (running,) = self._conn.execute(_RUNNING[slot.kind], (slot.name,)).fetchone()
        allowed = self._limits.graphs[slot.name] if slot.kind == "graph" else self._limits.key
        return max(0, allowed - running)

    def _is_behind(self, candidate: Candidate) -> bool:
        return self._conn.execute(_PARK_BEHIND, (self._now, candidate.run_id)).rowcount > 0

    def _pass_on(self, candidate: Candidate, slots: list[Slot]) -> None:
        """The run was examined for its slots: pass the rest of the free slots on to the next run."""
        for slot in slots:
            queue = self._queue(slot, candidate)
            if self._free[slot] and queue not in self._empty:
                if wake(self._conn, queue):
                    self._woken = True
                else:
                    self._empty.add(queue)


def key_queue(key: str, graph_id: str) -> str:
    """The queue of a key; ``graph_id`` is empty for all graphs without a limit. Keys contain no line breaks."""
    return f"key:{key}\n{graph_id}"


def wake(conn: Connection, queue: str) -> bool:
    """Make the best run of the queue ready. False if the queue is empty."""
    return conn.execute(_WAKE, (queue,)).rowcount > 0


def wake_thread(conn: Connection, thread_id: str) -> None:
    """Make the first run ready that waits behind its thread."""
    conn.execute(_WAKE_THREAD, (thread_id,))


def leave(conn: Connection, graph_id: str, key: str | None, limited: bool) -> None:
    """Free the slots of a run that ended or returned to the queue, for the next runs.

    ``limited``: its graph may have a limit.
    """
    if limited:
        graph = str(Slot("graph", graph_id))
        conn.execute(_LOCK, (graph,))
        conn.execute(_WAKE, (graph,))
    if key is not None:
        conn.execute(_LOCK, (str(Slot("key", key)),))
        queue, last = key_queue(key, ""), f"key:{key}\v"
        while found := conn.execute(_QUEUE, (queue, last)).fetchone():
            conn.execute(_WAKE, found)
            queue = f"{found[0]}\x01"  # the next queue


def wake_limited(conn: Connection, most: int) -> None:
    """Let the next claims examine the first waiting runs again, in case the limits have changed."""
    for kind in ("graph", "key"):
        conn.execute(_WAKE_SOME, (f"{kind}:", f"{kind};", most))


def wake_behind(conn: Connection, most: int) -> None:
    """Let the next claims examine the first runs waiting behind their threads again, in case a wake-up was missed."""
    conn.execute(_WAKE_SOME, (THREAD, THREAD + "\x01", most))
