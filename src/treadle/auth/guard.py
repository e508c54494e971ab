"""Who may see what: one place, between every rule and the records.

The rules know nothing of users. They read and write through ``GuardedRecords``, whose transactions hold only what the
request that is being served may see: what is not permitted is not there. So a thread of somebody else is as unknown as
one that never was, on every route and in every rule, also in those to come.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import orjson
from msgspec import Struct, structs

from treadle.auth.filters import equalities, permits
from treadle.errors import NotFoundError
from treadle.graph.user import User, as_user, no_longer
from treadle.ids import system_id
from treadle.model import (
    JSON,
    Assistant,
    CancelAction,
    Cron,
    Event,
    Run,
    Thread,
    ThreadStatus,
    ThreadTTL,
    WebhookDelivery,
    WebhookDeliveryLog,
)
from treadle.ports.deliveries import DeliveryQuery
from treadle.ports.queries import AssistantQuery, CronQuery, RunPage, RunSearchQuery, ThreadQuery, ThreadRunsQuery
from treadle.ports.queue import Outcome
from treadle.ports.records import ActiveRun, NewRun, Records, RunResult, Transaction
from treadle.ports.statistics import ThreadStorage

T = TypeVar("T")

Filters = Sequence[JSON]
Filtered = Literal["threads", "assistants", "crons"]
FILTERED: tuple[Filtered, ...] = ("threads", "assistants", "crons")


@dataclass
class Scope:
    """What one request may see. ``filters`` holds, for each resource, the filters that metadata must all pass; of a
    resource that is not in it nothing may be seen. ``stamps`` go into the metadata of threads that a run or a copy
    brings into being; ``made`` are the ids of what this request has made. ``own_assistants``: the one that every graph
    has may be used, whatever the filters say."""

    user: User
    filters: Mapping[str, Filters]
    stamps: JSON = field(default_factory=dict[str, object])
    own_assistants: bool = False
    made: set[str] = field(default_factory=set[str])

    def permits(self, resource: Filtered, id: str, metadata: JSON | None) -> bool:
        if metadata is None or resource not in self.filters:
            return False
        return id in self.made or permits(self.filters[resource], metadata)


_INTERNAL = Scope(User(identity=""), {})
_scope: ContextVar[Scope | None] = ContextVar("treadle_scope", default=None)


@contextmanager
def within(scope: Scope) -> Generator[None]:
    """What is done inside is done for one request."""
    scoped, named = _scope.set(scope), as_user(scope.user)
    try:
        yield
    finally:
        no_longer(named)
        _scope.reset(scoped)


class Requester(Struct, frozen=True):
    """For whom a run is made: the ``user`` as JSON holds it, and ``marks`` for a thread that the run brings into being.
    A run of a cron has that of who made the cron."""

    user: JSON
    marks: JSON


def requester() -> Requester | None:
    """Who makes the request that is being served; None without authentication."""
    scope = _scope.get()
    return None if scope is None or scope is _INTERNAL else Requester(scope.user.stored(), scope.stamps)


def sees_all(resource: Filtered) -> bool:
    """Whether the request that is being served may see all there is of a resource: no filter is on it."""
    scope = _scope.get()
    return scope is None or scope is _INTERNAL or not any(scope.filters.get(resource, [{"": ""}]))


def internally(call: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
    """``call`` as the server's own doing, which no user asked for: it sees everything."""

    async def unguarded() -> T:
        token = _scope.set(_INTERNAL)
        try:
            return await call()
        finally:
            _scope.reset(token)

    return unguarded


def stamps(filter: JSON | None, before: JSON, after: JSON) -> JSON:
    """What marks a thread as its maker's: what the rule asks for, and what its handler added to the metadata."""
    added = {key: value for key, value in after.items() if key not in before or before[key] != value}
    return equalities(filter or {}) | added


