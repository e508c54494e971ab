"""Records restricted to the scope of the current request.

Services read and write through ``GuardedRecords`` without knowing about users. A record outside the scope behaves as if
it did not exist, on every route. The class ``GuardedTransaction`` declares the rule of each verb of
``ports.records.Transaction``; a verb without a rule does not exist on it, so forgetting one denies access.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias, TypeVar, cast

import orjson
from msgspec import structs

from treadle.auth.scope import INTERNAL, Filtered, Scope, current_scope
from treadle.errors import NotFoundError
from treadle.model import Assistant, Cron
from treadle.ports.queries import RunPage
from treadle.ports.records import NewRun, Records, Transaction

T = TypeVar("T")
Verb = TypeVar("Verb", bound=Callable[..., Any])
Rule: TypeAlias = Callable[["GuardedTransaction", Any], bool]


class GuardedRecords:
    """Records as the current request may see them. Using them outside a request raises RuntimeError, except in
    ``scope.unrestricted``."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        return await self._records.transact(_guarded(work))

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._records.read(_guarded(work))

    def lookup(self, work: Callable[[Transaction], T]) -> Awaitable[T]:
        return self._records.lookup(_guarded(work))


def _guarded(work: Callable[[Transaction], T]) -> Callable[[Transaction], T]:
    scope = current_scope()
    if scope is None:
        raise RuntimeError("records are used outside a request scope")
    return work if scope is INTERNAL else lambda tx: work(GuardedTransaction(tx, scope))


def _allowed(verb: Verb, rule: Rule, otherwise: Callable[[Any], Any]) -> Verb:
    """Call the verb if ``rule`` admits its first argument. Otherwise call ``otherwise``, which returns a value or
    raises."""
    name = verb.__name__

    def guarded(self: GuardedTransaction, subject: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.tx, name)(subject, *args, **kwargs) if rule(self, subject) else otherwise(subject)

    return cast("Verb", guarded)


def _loaded(verb: Verb, rule: Rule) -> Verb:
    """Return the record that the verb loads if ``rule`` admits it, else None."""
    name = verb.__name__

    def guarded(self: GuardedTransaction, id: str) -> Any:
        record = getattr(self.tx, name)(id)
        return record if record is not None and rule(self, record) else None

    return cast("Verb", guarded)


def _filtered(verb: Verb, resource: Filtered, empty: Callable[[], Any]) -> Verb:
    """Add the filters of the scope to the query of the verb; without any entry for ``resource`` nothing matches."""
    name = verb.__name__

    def guarded(self: GuardedTransaction, query: Any, **kwargs: Any) -> Any:
        filters = self.scope.filters.get(resource)
        if filters is None:
            return empty()
        return getattr(self.tx, name)(structs.replace(query, permitted=filters), **kwargs)

    return cast("Verb", guarded)


def _created(verb: Verb, rule: Rule, id_of: Callable[[Any], str], otherwise: Callable[[Any], Any]) -> Verb:
    """As ``_allowed``, and let the request see the record that the verb creates."""
    allowed = _allowed(verb, rule, otherwise)

    def guarded(self: GuardedTransaction, subject: Any, *args: Any, **kwargs: Any) -> Any:
        result = allowed(self, subject, *args, **kwargs)
        self.scope.created.add(id_of(subject))
        return result

    return cast("Verb", guarded)


def _unrestricted(verb: Verb) -> Verb:
    name = verb.__name__

    def guarded(self: GuardedTransaction, *args: Any) -> Any:
        return getattr(self.tx, name)(*args)

    return cast("Verb", guarded)


def _internal(verb: Verb) -> Verb:
    def guarded(self: GuardedTransaction, *args: Any) -> Any:
        raise RuntimeError(f"{verb.__name__} is for the server's own work, not for requests")

    return cast("Verb", guarded)


def _sees_thread(self: GuardedTransaction, thread_id: str) -> bool:
    return self.scope.permits("threads", thread_id, self.tx.thread_metadata(thread_id))


