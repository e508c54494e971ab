"""Graphs that wait where a test wants them to."""

from __future__ import annotations

import asyncio
import operator
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph_sdk.runtime import ServerRuntime

updating = threading.Event()
may_update = threading.Event()


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]


def _graph() -> Any:
    builder = StateGraph(State)
    builder.add_node("work", lambda state: {"log": ["run"]})
    builder.add_edge(START, "work")
    builder.add_edge("work", END)
    return builder.compile()


@asynccontextmanager
async def gated(runtime: ServerRuntime) -> AsyncIterator[Any]:
    """Opening it for an update takes until ``may_update``."""
    if runtime.access_context == "threads.update":
        updating.set()
        await asyncio.to_thread(may_update.wait, 20)
    yield _graph()


class Told(TypedDict, total=False):
    count: int
    size: int
    forever: bool


async def tell(told: Told) -> Told:
    write = get_stream_writer()
    for number in range(told.get("count", 0)):
        write({"n": number, "pad": "." * told.get("size", 0)})
    if told.get("forever"):
        await asyncio.Event().wait()
    return {"count": told.get("count", 0)}


builder = StateGraph(Told)
builder.add_node("tell", tell)
builder.add_edge(START, "tell")
builder.add_edge("tell", END)
teller = builder.compile()
