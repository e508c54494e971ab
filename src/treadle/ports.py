"""What the rules, the worker and the streams need of a backend. The contract of each verb is in its docstring.

Times inside a backend are integers: unix microseconds, from the Clock that the composition root chose.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, Protocol, TypeVar

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.store.base import BaseStore
from msgspec import Struct

from treadle.model import (
    JSON,
    Assistant,
    CancelAction,
    Cron,
    Event,
    MultitaskStrategy,
    Run,
    RunStatus,
    Thread,
    ThreadStatus,
    ThreadTTL,
    WebhookDelivery,
    WebhookDeliveryLog,
)
from treadle.outbox import DeliveryQuery, DeliveryQueue
from treadle.queries import AssistantQuery, CronQuery, FoundRuns, RunQuery, RunsQuery, ThreadQuery
from treadle.reading import Follower
from treadle.usage import Statistics, ThreadStorage

T = TypeVar("T")


class Clock(Protocol):
    def now(self) -> int:
        """Unix microseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow, for deadlines and intervals."""
        ...


# --- values that cross the ports --------------------------------------------------------------------------------------


class NewRun(Struct, kw_only=True, frozen=True):
    """A run to insert as pending. ``temporary`` marks a stateless run whose thread goes when it ends.

    Runs of higher ``priority`` start first; those of one ``concurrency_key`` share its slots."""

    run_id: str
    thread_id: str
    assistant_id: str
    graph_id: str
    metadata: JSON
    kwargs: JSON
    multitask_strategy: MultitaskStrategy
    available_at: int
    temporary: bool
    priority: int = 0
    concurrency_key: str | None = None


class ActiveRun(Struct, frozen=True):
    """A pending or running run, as the multitask rules see it. Ordered by creation."""

    run_id: str
    status: RunStatus
    cancel_action: CancelAction | None


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
    cancelled run left it.
    """

    lease: Lease
    assistant_id: str
    graph_id: str
    metadata: JSON
    kwargs: JSON
    temporary: bool
    resumed: bool
    after_interrupt: bool


class Claimed(Struct, frozen=True):
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


class Ended(Struct, frozen=True):
    """What is left of a run's ending: ``output`` is the final state as JSON, ``interrupts`` what ``__interrupt__`` of
    its wait body holds."""

    status: RunStatus
    error: JSON | None
    interrupts: list[JSON] | None
    output: bytes | None


# --- the ports --------------------------------------------------------------------------------------------------------


