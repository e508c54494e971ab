"""Graphs to watch: slow enough to be caught in mid-run, with subgraphs, tools, failures and very many events."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import RetryPolicy, interrupt


class Steps(TypedDict, total=False):
    """``hold`` names a node that goes on once there is a file ``gate``: tests say when, and do not guess."""

    delay: float
    hold: str
    gate: str
    steps: Annotated[list[str], operator.add]


def waiting(name: str) -> Any:
    async def node(state: Steps) -> dict[str, Any]:
        await asyncio.sleep(state.get("delay", 0.2))
        if state.get("hold") == name:
            while not opened(state):  # noqa: ASYNC110  the word comes from another process
                await asyncio.sleep(0.02)
        return {"steps": [name]}

    return node


def opened(state: Steps) -> bool:
    return Path(state.get("gate", "")).exists()


def chain(*names: str) -> StateGraph[Any, Any, Any, Any]:
    graph = StateGraph(Steps)
    before = START
    for name in names:
        graph.add_node(name, waiting(name))
        graph.add_edge(before, name)
        before = name
    graph.add_edge(before, END)
    return graph


slow = chain("fetch", "clean", "rank", "write", "review", "publish").compile()

_inner = chain("search", "read", "judge").compile()
_outer = StateGraph(Steps)
_outer.add_node("plan", waiting("plan"))
_outer.add_node("research", _inner)
_outer.add_node("left", waiting("left"))
_outer.add_node("right", waiting("right"))
_outer.add_node("write", waiting("write"))
_outer.add_edge(START, "plan")
_outer.add_edge("plan", "research")
_outer.add_edge("research", "left")
_outer.add_edge("research", "right")
_outer.add_edge(["left", "right"], "write")
_outer.add_edge("write", END)
nested = _outer.compile()


class Many(TypedDict):
    count: int
    done: int


async def count_up(state: Many) -> dict[str, Any]:
    """So many custom events that a page which draws each of them would stand still."""
    write = get_stream_writer()
    for number in range(state["count"]):
        write({"number": number, "of": state["count"]})
        if number % 500 == 0:
            await asyncio.sleep(0)
    return {"done": state["count"]}


_many = StateGraph(Many)
_many.add_node("count_up", count_up)
_many.add_edge(START, "count_up")
_many.add_edge("count_up", END)
many = _many.compile()

_tries = 0


async def stumble(state: Steps) -> dict[str, Any]:
    """Fails at first, and is then tried again by the graph's own policy."""
    global _tries
    _tries += 1
    if _tries % 2:
        raise ConnectionError("the line is busy")
    return {"steps": ["stumble"]}


async def fall(state: Steps) -> dict[str, Any]:
    await asyncio.sleep(state.get("delay", 0.1))
    raise ValueError("no such city: Atlantis")


_failing = StateGraph(Steps)
_failing.add_node("start", waiting("start"))
_failing.add_node("stumble", stumble, retry_policy=RetryPolicy(max_attempts=3, initial_interval=0.1))
_failing.add_node("fall", fall)
_failing.add_edge(START, "start")
_failing.add_edge("start", "stumble")
_failing.add_edge("stumble", "fall")
_failing.add_edge("fall", END)
failing = _failing.compile()


async def ask(state: Steps) -> dict[str, Any]:
    answer = interrupt({"question": "Publish?", "options": ["yes", "no"]})
    return {"steps": [f"asked: {answer}"]}


_asking = StateGraph(Steps)
_asking.add_node("draft", waiting("draft"))
_asking.add_node("ask", ask)
_asking.add_edge(START, "draft")
_asking.add_edge("draft", "ask")
_asking.add_edge("ask", END)
asking = _asking.compile()


@tool
async def weather(city: str) -> str:
    """The weather in a city."""
    await asyncio.sleep(0.3)
    return f"18 degrees and sunny in {city}"


@tool
async def population(city: str) -> str:
    """How many people live in a city."""
    await asyncio.sleep(0.6)
    return f"{city}: 3.7 million"


class Scripted(GenericFakeChatModel):
    """Calls both tools at once, then answers, token by token."""

    messages: Iterator[Any] = iter(())

    def _turn(self, messages: list[BaseMessage]) -> AIMessage:
        if any(message.type == "tool" for message in messages):
            return AIMessage("**Berlin** has 3.7 million people, and it is 18 degrees and sunny there today.")
        calls = [
            {"name": "weather", "args": {"city": "Berlin"}, "id": "call_weather"},
            {"name": "population", "args": {"city": "Berlin"}, "id": "call_population"},
        ]
        return AIMessage("Let me look that up.", tool_calls=calls)

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._turn(messages))])

    async def _astream(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any) -> Any:
        turn = self._turn(messages)
        for word in str(turn.content).split(" "):
            await asyncio.sleep(0.04)
            yield ChatGenerationChunk(message=AIMessageChunk(f"{word} "))
        for index, call in enumerate(turn.tool_calls):
            piece = {"name": call["name"], "args": '{"city": "Berlin"}', "id": call["id"], "index": index}
            yield ChatGenerationChunk(message=AIMessageChunk("", tool_call_chunks=[piece]))


_model = Scripted()


async def think(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await _model.ainvoke(state["messages"])]}


def more(state: MessagesState) -> str:
    return "tools" if getattr(state["messages"][-1], "tool_calls", None) else END


_agent = StateGraph(MessagesState)
_agent.add_node("think", think)
_agent.add_node("tools", ToolNode([weather, population]))
_agent.add_edge(START, "think")
_agent.add_conditional_edges("think", more, ["tools", END])
_agent.add_edge("tools", "think")
agent = _agent.compile()
