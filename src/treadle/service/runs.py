"""The rules of runs: what a request becomes, who may run when, and what ends a run. Each call is one transaction."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from typing import Any, Literal

import orjson
from msgspec import Struct, structs, to_builtins

from treadle.errors import BadRequestError, ConflictError, NotFoundError, UnprocessableError
from treadle.model import (
    ACTIVE,
    JSON,
    Assistant,
    CancelAction,
    MultitaskStrategy,
    Run,
    RunConfig,
    RunCreate,
    RunsCancel,
    Thread,
    ThreadTTL,
)
from treadle.ports import Clock, EventLog, NewRun, Outcome, Records, RunQuery, Transaction
from treadle.service.access import Requester
from treadle.service.admission import Admission
from treadle.service.assistants import Assistants
from treadle.service.identifiers import uuid7
from treadle.service.multitask import decide
from treadle.service.webhooks import Targets

_BUSY = "Thread is already running a task. Wait for it to finish or choose a different multitask strategy."
_OVER = "No matching runs to cancel. Please verify the thread ID and run IDs are correct, and the runs are not over."
_GONE = "No runs found to cancel."
_WAIT_SECONDS = 3600.0


class Requested(Struct, frozen=True):
    """Who asks: what of the HTTP request ends up in a run. ``key`` is the Idempotency-Key; a cron gives its id.
    ``headers`` are those that go into the configurable. ``priority`` and ``concurrency_key`` are for the queue."""

    request_id: str
    key: str | None = None
    route: str = ""
    cron_id: str | None = None
    requester: Requester | None = None
    headers: JSON = {}
    priority: int = 0
    concurrency_key: str | None = None


class Runs:
    """What the API may do to runs."""

    def __init__(
        self,
        records: Records,
        log: EventLog,
        assistants: Assistants,
        clock: Clock,
        targets: Targets | None = None,
        *,
        thread_ttl: ThreadTTL | None = None,
        webhooks: bool = True,
        admission: Admission | None = None,
    ) -> None:
        self._records = records
        self._log = log
        self._assistants = assistants
        self._clock = clock
        self._targets = targets or Targets()
        self._thread_ttl = thread_ttl
        self._webhooks = webhooks
        self.admission = admission or Admission(0)

    # creating

    async def create(self, thread_id: str | None, request: RunCreate, requested: Requested) -> Run:
        """Creates a pending run; on a fresh temporary thread if ``thread_id`` is None.

        Raises NotFoundError, UnprocessableError, ConflictError (busy under ``reject``; an idempotency key used for
        something else), RateLimitError (too many wait already).
        """
        return (await self.create_batch([(thread_id, request)], requested))[0]

    async def create_batch(self, requests: Sequence[tuple[str | None, RunCreate]], requested: Requested) -> list[Run]:
        """Creates all of them, in order, or none."""
        digest = _digest(requests, requested) if requested.key is not None else ""
        for _, request in requests:
            self.check(request)
        entry = self.admission.enter(len(requests), self._clock.monotonic())

        def work(tx: Transaction) -> list[Run]:
            if requested.key is not None and (known := tx.remembered(requested.key)):
                return _same(tx, known, digest)
            entry.check(tx)
            runs = [self._insert(tx, thread_id, request, requested) for thread_id, request in requests]
            if requested.key is not None:
                tx.remember(requested.key, digest, [run.run_id for run in runs])
            return runs

        try:
            return await self._records.transact(work)
        finally:
            self.admission.leave(entry)

    def check(self, request: RunCreate) -> None:
        """What types cannot say. Raises UnprocessableError naming the field, BadRequestError."""
        check(request)
        if request.webhook is not None:
            self._targets.check(request.webhook)

    def insert(self, tx: Transaction, thread_id: str | None, request: RunCreate, requested: Requested) -> Run:
        """The rule of ``create`` within a transaction, for a request that was checked.

        What it raises, it raises before it has written anything."""
        self.admission.check(tx)
        return self._insert(tx, thread_id, request, requested)

    def _insert(self, tx: Transaction, thread_id: str | None, request: RunCreate, requested: Requested) -> Run:
        if not self._webhooks:
            request = structs.replace(request, webhook=None)
        assistant = self._assistants.resolve(tx, request.assistant_id)
        run_id = uuid7(tx.now)
        temporary = thread_id is None and request.on_completion != "keep"
        stateless = thread_id is None
        thread = self._thread(tx, thread_id or uuid7(tx.now), request, requested, create=stateless)
        strategy = request.multitask_strategy or "enqueue"
        self._supersede(tx, thread.thread_id, strategy, run_id)
        run = assemble(request, assistant, thread, run_id, tx.now, requested, temporary=temporary, stateless=stateless)
        ran = {"graph_id": assistant.graph_id, "assistant_id": assistant.assistant_id}
        return tx.insert_run(run, thread_metadata=thread.metadata | ran, thread_config=_thread_config(request.config))

    def _thread(
        self, tx: Transaction, thread_id: str, request: RunCreate, requested: Requested, *, create: bool
    ) -> Thread:
        if not create and (thread := tx.thread(thread_id, values=False)):
            return thread
        if not create and request.if_not_exists != "create":
            raise NotFoundError("Thread or assistant not found.")
        marks = requested.requester.marks if requested.requester else {}
        metadata = ({} if create else request.metadata or {}) | marks
        tx.insert_thread(thread_id, metadata=metadata, ttl=self._thread_ttl)
        thread = tx.thread(thread_id, values=False)
        assert thread is not None, "a thread just inserted is there"
        return thread

    def _supersede(self, tx: Transaction, thread_id: str, strategy: MultitaskStrategy, by: str) -> None:
        decision = decide(strategy, tx.active_runs(thread_id))
        if decision.rejected:
            raise ConflictError(_BUSY)
        if decision.action is None:
            return
        reason = f"superseded by run {by} (multitask_strategy={strategy})"
        for run_id in decision.ends:
            tx.end_pending(run_id, _cancelled(decision.action, reason))
        for run_id in decision.cancels:
            tx.mark_cancel(run_id, decision.action, reason)

    # reading

    async def get(self, thread_id: str, run_id: str) -> Run:
        def work(tx: Transaction) -> Run:
            if tx.thread(thread_id, values=False) is None:
                raise NotFoundError(f"Thread with ID {thread_id} not found")
            run = tx.run(run_id)
            if run is None or run.thread_id != thread_id:
                raise NotFoundError("Not Found")
            return run

        return await self._records.read(work)

    async def find(self, thread_id: str | None, run_id: str) -> Run | None:
        """A run for joining: also one whose temporary thread is gone already. None if there is no such run."""
        run = await self._records.read(lambda tx: tx.run(run_id))
        return run if run is not None and thread_id in (None, run.thread_id) else None

    async def list(self, query: RunQuery) -> list[Run]:
        def work(tx: Transaction) -> list[Run]:
            if tx.thread(query.thread_id, values=False) is None:
                raise NotFoundError(f"Thread with ID {query.thread_id} not found")
            return tx.list_runs(query)

        return await self._records.read(work)

    async def result(self, run_id: str) -> bytes:
        """The body that wait and join answer for an ended run: its final values, ``__interrupt__`` or ``__error__``."""
        return await self._records.read(lambda tx: _result(tx, run_id))

    # ending

    async def cancel(
        self, thread_id: str | None, run_id: str, action: CancelAction, *, wait: bool = False, reason: str | None = None
    ) -> None:
        """Marks the run (running) or ends it (pending). With ``wait`` returns when it is over. Raises NotFoundError."""
        why = reason or f"{action} requested via POST /threads/{thread_id}/runs/{run_id}/cancel"

        def work(tx: Transaction) -> None:
            run = tx.run(run_id)
            if run is None or thread_id not in (None, run.thread_id):
                raise NotFoundError(_GONE)
            if run.status not in ACTIVE:
                raise NotFoundError(_OVER)
            _cancel(tx, run, action, why)

        await self._records.transact(work)
        if wait:
            await self.ended(run_id)

    async def cancel_many(self, request: RunsCancel, action: CancelAction) -> None:
        """Cancels the named runs of a thread, or every run in a status. Raises NotFoundError, UnprocessableError."""
        named = request.thread_id is not None or request.run_ids is not None
        if named == (request.status is not None) or (named and not (request.thread_id and request.run_ids)):
            raise UnprocessableError("give either thread_id and run_ids, or status", field="status")

        def work(tx: Transaction) -> None:
            chosen = [run for run_id in _chosen(tx, request) if (run := tx.run(run_id)) and run.status in ACTIVE]
            if named:
                chosen = [run for run in chosen if run.thread_id == request.thread_id]
            if not chosen:
                raise NotFoundError(_GONE)
            for run in chosen:
                _cancel(tx, run, action, f"{action} requested via POST /runs/cancel")

        await self._records.transact(work)

    async def delete(self, thread_id: str, run_id: str) -> None:
        """Removes a run for good; an active one is stopped and rolled back first. Raises NotFoundError."""

        def work(tx: Transaction) -> bool:
            run = tx.run(run_id)
            if run is None or run.thread_id != thread_id:
                raise NotFoundError("Run not found")
            if run.status in ACTIVE:
                _cancel(tx, run, "rollback", f"rollback requested via DELETE /threads/{thread_id}/runs/{run_id}")
                return run.status == "running"
            tx.delete_run(run_id)
            return False

        if await self._records.transact(work):
            await self.ended(run_id)

    async def ended(self, run_id: str, seconds: float = _WAIT_SECONDS) -> None:
        """Returns when the run has ended or is gone, or after ``seconds``."""
        deadline = self._clock.monotonic() + seconds
        _, last = await self._log.bounds(run_id)
        follower = self._log.follow(run_id, last)
        try:
            while not follower.ended and (left := deadline - self._clock.monotonic()) > 0:
                await follower.read(left)
        finally:
            follower.close()


# --- what a request becomes -------------------------------------------------------------------------------------------


def check(request: RunCreate) -> None:
    """What types cannot say. Raises UnprocessableError naming the field, BadRequestError."""
    ids = {"checkpoint_id": request.checkpoint_id}
    if request.checkpoint is not None:
        ids["checkpoint.checkpoint_id"] = request.checkpoint.checkpoint_id
    for field, value in ids.items():
        if value is not None and not _is_uuid(value):
            raise UnprocessableError("Invalid checkpoint ID", field=field)
    config = request.config or RunConfig()
    if config.recursion_limit is not None and config.recursion_limit < 1:
        raise UnprocessableError("config.recursion_limit: must be at least 1", field="config.recursion_limit")
    if request.context and config.configurable:
        raise BadRequestError(
            "Cannot specify both configurable and context. Prefer setting context alone."
            " Context was introduced in LangGraph 0.6.0 and is the long term planned replacement for configurable."
        )
    if request.after_seconds is not None and not -1e9 < request.after_seconds < 1e9:
        raise UnprocessableError("after_seconds: must be a number of seconds below 1e9", field="after_seconds")


def assemble(
    request: RunCreate,
    assistant: Assistant,
    thread: Thread,
    run_id: str,
    now: int,
    requested: Requested,
    *,
    temporary: bool,
    stateless: bool,
) -> NewRun:
    """Pure: assistant, thread and request merged into the run (wire.md, Merges)."""
    own = {"assistant_id": assistant.assistant_id}
    if not stateless:
        own["graph_id"] = assistant.graph_id
    metadata = assistant.metadata | ({} if stateless else thread.metadata) | own | (request.metadata or {})
    config = request.config or RunConfig()
    context = assistant.context | (config.configurable or {}) | (request.context or {})
    user = requested.requester.user if requested.requester else None
    identity = user["identity"] if user else ""
    by = {} if requested.cron_id is None else {"cron_id": requested.cron_id}
    metadata |= by
    merged = _config(assistant.config, config, metadata)
    merged["configurable"] |= {
        **context,
        **requested.headers,
        **_checkpoint(request),
        **by,
        "langgraph_auth_user": user,
        "langgraph_auth_user_id": identity,
        "langgraph_auth_permissions": (user or {}).get("permissions") or [],
        "langgraph_request_id": requested.request_id,
        "__request_start_time_ms__": now // 1000,
        "__after_seconds__": request.after_seconds or 0,
        "run_id": run_id,
        "thread_id": thread.thread_id,
        "graph_id": assistant.graph_id,
        "assistant_id": assistant.assistant_id,
        "user_id": identity,
    }
    return NewRun(
        run_id=run_id,
        thread_id=thread.thread_id,
        assistant_id=assistant.assistant_id,
        graph_id=assistant.graph_id,
        metadata=metadata,
        kwargs=_kwargs(request, merged, context, temporary),
        multitask_strategy=request.multitask_strategy or "enqueue",
        available_at=now + max(0, int((request.after_seconds or 0) * 1_000_000)),
        temporary=temporary,
        priority=requested.priority,
        concurrency_key=requested.concurrency_key,
    )


def _kwargs(request: RunCreate, config: JSON, context: JSON, temporary: bool) -> JSON:
    durability = request.durability
    if durability is None:
        durability = "exit" if request.checkpoint_during is False else "async"
    kwargs: JSON = {
        "input": request.input,
        "command": None if request.command is None else to_builtins(request.command),
        "config": config,
        "context": context,
        "stream_mode": _modes(request),
        "interrupt_before": request.interrupt_before,
        "interrupt_after": request.interrupt_after,
        "webhook": request.webhook,
        "feedback_keys": request.feedback_keys,
        "temporary": temporary,
        "subgraphs": bool(request.stream_subgraphs),
        "resumable": bool(request.stream_resumable),
        "checkpoint_during": durability != "exit",
        "durability": durability,
    }
    if request.strict_resume:
        kwargs["strict_resume"] = True
    if request.langsmith_tracer:
        kwargs["langsmith_tracer"] = to_builtins(request.langsmith_tracer)
    return kwargs


def _modes(request: RunCreate) -> list[str]:
    asked = request.stream_mode
    modes = [asked] if isinstance(asked, str) else list(asked or ())
    return list(dict.fromkeys(modes)) or ["values"]


def _config(assistant: JSON, config: RunConfig, metadata: JSON) -> JSON:
    """The request's tags and recursion limit replace the assistant's; configurable is merged key by key."""
    merged: JSON = {}
    if tags := config.tags if config.tags is not None else assistant.get("tags"):
        merged["tags"] = tags
    merged["configurable"] = {**(assistant.get("configurable") or {}), **(config.configurable or {})}
    if limit := config.recursion_limit or assistant.get("recursion_limit"):
        merged["recursion_limit"] = limit
    merged["metadata"] = {**(assistant.get("metadata") or {}), **metadata, **(config.metadata or {})}
    return merged


def _checkpoint(request: RunCreate) -> JSON:
    """Where to fork from: what the request names of a checkpoint goes into the configurable."""
    ref = {} if request.checkpoint is None else structs.asdict(request.checkpoint)
    if request.checkpoint_id is not None:
        ref["checkpoint_id"] = request.checkpoint_id
    return {key: value for key, value in ref.items() if value is not None and key != "thread_id"}


def _thread_config(config: RunConfig | None) -> JSON:
    given: JSON = {} if config is None else to_builtins(config)
    return {**{key: given[key] for key in ("tags", "recursion_limit") if given.get(key)}, "configurable": {}}


# --- parts of the rules -----------------------------------------------------------------------------------------------


def _digest(requests: Sequence[tuple[str | None, RunCreate]], requested: Requested) -> str:
    content = [requested.route, [[thread_id, to_builtins(request)] for thread_id, request in requests]]
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _same(tx: Transaction, known: tuple[str, list[str]], digest: str) -> list[Run]:
    """The runs that an idempotency key made before."""
    stored, run_ids = known
    if stored != digest:
        raise ConflictError("This Idempotency-Key was used for another request")
    runs = [run for run_id in run_ids if (run := tx.run(run_id))]
    if len(runs) < len(run_ids):
        raise ConflictError("The run that this Idempotency-Key made has been deleted since")
    return runs


def _cancel(tx: Transaction, run: Run, action: CancelAction, reason: str) -> None:
    if run.status == "pending":
        tx.end_pending(run.run_id, _cancelled(action, reason))
    else:
        tx.mark_cancel(run.run_id, action, reason)


def _cancelled(action: CancelAction, reason: str) -> Outcome:
    error = {"error": "UserInterrupt" if action == "interrupt" else "UserRollback", "message": reason}
    return Outcome(status="interrupted", error=error, rollback=action == "rollback")


def _chosen(tx: Transaction, request: RunsCancel) -> list[str]:
    status: Literal["pending", "running", "all"] | None = request.status
    if status is not None:
        return [run_id for _, run_id in tx.active_run_ids(status)]
    return list(dict.fromkeys(request.run_ids or ()))


def _result(tx: Transaction, run_id: str) -> bytes:
    outcome = tx.outcome(run_id)
    if outcome is None:
        return _error_envelope({"error": "HTTPException", "message": "404: Run not found"})
    if outcome.status in ("error", "timeout"):
        return _error_envelope(outcome.error or {"error": "RunFailed", "message": outcome.status})
    values = tx.output(run_id) or b"null"
    return _with_interrupts(values, outcome.interrupts) if outcome.interrupts else values


def _error_envelope(error: JSON) -> bytes:
    return orjson.dumps({"__error__": error})


def _with_interrupts(values: bytes, interrupts: list[Any]) -> bytes:
    """The values with ``__interrupt__`` in them, where they are an object; else the interrupts alone."""
    added = b'"__interrupt__":' + orjson.dumps(interrupts) + b"}"
    if not values.startswith(b"{"):
        return b"{" + added
    head = values[:-1]
    return head + (b"" if head == b"{" else b",") + added


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
