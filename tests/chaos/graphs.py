"""The graphs of the load. A run's input says what its nodes do; a file records that they ran.

``CHAOS_DIR`` holds the file of stamps and the marks of what is to happen only once (tests/chaos/history.py reads it).
The thread's state tells which runs were applied, how often and by which attempt: ``said`` gets a run's token from its
input, ``trail`` gets ``token.node@attempt`` from each of its nodes.
"""

from __future__ import annotations

import asyncio
import operator
import os
import signal
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Required, TypedDict

import points  # type: ignore[import-not-found]
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config, get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

points.install()

_LEAKED: list[bytes] = []


class Work(TypedDict, total=False):
    """What each node does: ``events`` of ``size`` bytes, then a ``pause``; the node ``at`` has a ``mishap`` too."""

    token: Required[str]
    events: int
    size: int
    pause: float
    mishap: str
    at: str


class State(TypedDict, total=False):
    work: Work
    said: Annotated[list[str], operator.add]
    trail: Annotated[list[str], operator.add]
    answer: Any


class Below(TypedDict, total=False):
    """The subgraph's state: a list that both graphs have would be passed down, extended, and added again."""

    work: Work
    inner: Annotated[list[str], operator.add]


class Meant(Exception):
    """Raised by a node that is to fail."""


def _directory() -> Path:
    return Path(os.environ["CHAOS_DIR"])


def _once(name: str) -> bool:
    """True for the first caller of any process."""
    try:
        os.close(os.open(_directory() / f"once.{name}", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def _stamp(token: str, node: str, edge: str) -> int:
    """One line: when, which process, which run and attempt, where. An append of one line is atomic. The attempt."""
    metadata: dict[str, Any] = dict(get_config().get("metadata", {}))
    attempt = int(metadata["run_attempt"])
    fields = [time.monotonic_ns(), os.getpid(), metadata["run_id"], metadata["thread_id"], attempt, token, node, edge]
    try:
        with (_directory() / "stamps").open("a") as file:
            file.write("\t".join(map(str, fields)) + "\n")
    except OSError:
        pass  # the process may write nothing now, as a fault of the suite's
    return attempt


async def _misbehave(kind: str, token: str) -> None:
    if kind == "raise":
        raise Meant("meant to fail")
    if kind == "swallow":
        await _swallow(4.0)
    elif kind == "block":
        time.sleep(0.7)  # noqa: ASYNC251 - that is the mishap
    elif kind == "leak":
        _LEAKED.append(bytes(256 * 1024))
    elif kind == "exit" and _once(token):
        os._exit(3)
    elif kind == "sigkill" and _once(token):
        os.kill(os.getpid(), signal.SIGKILL)


async def _swallow(seconds: float) -> None:
    """Goes on whatever cancels it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            continue


async def _do(work: Work, node: str) -> str:
    token = work["token"]
    attempt = _stamp(token, node, "start")
    say = get_stream_writer()
    mishap = work.get("mishap", "") if work.get("at") == node else ""
    for number in range(work.get("events", 0)):
        say({"token": token, "node": node, "attempt": attempt, "n": number, "pad": "x" * work.get("size", 0)})
        if mishap and number == work.get("events", 0) // 2:
            await asyncio.sleep(0)
    if mishap:
        await _misbehave(mishap, token)
    await asyncio.sleep(work.get("pause", 0.0))
    _stamp(token, node, "end")
    return f"{token}.{node}@{attempt}"


def _node(name: str, channel: str = "trail") -> Any:
    async def node(state: State) -> Any:
        return {channel: [await _do(state["work"], name)]}  # type: ignore[typeddict-item]

    return node


def _threaded(name: str) -> Any:
    """A plain function: LangGraph runs it on a thread, where no cancellation reaches it."""

    def node(state: State) -> Any:
        work = state["work"]  # type: ignore[typeddict-item]
        attempt = _stamp(work["token"], name, "start")
        time.sleep(work.get("pause", 0.0))
        _stamp(work["token"], name, "end")
        return {"trail": [f"{work['token']}.{name}@{attempt}"]}

    return node


def _chained(schema: Any, nodes: dict[str, Any]) -> StateGraph[Any]:
    graph = StateGraph(schema)
    before = START
    for name, node in nodes.items():
        graph.add_node(name, node)
        graph.add_edge(before, name)
        before = name
    return graph


chain = _chained(State, {"a": _node("a"), "b": _node("b"), "c": _node("c")}).compile()

_deep = _chained(Below, {"d": _node("d", "inner"), "e": _node("e", "inner")}).compile()
nested = _chained(State, {"a": _node("a"), "below": _deep, "c": _node("c")}).compile()

_fan = StateGraph(State)
for _name in ("a", "b1", "b2", "b3", "c"):
    _fan.add_node(_name, _threaded(_name) if _name == "b2" else _node(_name))
_fan.add_edge(START, "a")
for _name in ("b1", "b2", "b3"):
    _fan.add_edge("a", _name)
_fan.add_edge(["b1", "b2", "b3"], "c")
fan = _fan.compile()


async def _ask(state: State) -> Any:
    answer = interrupt({"question": "go on?"})
    return {"trail": [await _do(state["work"], "ask")], "answer": answer}  # type: ignore[typeddict-item]


asking = _chained(State, {"a": _node("a"), "ask": _ask, "c": _node("c")}).compile()


@asynccontextmanager
async def made(config: RunnableConfig) -> AsyncGenerator[Any]:
    """A factory, which takes a moment between the claim and the first checkpoint."""
    await asyncio.sleep(0.02)
    yield chain
