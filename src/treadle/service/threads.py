"""The rules of threads: their records, their state at any checkpoint, and updates made without a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import orjson
from msgspec import structs

from treadle.errors import BadRequestError, ConflictError, NotFoundError, UnavailableError, UnprocessableError
from treadle.ids import uuid7
from treadle.model import (
    JSON,
    CheckpointRef,
    Event,
    StateUpdated,
    Superstep,
    Thread,
    ThreadCreate,
    ThreadHistory,
    ThreadPatch,
    ThreadPrune,
    ThreadSearch,
    ThreadState,
    ThreadStateUpdate,
    ThreadTTL,
)
from treadle.ports.clock import Clock
from treadle.ports.queries import ThreadQuery
from treadle.ports.records import Records, Transaction
from treadle.ports.statistics import ThreadStorage
from treadle.service.graphs import GraphCalls
from treadle.service.paging import limit_of, offset_of

_NO_GRAPH = (
    "Thread {thread_id!r} has no graph yet: no run was made on it."
    " Make a run, or set 'graph_id' in the thread's metadata."
)
_BUSY = "Thread {thread_id} is busy: a run is pending or running on it. Wait for it to end, or cancel it."
_REFUSALS = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, AssertionError, NotImplementedError)
"""Errors that the reducers and writers of a graph raise for invalid values."""
_HELD = "The state of thread {thread_id} is being updated. Try again."
_HOLD_SECONDS = 60.0
"""How long an update can hold back the runs of a thread. It bounds the wait if the updating process dies."""
_UPDATE_SECONDS = 55.0
_PATIENCE_SECONDS = 5.0
_RETRY_SECONDS = 0.02
_COUNTED = 1000
"""Maximum number of threads that a search counts for its total."""
LONGEST_TTL = 1_000_000_000
"""Minutes."""


class Threads:
    """Threads stored in ``records``; ``graphs`` reads and writes their states. New threads get ``ttl``."""

    def __init__(
        self,
        records: Records,
        graphs: GraphCalls,
        clock: Clock,
        *,
        ttl: ThreadTTL | None = None,
    ) -> None:
        self._records = records
        self._graphs = graphs
        self._clock = clock
        self._ttl = ttl

    # the record

    async def create(self, request: ThreadCreate, thread_id: str | None = None) -> Thread:
        """Create a thread. For an existing id, raise ConflictError, or return it if ``if_exists`` is ``do_nothing``.

        With supersteps, it starts with their history; if that fails, it is not created.
        """
        _check_ttl(request.ttl)
        metadata = dict(request.metadata or {})
        if request.graph_id is not None:
            metadata["graph_id"] = request.graph_id
        if request.supersteps:
            self._check_supersteps(request.supersteps, metadata.get("graph_id"))

        def work(tx: Transaction) -> tuple[Thread, bool]:
            new_id = thread_id or uuid7(tx.now)
            if old := tx.thread(new_id):
                if request.if_exists == "do_nothing":
                    return old, False
                raise ConflictError(f"Thread with ID {new_id} already exists")
            tx.insert_thread(new_id, metadata=metadata, ttl=request.ttl or self._ttl)
            if request.supersteps:
                tx.hold_thread(new_id, _HOLD_SECONDS)
            return _existing(tx, new_id), True

        thread, fresh = await self._records.transact(work)
        if fresh and request.supersteps:
            await self._replay(thread, request.supersteps)
            return await self.get(thread.thread_id)
        return thread

    def _check_supersteps(self, supersteps: Sequence[Superstep], graph_id: Any) -> None:
        if graph_id not in self._graphs.ids:
            known = ", ".join(self._graphs.ids)
            raise UnprocessableError(
                f"graph_id: supersteps need a graph of this server, one of {known}", field="graph_id"
            )
        for number, superstep in enumerate(supersteps):
            if not superstep.updates:
                field = f"supersteps.{number}.updates"
                raise UnprocessableError(f"{field}: must contain at least one update", field=field)

    async def _replay(self, thread: Thread, supersteps: Sequence[Superstep]) -> None:
        """Write the history of a held, new thread. If that fails, delete the thread."""
        thread_id = thread.thread_id
        try:
            config = await self._configured(thread, _config(thread_id, None))
            async with _bounded():
                with _taken_by_graph("supersteps"):
                    await self._graphs.replay(str(thread.metadata["graph_id"]), config, supersteps)
                await self._settle(thread_id)
        except BaseException:
            await self._records.transact(lambda tx: tx.delete_thread(thread_id))
            raise

    async def get(self, thread_id: str) -> Thread:
        return await self._records.read(lambda tx: _existing(tx, thread_id))

    async def search(self, request: ThreadSearch) -> tuple[list[Thread], int]:
        """The requested page, and the total number of matches, or a lower bound if counting is expensive."""
        query = _query(request)

        def work(tx: Transaction) -> tuple[list[Thread], int]:
            found = tx.search_threads(structs.replace(query, limit=query.limit + 1))
            seen = query.offset + len(found) if found else 0
            return found[: query.limit], max(seen, tx.count_threads(query, most=_COUNTED))

        return await self._records.read(work)

    async def count(self, request: ThreadSearch) -> int:
        query = _query(request)
        return await self._records.read(lambda tx: tx.count_threads(query))

    async def patch(self, thread_id: str, request: ThreadPatch) -> Thread:
        """Merge metadata at the top level."""
        _check_ttl(request.ttl)

        def work(tx: Transaction) -> Thread:
            _existing(tx, thread_id)
            tx.merge_thread(thread_id, metadata=request.metadata or {})
            if request.ttl is not None:
                tx.set_thread_ttl(thread_id, request.ttl)
            return _existing(tx, thread_id)

        return await self._records.transact(work)

    async def delete(self, thread_id: str) -> None:
        """Delete a thread with everything in it; its active run is stopped."""

        def work(tx: Transaction) -> None:
            _existing(tx, thread_id)
            tx.delete_thread(thread_id)

        await self._records.transact(work)

    async def prune(self, request: ThreadPrune, thread_ids: list[str]) -> int:
        """Delete threads, or all but their latest checkpoints. Returns their number; unknown ids are skipped.

        Raises ConflictError if checkpoints of a busy thread would be removed.
        """
        drop = _pruned if request.strategy == "keep_latest" else _dropped
        return await self._records.transact(lambda tx: sum([drop(tx, thread_id) for thread_id in thread_ids]))

    async def copy(self, thread_id: str) -> Thread:
        """Create a thread with the history of this one, without its runs."""

        def work(tx: Transaction) -> tuple[str, bool]:
            _existing(tx, thread_id)
            target = uuid7(tx.now)
            tx.copy_thread(thread_id, target)
            return target, bool(tx.active_runs(thread_id))

        target, busy = await self._records.transact(work)
        if busy:
            # The copied checkpoints may be newer than the source's recorded values.
            await self._settle(target)
        return await self.get(target)

    async def storage(self, thread_id: str) -> ThreadStorage:
        """The storage used by its checkpoints."""

        def work(tx: Transaction) -> ThreadStorage:
            _existing(tx, thread_id)
            return tx.thread_storage(thread_id)

        return await self._records.read(work)

    # the state

    async def state(
        self, thread_id: str, checkpoint: CheckpointRef | None = None, *, subgraphs: bool = False
    ) -> ThreadState:
        """The latest state, or that at a checkpoint. Empty without a graph or for an unknown checkpoint."""
        thread = await self.get(thread_id)
        config = _config(thread_id, checkpoint)
        graph_id = self._graph_id(thread)
        if graph_id is None:
            return _empty(config, checkpoint)
        return await self._graphs.state(graph_id, await self._configured(thread, config), subgraphs=subgraphs)

    async def history(self, thread_id: str, request: ThreadHistory, *, least: int = 1) -> list[ThreadState]:
        """States, newest first; one without a limit. ``least`` is the smallest allowed limit."""
        limit = limit_of(request.limit, 1, least=least)
        before = _before(request.before)
        thread = await self.get(thread_id)
        config = _config(thread_id, request.checkpoint)
        graph_id = self._graph_id(thread)
        if graph_id is None or limit == 0:
            return []
        configured = await self._configured(thread, config)
        return await self._graphs.history(graph_id, configured, limit=limit, before=before, metadata=request.metadata)

    async def update(self, thread_id: str, request: ThreadStateUpdate) -> StateUpdated:
        """Write a state as if a node had returned it, while no run of the thread can start.

        Raises ConflictError if a run is active, BadRequestError for a thread without a graph, an unknown node or values
        that the graph rejects.
        """
        config = _config(thread_id, _target(request))
        async with self._held(thread_id) as thread:
            graph_id = self._graph_id(thread)
            if graph_id is None:
                raise BadRequestError(_NO_GRAPH.format(thread_id=thread_id))
            configured = await self._configured(thread, config)
            async with _bounded():
                with _taken_by_graph("values"):
                    written = await self._graphs.update(
                        graph_id, configured, values=request.values, as_node=request.as_node
                    )
                await self._settle(thread_id, written)
        return _updated(written)

    @asynccontextmanager
    async def _held(self, thread_id: str) -> AsyncGenerator[Thread]:
        """Hold the thread. Settling it ends the hold, as does an error."""
        thread, held_until = await self._hold(thread_id)
        try:
            yield thread
        except BaseException:
            await self._records.transact(lambda tx: tx.release_thread(thread_id, held_until))
            raise

    async def _hold(self, thread_id: str) -> tuple[Thread, int]:
        """Wait a limited time for another hold to end. Raises ConflictError, NotFoundError."""
        deadline = self._clock.monotonic() + _PATIENCE_SECONDS

        def work(tx: Transaction) -> tuple[Thread, int | None]:
            return _resting(tx, thread_id), tx.hold_thread(thread_id, _HOLD_SECONDS)

        while True:
            thread, held_until = await self._records.transact(work)
            if held_until is not None:
                return thread, held_until
            if self._clock.monotonic() >= deadline:
                raise ConflictError(_HELD.format(thread_id=thread_id))
            await asyncio.sleep(_RETRY_SECONDS)

    async def _settle(self, thread_id: str, written: JSON | None = None) -> None:
        """Update the thread's record from its latest checkpoint, and log ``written`` for the thread's followers."""
        state = await self.state(thread_id)
        interrupts = {task.id: task.interrupts for task in state.tasks if task.interrupts}
        values = self._graphs.encode(state.values)
        status = "interrupted" if state.next or interrupts else "idle"
        news = {"checkpoint": written, "values": orjson.Fragment(values), "next": state.next}

        def work(tx: Transaction) -> None:
            if tx.thread(thread_id, values=False):
                tx.record_thread_state(thread_id, status=status, output=values, interrupts=interrupts, error=None)
                if written is not None:
                    tx.append_thread_event(thread_id, Event(tx.now // 1000, "state_update", "", orjson.dumps(news)))

        await self._records.transact(work)

    def _graph_id(self, thread: Thread) -> str | None:
        """The graph that last ran on the thread. Raises BadRequestError if this server does not have it."""
        graph_id = thread.metadata.get("graph_id")
        if graph_id is None:
            return None
        if graph_id not in self._graphs.ids:
            known = ", ".join(self._graphs.ids)
            raise BadRequestError(
                f"Thread {thread.thread_id} belongs to graph {str(graph_id)[:80]!r}, which this server does not have."
                f" Registered graphs: {known}"
            )
        return graph_id

    async def _configured(self, thread: Thread, config: JSON) -> JSON:
        """Add the configuration of the thread's assistant to ``config``, since a graph's factory may need it."""
        assistant_id = thread.metadata.get("assistant_id")
        if not isinstance(assistant_id, str):
            return config
        assistant = await self._records.read(lambda tx: tx.assistant(assistant_id))
        if assistant is None:
            return config
        return {"configurable": (assistant.config.get("configurable") or {}) | config["configurable"]}


def _check_ttl(ttl: ThreadTTL | None) -> None:
    if ttl is not None and not 0 < ttl.ttl <= LONGEST_TTL:
        raise UnprocessableError(f"ttl.ttl: must be more than 0 and up to {LONGEST_TTL} minutes", field="ttl.ttl")


@asynccontextmanager
async def _bounded() -> AsyncGenerator[None]:
    """Cancel the work before its hold expires."""
    try:
        async with asyncio.timeout(_UPDATE_SECONDS):
            yield
    except TimeoutError as error:
        raise UnavailableError(f"the graph did not apply the update within {_UPDATE_SECONDS:g} seconds") from error


@contextmanager
def _taken_by_graph(field: str) -> Generator[None]:
    """Turn errors that the graph's code raises for invalid values into BadRequestError."""
    try:
        yield
    except _REFUSALS as error:
        raise BadRequestError(f"{type(error).__name__}: {error}", field=field) from error


