"""Run rows put straight into the file, as the queue would leave them, and whole tables to compare."""

from __future__ import annotations

from typing import Any

from treadle.backends.engine.jobs import Engine
from treadle.ports.queue import Lease

_THREAD = """
INSERT INTO threads (thread_id, created_at, updated_at, state_updated_at, metadata) VALUES (?, 0, 0, 0, '{}')
ON CONFLICT DO NOTHING
"""
_RUN = """
INSERT INTO runs (run_id, thread_id, assistant_id, graph_id, status, multitask_strategy, created_at, updated_at,
    available_at, attempt, worker_id, metadata)
VALUES (?, ?, 'a', 'g', 'running', 'enqueue', 0, 0, 0, 1, 'w', '{}')
"""
_END = (
    "UPDATE runs SET status = 'success', finished_at = 1, worker_id = NULL WHERE thread_id = ? AND status = 'running'"
)
TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")


def begin(engine: Engine, run_id: str, thread_id: str = "t") -> Lease:
    """Starts a run on the thread; one that was running there ends."""

    def work(conn: Any) -> None:
        conn.execute(_THREAD, (thread_id,))
        conn.execute(_END, (thread_id,))
        conn.execute(_RUN, (run_id, thread_id))

    engine.submit(work).result(10)
    return Lease(run_id=run_id, thread_id=thread_id, attempt=1, worker_id="w")


def take_over(engine: Engine, lease: Lease) -> Lease:
    """The next attempt of a run: the one before holds it no more."""
    engine.submit(lambda conn: conn.execute("UPDATE runs SET attempt = 2 WHERE run_id = ?", (lease.run_id,))).result(10)
    return Lease(run_id=lease.run_id, thread_id=lease.thread_id, attempt=2, worker_id="w")


def tables(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that is stored of checkpoints, in order of arrival."""

    def work(conn: Any) -> dict[str, list[tuple[Any, ...]]]:
        return {name: conn.execute(f"SELECT * FROM {name} ORDER BY position").fetchall() for name in TABLES}

    return engine.submit(work).result(10)
