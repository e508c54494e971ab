"""TODO."""

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
    """The right to write for a run: only the holder of its current ``attempt`` may."""

    run_id: str
    thread_id: str
    attempt: int
    worker_id: str


class WorkerInfo(Struct, frozen=True, kw_only=True):
    """What a worker says of itself, for those who look after it. ``started_at`` in unix microseconds."""

    host: str
    pid: int
    version: str
    concurrency: int
    started_at: int


class Limits(Struct, frozen=True):
    """How many runs may run at once: of each graph named in ``graphs``, and of any one concurrency key."""

    graphs: Mapping[str, int] = {}
    key: int = 1


DEFAULT_LIMITS = Limits()


class Claim(Struct, frozen=True):
    """A claimed run and what executing it takes.

    ``resumed`` is true when an earlier attempt may have left traces, ``after_interrupt`` when the thread rests where a
    cancelled run left it. ``queued_seconds`` is the time since the run became due.
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
    """``next_due`` is when to claim again (a delayed run becomes due then), in unix microseconds."""

    claims: list[Claim]
    next_due: int | None


class Outcome(Struct, kw_only=True, frozen=True):
    """How a run ended. ``thread_status`` is what the thread rests in once it has no active run.

    ``output`` is the final state as JSON bytes, None to leave the thread's values as they are; ``wait_interrupts`` is
    what ``__interrupt__`` of a wait body holds. ``rollback`` removes the run, its checkpoints and writes instead of
    recording a status.
    """

    status: RunStatus
    thread_status: ThreadStatus = "idle"
    error: JSON | None = None
    interrupts: JSON | None = None
    output: bytes | None = None
    wait_interrupts: list[JSON] | None = None
    rollback: bool = False


class Queue(Protocol):
    """What a worker may do to runs. Every write for a run needs its Lease and raises LeaseLost without it."""

    async def claim(self, worker_id: str, limit: int, limits: Limits = DEFAULT_LIMITS) -> ClaimBatch:
        """Takes up to ``limit`` due pending runs, at most one a thread, and appends their metadata event.

        Those of higher priority come first, then those that became due first; on one thread the order of creation
        rules. Over all processes that claim, no graph and no key runs more than ``limits`` says, and a run that may
        run is not kept from it by others that may not."""
        ...

    async def finish(self, lease: Lease, outcome: Outcome, events: Sequence[Event]) -> None:
        """One transaction: the last events, the terminal event, the run's status and output, the thread's status."""
        ...

    async def release(self, lease: Lease, events: Sequence[Event] = ()) -> None:
        """Hands a run back as pending without charging it an attempt (a worker that drains), with its last events.

        A run with a cancel mark ends as the mark says instead."""
        ...

    async def reset(self, lease: Lease) -> bool:
        """Before a resumed attempt starts: True if this run has checkpoints to go on from. If it has none, the loose
        writes that the earlier attempt left on checkpoints of earlier runs are removed."""
        ...

    async def renew(self, worker_id: str, seconds: float, info: WorkerInfo | None = None) -> dict[str, CancelAction]:
        """Extends the lease of the worker and returns the cancel marks on its runs. ``info`` is what it says of itself,
        the same each time."""
        ...

    async def rescue(self, *, max_attempts: int, exclusive: bool = False, steady_seconds: float = 0.0) -> list[str]:
        """Takes runs from workers whose lease is over: back to the queue, ended as their cancel mark says, or, after
        ``max_attempts`` crashes, ended in error. ``exclusive``: no other worker can be alive (the start of an embedded
        server), every running run is an orphan and every hold is over. Returns their ids.

        Does nothing until the database has been within reach for ``steady_seconds``: when it comes back, the workers
        that live are to renew their leases first."""
        ...

    async def sweep(self, *, stateless_before: int, keys_before: int) -> None:
        """Removes the threads of stateless runs, and idempotency keys, that are older than that."""
        ...

    async def trim_runs(self, ended_before: int, limit: int = 100) -> int:
        """Removes all events but the last of runs that ended before (unix microseconds), oldest first; returns of how
        many, ``limit`` if there may be more."""
        ...

    async def expire_runs(self, ended_before: int, limit: int = 100) -> int:
        """Removes runs that ended before and were trimmed; threads keep their state and output. Returns how many."""
        ...

    async def expire_threads(self, limit: int = 100) -> int:
        """Does what their ttl says to idle threads that have not changed for so long; returns to how many."""
        ...


class Wakeup(Protocol):
    """Hints. A lost one costs latency, never a run: whoever listens also polls."""

    def on_queue(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back (from any thread) when a run may be claimable. Returns the unsubscribe."""
        ...

    def on_cancel(self, callback: Callable[[str, CancelAction], None]) -> Callable[[], None]:
        """Calls back (from any thread) with a running run that got a cancel mark. Returns the unsubscribe."""
        ...

    def on_delivery(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back (from any thread) when a webhook may be due. Returns the unsubscribe."""
        ...