def _existing(tx: Transaction, thread_id: str) -> Thread:
    thread = tx.thread(thread_id)
    if thread is None:
        raise NotFoundError(f"Thread with ID {thread_id} not found")
    return thread


def _resting(tx: Transaction, thread_id: str) -> Thread:
    thread = _existing(tx, thread_id)
    if tx.active_runs(thread_id):
        raise ConflictError(_BUSY.format(thread_id=thread_id))
    return thread


def _pruned(tx: Transaction, thread_id: str) -> bool:
    """Prune a thread. False if there is no such thread. Raises ConflictError if it is busy."""
    if tx.thread(thread_id, values=False) is None:
        return False
    _resting(tx, thread_id)
    tx.prune_thread(thread_id)
    return True


def _dropped(tx: Transaction, thread_id: str) -> bool:
    return tx.thread(thread_id, values=False) is not None and tx.delete_thread(thread_id)


def _query(request: ThreadSearch) -> ThreadQuery:
    return ThreadQuery(
        ids=request.ids,
        metadata=request.metadata,
        values=request.values,
        status=request.status,
        sort_by=request.sort_by or "created_at",
        ascending=request.sort_order == "asc",
        limit=limit_of(request.limit, 10),
        offset=offset_of(request.offset),
    )


def _config(thread_id: str, checkpoint: CheckpointRef | None) -> JSON:
    """The config of a checkpoint of this thread. Raises an error for a checkpoint of another thread."""
    configurable: JSON = {"thread_id": thread_id, "checkpoint_ns": ""}
    if checkpoint is not None:
        if checkpoint.thread_id not in (None, thread_id):
            raise UnprocessableError(
                f"checkpoint.thread_id: must be the thread of the request, {thread_id}", field="checkpoint.thread_id"
            )
        configurable["checkpoint_ns"] = checkpoint.checkpoint_ns or ""
        if checkpoint.checkpoint_id is not None:
            configurable["checkpoint_id"] = checkpoint.checkpoint_id
        if checkpoint.checkpoint_map is not None:
            configurable["checkpoint_map"] = checkpoint.checkpoint_map
    return {"configurable": configurable}


