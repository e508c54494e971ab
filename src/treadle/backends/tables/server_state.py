"""The state of runs, workers, webhooks and crons in the database, for the server overview."""

from __future__ import annotations

from typing import Any

from treadle.backends.engine.connection import Connection
from treadle.model import RUN_STATUSES, RunStatus
from treadle.server_state import CronsState, OutboxState, WorkerState
from treadle.times import from_microseconds

# The runs that searches list: not those of stateless runs that have ended. Both ranges are of one covering index.
_BY_STATUS = """
SELECT status, count(*) FROM runs WHERE temporary = 0 GROUP BY status
UNION ALL
SELECT status, count(*) FROM runs WHERE temporary = 1 AND status IN ('pending', 'running') GROUP BY status
"""
_WORKERS = """
SELECT w.worker_id, w.host, w.pid, w.version, w.concurrency, w.started_at, w.expires_at,
    (SELECT count(*) FROM runs r WHERE r.worker_id = w.worker_id AND r.status = 'running')
FROM workers w ORDER BY w.started_at, w.worker_id
"""
_OUTBOX = "SELECT status, count(*) FROM webhook_deliveries GROUP BY status"
_OLDEST = "SELECT created_at FROM webhook_deliveries WHERE status = 'pending' ORDER BY position LIMIT 1"
_CRONS = "SELECT enabled, count(*), min(next_run_date) FROM crons GROUP BY enabled"


def runs_by_status(conn: Connection) -> dict[RunStatus, int]:
    """The number of runs of each status, including zeros."""
    found: dict[RunStatus, int] = dict.fromkeys(RUN_STATUSES, 0)
    for status, count in conn.execute(_BY_STATUS).fetchall():
        found[status] += count
    return found


def workers(conn: Connection, now: int) -> list[WorkerState]:
    """Workers with a valid lease, and expired ones whose runs have not been rescued yet; oldest first."""
    return [_worker(row, now) for row in conn.execute(_WORKERS).fetchall()]


def _worker(row: tuple[Any, ...], now: int) -> WorkerState:
    worker_id, host, pid, version, concurrency, started_at, expires_at, running = row
    return WorkerState(
        worker_id=worker_id,
        host=host,
        pid=pid,
        version=version,
        concurrency=concurrency,
        running=running,
        started_at=None if started_at is None else from_microseconds(started_at),
        expires_at=from_microseconds(expires_at),
        lease_seconds=(expires_at - now) / 1e6,
        alive=expires_at > now,
    )


def outbox(conn: Connection, now: int) -> OutboxState:
    counts: dict[str, int] = dict(conn.execute(_OUTBOX).fetchall())
    oldest = conn.execute(_OLDEST).fetchone()
    return OutboxState(
        pending=counts.get("pending", 0),
        delivered=counts.get("delivered", 0),
        failed=counts.get("failed", 0),
        oldest_pending_seconds=None if oldest is None else (now - oldest[0]) / 1e6,
    )


def crons(conn: Connection) -> CronsState:
    found = {bool(enabled): (count, due) for enabled, count, due in conn.execute(_CRONS).fetchall()}
    enabled, due = found.get(True, (0, None))
    return CronsState(
        enabled=enabled,
        disabled=found.get(False, (0, None))[0],
        next_run_date=None if due is None else from_microseconds(due),
    )
