"""What the server and its threads take and do, in numbers: bodies of answers, and the port that tells them."""

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
    """``GET /threads/{t}/storage``: the room that the checkpoints of a thread take."""

    thread_id: str
    total_bytes: int
    checkpoints: Usage
    channel_values: ChannelsUsage
    pending_writes: Usage


class QueueWait(Struct, frozen=True):
    """Due pending runs: how many, and for how long (seconds) the oldest and the median have been due.

    ``unblocked`` is the longest wait of those whose thread has no running run.
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
    """Pending runs of one kind, and since when the oldest of them that is due has been (seconds)."""

    graph_id: str
    priority: Priority
    blocked_by: Blocker
    runs: int
    oldest: float | None


class ServerMetrics(Struct, kw_only=True, frozen=True):
    """``pending``, ``running``, ``waiting``, ``workers`` and the sizes are what the database holds now; the rest is
    counted since the start of this process, ``ended`` by the status that runs ended in (``rolled_back`` ones too).

    ``depths`` are all pending runs. What they are blocked by is as claims found it: runs that no claim has looked at
    yet count as blocked by nothing. ``expired`` were removed by retention."""

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
    """What the database holds now, for those who look after the server; ``figures`` are of the same moment."""

    metrics: ServerMetrics
    kind: Literal["sqlite", "postgres"]
    version: str
    runs: Mapping[RunStatus, int]
    workers: Sequence[WorkerState]
    outbox: OutboxState
    crons: CronsState


class Statistics(Protocol):
    async def metrics(self) -> ServerMetrics:
        """All of it, read off the calling loop. Cheap enough for every few seconds."""
        ...

    async def overview(self) -> ServerOverview:
        """As ``figures``. Runs that take long to count are counted seldom."""
        ...
