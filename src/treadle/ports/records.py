"""What the rules, the worker and the streams need of a backend. The contract of each verb is in its docstring.

Times inside a backend are integers: unix microseconds, from the Clock that the composition root chose.
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


class RunResult(Struct, frozen=True):
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

    def record_thread_state(
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

    def list_runs(self, query: ThreadRunsQuery) -> list[Run]: ...
    def search_runs(self, query: RunSearchQuery) -> RunPage: ...
    def count_runs(self, query: RunSearchQuery) -> int:
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

    def run_result(self, run_id: str) -> RunResult | None:
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
    def idempotency_record(self, key: str) -> tuple[str, list[str]] | None:
        """``(digest, run ids)`` stored under an idempotency key."""
        ...

    def save_idempotency_record(self, key: str, digest: str, run_ids: list[str]) -> None: ...


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

    def lookup(self, work: Callable[[Transaction], T]) -> Awaitable[T]:
        """``read`` for one look-up by key, wherever that is cheapest."""
        ...