class Transaction(Protocol):
    """The verbs of one database transaction. Everything done through it commits together or not at all.

    A rule is a plain function over a Transaction; it must not block on anything else, and may be run again.
    ``now`` is one instant for the whole transaction.
    """

    now: int

    # assistants
    def assistant(self, assistant_id: str) -> Assistant | None: ...
    def lock_assistant(self, assistant_id: str) -> None:
        """Until the transaction ends nobody else changes the assistant or its versions."""
        ...

    def put_assistant(self, assistant: Assistant) -> None:
        """Inserts or replaces the assistant, and keeps the row of its version."""
        ...

    def assistant_versions(self, assistant_id: str) -> list[Assistant]: ...
    def delete_assistant(self, assistant_id: str) -> bool: ...
    def search_assistants(self, query: AssistantQuery) -> list[Assistant]: ...
    def count_assistants(self, query: AssistantQuery) -> int: ...

    # threads
    def thread(self, thread_id: str, *, values: bool = True) -> Thread | None:
        """The thread, or None; the thread of an ended stateless run is not there any more.

        ``values`` is an ``orjson.Fragment`` of the state; ask for none where only the head is needed."""
        ...

    def thread_metadata(self, thread_id: str) -> JSON | None:
        """Its metadata, also that of the thread of an ended stateless run as long as the run can be joined."""
        ...

    def insert_thread(self, thread_id: str, *, metadata: JSON, ttl: ThreadTTL | None = None) -> None: ...
    def merge_thread(self, thread_id: str, *, metadata: JSON) -> None:
        """Merges ``metadata`` at the top level."""
        ...

    def rest_thread(
        self, thread_id: str, *, status: ThreadStatus, output: bytes | None, interrupts: JSON, error: JSON | None
    ) -> None:
        """Records a state that no run produced (an update, a copy) and ends a hold; the status shows once no run is
        active."""
        ...

    def hold_thread(self, thread_id: str, seconds: float) -> int | None:
        """Keeps runs of the thread from being claimed for so long; returns what ends the hold, None if it is held."""
        ...

    def release_thread(self, thread_id: str, held_until: int) -> None:
        """Ends that hold, if it is still the one."""
        ...

    def set_thread_ttl(self, thread_id: str, ttl: ThreadTTL) -> None: ...
    def prune_thread(self, thread_id: str) -> None:
        """Removes all but the latest checkpoints."""
        ...

    def thread_storage(self, thread_id: str) -> ThreadStorage: ...
    def append_thread_event(self, thread_id: str, event: Event) -> None:
        """Appends an event of no run to the thread's order."""
        ...

    def delete_thread(self, thread_id: str) -> bool:
        """Removes the thread with its runs, events, checkpoints and writes."""
        ...

    def copy_thread(self, source: str, target: str) -> None:
        """A new thread with the history of the source, without its runs."""
        ...

    def search_threads(self, query: ThreadQuery) -> list[Thread]: ...
    def count_threads(self, query: ThreadQuery, *, most: int | None = None) -> int:
        """How many there are. ``most`` bounds how many are looked at: beyond that there are at least so many."""
        ...

    # runs
    def run(self, run_id: str) -> Run | None: ...
    def run_is_temporary(self, run_id: str) -> bool: ...
    def insert_run(self, run: NewRun, *, thread_metadata: JSON | None = None, thread_config: JSON | None = None) -> Run:
        """Inserts it as pending and makes its thread busy, with this metadata and config where they are given; workers
        are told once it is committed."""
        ...

    def active_runs(self, thread_id: str) -> list[ActiveRun]: ...
    def pending_runs(self, most: int) -> int:
        """How many runs are pending, counted up to ``most``."""
        ...

    def active_run_ids(self, status: Literal["pending", "running", "all"]) -> list[tuple[str, str]]:
        """``(thread_id, run_id)`` over all threads."""
        ...

    def list_runs(self, query: RunQuery) -> list[Run]: ...
    def search_runs(self, query: RunsQuery) -> FoundRuns: ...
    def count_runs(self, query: RunsQuery) -> int:
        """How many there are, whatever ``limit`` and ``after`` say."""
        ...

    def has_checkpoints(self, thread_id: str, run_id: str) -> bool:
        """Whether the run has come to a checkpoint on the thread."""
        ...

    def mark_cancel(self, run_id: str, action: CancelAction, reason: str) -> None:
        """Sets the durable mark on a running run; its worker is told once it is committed. A rollback outranks
        an interrupt; the same mark twice is one."""
        ...

    def end_pending(self, run_id: str, outcome: Outcome) -> None:
        """Ends a run that never started: status, terminal event and thread status, or its removal."""
        ...

    def delete_run(self, run_id: str) -> bool:
        """Removes a run that is not active, with its events; the thread keeps its history."""
        ...

    def ended(self, run_id: str) -> Ended | None:
        """How a run ended, or None if there is no such run."""
        ...

    # crons
    def cron(self, cron_id: str) -> Cron | None: ...
    def put_cron(self, cron: Cron) -> None:
        """Inserts or replaces it."""
        ...

    def cron_requester(self, cron_id: str) -> JSON | None:
        """Whom its runs are made for, as it was set; None where nobody was authenticated."""
        ...

    def set_cron_requester(self, cron_id: str, requester: JSON) -> None: ...
    def delete_cron(self, cron_id: str) -> bool: ...
    def search_crons(self, query: CronQuery) -> list[Cron]: ...
    def count_crons(self, query: CronQuery) -> int: ...
    def due_crons(self, limit: int) -> list[Cron]:
        """Enabled crons whose next run date has come, oldest first."""
        ...

    def next_cron_at(self) -> int | None:
        """When the next enabled cron comes due, in unix microseconds."""
        ...

    # webhooks
    def delivery(self, delivery_id: str) -> WebhookDeliveryLog | None: ...
    def deliveries(self, query: DeliveryQuery) -> list[WebhookDelivery]: ...
    def count_deliveries(self, query: DeliveryQuery) -> int: ...
    def redeliver(self, delivery_id: str) -> bool:
        """Makes a delivery due now, whatever it has come to; a try that is under way is left to end.

        False if there is no such delivery."""
        ...

    # idempotency
    def remembered(self, key: str) -> tuple[str, list[str]] | None:
        """``(digest, run ids)`` stored under an idempotency key."""
        ...

    def remember(self, key: str, digest: str, run_ids: list[str]) -> None: ...


