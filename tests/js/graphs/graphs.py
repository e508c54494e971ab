"""Graphs of the JavaScript tests and examples. They need no key and no network; `gated` waits for the test's word."""

from __future__ import annotations

import asyncio
import operator
import os
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages


class Gated(TypedDict, total=False):
    gate: str
    before: int
    after: int
    log: Annotated[list[str], operator.add]


def opened(state: Gated) -> bool:
    gate = state.get("gate")
    return not gate or Path(os.environ["GATES"], gate).exists()


async def start(state: Gated) -> Gated:
    return {"log": ["start"]}


async def work(state: Gated) -> Gated:
    """Writes ``before`` events, waits until the file ``gate`` is there, writes ``after`` more."""
    write = get_stream_writer()
    before, after = state.get("before", 0), state.get("after", 0)
    for number in range(before):
        write({"number": number})
    while not opened(state):  # noqa: ASYNC110  the word comes from another process
        await asyncio.sleep(0.01)
    for number in range(before, before + after):
        write({"number": number})
    return {"log": ["work"]}


async def finish(state: Gated) -> Gated:
    return {"log": ["finish"]}


steps = StateGraph(Gated)
steps.add_sequence([start, work, finish])
steps.add_edge(START, "start")
gated = steps.compile()


class Task(TypedDict, total=False):
    message: str
    query: str
    task: str
    data: list[float]
    messages: Annotated[list[AnyMessage], add_messages]
    progress: int
    total: float
    answer: str


def asked(state: Task) -> str:
    return state.get("message") or state.get("query") or state.get("task") or "nothing"


async def read(state: Task) -> Task:
    write = get_stream_writer()
    write({"type": "progress", "component": "read", "payload": {"percent": 10}})
    if not state.get("data"):
        write({"type": "warning", "component": "read", "payload": {"reason": "no data"}})
    return {"progress": 10}


async def add_up(state: Task) -> Task:
    total = sum(state.get("data", []))
    get_stream_writer()({"type": "metric", "component": "sums", "payload": {"total": total}})
    return {"total": total, "progress": 50}


async def reply(state: Task) -> Task:
    """What a chat model would say, word by word."""
    text = f"Done: {asked(state)}"
    said = await GenericFakeChatModel(messages=iter([AIMessage(text)])).ainvoke(text)
    return {"messages": [said], "answer": text, "progress": 100}


sums = StateGraph(Task)
sums.add_node(add_up)
sums.add_edge(START, "add_up")
sums.add_edge("add_up", END)

tasks = StateGraph(Task)
tasks.add_node(read)
tasks.add_node("sums", sums.compile())
tasks.add_node(reply)
tasks.add_edge(START, "read")
tasks.add_edge("read", "sums")
tasks.add_edge("sums", "reply")
tasks.add_edge("reply", END)
agent = tasks.compile()

reports = StateGraph(Task)
reports.add_node(reply)
reports.add_edge(START, "reply")
reports.add_edge("reply", END)
reporter = reports.compile()


class Clock(TypedDict, total=False):
    ticks: int
    messages: Annotated[list[AnyMessage], add_messages]


async def tick(state: Clock) -> dict[str, Any]:
    await asyncio.sleep(0.02)
    return {"ticks": state.get("ticks", 0) + 1}


endless = StateGraph(Clock)
endless.add_node(tick)
endless.add_edge(START, "tick")
endless.add_edge("tick", "tick")
clock = endless.compile()


async def fragile(state: Task, config: RunnableConfig) -> Task:
    """Fails unless its run is tagged as the second attempt."""
    if "attempt_2" not in (config.get("tags") or []):
        raise ConnectionError("the service did not answer")
    return {"answer": f"Done: {asked(state)}"}


attempts = StateGraph(Task)
attempts.add_node(fragile)
attempts.add_edge(START, "fragile")
attempts.add_edge("fragile", END)
flaky = attempts.compile()
