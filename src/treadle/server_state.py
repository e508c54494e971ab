"""The wire model of ``GET /server``: the state of the server over all its processes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from treadle.model import JSON, RunStatus


class ProcessState(Struct, kw_only=True):
    """The process that served the request. ``concurrency`` is 0 if it does not execute runs."""

    host: str
    pid: int
    concurrency: int
    open_streams: int


class Queued(Struct, kw_only=True):
    """Pending runs of one kind, and the seconds for which the oldest due run among them has been due."""

    graph_id: str
    priority: Literal["low", "normal", "high"]
    blocked_by: Literal["nothing", "time", "thread", "graph", "key"]
    runs: int
    oldest_seconds: float | None


class QueueState(Struct, kw_only=True):
    """``due`` counts the pending runs that are due; ``oldest_pending_seconds`` is the oldest's wait."""

    pending: int
    running: int
    due: int
    oldest_pending_seconds: float | None
    waiting: list[Queued]


class WorkerState(Struct, kw_only=True):
    """A process that executes runs.

    ``lease_seconds`` is the rest of its lease; below 0, other workers are about to take over its runs. Fields that an
    older release does not report are null.
    """

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
    """``rows`` is refreshed once a minute; for large PostgreSQL tables it holds the planner's estimates."""

    kind: Literal["sqlite", "postgres"]
    version: str
    bytes: int
    files: dict[str, int]
    rows: dict[str, int]


class OutboxState(Struct, kw_only=True):
    """Webhook deliveries within the retention time. ``failed`` deliveries will not be retried."""

    pending: int
    delivered: int
    failed: int
    oldest_pending_seconds: float | None


class CronsState(Struct, kw_only=True):
    enabled: int
    disabled: int
    next_run_date: datetime | None


class ServerState(Struct, kw_only=True):
    """``GET /server``. ``runs`` counts runs by status. ``settings`` are those of the process that served the request;
    a secret is shown as ``set`` or not."""

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
