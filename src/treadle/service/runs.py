"""The rules of runs: creating, reading, cancelling and deleting them. Each call is one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Literal

import orjson
from msgspec import structs, to_builtins

from treadle.errors import ConflictError, NotFoundError, UnprocessableError
from treadle.ids import uuid7
from treadle.model import ACTIVE, JSON, CancelAction, MultitaskStrategy, Run, RunCreate, RunsCancel, Thread, ThreadTTL
from treadle.ports.clock import Clock
from treadle.ports.log import EventLog
from treadle.ports.queries import RunSearchQuery, ThreadRunsQuery
from treadle.ports.queue import Outcome
from treadle.ports.records import Records, Transaction
from treadle.service.admission import Admission
from treadle.service.assistants import Assistants
from treadle.service.multitask import decide
from treadle.service.request import Submission, again, assemble, check, thread_config
from treadle.webhooks.targets import Targets

_BUSY = "Thread is already running a task. Wait for it to finish or choose a different multitask strategy."
_OVER = "No matching runs to cancel. Please verify the thread ID and run IDs are correct, and the runs are not over."
_GONE = "No runs found to cancel."
_RETRIED = ("error", "timeout", "interrupted")
_WAIT_SECONDS = 3600.0


class Runs:
    """Create, read, cancel and delete runs."""

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

    async def create(self, thread_id: str | None, request: RunCreate, submission: Submission) -> Run:
        """Create a pending run, on a new temporary thread if ``thread_id`` is None.

        Raises NotFoundError, UnprocessableError, ConflictError (the thread is busy and the strategy is ``reject``; or
        the idempotency key belongs to another request), RateLimitError (too many pending runs).
        """
        return (await self.create_batch([(thread_id, request)], submission))[0]

    async def create_batch(self, requests: Sequence[tuple[str | None, RunCreate]], submission: Submission) -> list[Run]:
        """Create all of them, in order, or none."""
        for _, request in requests:
            self.check(request)

        def make(tx: Transaction) -> list[Run]:
            return [self._insert(tx, thread_id, request, submission) for thread_id, request in requests]

        asked = [[thread_id, to_builtins(request)] for thread_id, request in requests]
        return await self._create(len(requests), make, submission, asked)

    async def retry(self, thread_id: str, run_id: str, submission: Submission) -> Run:
        """Retry a failed run: from the thread's state, without input, if it has a checkpoint, otherwise from the start.

        Raises NotFoundError, ConflictError if the run did not fail, and as ``create`` does.
        """

        def make(tx: Transaction) -> list[Run]:
            return [self._again(tx, thread_id, run_id, submission)]

        return (await self._create(1, make, submission, []))[0]

    async def _create(
        self, count: int, make: Callable[[Transaction], list[Run]], submission: Submission, asked: list[Any]
    ) -> list[Run]:
        """Create runs with ``make``, or return the ones that an earlier request with the same idempotency key created.
        ``asked`` is compared with that request."""
        digest = "" if submission.key is None else _digest([submission.route, asked])
        entry = self.admission.enter(count, self._clock.monotonic())

        def work(tx: Transaction) -> list[Run]:
            if submission.key is not None and (known := tx.idempotency_record(submission.key)):
                return _same(tx, known, digest)
            entry.check(tx)
            runs = make(tx)
            if submission.key is not None:
                tx.save_idempotency_record(submission.key, digest, [run.run_id for run in runs])
            return runs

        try:
            return await self._records.transact(work)
        finally:
            self.admission.leave(entry)

    def check(self, request: RunCreate) -> None:
        """Check rules that types cannot express. Raises UnprocessableError with the field, or BadRequestError."""
        check(request)
        if request.webhook is not None:
            self._targets.check(request.webhook)

    def insert(self, tx: Transaction, thread_id: str | None, request: RunCreate, submission: Submission) -> Run:
        """Create a run from a checked request, within a transaction. If it raises, nothing was written."""
        self.admission.check(tx)
        return self._insert(tx, thread_id, request, submission)

    def _insert(self, tx: Transaction, thread_id: str | None, request: RunCreate, submission: Submission) -> Run:
        if not self._webhooks:
            request = structs.replace(request, webhook=None)
        assistant = self._assistants.resolve(tx, request.assistant_id)
        run_id = uuid7(tx.now)
        temporary = thread_id is None and request.on_completion != "keep"
        stateless = thread_id is None
        ran = {"graph_id": assistant.graph_id, "assistant_id": assistant.assistant_id}
        thread = self._thread(tx, thread_id or uuid7(tx.now), request, submission, ran, create=stateless)
        strategy = request.multitask_strategy or "enqueue"
        self._supersede(tx, thread.thread_id, strategy, run_id)
        run = assemble(request, assistant, thread, run_id, tx.now, submission, temporary=temporary, stateless=stateless)
        config = thread_config({} if request.config is None else to_builtins(request.config))
        marked = None if thread.metadata.items() >= ran.items() else thread.metadata | ran
        return tx.insert_run(run, thread_metadata=marked, thread_config=config)

    def _again(self, tx: Transaction, thread_id: str, run_id: str, submission: Submission) -> Run:
        old = _of_thread(tx, thread_id, run_id)
        if old.status not in _RETRIED:
            raise ConflictError(f"The run is {old.status}: only one that ended in {_listed(_RETRIED)} can be retried")
        (last,) = tx.search_runs(RunSearchQuery(thread_id=thread_id, limit=1)).runs
        if last.run_id != run_id:
            raise ConflictError(
                f"Run {last.run_id} came after it. Retry that one, or start a new run from a checkpoint.",
                last_run_id=last.run_id,
            )
        self._assistants.resolve(tx, old.assistant_id)
        run = again(old, last, uuid7(tx.now), tx.now, submission, goes_on=tx.has_checkpoints(thread_id, run_id))
        if (webhook := run.kwargs["webhook"]) is not None:
            self._targets.check(webhook)
        return tx.insert_run(run)

    def _thread(
        self, tx: Transaction, thread_id: str, request: RunCreate, submission: Submission, ran: JSON, *, create: bool
    ) -> Thread:
        """The thread of a run. A new one starts with ``ran`` in its metadata."""
        if not create and (thread := tx.thread(thread_id, values=False)):
            return thread
        if not create and request.if_not_exists != "create":
            raise NotFoundError("Thread or assistant not found.")
        marks = submission.requester.owner_metadata if submission.requester else {}
        metadata = ({} if create else request.metadata or {}) | marks | ran
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
        return await self._records.read(lambda tx: _of_thread(tx, thread_id, run_id))

    async def find(self, thread_id: str | None, run_id: str) -> Run | None:
        """A run to join, even if its temporary thread has been removed. None if there is no such run."""
        run = await self._records.read(lambda tx: tx.run(run_id))
        return run if run is not None and thread_id in (None, run.thread_id) else None

    async def list(self, query: ThreadRunsQuery) -> list[Run]:
        def work(tx: Transaction) -> list[Run]:
            if tx.thread(query.thread_id, values=False) is None:
                raise NotFoundError(f"Thread with ID {query.thread_id} not found")
            return tx.list_runs(query)

        return await self._records.read(work)

    async def result(self, run_id: str) -> bytes:
        """The body that wait and join return for an ended run: its final values, ``__interrupt__`` or ``__error__``."""
        return await self._records.lookup(lambda tx: _result(tx, run_id))

    # ending

    async def cancel(
        self, thread_id: str | None, run_id: str, action: CancelAction, *, wait: bool = False, reason: str | None = None
    ) -> None:
        """Cancel a run: mark a running one, end a pending one. With ``wait``, return once it has ended. Raises
        NotFoundError."""
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
        """Cancel the named runs of a thread, or all runs in a status. Raises NotFoundError, UnprocessableError."""
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
        """Delete a run. An active one is stopped and rolled back first. Raises NotFoundError."""

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
        """Return once the run has ended or been deleted, or after ``seconds``."""
        deadline = self._clock.monotonic() + seconds
        _, last = await self._log.bounds(run_id)
        follower = self._log.follow(run_id, last)
        try:
            while not follower.ended and (left := deadline - self._clock.monotonic()) > 0:
                await follower.end(left)
        finally:
            follower.close()


def _of_thread(tx: Transaction, thread_id: str, run_id: str) -> Run:
    if tx.thread(thread_id, values=False) is None:
        raise NotFoundError(f"Thread with ID {thread_id} not found")
    run = tx.run(run_id)
    if run is None or run.thread_id != thread_id:
        raise NotFoundError("Not Found")
    return run


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _digest(content: list[Any]) -> str:
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _same(tx: Transaction, known: tuple[str, list[str]], digest: str) -> list[Run]:
    """The runs that an earlier request with this idempotency key created."""
    stored, run_ids = known
    if stored != digest:
        raise ConflictError("This Idempotency-Key was used for another request")
    runs = [run for run_id in run_ids if (run := tx.run(run_id))]
    if len(runs) < len(run_ids):
        raise ConflictError("The run created with this Idempotency-Key has been deleted")
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
    ended = tx.run_result(run_id)
    if ended is None:
        return _error_envelope({"error": "HTTPException", "message": "404: Run not found"})
    if ended.status in ("error", "timeout"):
        return _error_envelope(ended.error or {"error": "RunFailed", "message": ended.status})
    values = ended.output or b"null"
    return _with_interrupts(values, ended.interrupts) if ended.interrupts else values


def _error_envelope(error: JSON) -> bytes:
    return orjson.dumps({"__error__": error})


def _with_interrupts(values: bytes, interrupts: list[Any]) -> bytes:
    """Add ``__interrupt__`` to the values if they are an object; otherwise return the interrupts alone."""
    added = b'"__interrupt__":' + orjson.dumps(interrupts) + b"}"
    if not values.startswith(b"{"):
        return b"{" + added
    head = values[:-1]
    return head + (b"" if head == b"{" else b",") + added
