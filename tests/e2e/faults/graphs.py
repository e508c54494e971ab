"""Graphs that a test can stop at an exact place.

Each node writes down that it ran, and waits there while its test holds it: through files, so that it works across
processes and kills. ``FAULTS_DIR`` is the directory of these files (support/gates.py is the other side).
"""

from __future__ import annotations

import asyncio
import operator
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.config import get_config, get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import interrupt

_TICK = 0.005
_LONGEST = 60.0
"""Seconds that a gate holds at most, so that nothing a test leaves behind lives on."""


class State(TypedDict, total=False):
    key: str
    said: Annotated[list[str], operator.add]
    trail: Annotated[list[str], operator.add]
    answer: Any


class Below(TypedDict, total=False):
    """The state of subgraphs. ``inner`` is not in the parent: a list in both would be added twice."""

    key: str
    inner: Annotated[list[str], operator.add]
    answer: Any


def _directory() -> Path:
    return Path(os.environ["FAULTS_DIR"])


def note(place: str, key: str) -> None:
    """One line for every execution: what ran, in which run, thread and attempt. An append of one line is atomic."""
    config = get_config()
    metadata: dict[str, Any] = dict(config.get("metadata", {}))
    fields = [key, place, metadata["run_id"], metadata["thread_id"], metadata["run_attempt"]]
    line = "\t".join(map(str, fields)) + "\n"
    with (_directory() / "effects").open("a") as effects:
        effects.write(line)


def held(place: str, key: str) -> bool:
    """Says that ``place`` is reached; True while the test holds it."""
    gate = _directory() / f"{key}.{place}.hold"
    if not gate.exists():
        return False
    (_directory() / f"{key}.{place}.reached").touch()
    return True


async def pass_gate(place: str, key: str) -> None:
    deadline = time.monotonic() + _LONGEST
    while held(place, key) and time.monotonic() < deadline:  # noqa: ASYNC110 - it waits for another process
        await asyncio.sleep(_TICK)


def pass_gate_blocking(place: str, key: str) -> None:
    deadline = time.monotonic() + _LONGEST
    while held(place, key) and time.monotonic() < deadline:
        time.sleep(_TICK)


def _step(name: str, channel: str = "trail") -> Any:
    async def node(state: State) -> Any:
        key = state.get("key", "")
        note(name, key)
        get_stream_writer()({"at": name})
        await pass_gate(name, key)
        return {channel: [name]}

    return node


def _chain(schema: Any, nodes: dict[str, Any]) -> StateGraph[Any]:
    graph = StateGraph(schema)
    before = START
    for name, node in nodes.items():
        graph.add_node(name, node)
        graph.add_edge(before, name)
        before = name
    return graph


steps = _chain(State, {name: _step(name) for name in "abc"}).compile()


@asynccontextmanager
async def made(config: RunnableConfig) -> AsyncIterator[Any]:
    """A factory that can be held: after the claim, before the first checkpoint."""
    await pass_gate("factory", str(config.get("configurable", {}).get("key", "")))
    yield steps


_deep = _chain(Below, {"d1": _step("d1", "inner"), "d2": _step("d2", "inner")}).compile()
_middle = _chain(Below, {"m1": _step("m1", "inner"), "deep": _deep, "m2": _step("m2", "inner")}).compile()
nested = _chain(State, {"a": _step("a"), "middle": _middle, "c": _step("c")}).compile()


async def _stubborn(state: State) -> State:
    """Swallows every cancellation."""
    key = state.get("key", "")
    note("stubborn", key)
    deadline = time.monotonic() + _LONGEST
    while held("stubborn", key) and time.monotonic() < deadline:
        try:
            await asyncio.sleep(_TICK)
        except asyncio.CancelledError:
            (_directory() / f"{key}.swallowed.reached").touch()
    return {"trail": ["stubborn"]}


def _threaded(state: State) -> State:
    """A plain function: LangGraph runs it on a thread, where no cancellation reaches it."""
    note("threaded", state.get("key", ""))
    pass_gate_blocking("threaded", state.get("key", ""))
    note("threaded-end", state.get("key", ""))
    return {"trail": ["threaded"]}


async def _blocking(state: State) -> State:
    """Keeps the event loop of all graphs to itself while it is held."""
    note("blocking", state.get("key", ""))
    pass_gate_blocking("blocking", state.get("key", ""))
    return {"trail": ["blocking"]}


stubborn = _chain(State, {"a": _step("a"), "stubborn": _stubborn, "c": _step("c")}).compile()
threaded = _chain(State, {"a": _step("a"), "threaded": _threaded, "c": _step("c")}).compile()
blocking = _chain(State, {"a": _step("a"), "blocking": _blocking, "c": _step("c")}).compile()


async def _ask(state: State) -> Any:
    answer = interrupt({"question": "go on?"})
    key = state.get("key", "")
    note("ask", key)
    await pass_gate("ask", key)
    return {"answer": answer}


asking = _chain(State, {"a": _step("a"), "ask": _ask, "c": _step("c")}).compile()
_asking_deep = _chain(Below, {"d1": _step("d1", "inner"), "ask": _ask, "d2": _step("d2", "inner")}).compile()
asking_below = _chain(State, {"a": _step("a"), "below": _asking_deep, "c": _step("c")}).compile()


class Chat(TypedDict, total=False):
    key: str
    messages: Annotated[list[AnyMessage], add_messages]


@tool
async def look_up(key: str) -> str:
    """Looks something up."""
    note("look_up", key)
    await pass_gate("look_up", key)
    return f"found {key}"


async def _model(state: Chat) -> Chat:
    """Calls the tool for each human message, and answers once the tool has."""
    last = state["messages"][-1]
    note("model", state.get("key", ""))
    if isinstance(last, HumanMessage):
        call = {"name": "look_up", "args": {"key": state.get("key", "")}, "id": f"call-{len(state['messages'])}"}
        return {"messages": [AIMessage(content="", tool_calls=[call])]}
    return {"messages": [AIMessage(content="done")]}


_calling = StateGraph(Chat)
_calling.add_node("model", _model)
_calling.add_node("tools", ToolNode([look_up]))
_calling.add_edge(START, "model")
_calling.add_conditional_edges("model", tools_condition)
_calling.add_edge("tools", "model")
calling = _calling.compile()


async def _fail(state: State) -> State:
    note("fail", state.get("key", ""))
    await pass_gate("fail", state.get("key", ""))
    raise ValueError("meant to fail")


failing = _chain(State, {"a": _step("a"), "fail": _fail}).compile()


_jumping = StateGraph(State)
for _name in ("start", "left", "right"):
    _jumping.add_node(_name, _step(_name))
_jumping.add_edge(START, "start")
jumping = _jumping.compile()
