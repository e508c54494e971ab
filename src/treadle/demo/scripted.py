"""A chat model that needs no key: it follows a script but answers from real tool results.

Like a real model it streams token by token, sends tool calls in pieces, and pauses before each.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

STEPS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "I will compare the makers' home regions first. ",
        "average_by",
        {"column": "Miles_per_Gallon", "group_by": "Origin"},
    ),
    ("Now how that changed over the years. ", "trend", {"column": "Miles_per_Gallon"}),
    ("And the cars that did best. ", "top_cars", {"column": "Miles_per_Gallon", "limit": 3}),
)


class ScriptedModel(BaseChatModel):
    """Call the tools of ``STEPS`` in order, then answer from their results."""

    token_seconds: float = 0.03

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], **kwargs: Any
    ) -> Runnable[Any, AIMessage]:
        """Ignore ``tools``: the script names its own."""
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        first, *rest = script(messages)
        whole = sum(rest, first)
        message = AIMessage(whole.content, id=whole.id, tool_calls=whole.tool_calls)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in script(messages):
            time.sleep(self.token_seconds)
            yield ChatGenerationChunk(message=chunk)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in script(messages):
            await asyncio.sleep(self.token_seconds)
            yield ChatGenerationChunk(message=chunk)


def script(messages: Sequence[BaseMessage]) -> list[AIMessageChunk]:
    """The next turn after ``messages``, split into tokens."""
    results = _results(messages)
    if len(results) < len(STEPS):
        say, name, arguments = STEPS[len(results)]
        return [*_tokens(say), *_call(name, arguments, f"call_{len(messages)}")]
    return _tokens(answer(results))


def answer(results: Sequence[Any]) -> str:
    """The final answer, from the results of ``average_by``, ``trend`` and ``top_cars``."""
    regions, trend, best = results
    first, *others = regions
    rest = " and ".join(f"{row['mean']} from {row['Origin']}" for row in others)
    cars = ", ".join(f"{car['Name']} ({car['Year']}, {car['Miles_per_Gallon']} mpg)" for car in best)
    return (
        f"Cars from {first['Origin']} were the most economical: {first['mean']} miles per gallon on average over "
        f"{first['cars']} cars, against {rest}. "
        f"Over all makers the mean went from {trend['mean']} in {trend['from']} to {trend['mean_then']} in "
        f"{trend['to']}, a rise of {trend['change_percent']} percent. The three best were {cars}."
    )


def _results(messages: Sequence[BaseMessage]) -> list[Any]:
    """The tool results since the last question."""
    question = max((i for i, message in enumerate(messages) if isinstance(message, HumanMessage)), default=0)
    return [json.loads(str(m.content)) for m in messages[question:] if isinstance(m, ToolMessage)]


def _tokens(text: str) -> list[AIMessageChunk]:
    return [AIMessageChunk(content=token) for token in re.findall(r"\S+\s*", text)]


def _call(name: str, arguments: dict[str, Any], id: str) -> Iterator[AIMessageChunk]:
    """A tool call the way models stream it: the name, then the arguments in pieces."""
    yield AIMessageChunk(content="", tool_call_chunks=[tool_call_chunk(name=name, args="", id=id, index=0)])
    for piece in re.findall(r".{1,12}", json.dumps(arguments)):
        yield AIMessageChunk(content="", tool_call_chunks=[tool_call_chunk(args=piece, index=0)])
