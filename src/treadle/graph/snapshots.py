"""Read snapshots of a thread, even if it has pending writes that its graph rejects.

LangGraph stores the writes of an input, a command or a task before it applies them, and applies them again on every
read. A write that a reducer rejects (``{"messages": 5}``, or two values in one step for a key that takes one) would
make the whole thread unreadable. Such writes are omitted here, as if their tasks had not run: the tasks stay in
``next``, which shows that the step did not complete.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import structlog
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    CheckpointTuple,
    DeltaChannelHistory,
    PendingWrite,
)
from langgraph.checkpoint.serde.types import ERROR
from langgraph.store.base import BaseStore
from langgraph.types import PregelTask, StateSnapshot

from treadle.errors import TreadleError
from treadle.graph.internals import NULL_TASK_ID, AnyGraph, Saver, bind_storage
from treadle.model import JSON

logger = structlog.get_logger("treadle.graph")

T = TypeVar("T")
Choice = Callable[[Sequence[PendingWrite]], list[PendingWrite]]


async def snapshot_of(
    graph: AnyGraph, config: RunnableConfig, saver: Saver, store: BaseStore | None, *, subgraphs: bool = False
) -> StateSnapshot:
    """The snapshot at the checkpoint that ``config`` names, or the latest, with all writes that can be applied."""
    bound = bind_storage(config, saver=saver, store=store)
    found = await _unless_refused(config, graph.aget_state(bound, subgraphs=subgraphs))
    if found is not None:
        return found
    bound = bind_storage(config, saver=_Choosing(saver, without_outputs), store=store)
    found = await _unless_refused(config, graph.aget_state(bound))
    if found is None:
        found = await graph.aget_state(bind_storage(config, saver=_Choosing(saver, signals), store=store))
    if subgraphs:
        found = found._replace(tasks=tuple([await _with_state(graph, task, saver, store) for task in found.tasks]))
    return found


async def history_of(
    graph: AnyGraph,
    config: RunnableConfig,
    saver: Saver,
    store: BaseStore | None,
    *,
    limit: int,
    before: RunnableConfig | None = None,
    metadata: JSON | None = None,
) -> list[StateSnapshot]:
    """Up to ``limit`` snapshots, newest first, before the one of ``before``, with matching ``metadata``."""

    async def read(saver: Saver) -> list[StateSnapshot]:
        bound = bind_storage(config, saver=saver, store=store)
        found = graph.aget_state_history(bound, filter=metadata, before=before, limit=limit)
        return [each async for each in found]

    snapshots = await _unless_refused(config, read(saver))
    if snapshots is None:
        # Without writes, all snapshots can be listed. Then read each of them with the writes that can be applied.
        listed = await read(_Choosing(saver, signals))
        snapshots = [await snapshot_of(graph, each.config, saver, store) for each in listed]
    return snapshots


def without_outputs(writes: Sequence[PendingWrite]) -> list[PendingWrite]:
    """Make finished tasks look as if they had not run; failed tasks keep their error. Pure."""
    finished = {task for task, channel, _ in writes if channel not in WRITES_IDX_MAP and task != NULL_TASK_ID}
    return [write for write in writes if write[0] not in finished or write[1] == ERROR]


def signals(writes: Sequence[PendingWrite]) -> list[PendingWrite]:
    """Only the errors and interrupts of unfinished tasks, without any writes to the state. Pure."""
    return [write for write in without_outputs(writes) if write[1] in WRITES_IDX_MAP]


async def _unless_refused(config: RunnableConfig, reading: Awaitable[T]) -> T | None:
    """Return the result of ``reading``, or None if the graph rejects a write."""
    try:
        return await reading
    except TreadleError:
        raise
    except Exception as refusal:  # a reducer may raise anything, and must not make its thread unreadable
        thread_id = config.get("configurable", {}).get("thread_id")
        logger.info("a thread has writes that its graph rejects", thread_id=thread_id, error=repr(refusal))
        return None


async def _with_state(graph: AnyGraph, task: PregelTask, saver: Saver, store: BaseStore | None) -> PregelTask:
    """``task`` with the state of its subgraph, whose own writes may be rejected as well."""
    inner = dict(graph.get_subgraphs()).get(task.name)
    if inner is None or not isinstance(task.state, dict):
        return task
    state = await snapshot_of(cast("AnyGraph", inner), task.state, saver, store, subgraphs=True)
    return task._replace(state=state)


class _Choosing(BaseCheckpointSaver[Any]):
    """Reads through ``saver``, but returns only the pending writes that ``choose`` selects."""

    def __init__(self, saver: Saver, choose: Choice) -> None:
        super().__init__(serde=saver.serde)
        self._saver = saver
        self._choose = choose

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        found = await self._saver.aget_tuple(config)
        return None if found is None else self._chosen(found)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        async for found in self._saver.alist(config, filter=filter, before=before, limit=limit):
            yield self._chosen(found)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        return await self._saver.aget_delta_channel_history(config=config, channels=channels)

    def get_next_version(self, current: Any, channel: None) -> Any:
        return self._saver.get_next_version(current, channel)

    def _chosen(self, found: CheckpointTuple) -> CheckpointTuple:
        return found._replace(pending_writes=self._choose(found.pending_writes or []))