class Records(Protocol):
    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """Runs ``work`` in one write transaction and returns its result once that is durable.

        What ``work`` raises is raised here and nothing of it is kept. From the first look at a thread, or at a run of
        it, nobody else changes either until the transaction ends. ``work`` may be run again after it lost a race, so it
        changes nothing but the database."""
        ...

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Runs ``work`` on a consistent snapshot, off the calling loop. It must not write."""
        ...

    def glance(self, work: Callable[[Transaction], T]) -> Awaitable[T]:
        """``read`` for one look-up by key, wherever that is cheapest."""
        ...


class Queue(Protocol):
    """What a worker may do to runs. Every write for a run needs its Lease and raises LeaseLost without it."""

    async def claim(self, worker_id: str, limit: int, limits: Limits = DEFAULT_LIMITS) -> Claimed:
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


class EventLog(Protocol):
    """One log, one writer a run (the lease holder), any number of readers. Commit, then tell."""

    async def append(self, lease: Lease, events: Sequence[Event]) -> None:
        """Appends with the next dense seqs of the run and the next order numbers of the thread.

        Returns when they are durable; readers see them only after that. Raises LeaseLost."""
        ...

    def follow(self, run_id: str, after: int = 0) -> Follower:
        """Reads ``run_id`` after seq ``after``, from the log into the live tail without a seam."""
        ...

    async def bounds(self, run_id: str) -> tuple[int, int]:
        """``(first, last)`` seq that is kept; first is last + 1 when nothing is: nothing yet, or nothing any more."""
        ...

    def follow_thread(self, thread_id: str, after: int = 0) -> Follower:
        """Reads all runs of a thread, and what is not there yet, in the thread's order; it never ends.

        Runs that are deleted leave holes; one that is rolled back while it runs leaves its ``end``."""
        ...

    async def thread_cursor(self, thread_id: str, event_id: tuple[int, int] | None = None) -> int:
        """The place in the thread's order of the last event, or of ``(ms, seq)``, seq of the thread or of a run."""
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


class RunSaver(BaseCheckpointSaver[str]):
    """The saver of one attempt: LangGraph's interface, and what the worker needs beside it."""

    async def settled(self) -> None:
        """Returns when everything saved so far is durable; raises what a save in the background failed with."""
        raise NotImplementedError


class Checkpoints(Protocol):
    """Savers over the backend's own tables, in the form LangGraph takes."""

    @property
    def store(self) -> BaseStore: ...

    def for_run(self, lease: Lease, *, eager: bool) -> RunSaver:
        """A saver whose every write is fenced by the attempt and marked with the run.

        An eager one queues writes and goes on; the order of the queue puts them before the run's end."""
        ...

    def for_thread(self) -> BaseCheckpointSaver[str]:
        """A saver for reading state and for updates that no run makes."""
        ...


class GraphLoop(Protocol):
    """Where user code runs."""

    def submit(self, work: Awaitable[T]) -> Awaitable[T]:
        """Runs ``work`` on the loop of the graphs; the result is awaited on the caller's loop."""
        ...


class Backend(Struct, frozen=True):
    """The coherent set of parts that one URL picks.

    ``exclusive``: no other process can be alive on it (else leases decide what was left behind). ``clock`` is the one
    that its rows follow, and whoever reckons with their times has to."""

    exclusive: bool
    clock: Clock
    records: Records
    queue: Queue
    log: EventLog
    wakeup: Wakeup
    checkpoints: Checkpoints
    deliveries: DeliveryQueue
    statistics: Statistics
    sweep_store: Callable[[], Awaitable[int]]
    close: Callable[[], None]