class GuardedRecords:
    """Records as the request that is being served may see them. Outside of a request nothing may be read or written,
    except ``internally``."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        return await self._records.transact(_guarded(work))

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._records.read(_guarded(work))

    def lookup(self, work: Callable[[Transaction], T]) -> Awaitable[T]:
        return self._records.lookup(_guarded(work))


def _guarded(work: Callable[[Transaction], T]) -> Callable[[Transaction], T]:
    scope = _scope.get()
    if scope is None:
        raise RuntimeError("records are used without saying for whom")
    return work if scope is _INTERNAL else lambda tx: work(GuardedTransaction(tx, scope))


class GuardedTransaction:
    """ports.Transaction, with only what ``scope`` permits in it. A write to anything else raises NotFoundError."""

    def __init__(self, tx: Transaction, scope: Scope) -> None:
        self._tx = tx
        self._scope = scope
        self.now = tx.now

    # what may be seen

    def _permitted(self, resource: Filtered) -> Filters | None:
        """For a query; None where nothing may be seen."""
        return self._scope.filters.get(resource)

    def _sees_thread(self, thread_id: str) -> bool:
        return self._scope.permits("threads", thread_id, self._tx.thread_metadata(thread_id))

    def _sees_run(self, run_id: str) -> bool:
        run = self._tx.run(run_id)
        return run is not None and self._sees_thread(run.thread_id)

    def _sees_assistant(self, assistant: Assistant) -> bool:
        if self._scope.own_assistants and assistant.assistant_id == system_id(assistant.graph_id):
            return True
        return self._scope.permits("assistants", assistant.assistant_id, assistant.metadata)

    def _require_thread(self, thread_id: str) -> None:
        if not self._sees_thread(thread_id):
            raise NotFoundError(f"Thread with ID {thread_id} not found")

    def _require_run(self, run_id: str) -> None:
        if not self._sees_run(run_id):
            raise NotFoundError("Run not found")

    # assistants

    def assistant(self, assistant_id: str) -> Assistant | None:
        found = self._tx.assistant(assistant_id)
        return found if found is not None and self._sees_assistant(found) else None

    def lock_assistant(self, assistant_id: str) -> None:
        self._tx.lock_assistant(assistant_id)

    def put_assistant(self, assistant: Assistant) -> None:
        known = self._tx.assistant(assistant.assistant_id)
        if known is not None and not self._sees_assistant(known):
            raise NotFoundError(f"Assistant {assistant.assistant_id} not found")
        self._scope.made.add(assistant.assistant_id)
        self._tx.put_assistant(assistant)

    def assistant_versions(self, assistant_id: str) -> list[Assistant]:
        return self._tx.assistant_versions(assistant_id) if self.assistant(assistant_id) else []

    def delete_assistant(self, assistant_id: str) -> bool:
        return self.assistant(assistant_id) is not None and self._tx.delete_assistant(assistant_id)

    def search_assistants(self, query: AssistantQuery) -> list[Assistant]:
        permitted = self._permitted("assistants")
        return [] if permitted is None else self._tx.search_assistants(structs.replace(query, permitted=permitted))

    def count_assistants(self, query: AssistantQuery) -> int:
        permitted = self._permitted("assistants")
        return 0 if permitted is None else self._tx.count_assistants(structs.replace(query, permitted=permitted))

    # threads

    def thread(self, thread_id: str, *, values: bool = True) -> Thread | None:
        return self._tx.thread(thread_id, values=values) if self._sees_thread(thread_id) else None

    def thread_metadata(self, thread_id: str) -> JSON | None:
        return self._tx.thread_metadata(thread_id) if self._sees_thread(thread_id) else None

    def insert_thread(self, thread_id: str, *, metadata: JSON, ttl: ThreadTTL | None = None) -> None:
        if self._tx.thread_metadata(thread_id) is not None:
            raise NotFoundError(f"Thread with ID {thread_id} not found")
        self._scope.made.add(thread_id)
        self._tx.insert_thread(thread_id, metadata=metadata, ttl=ttl)

    def merge_thread(self, thread_id: str, *, metadata: JSON) -> None:
        self._require_thread(thread_id)
        self._tx.merge_thread(thread_id, metadata=metadata)

    def record_thread_state(
        self, thread_id: str, *, status: ThreadStatus, output: bytes | None, interrupts: JSON, error: JSON | None
    ) -> None:
        self._require_thread(thread_id)
        self._tx.record_thread_state(thread_id, status=status, output=output, interrupts=interrupts, error=error)

    def hold_thread(self, thread_id: str, seconds: float) -> int | None:
        self._require_thread(thread_id)
        return self._tx.hold_thread(thread_id, seconds)

    def release_thread(self, thread_id: str, held_until: int) -> None:
        # Whoever holds a thread was let in; that it has changed hands meanwhile must not leave it held.
        self._tx.release_thread(thread_id, held_until)

    def set_thread_ttl(self, thread_id: str, ttl: ThreadTTL) -> None:
        self._require_thread(thread_id)
        self._tx.set_thread_ttl(thread_id, ttl)

    def prune_thread(self, thread_id: str) -> None:
        self._require_thread(thread_id)
        self._tx.prune_thread(thread_id)

    def thread_storage(self, thread_id: str) -> ThreadStorage:
        self._require_thread(thread_id)
        return self._tx.thread_storage(thread_id)

    def append_thread_event(self, thread_id: str, event: Event) -> None:
        self._require_thread(thread_id)
        self._tx.append_thread_event(thread_id, event)

    def delete_thread(self, thread_id: str) -> bool:
        return self._sees_thread(thread_id) and self._tx.delete_thread(thread_id)

    def copy_thread(self, source: str, target: str) -> None:
        self._require_thread(source)
        self._tx.copy_thread(source, target)
        self._scope.made.add(target)
        self._tx.merge_thread(target, metadata=self._scope.stamps)

    def search_threads(self, query: ThreadQuery) -> list[Thread]:
        permitted = self._permitted("threads")
        return [] if permitted is None else self._tx.search_threads(structs.replace(query, permitted=permitted))

    def count_threads(self, query: ThreadQuery, *, most: int | None = None) -> int:
        permitted = self._permitted("threads")
        return (
            0 if permitted is None else self._tx.count_threads(structs.replace(query, permitted=permitted), most=most)
        )

    # runs

    def run(self, run_id: str) -> Run | None:
        run = self._tx.run(run_id)
        return run if run is not None and self._sees_thread(run.thread_id) else None

    def run_is_temporary(self, run_id: str) -> bool:
        return self._sees_run(run_id) and self._tx.run_is_temporary(run_id)

    def insert_run(self, run: NewRun, *, thread_metadata: JSON | None = None, thread_config: JSON | None = None) -> Run:
        self._require_thread(run.thread_id)
        return self._tx.insert_run(run, thread_metadata=thread_metadata, thread_config=thread_config)

    def active_runs(self, thread_id: str) -> list[ActiveRun]:
        return self._tx.active_runs(thread_id) if self._sees_thread(thread_id) else []

    def pending_runs(self, most: int) -> int:
        return self._tx.pending_runs(most)  # a number that everybody's runs are in, and no more than that

    def active_run_ids(self, status: Literal["pending", "running", "all"]) -> list[tuple[str, str]]:
        seen: dict[str, bool] = {}
        active = self._tx.active_run_ids(status)
        for thread_id, _ in active:
            if thread_id not in seen:
                seen[thread_id] = self._sees_thread(thread_id)
        return [(thread_id, run_id) for thread_id, run_id in active if seen[thread_id]]

    def list_runs(self, query: ThreadRunsQuery) -> list[Run]:
        return self._tx.list_runs(query) if self._sees_thread(query.thread_id) else []

    def search_runs(self, query: RunSearchQuery) -> RunPage:
        permitted = self._permitted("threads")
        if permitted is None:
            return RunPage([], None)
        return self._tx.search_runs(structs.replace(query, permitted=permitted))

    def count_runs(self, query: RunSearchQuery) -> int:
        permitted = self._permitted("threads")
        return 0 if permitted is None else self._tx.count_runs(structs.replace(query, permitted=permitted))

    def has_checkpoints(self, thread_id: str, run_id: str) -> bool:
        return self._sees_thread(thread_id) and self._tx.has_checkpoints(thread_id, run_id)

    def mark_cancel(self, run_id: str, action: CancelAction, reason: str) -> None:
        self._require_run(run_id)
        self._tx.mark_cancel(run_id, action, reason)

    def end_pending(self, run_id: str, outcome: Outcome) -> None:
        self._require_run(run_id)
        self._tx.end_pending(run_id, outcome)

    def delete_run(self, run_id: str) -> bool:
        return self._sees_run(run_id) and self._tx.delete_run(run_id)

    def run_result(self, run_id: str) -> RunResult | None:
        return self._tx.run_result(run_id) if self._sees_run(run_id) else None

    # crons

    def cron(self, cron_id: str) -> Cron | None:
        found = self._tx.cron(cron_id)
        return found if found is not None and self._scope.permits("crons", cron_id, found.metadata) else None

    def put_cron(self, cron: Cron) -> None:
        if self._tx.cron(cron.cron_id) is not None and self.cron(cron.cron_id) is None:
            raise NotFoundError("Not Found")
        self._scope.made.add(cron.cron_id)
        self._tx.put_cron(cron)

    def cron_requester(self, cron_id: str) -> JSON | None:
        return self._tx.cron_requester(cron_id) if self.cron(cron_id) is not None else None

    def set_cron_requester(self, cron_id: str, requester: JSON) -> None:
        if self.cron(cron_id) is None:
            raise NotFoundError("Not Found")
        self._tx.set_cron_requester(cron_id, requester)

    def delete_cron(self, cron_id: str) -> bool:
        return self.cron(cron_id) is not None and self._tx.delete_cron(cron_id)

    def search_crons(self, query: CronQuery) -> list[Cron]:
        permitted = self._permitted("crons")
        return [] if permitted is None else self._tx.search_crons(structs.replace(query, permitted=permitted))

    def count_crons(self, query: CronQuery) -> int:
        permitted = self._permitted("crons")
        return 0 if permitted is None else self._tx.count_crons(structs.replace(query, permitted=permitted))

    def due_crons(self, limit: int) -> list[Cron]:
        raise RuntimeError("no request fires crons")

    def next_cron_at(self) -> int | None:
        raise RuntimeError("no request fires crons")

    # webhooks

    def delivery(self, delivery_id: str) -> WebhookDeliveryLog | None:
        found = self._tx.delivery(delivery_id)
        return found if found is not None and self._sees_thread(found.thread_id) else None

    def deliveries(self, query: DeliveryQuery) -> list[WebhookDelivery]:
        permitted = self._permitted("threads")
        return [] if permitted is None else self._tx.deliveries(structs.replace(query, permitted=permitted))

    def count_deliveries(self, query: DeliveryQuery) -> int:
        permitted = self._permitted("threads")
        return 0 if permitted is None else self._tx.count_deliveries(structs.replace(query, permitted=permitted))

    def redeliver(self, delivery_id: str) -> bool:
        return self.delivery(delivery_id) is not None and self._tx.redeliver(delivery_id)

    # idempotency

    def idempotency_record(self, key: str) -> tuple[str, list[str]] | None:
        return self._tx.idempotency_record(self._own(key))

    def save_idempotency_record(self, key: str, digest: str, run_ids: list[str]) -> None:
        self._tx.save_idempotency_record(self._own(key), digest, run_ids)

    def _own(self, key: str) -> str:
        """Keys are the user's own: another's request with the same key is another request."""
        return orjson.dumps([self._scope.user.identity, key]).decode()
