"""The port of statistics: the sizes, counts and waits of a backend, as ``/metrics`` and ``GET /server`` report them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from treadle.model import RunStatus
from treadle.server_state import CronsState, OutboxState, WorkerState


class Usage(Struct):
    count: int
    bytes: int


class ChannelUsage(Struct):
    versions: int
    bytes: int


class ChannelsUsage(Struct):
    count: int
    bytes: int
    by_channel: dict[str, ChannelUsage]


class ThreadStorage(Struct, kw_only=True):
    """``GET /threads/{t}/storage``: the storage used by a thread's checkpoints."""

    thread_id: str
    total_bytes: int
    checkpoints: Usage
    channel_values: ChannelsUsage
    pending_writes: Usage


class QueueWait(Struct, frozen=True):
    """Due pending runs: their number, and for how many seconds the oldest and the median have been due.

    ``unblocked`` is the longest wait among runs of threads without a running run.
    """

    runs: int
    oldest: float | None
    median: float | None
    unblocked: float | None


Priority = Literal["low", "normal", "high"]
PRIORITY_CLASSES: tuple[Priority, ...] = ("low", "normal", "high")
"""Below 0, 0, above 0."""
Blocker = Literal["nothing", "time", "thread", "graph", "key"]
BLOCKERS: tuple[Blocker, ...] = ("nothing", "time", "thread", "graph", "key")


class Depth(Struct, frozen=True):
    """Pending runs of one kind, and for how many seconds the oldest due run among them has been due."""

    graph_id: str
    priority: Priority
    blocked_by: Blocker
    runs: int
    oldest: float | None


class ServerMetrics(Struct, kw_only=True, frozen=True):
    """Metrics of the database and of this process.

    ``pending``, ``running``, ``waiting``, ``workers`` and the sizes are the current values in the database. The rest is
    counted since the start of this process: ``ended`` by the status of runs (including ``rolled_back``), ``expired``
    are the runs removed by retention. ``depths`` covers all pending runs, blocked by the cause that the last claim
    found; runs that no claim has examined yet count as blocked by nothing.
    """

    pending: int
    running: int
    waiting: QueueWait
    depths: Sequence[Depth]
    workers: int
    expired: int
    ended: Mapping[RunStatus | str, int]
    claims: int
    events: int
    commits: int
    jobs: int
    rows: Mapping[str, int]
    file_bytes: Mapping[str, int]


class ServerOverview(Struct, kw_only=True, frozen=True):
    """The current state of the database, for ``GET /server``; ``figures`` are of the same moment."""

    metrics: ServerMetrics
    kind: Literal["sqlite", "postgres"]
    version: str
    runs: Mapping[RunStatus, int]
    workers: Sequence[WorkerState]
    outbox: OutboxState
    crons: CronsState


class Statistics(Protocol):
    async def metrics(self) -> ServerMetrics:
        """Read all metrics, off the calling loop. Cheap enough to call every few seconds."""
        ...

    async def overview(self) -> ServerOverview:
        """Like ``metrics``, for ``GET /server``. Expensive counts are refreshed rarely."""
        ...