def _sees_thread_of(self: GuardedTransaction, record: Any) -> bool:
    return _sees_thread(self, record.thread_id)


def _sees_run(self: GuardedTransaction, run_id: str) -> bool:
    return self.run(run_id) is not None


def _sees_assistant(self: GuardedTransaction, assistant_id: str) -> bool:
    return self.assistant(assistant_id) is not None


def _sees_cron(self: GuardedTransaction, cron_id: str) -> bool:
    return self.cron(cron_id) is not None


def _sees_delivery(self: GuardedTransaction, delivery_id: str) -> bool:
    return self.delivery(delivery_id) is not None


def _permits_assistant(self: GuardedTransaction, assistant: Assistant) -> bool:
    return self.scope.permits_assistant(assistant)


def _permits_cron(self: GuardedTransaction, cron: Cron) -> bool:
    return self.scope.permits("crons", cron.cron_id, cron.metadata)


def _may_put_assistant(self: GuardedTransaction, assistant: Assistant) -> bool:
    stored = self.tx.assistant(assistant.assistant_id)
    return stored is None or self.scope.permits_assistant(stored)


def _may_put_cron(self: GuardedTransaction, cron: Cron) -> bool:
    stored = self.tx.cron(cron.cron_id)
    return stored is None or _permits_cron(self, stored)


def _is_new_thread(self: GuardedTransaction, thread_id: str) -> bool:
    return self.tx.thread_metadata(thread_id) is None


def _nothing(subject: object) -> None:
    return None


def _false(subject: object) -> bool:
    return False


def _no_rows(subject: object) -> list[Any]:
    return []


def _no_runs() -> RunPage:
    return RunPage([], None)


def _no_thread(thread_id: str) -> None:
    raise NotFoundError(f"Thread with ID {thread_id} not found")


def _no_thread_for(run: NewRun) -> None:
    _no_thread(run.thread_id)


def _no_run(run_id: str) -> None:
    raise NotFoundError("Run not found")


def _no_assistant(assistant: Assistant) -> None:
    raise NotFoundError(f"Assistant {assistant.assistant_id} not found")


def _no_cron(cron: object) -> None:
    raise NotFoundError("Not Found")


