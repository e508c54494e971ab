"""The rules of threads: their record, their state at any checkpoint, and changes to it that no run makes."""

from __future__ import annotations

from typing import Any

from treadle.errors import BadRequestError, ConflictError, NotFoundError, UnprocessableError
from treadle.model import (
    JSON,
    CheckpointRef,
    StateUpdated,
    Thread,
    ThreadCreate,
    ThreadHistory,
    ThreadPatch,
    ThreadPrune,
    ThreadSearch,
    ThreadState,
    ThreadStateUpdate,
)
from treadle.ports import Checkpoints, Clock, Records, ThreadQuery, Transaction
from treadle.service.bounds import limit_of, offset_of
from treadle.service.graphs import GraphCalls
from treadle.service.identifiers import uuid7

_NO_GRAPH = (
    "Thread {thread_id!r} has no graph yet: no run was made on it."
    " Make a run, or set 'graph_id' in the thread's metadata."
)
_BUSY = "Thread {thread_id} is busy: a run is pending or running on it. Wait for it to end, or cancel it."
_REFUSALS = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, AssertionError)
"""What the reducers and writers of a graph raise for values that they do not take."""
_UNSUPPORTED = "{field}: not supported by this server; leave it out"


class Threads:
    """Threads over ``records``; their states are read and written through ``graphs``."""

    def __init__(self, records: Records, graphs: GraphCalls, checkpoints: Checkpoints, clock: Clock) -> None:
        self._records = records
        self._graphs = graphs
        self._checkpoints = checkpoints
        self._clock = clock

    # the record

    async def create(self, request: ThreadCreate, thread_id: str | None = None) -> Thread:
        """A new thread; an existing id is a ConflictError, or the old one if ``if_exists`` is ``do_nothing``."""
        _refuse(supersteps=request.supersteps, ttl=request.ttl)
        metadata = dict(request.metadata or {})
        if request.graph_id is not None:
            metadata["graph_id"] = request.graph_id

        def work(tx: Transaction) -> Thread:
            new_id = thread_id or uuid7(tx.now)
            if old := tx.thread(new_id):
                if request.if_exists == "do_nothing":
                    return old
                raise ConflictError(f"Thread with ID {new_id} already exists")
            tx.insert_thread(new_id, metadata=metadata)
            return _existing(tx, new_id)

        return await self._records.transact(work)

    async def get(self, thread_id: str) -> Thread:
        return await self._records.read(lambda tx: _existing(tx, thread_id))

    async def search(self, request: ThreadSearch) -> tuple[list[Thread], int]:
        """The page asked for, and how many there are in all."""
        query = _query(request)
        return await self._records.read(lambda tx: (tx.search_threads(query), tx.count_threads(query)))

    async def count(self, request: ThreadSearch) -> int:
        query = _query(request)
        return await self._records.read(lambda tx: tx.count_threads(query))

    async def patch(self, thread_id: str, request: ThreadPatch) -> Thread:
        """Metadata merged at the top level."""
        _refuse(ttl=request.ttl)

        def work(tx: Transaction) -> Thread:
            _existing(tx, thread_id)
            tx.merge_thread(thread_id, metadata=request.metadata or {})
            return _existing(tx, thread_id)

        return await self._records.transact(work)

    async def delete(self, thread_id: str) -> None:
        """Removes it with all it has; a run on it is stopped."""

        def work(tx: Transaction) -> None:
            _existing(tx, thread_id)
            tx.delete_thread(thread_id)

        await self._records.transact(work)

    async def prune(self, request: ThreadPrune, thread_ids: list[str]) -> int:
        """Deletes threads, or all but their latest checkpoints; returns how many. Unknown ones are passed over.

        Raises ConflictError when checkpoints of a busy thread would go."""
        if request.strategy != "keep_latest":
            return await self._records.transact(lambda tx: sum([_dropped(tx, t) for t in thread_ids]))
        kept = await self._records.read(lambda tx: [t for t in thread_ids if _idle(tx, t)])
        await self._checkpoints.for_thread().aprune(kept, strategy="keep_latest")
        return len(kept)

    async def copy(self, thread_id: str) -> Thread:
        """A new thread with the history of this one, without its runs."""

        def work(tx: Transaction) -> tuple[str, bool]:
            _existing(tx, thread_id)
            target = uuid7(tx.now)
            tx.copy_thread(thread_id, target)
            return target, bool(tx.active_runs(thread_id))

        target, busy = await self._records.transact(work)
        if busy:
            # The copied checkpoints are ahead of the values that the source last settled on.
            await self._settle(target)
        return await self.get(target)

    # the state

    async def state(
        self, thread_id: str, checkpoint: CheckpointRef | None = None, *, subgraphs: bool = False
    ) -> ThreadState:
        """The latest state, or that at a checkpoint. Without a graph, or at an unknown checkpoint, it is empty."""
        thread = await self.get(thread_id)
        config = _config(thread_id, checkpoint)
        graph_id = self._graph_id(thread)
        if graph_id is None:
            return _empty(config, checkpoint)
        return await self._graphs.state(graph_id, await self._configured(thread, config), subgraphs=subgraphs)

    async def history(self, thread_id: str, request: ThreadHistory, *, least: int = 1) -> list[ThreadState]:
        """States, newest first; one if no limit is given. ``least`` is the smallest limit that may be asked for."""
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
        """Writes a state as if a node had returned it.

        Raises ConflictError while a run is active, BadRequestError for a thread without a graph, an unknown node or
        values that the graph does not take."""
        config = _config(thread_id, _target(request))
        thread = await self._records.read(lambda tx: _resting(tx, thread_id))
        graph_id = self._graph_id(thread)
        if graph_id is None:
            raise BadRequestError(_NO_GRAPH.format(thread_id=thread_id))
        configured = await self._configured(thread, config)
        try:
            written = await self._graphs.update(graph_id, configured, values=request.values, as_node=request.as_node)
        except _REFUSALS as error:
            raise BadRequestError(f"{type(error).__name__}: {error}", field="values") from error
        await self._settle(thread_id)
        return _updated(written)

    async def _settle(self, thread_id: str) -> None:
        """Makes the thread's record say what its latest checkpoint says."""
        state = await self.state(thread_id)
        interrupts = {task.id: task.interrupts for task in state.tasks if task.interrupts}
        values = self._graphs.encode(state.values)
        status = "interrupted" if state.next or interrupts else "idle"

        def work(tx: Transaction) -> None:
            if tx.thread(thread_id, values=False):
                tx.rest_thread(thread_id, status=status, output=values, interrupts=interrupts, error=None)

        await self._records.transact(work)

    def _graph_id(self, thread: Thread) -> str | None:
        """The graph that ran on the thread. Raises BadRequestError if this server does not have it."""
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
        """``config`` with what the thread's assistant configures, which a graph's factory may depend on."""
        assistant_id = thread.metadata.get("assistant_id")
        if not isinstance(assistant_id, str):
            return config
        assistant = await self._records.read(lambda tx: tx.assistant(assistant_id))
        if assistant is None:
            return config
        return {"configurable": (assistant.config.get("configurable") or {}) | config["configurable"]}


def _refuse(**given: Any) -> None:
    for field, value in given.items():
        if value is not None:
            raise UnprocessableError(_UNSUPPORTED.format(field=field), field=field)


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


def _idle(tx: Transaction, thread_id: str) -> bool:
    """Whether there is such a thread. Raises ConflictError if it is busy."""
    return tx.thread(thread_id, values=False) is not None and bool(_resting(tx, thread_id))


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
    """The config of a checkpoint of this thread; one of another thread is refused."""
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
        raise UnprocessableError("checkpoint_id: is not that of checkpoint; give one of them", field="checkpoint_id")
    return request.checkpoint


def _before(before: str | JSON | None) -> str | None:
    """A checkpoint id, given as itself, as a checkpoint or as a config."""
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
