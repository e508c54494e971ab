"""The graphs that are measured; the server and ``benchmarks.bare`` load the same ones. They do nothing but emit."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import AsyncIterator
from typing import Annotated, Any, TypedDict

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph

TOKENS = 4_000
"""Chunks in which ``chat`` answers."""


class Numbers(TypedDict):
    n: Annotated[list[int], operator.add]


class Emitted(TypedDict):
    events: int


def _step(number: int) -> Any:
    async def step(state: Numbers) -> Numbers:
        return {"n": [number]}

    return step


def _chain() -> Any:
    """Three nodes in a row, each with a small update."""
    builder = StateGraph(Numbers)
    for number in range(3):
        builder.add_node(f"n{number}", _step(number))
        builder.add_edge(f"n{number - 1}" if number else START, f"n{number}")
    builder.add_edge("n2", END)
    return builder.compile()


async def _emit(state: Emitted) -> Emitted:
    write = get_stream_writer()
    for number in range(state["events"]):
        write({"token": "tok", "i": number})
    return {"events": state["events"]}


def _custom() -> Any:
    """One node that writes as many custom events as it is asked for, without a pause."""
    builder = StateGraph(Emitted)
    builder.add_node("emit", _emit)
    builder.add_edge(START, "emit")
    builder.add_edge("emit", END)
    return builder.compile()


class Scripted(BaseChatModel):
    """A chat model that answers at once, in ``TOKENS`` chunks."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content="tok " * TOKENS))])

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for left in reversed(range(TOKENS)):
            yield ChatGenerationChunk(message=AIMessageChunk(content="tok ", chunk_position=None if left else "last"))


async def _answer(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await Scripted().ainvoke(state["messages"])]}


def _chat() -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("answer", _answer)
    builder.add_edge(START, "answer")
    builder.add_edge("answer", END)
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


chain = _chain()
custom = _custom()
chat = _chat()
waiting = _waiting()
