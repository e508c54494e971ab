"""Repair the message history after a run was cancelled during a tool call, so that a chat model accepts it.

Models reject a conversation in which a tool call has no result. LangGraph keeps the state as the cancelled run left it,
so that it can be continued. If new input arrives instead, the open calls get a result that says they were cancelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.store.base import BaseStore
from langgraph.types import StateSnapshot

from treadle.graph.internals import AnyGraph, Saver, bind_storage
from treadle.graph.snapshots import snapshot_of

CUT_OFF = "This tool call was cancelled before it returned a result."


async def answer_cut_calls(graph: AnyGraph, config: RunnableConfig, saver: Saver, store: BaseStore | None) -> int:
    """Answer the tool calls that a cancelled run left open in the latest state's ``messages``. Returns their number."""
    thread_id = config.get("configurable", {})["thread_id"]
    # Omit the run's metadata: LangGraph would mistake a checkpoint with its run id for its own and skip the input.
    latest: RunnableConfig = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
    snapshot = await snapshot_of(graph, latest, saver, store)
    answers = list(open_calls(snapshot))
    if answers and snapshot.next:
        bound = bind_storage(latest, saver=saver, store=store)
        await graph.aupdate_state(bound, {"messages": answers}, as_node=snapshot.next[0])
    return len(answers)


def open_calls(snapshot: StateSnapshot) -> Iterator[ToolMessage]:
    """Yield an answer for every tool call of the last model message that has none in the state or a finished task.
    Pure."""
    messages = _messages(snapshot.values)
    finished = [message for task in snapshot.tasks for message in _messages(task.result)]
    place = max((at for at, each in enumerate(messages) if isinstance(each, AIMessage)), default=None)
    if place is None:
        return
    answered = {each.tool_call_id for each in (*messages[place:], *finished) if isinstance(each, ToolMessage)}
    for call in cast("AIMessage", messages[place]).tool_calls:
        if call["id"] is not None and call["id"] not in answered:
            yield ToolMessage(CUT_OFF, name=call["name"], tool_call_id=call["id"], status="error")


def _messages(values: Any) -> Sequence[BaseMessage]:
    found = cast("dict[str, Any]", values).get("messages") if isinstance(values, dict) else None
    return (
        [each for each in cast("list[Any]", found) if isinstance(each, BaseMessage)] if isinstance(found, list) else []
    )