def _target(request: ThreadStateUpdate) -> CheckpointRef | None:
    if request.checkpoint_id is None:
        return request.checkpoint
    if request.checkpoint is None:
        return CheckpointRef(checkpoint_id=request.checkpoint_id)
    if request.checkpoint.checkpoint_id not in (None, request.checkpoint_id):
        raise UnprocessableError("checkpoint_id: differs from checkpoint; set only one of them", field="checkpoint_id")
    return request.checkpoint


def _before(before: str | JSON | None) -> str | None:
    """A checkpoint id, given as text, as a checkpoint or as a config."""
    if before is None or isinstance(before, str):
        return before
    found: Any = before
    if isinstance(before.get("configurable"), dict):
        found = before["configurable"]
    if not isinstance(found.get("checkpoint_id"), str):
        raise UnprocessableError(
            "before: must be a checkpoint id, a checkpoint or {configurable: {checkpoint_id}}", field="before"
        )
    return found["checkpoint_id"]


def _empty(config: JSON, checkpoint: CheckpointRef | None) -> ThreadState:
    checkpoint_id = None if checkpoint is None else checkpoint.checkpoint_id
    return ThreadState(
        values={},
        next=[],
        tasks=[],
        metadata=None,
        created_at=None,
        checkpoint=None if checkpoint_id is None else config["configurable"],
        parent_checkpoint=None,
        interrupts=[],
        checkpoint_id=checkpoint_id,
    )


def _updated(written: JSON) -> StateUpdated:
    return StateUpdated(checkpoint=written, configurable=written, checkpoint_id=written["checkpoint_id"])
