"""Graphs whose events are counted, and that stop at gates: a gate is a file that the test creates."""

from __future__ import annotations

import asyncio
import operator
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt


class State(TypedDict, total=False):
    n: int
    gate: str
    more: int
    size: int
    pause: float
    log: Annotated[list[Any], operator.add]


async def emit(state: State) -> State:
    """``n`` custom events, the gate, and ``more`` of them."""
    write, count = get_stream_writer(), state.get("n", 0)
    for i in range(count + state.get("more", 0)):
        if i == count:
            await _opened(state)
        write({"i": i, "fill": "x" * state.get("size", 0)})
        if i % 64 == 63 or state.get("pause"):
            await asyncio.sleep(state.get("pause", 0))
    if not state.get("more"):
        await _opened(state)
    return {"log": ["emitted"]}


async def _opened(state: State) -> None:
    while gate := state.get("gate"):
        if await asyncio.to_thread(Path(gate).exists):
            return
        await asyncio.sleep(0.01)


async def fail(state: State) -> State:
    raise ValueError("as asked")


async def ask(state: State) -> State:
    return {"log": [interrupt({"question": "ok?"})]}


def line(**nodes: Any) -> Any:
    """The nodes one after the other."""
    graph = StateGraph(State)
    previous = START
    for name, node in nodes.items():
        graph.add_node(name, node)
        graph.add_edge(previous, name)
        previous = name
    graph.add_edge(previous, END)
    return graph.compile()


emitter = line(emit=emit)
failing = line(emit=emit, fail=fail)
asking = line(emit=emit, ask=ask)
nested = line(outer=emit, sub=line(inner=emit, deep=line(leaf=emit)))
