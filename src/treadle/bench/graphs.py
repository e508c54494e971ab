"""The graphs of the benchmark, for bare LangGraph and for servers. Their nodes compute almost nothing."""

from __future__ import annotations

import asyncio
import operator
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal, TypedDict

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph


class Numbers(TypedDict):
    n: Annotated[list[int], operator.add]


def _step(number: int) -> Any:
    async def step(state: Numbers) -> Numbers:
        return {"n": [number]}

    return step


def _chain() -> Any:
    """Return a graph of three nodes in a row, each with a small update."""
    builder = StateGraph(Numbers)
    for number in range(3):
        builder.add_node(f"n{number}", _step(number))
        builder.add_edge(f"n{number - 1}" if number else START, f"n{number}")
    builder.add_edge("n2", END)
    return builder.compile()


class Count(TypedDict):
    count: int


async def _count(state: Count) -> Count:
    return {"count": state["count"] + 1}


def _counter() -> Any:
    """Return a graph of three nodes in a row, with a state that does not grow with the runs of a thread."""
    builder = StateGraph(Count)
    builder.add_sequence([(f"n{number}", _count) for number in range(3)])
    builder.add_edge(START, "n0")
    return builder.compile()


class Emitted(TypedDict, total=False):
    events: int
    together: int
    pause: float
    began_at: float


async def _emit(state: Emitted) -> Emitted:
    write = get_stream_writer()
    began_at = time.time()
    together, pause = state.get("together", 0), state.get("pause", 0.0)
    for number in range(state.get("events", 0)):
        write({"token": "tok", "i": number})
        if together and number % together == together - 1:
            await asyncio.sleep(pause)
    return {"began_at": began_at}


def _custom() -> Any:
    """Return a graph of one node that writes ``events`` custom events, pausing after every ``together`` of them."""
    builder = StateGraph(Emitted)
    builder.add_node("emit", _emit)
    builder.add_edge(START, "emit")
    builder.add_edge("emit", END)
    return builder.compile()


class Scripted(BaseChatModel):
    """A chat model that answers immediately, in ``tokens`` chunks."""

    tokens: int

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content="tok " * self.tokens))])

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for left in reversed(range(self.tokens)):
            yield ChatGenerationChunk(message=AIMessageChunk(content="tok ", chunk_position=None if left else "last"))


class ChatState(MessagesState):
    tokens: int


async def _answer(state: ChatState) -> dict[str, Any]:
    return {"messages": [await Scripted(tokens=state["tokens"]).ainvoke(state["messages"])]}


def _chat() -> Any:
    """Return a graph of one node that calls a model, which answers in ``tokens`` chunks."""
    builder = StateGraph(ChatState)
    builder.add_node("answer", _answer)
    builder.add_edge(START, "answer")
    builder.add_edge("answer", END)
    return builder.compile()


class ConversationState(MessagesState):
    steps: int


async def _say(state: ConversationState) -> dict[str, Any]:
    return {"messages": [AIMessage(content=SENTENCE)], "steps": state["steps"] - 1}


def _next_node(state: ConversationState) -> Literal["say", "__end__"]:
    return "say" if state["steps"] > 0 else "__end__"


def _conversation() -> Any:
    """Return a graph that runs ``steps`` steps, each of which adds a message to the thread."""
    builder = StateGraph(ConversationState)
    builder.add_node("say", _say)
    builder.add_conditional_edges(START, _next_node)
    builder.add_conditional_edges("say", _next_node)
    return builder.compile()


class Wait(TypedDict):
    seconds: float


async def _wait(state: Wait) -> dict[str, Any]:
    await asyncio.sleep(state["seconds"])
    return {}


def _waiting() -> Any:
    builder = StateGraph(Wait)
    builder.add_node("wait", _wait)
    builder.add_edge(START, "wait")
    builder.add_edge("wait", END)
    return builder.compile()


SENTENCE = "The shuttle carries the weft through the shed, and the reed beats it against the cloth that is there."

chain = _chain()
counter = _counter()
custom = _custom()
chat = _chat()
conversation = _conversation()
waiting = _waiting()
