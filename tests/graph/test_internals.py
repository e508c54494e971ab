"""LangGraph's private names that treadle leans on. A failure here says which of them a new release has moved."""

from __future__ import annotations

import asyncio
from typing import Any

import langgraph._internal._constants as constants
import langgraph_sdk.runtime as sdk_runtime
import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel import _loop, main
from langgraph.runtime import Runtime
from langgraph.store.memory import InMemoryStore

from treadle.graph.internals import INTERRUPT, NULL_TASK_ID, bind_storage, server_runtime


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONFIG_KEY_CHECKPOINTER", "__pregel_checkpointer"),
        ("CONFIG_KEY_RUNTIME", "__pregel_runtime"),
        ("CONFIG_KEY_STRICT_RESUME", "__pregel_strict_resume"),
        ("INTERRUPT", INTERRUPT),
        ("NULL_TASK_ID", NULL_TASK_ID),
    ],
)
def test_langgraph_still_has_the_constant(name: str, value: str) -> None:
    assert getattr(constants, name, None) == value, f"langgraph has moved {name}: see graph/internals.py"


def test_langgraph_still_reads_them() -> None:
    assert main.CONFIG_KEY_CHECKPOINTER == constants.CONFIG_KEY_CHECKPOINTER
    assert main.CONFIG_KEY_RUNTIME == constants.CONFIG_KEY_RUNTIME
    assert _loop.CONFIG_KEY_STRICT_RESUME == constants.CONFIG_KEY_STRICT_RESUME


def test_the_sdk_still_has_both_runtimes() -> None:
    assert {"_ExecutionRuntime", "_ReadRuntime"} <= set(vars(sdk_runtime)), "langgraph_sdk has moved its runtimes"
    run = server_runtime(access="threads.create_run", store=None, user=None, context=1)
    read = server_runtime(access="threads.read", store=None, user=None, context=1)
    assert run.execution_runtime is run
    assert read.execution_runtime is None


def test_what_is_lent_reaches_a_graph_and_its_sub_graphs() -> None:
    seen: list[Any] = []

    def node(state: MessagesState, runtime: Runtime) -> MessagesState:
        seen.append(runtime.store)
        return {"messages": []}

    inner = StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile()
    outer = StateGraph(MessagesState).add_node("inner", inner).add_edge(START, "inner").compile()
    saver, store = InMemorySaver(), InMemoryStore()
    given: Any = {"configurable": {"thread_id": "t"}}
    asyncio.run(outer.ainvoke({"messages": []}, bind_storage(given, saver=saver, store=store)))
    assert seen == [store]
    assert {entry.config["configurable"]["checkpoint_ns"] for entry in saver.list(None)} >= {""}
    assert given == {"configurable": {"thread_id": "t"}}
