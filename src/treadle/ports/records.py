"""The port of a backend's records: threads, runs, assistants, crons and deliveries, in transactions.

Times inside a backend are integers: unix microseconds of the backend's Clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, Protocol, TypeVar

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
from treadle.ports.deliveries import DeliveryQuery
from treadle.ports.queries import AssistantQuery, CronQuery, RunPage, RunSearchQuery, ThreadQuery, ThreadRunsQuery
from treadle.ports.queue import Outcome
from treadle.ports.statistics import ThreadStorage

T = TypeVar("T")


class NewRun(Struct, kw_only=True, frozen=True):
    """A run to insert as pending. ``temporary`` marks a stateless run: its thread is removed after it ends.

    Runs of higher ``priority`` start first. Runs with the same ``concurrency_key`` share its slots.
    """

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
    """A pending or running run, as the multitask rules need it. Ordered by creation."""

    run_id: str
    status: RunStatus
    cancel_action: CancelAction | None


class RunResult(Struct, frozen=True):
    """The result of a run: ``output`` is the final state as JSON, ``interrupts`` the ``__interrupt__`` of its wait
    body."""

    status: RunStatus
    error: JSON | None
    interrupts: list[JSON] | None
    output: bytes | None


class Transaction(Protocol):
    """The operations of one database transaction. They commit together or not at all.

    A rule is a plain function over a Transaction. It may run more than once, so it must not block on or change anything
    else. ``now`` is the same instant for the whole transaction.
    """

    now: int

    # assistants
    def assistant(self, assistant_id: str) -> Assistant | None: ...
    def lock_assistant(self, assistant_id: str) -> None:
        """Lock the assistant and its versions until the transaction ends."""
        ...

    def put_assistant(self, assistant: Assistant) -> None:
        """Insert or replace the assistant, and keep the row of its version."""
        ...

    def assistant_versions(self, assistant_id: str) -> list[Assistant]: ...
    def delete_assistant(self, assistant_id: str) -> bool: ...
    def search_assistants(self, query: AssistantQuery) -> list[Assistant]: ...
    def count_assistants(self, query: AssistantQuery) -> int: ...

    # threads
    def thread(self, thread_id: str, *, values: bool = True) -> Thread | None:
        """Return the thread, or None. The thread of an ended stateless run counts as missing.

        ``values`` is an ``orjson.Fragment`` of the state; pass False if only the other fields are needed.
        """
        ...

    def thread_metadata(self, thread_id: str) -> JSON | None:
        """Return the thread's metadata, also for an ended stateless run that can still be joined."""
        ...

    def insert_thread(self, thread_id: str, *, metadata: JSON, ttl: ThreadTTL | None = None) -> None: ...
    def merge_thread(self, thread_id: str, *, metadata: JSON) -> None:
        """Merge ``metadata`` at the top level."""
        ...

    def record_thread_state(
        self, thread_id: str, *, status: ThreadStatus, output: bytes | None, interrupts: JSON, error: JSON | None
    ) -> None:
        """Record a state produced without a run (an update, a copy) and end a hold. The status shows once no run is
        active."""
        ...

    def hold_thread(self, thread_id: str, seconds: float) -> int | None:
        """Prevent claims of the thread's runs for ``seconds``. Returns the end of the hold, or None if it is already
        held."""
        ...

    def release_thread(self, thread_id: str, held_until: int) -> None:
        """End this hold, unless another has replaced it."""
        ...

    def set_thread_ttl(self, thread_id: str, ttl: ThreadTTL) -> None: ...
    def prune_thread(self, thread_id: str) -> None:
        """Remove all checkpoints except the latest."""
        ...

    def thread_storage(self, thread_id: str) -> ThreadStorage: ...
    def append_thread_event(self, thread_id: str, event: Event) -> None:
        """Append an event without a run to the thread's order."""
        ...

    def delete_thread(self, thread_id: str) -> bool:
        """Remove the thread with its runs, events, checkpoints and writes."""
        ...

    def copy_thread(self, source: str, target: str) -> None:
        """Create a thread with the history of the source, without its runs."""
        ...

    def search_threads(self, query: ThreadQuery) -> list[Thread]: ...
    def count_threads(self, query: ThreadQuery, *, most: int | None = None) -> int:
        """Count the matching threads. At most ``most`` are examined: a result of ``most`` means at least that many."""
        ...

    # runs
    def run(self, run_id: str) -> Run | None: ...
    def run_is_temporary(self, run_id: str) -> bool: ...
    def insert_run(self, run: NewRun, *, thread_metadata: JSON | None = None, thread_config: JSON | None = None) -> Run:
        """Insert the run as pending and make its thread busy, with the given metadata and config. Notifies workers
        after commit."""
        ...

    def active_runs(self, thread_id: str) -> list[ActiveRun]: ...
    def pending_runs(self, most: int) -> int:
        """Count the pending runs, up to ``most``."""
        ...

    def active_run_ids(self, status: Literal["pending", "running", "all"]) -> list[tuple[str, str]]:
        """Return ``(thread_id, run_id)`` of active runs on all threads."""
        ...

    def list_runs(self, query: ThreadRunsQuery) -> list[Run]: ...
    def search_runs(self, query: RunSearchQuery) -> RunPage: ...
    def count_runs(self, query: RunSearchQuery) -> int:
        """Count the matching runs, ignoring ``limit`` and ``after``."""
        ...

    def has_checkpoints(self, thread_id: str, run_id: str) -> bool:
        """Whether the run has written a checkpoint on the thread."""
        ...

    def mark_cancel(self, run_id: str, action: CancelAction, reason: str) -> None:
        """Set the durable cancel mark on a running run; its worker is notified after the commit.

        A rollback replaces an interrupt. Setting the same mark again has no effect.
        """
        ...

    def end_pending(self, run_id: str, outcome: Outcome) -> None:
        """End a run that never started: set its status, terminal event and thread status, or remove it."""
        ...

    def delete_run(self, run_id: str) -> bool:
        """Remove a run that is not active, with its events. The thread keeps its history."""
        ...

    def run_result(self, run_id: str) -> RunResult | None:
        """Return the result of a run, or None if there is no such run."""
        ...

    # crons
    def cron(self, cron_id: str) -> Cron | None: ...
    def put_cron(self, cron: Cron) -> None:
        """Insert or replace the cron."""
        ...

    def cron_requester(self, cron_id: str) -> JSON | None:
        """Return the user of the cron's runs, or None if the creator was not authenticated."""
        ...

    def set_cron_requester(self, cron_id: str, requester: JSON) -> None: ...
    def delete_cron(self, cron_id: str) -> bool: ...
    def search_crons(self, query: CronQuery) -> list[Cron]: ...
    def count_crons(self, query: CronQuery) -> int: ...
    def due_crons(self, limit: int) -> list[Cron]:
        """Return the enabled crons that are due, oldest first."""
        ...

    def next_cron_at(self) -> int | None:
        """Return the next due time of an enabled cron, in unix microseconds."""
        ...

    # webhooks
    def delivery(self, delivery_id: str) -> WebhookDeliveryLog | None: ...
    def deliveries(self, query: DeliveryQuery) -> list[WebhookDelivery]: ...
    def count_deliveries(self, query: DeliveryQuery) -> int: ...
    def redeliver(self, delivery_id: str) -> bool:
        """Make a delivery due now, in any status. An attempt in progress may finish. False if there is no such
        delivery."""
        ...

    # idempotency
    def idempotency_record(self, key: str) -> tuple[str, list[str]] | None:
        """Return the ``(digest, run ids)`` stored under an idempotency key."""
        ...

    def save_idempotency_record(self, key: str, digest: str, run_ids: list[str]) -> None: ...


class Records(Protocol):
    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` in one write transaction and return its result once it is durable.

        If ``work`` raises, the transaction is rolled back and the error is raised here. From the first access to a
        thread or one of its runs, no other transaction can change them until this one ends. ``work`` may run again
        after losing a race, so it must change nothing but the database.
        """
        ...

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` on a consistent snapshot, off the calling loop. It must not write."""
        ...

    def lookup(self, work: Callable[[Transaction], T]) -> Awaitable[T]:
        """Like ``read``, for one lookup by key, on the cheapest connection."""
        ...
