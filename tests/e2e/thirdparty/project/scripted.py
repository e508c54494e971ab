"""A chat model that plays a list of lines and streams them as models do: word by word, calls in pieces."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult


class Scripted(BaseChatModel):
    """``lines``: words to say, or ``(tool, arguments)`` to call. The next one follows from what ``who`` said since the
    last question, so that one model serves any number of conversations."""

    who: str
    lines: list[Any]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        first, *rest = self._chunks(messages)
        whole = sum(rest, first)
        message = AIMessage(whole.content, id=whole.id, tool_calls=whole.tool_calls)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for chunk in self._chunks(messages):
            yield ChatGenerationChunk(message=chunk)

    def _chunks(self, messages: list[BaseMessage]) -> list[AIMessageChunk]:
        id, line = f"{self.who}-{uuid4()}", self._line(messages)
        if isinstance(line, str):
            return [AIMessageChunk(word, id=id) for word in re.findall(r"\S+\s*", line)]
        name, arguments = line
        pieces = ["", *re.findall(r".{1,8}", json.dumps(arguments))]
        calls = [
            tool_call_chunk(name=None if i else name, args=each, id=None if i else str(uuid4()), index=0)
            for i, each in enumerate(pieces)
        ]
        return [AIMessageChunk("", id=id, tool_call_chunks=[call]) for call in calls]

    def _line(self, messages: list[BaseMessage]) -> Any:
        asked = max((i for i, message in enumerate(messages) if isinstance(message, HumanMessage)), default=0)
        return self.lines[sum((message.id or "").startswith(f"{self.who}-") for message in messages[asked:])]
