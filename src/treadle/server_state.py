"""What is asked of all runs, and of the server as a whole; and what they answer. On the wire, as ``model`` is.

Apart from ``model``, which says what the official protocol does: all of this is an addition of treadle's.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeVar

from msgspec import Struct

from treadle.model import JSON, RunStatus

T = TypeVar("T")


# --- the server -------------------------------------------------------------------------------------------------------


class ProcessState(Struct, kw_only=True):
    """The process that answers. ``concurrency`` is 0 where it only serves."""

    host: str
    pid: int
    concurrency: int
    open_streams: int


class Queued(Struct, kw_only=True):
    """Pending runs of one kind, and for how long the oldest of them that is due has been."""

    graph_id: str
    priority: Literal["low", "normal", "high"]
    blocked_by: Literal["nothing", "time", "thread", "graph", "key"]
    runs: int
    oldest_seconds: float | None


class QueueState(Struct, kw_only=True):
    """``due`` are the pending runs whose time has come; ``oldest_pending_seconds`` is how long the oldest has been."""

    pending: int
    running: int
    due: int
    oldest_pending_seconds: float | None
    waiting: list[Queued]


class WorkerState(Struct, kw_only=True):
    """A process that executes runs. ``lease_seconds`` are left of its lease: below 0 its runs are about to be taken
    over. What is null an older release has not told."""

    worker_id: str
    host: str | None
    pid: int | None
    version: str | None
    concurrency: int | None
    running: int
    started_at: datetime | None
    expires_at: datetime
    lease_seconds: float
    alive: bool


class DatabaseState(Struct, kw_only=True):
    """``rows`` are counted once a minute; of large tables of PostgreSQL they are its estimates."""

    kind: Literal["sqlite", "postgres"]
    version: str
    bytes: int
    files: dict[str, int]
    rows: dict[str, int]


class OutboxState(Struct, kw_only=True):
    """Webhook deliveries, as long as they are kept. ``failed`` ones were given up."""

    pending: int
    delivered: int
    failed: int
    oldest_pending_seconds: float | None


class CronsState(Struct, kw_only=True):
    enabled: int
    disabled: int
    next_run_date: datetime | None


class ServerState(Struct, kw_only=True):
    """``GET /server``: what the server is doing, over all its processes. ``runs`` are counted by status; ``settings``
    are those of the process that answers, of secrets only whether they are ``set``."""

    version: str
    langgraph_py_version: str
    python_version: str
    now: datetime
    started_at: datetime
    uptime_seconds: float
    process: ProcessState
    queue: QueueState
    runs: dict[RunStatus, int]
    workers: list[WorkerState]
    database: DatabaseState
    webhooks: OutboxState
    crons: CronsState
    settings: JSON