class GuardedTransaction:
    """A ``ports.records.Transaction`` restricted to ``scope``. Writes to anything else raise NotFoundError."""

    def __init__(self, tx: Transaction, scope: Scope) -> None:
        self.tx = tx
        self.scope = scope
        self.now = tx.now

    # assistants
    assistant = _loaded(Transaction.assistant, _permits_assistant)
    lock_assistant = _unrestricted(Transaction.lock_assistant)
    put_assistant = _created(
        Transaction.put_assistant, _may_put_assistant, lambda assistant: assistant.assistant_id, _no_assistant
    )
    assistant_versions = _allowed(Transaction.assistant_versions, _sees_assistant, _no_rows)
    delete_assistant = _allowed(Transaction.delete_assistant, _sees_assistant, _false)
    search_assistants = _filtered(Transaction.search_assistants, "assistants", list)
    count_assistants = _filtered(Transaction.count_assistants, "assistants", int)

    # threads
    thread = _allowed(Transaction.thread, _sees_thread, _nothing)
    thread_metadata = _allowed(Transaction.thread_metadata, _sees_thread, _nothing)
    insert_thread = _created(Transaction.insert_thread, _is_new_thread, str, _no_thread)
    merge_thread = _allowed(Transaction.merge_thread, _sees_thread, _no_thread)
    record_thread_state = _allowed(Transaction.record_thread_state, _sees_thread, _no_thread)
    hold_thread = _allowed(Transaction.hold_thread, _sees_thread, _no_thread)
    # The holder of a thread passed the guard. If it can no longer see the thread, the hold must still end.
    release_thread = _unrestricted(Transaction.release_thread)
    set_thread_ttl = _allowed(Transaction.set_thread_ttl, _sees_thread, _no_thread)
    prune_thread = _allowed(Transaction.prune_thread, _sees_thread, _no_thread)
    thread_storage = _allowed(Transaction.thread_storage, _sees_thread, _no_thread)
    append_thread_event = _allowed(Transaction.append_thread_event, _sees_thread, _no_thread)
    delete_thread = _allowed(Transaction.delete_thread, _sees_thread, _false)
    search_threads = _filtered(Transaction.search_threads, "threads", list)
    count_threads = _filtered(Transaction.count_threads, "threads", int)

    def copy_thread(self, source: str, target: str) -> None:
        if not _sees_thread(self, source):
            _no_thread(source)
        self.tx.copy_thread(source, target)
        self.scope.created.add(target)
        self.tx.merge_thread(target, metadata=self.scope.owner_metadata)

    # runs
    run = _loaded(Transaction.run, _sees_thread_of)
    run_is_temporary = _allowed(Transaction.run_is_temporary, _sees_run, _false)
    insert_run = _allowed(Transaction.insert_run, _sees_thread_of, _no_thread_for)
    active_runs = _allowed(Transaction.active_runs, _sees_thread, _no_rows)
    pending_runs = _unrestricted(Transaction.pending_runs)  # only a count, over the runs of all users
    list_runs = _allowed(Transaction.list_runs, _sees_thread_of, _no_rows)
    search_runs = _filtered(Transaction.search_runs, "threads", _no_runs)
    count_runs = _filtered(Transaction.count_runs, "threads", int)
    has_checkpoints = _allowed(Transaction.has_checkpoints, _sees_thread, _false)
    mark_cancel = _allowed(Transaction.mark_cancel, _sees_run, _no_run)
    end_pending = _allowed(Transaction.end_pending, _sees_run, _no_run)
    delete_run = _allowed(Transaction.delete_run, _sees_run, _false)
    run_result = _allowed(Transaction.run_result, _sees_run, _nothing)

    def active_run_ids(self, status: Literal["pending", "running", "all"]) -> list[tuple[str, str]]:
        active = self.tx.active_run_ids(status)
        visible = {thread_id for thread_id in {each for each, _ in active} if _sees_thread(self, thread_id)}
        return [(thread_id, run_id) for thread_id, run_id in active if thread_id in visible]

    # crons
    cron = _loaded(Transaction.cron, _permits_cron)
    put_cron = _created(Transaction.put_cron, _may_put_cron, lambda cron: cron.cron_id, _no_cron)
    cron_requester = _allowed(Transaction.cron_requester, _sees_cron, _nothing)
    set_cron_requester = _allowed(Transaction.set_cron_requester, _sees_cron, _no_cron)
    delete_cron = _allowed(Transaction.delete_cron, _sees_cron, _false)
    search_crons = _filtered(Transaction.search_crons, "crons", list)
    count_crons = _filtered(Transaction.count_crons, "crons", int)
    due_crons = _internal(Transaction.due_crons)
    next_cron_at = _internal(Transaction.next_cron_at)

    # webhooks
    delivery = _loaded(Transaction.delivery, _sees_thread_of)
    deliveries = _filtered(Transaction.deliveries, "threads", list)
    count_deliveries = _filtered(Transaction.count_deliveries, "threads", int)
    redeliver = _allowed(Transaction.redeliver, _sees_delivery, _false)

    # idempotency: a key belongs to its user, so the same key of another user is a different key
    def idempotency_record(self, key: str) -> tuple[str, list[str]] | None:
        return self.tx.idempotency_record(self._users_key(key))

    def save_idempotency_record(self, key: str, digest: str, run_ids: list[str]) -> None:
        self.tx.save_idempotency_record(self._users_key(key), digest, run_ids)

    def _users_key(self, key: str) -> str:
        return orjson.dumps([self.scope.user.identity, key]).decode()
