"""The port of the run queue: claiming, leases, outcomes, recovery and retention."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from treadle.model import (
    JSON,
    CancelAction,
    Event,
    RunStatus,
    ThreadStatus,
)


class Lease(Struct, frozen=True):
    """The right to write for a run. Only the holder of the run's current ``attempt`` has it."""

    run_id: str
    thread_id: str
    attempt: int
    worker_id: str


class WorkerInfo(Struct, frozen=True, kw_only=True):
    """A worker's description of itself, for ``GET /server``. ``started_at`` is in unix microseconds."""

    host: str
    pid: int
    version: str
    concurrency: int
    started_at: int


class Limits(Struct, frozen=True):
    """Maximum number of concurrent runs, for each graph in ``graphs`` and for each concurrency key."""

    graphs: Mapping[str, int] = {}
    key: int = 1


DEFAULT_LIMITS = Limits()


class Claim(Struct, frozen=True):
    """A claimed run, with everything needed to execute it.

    ``resumed`` is true if an earlier attempt may have left checkpoints or writes. ``after_interrupt`` is true if a
    cancelled run left the thread in the middle of a step. ``queued_seconds`` is the time since the run became due.
    """

    lease: Lease
    assistant_id: str
    graph_id: str
    metadata: JSON
    kwargs: JSON
    temporary: bool
    queued_seconds: float
    resumed: bool
    after_interrupt: bool


class ClaimBatch(Struct, frozen=True):
    """``next_due`` is the time of the next claim, when a delayed run becomes due, in unix microseconds."""

    claims: list[Claim]
    next_due: int | None


class Outcome(Struct, kw_only=True, frozen=True):
    """The outcome of a run. The thread gets ``thread_status`` once it has no active run.

    ``output`` is the final state as JSON bytes, or None to keep the thread's values. ``wait_interrupts`` is returned as
    ``__interrupt__`` to waiters. ``rollback`` removes the run, its checkpoints and its writes instead of recording a
    status.
    """

    status: RunStatus
    thread_status: ThreadStatus = "idle"
    error: JSON | None = None
    interrupts: JSON | None = None
    output: bytes | None = None
    wait_interrupts: list[JSON] | None = None
    rollback: bool = False


class Queue(Protocol):
    """A worker's operations on runs. Every write for a run requires its Lease, and otherwise raises LeaseLost."""

    async def claim(self, worker_id: str, limit: int, limits: Limits = DEFAULT_LIMITS) -> ClaimBatch:
        """Claim up to ``limit`` due pending runs, at most one per thread, and append their metadata events.

        The order is by priority, then by due time; runs of one thread start in the order of their creation. ``limits``
        holds over all processes, and runs that it holds back do not keep other runs from being claimed.
        """
        ...

    async def finish(self, lease: Lease, outcome: Outcome, events: Sequence[Event]) -> None:
        """Write, in one transaction, the last events, the terminal event, the run's status and output, and the thread's
        status."""
        ...

    async def release(self, lease: Lease, events: Sequence[Event] = ()) -> None:
        """Hand a run back as pending, with its last events and without charging it an attempt. For a worker that
        drains.

        A run with a cancel mark ends as the mark demands instead.
        """
        ...

    async def reset(self, lease: Lease) -> bool:
        """Prepare a resumed attempt. Returns True if the run has checkpoints to continue from.

        If it has none, remove the writes that the earlier attempt left on checkpoints of earlier runs.
        """
        ...

    async def renew(self, worker_id: str, seconds: float, info: WorkerInfo | None = None) -> dict[str, CancelAction]:
        """Extend the worker's lease and return the cancel marks on its runs. ``info`` must be the same in each call."""
        ...

    async def rescue(self, *, max_attempts: int, exclusive: bool = False, steady_seconds: float = 0.0) -> list[str]:
        """Take over the runs of workers with an expired lease, and return their ids.

        Such a run returns to the queue, ends as its cancel mark demands, or ends in error after ``max_attempts``
        crashes. With ``exclusive``, no other worker can be alive (the start of an embedded server): every running run
        is an orphan, and every hold is over.

        Does nothing until the database has been reachable for ``steady_seconds``. After an outage, live workers must
        get the chance to renew their leases first.
        """
        ...

    async def sweep(self, *, stateless_before: int, keys_before: int) -> None:
        """Remove older threads of stateless runs, and older idempotency keys."""
        ...

    async def trim_runs(self, ended_before: int, limit: int = 100) -> int:
        """Remove all events except the last of runs that ended before ``ended_before`` (unix microseconds), oldest
        first.

        Returns the number of runs; ``limit`` means that there may be more.
        """
        ...

    async def expire_runs(self, ended_before: int, limit: int = 100) -> int:
        """Remove trimmed runs that ended before ``ended_before``; threads keep their state and output. Returns their
        number."""
        ...

    async def expire_threads(self, limit: int = 100) -> int:
        """Apply the ttl of threads that have been idle for its duration. Returns their number."""
        ...


class Wakeup(Protocol):
    """Hints that something may have changed. Every listener also polls, so a lost hint costs latency, never a run."""

    def on_queue(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back, on any thread, when a run may be claimable. Returns the unsubscribe function."""
        ...

    def on_cancel(self, callback: Callable[[str, CancelAction], None]) -> Callable[[], None]:
        """Call back, on any thread, with a running run that got a cancel mark. Returns the unsubscribe function."""
        ...

    def on_delivery(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back, on any thread, when a webhook may be due. Returns the unsubscribe function."""
        ...
