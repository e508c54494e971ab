"""Read and write the state of a thread through its graph (docs/http.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.errors import InvalidUpdateError
from langgraph.store.base import BaseStore
from langgraph.types import PregelTask, StateSnapshot, StateUpdate

from treadle.errors import BadRequestError
from treadle.graph.encode import Encoder, safe_repr
from treadle.graph.internals import AnyGraph, Saver, bind_storage
from treadle.graph.snapshots import history_of, snapshot_of
from treadle.graph.stream import command_of, interrupt_of
from treadle.graph.translate import checkpoint_of
from treadle.model import JSON, Superstep, SuperstepUpdate, ThreadState, ThreadTask


async def read_state(
    graph: AnyGraph, config: RunnableConfig, saver: Saver, store: BaseStore | None, *, subgraphs: bool = False
) -> ThreadState:
    """The state at the checkpoint that ``config`` names, or the latest. Empty if there is none.

    ``values`` and the tasks' results are ``msgspec.Raw``: encode them with msgspec's JSON encoder or an Encoder.
    """
    target, config = _addressed(graph, config)
    snapshot = await snapshot_of(target, config, saver, store, subgraphs=subgraphs)
    return _thread_state(snapshot, Encoder())


async def read_history(
    graph: AnyGraph,
    config: RunnableConfig,
    saver: Saver,
    store: BaseStore | None,
    *,
    limit: int,
    before: str | None = None,
    metadata: JSON | None = None,
) -> list[ThreadState]:
    """Up to ``limit`` states, newest first, before the checkpoint ``before``, with matching ``metadata``."""
    target, config = _addressed(graph, config)
    encoder = Encoder()
    bound: RunnableConfig | None = {"configurable": {"checkpoint_id": before}} if before else None
    found = await history_of(target, config, saver, store, limit=limit, before=bound, metadata=metadata)
    return [_thread_state(snapshot, encoder) for snapshot in found]


async def update_state(
    graph: AnyGraph,
    config: RunnableConfig,
    saver: Saver,
    store: BaseStore | None,
    *,
    values: Any,
    as_node: str | None = None,
) -> JSON:
    """Write a state as if ``as_node`` had returned ``values``. Returns thread_id, checkpoint_ns and checkpoint_id.

    Raises BadRequestError for an unknown node or subgraph, or for values that the graph rejects.
    """
    target, config = _addressed(graph, config, must_exist=True)
    try:
        written = await target.aupdate_state(bind_storage(config, saver=saver, store=store), values, as_node)
    except InvalidUpdateError as error:
        field = "values" if as_node is None or as_node in target.nodes else "as_node"
        raise BadRequestError(str(error), field=field) from error
    return checkpoint_of(written) or {}


async def replay(
    graph: AnyGraph, config: RunnableConfig, saver: Saver, store: BaseStore | None, supersteps: Sequence[Superstep]
) -> None:
    """Write a history step by step, as if the named nodes had returned it. Raises BadRequestError."""
    steps = [[_state_update(update) for update in superstep.updates] for superstep in supersteps]
    try:
        await graph.abulk_update_state(bind_storage(config, saver=saver, store=store), steps)
    except InvalidUpdateError as error:
        raise BadRequestError(str(error), field="supersteps") from error


def _state_update(update: SuperstepUpdate) -> StateUpdate:
    returned: Any = update.values if update.command is None else command_of(update.command)
    return StateUpdate(returned, update.as_node)


def _addressed(graph: AnyGraph, config: RunnableConfig, *, must_exist: bool = False) -> tuple[AnyGraph, RunnableConfig]:
    """The subgraph whose namespace ``config`` names. LangGraph searches for it only if no saver is bound."""
    configurable = {"checkpoint_ns": "", **config.get("configurable", {})}
    config = {**config, "configurable": configurable}
    namespace = configurable["checkpoint_ns"] = str(configurable["checkpoint_ns"] or "")
    if not namespace:
        return graph, config
    path = "|".join(part.partition(":")[0] for part in namespace.split("|") if not part.isdigit())
    for _, found in graph.get_subgraphs(namespace=path, recurse=True):
        return cast("AnyGraph", found), config
    if must_exist:
        raise BadRequestError(f"the graph has no subgraph {path!r}", field="checkpoint_ns")
    return graph, config


def _thread_state(snapshot: StateSnapshot, encoder: Encoder) -> ThreadState:
    checkpoint = checkpoint_of(snapshot.config) or {}
    parent = checkpoint_of(snapshot.parent_config)
    return ThreadState(
        values=encoder.raw(snapshot.values),
        next=list(snapshot.next),
        tasks=[_thread_task(task, encoder) for task in snapshot.tasks],
        metadata=_metadata(snapshot, encoder),
        created_at=snapshot.created_at,
        checkpoint=checkpoint if checkpoint.get("checkpoint_id") else None,
        parent_checkpoint=parent,
        interrupts=[interrupt_of(each, encoder) for each in snapshot.interrupts],
        checkpoint_id=checkpoint.get("checkpoint_id"),
        parent_checkpoint_id=parent.get("checkpoint_id") if parent else None,
    )


def _metadata(snapshot: StateSnapshot, encoder: Encoder) -> JSON | None:
    """The checkpoint's metadata with the thread id, which savers omit but the wire format includes."""
    if snapshot.metadata is None:
        return None
    thread_id = snapshot.config.get("configurable", {}).get("thread_id")
    return {**encoder.plain(snapshot.metadata), "thread_id": thread_id}


def _thread_task(task: PregelTask, encoder: Encoder) -> ThreadTask:
    state = task.state
    return ThreadTask(
        id=task.id,
        name=task.name,
        path=encoder.plain(task.path),
        error=_error_text(task.error),
        interrupts=[interrupt_of(each, encoder) for each in task.interrupts],
        checkpoint=None if state is None or isinstance(state, StateSnapshot) else checkpoint_of(state),
        state=_thread_state(state, encoder) if isinstance(state, StateSnapshot) else None,
        result=None if task.result is None else encoder.raw(task.result),
    )


def _error_text(error: Any) -> str | None:
    """The error's repr. Savers store either the exception or its repr."""
    return error if error is None or isinstance(error, str) else safe_repr(error)
