"""Graphs to talk with: they ask, call tools, pass work on to others, and say what they say token by token."""

from __future__ import annotations

import asyncio
import operator
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Annotated, Any, TypedDict

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool, tool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import interrupt

Turn = Callable[[Sequence[BaseMessage]], AIMessage]


class Speaker(BaseChatModel):
    """Says what ``turn`` makes of the conversation so far, in tokens."""

    turn: Turn
    token_seconds: float = 0.03

    @property
    def _llm_type(self) -> str:
        return "speaker"

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], **kwargs: Any
    ) -> Runnable[Any, AIMessage]:
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self.turn(messages))])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in pieces(self.turn(messages)):
            await asyncio.sleep(self.token_seconds)
            yield ChatGenerationChunk(message=chunk)


def pieces(message: AIMessage) -> Iterator[AIMessageChunk]:
    """A message as models stream it: word by word, then its tool calls, their arguments cut, then what it cost."""
    for token in re.findall(r"\S+\s*|\s+", str(message.text)):
        yield AIMessageChunk(content=token)
    for index, call in enumerate(message.tool_calls):
        arguments = str(call["args"]).replace("'", '"')
        yield AIMessageChunk(
            content="", tool_call_chunks=[tool_call_chunk(name=call["name"], args="", id=call["id"], index=index)]
        )
        for piece in re.findall(r".{1,10}", arguments):
            yield AIMessageChunk(content="", tool_call_chunks=[tool_call_chunk(args=piece, index=index)])
    words = len(str(message.text).split())
    yield AIMessageChunk(
        content="", usage_metadata={"input_tokens": 42, "output_tokens": words, "total_tokens": 42 + words}
    )


def last(messages: Sequence[BaseMessage]) -> str:
    return next((str(message.text) for message in reversed(messages) if message.type == "human"), "")


def echo(messages: Sequence[BaseMessage]) -> AIMessage:
    said = last(messages)
    many = re.search(r"\d+", said)
    words = " ".join(f"word{number}" for number in range(int(many.group()))) if many else ""
    return AIMessage(f"You said: **{said}** {words}".strip())


class Talk(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


_echo = Speaker(turn=echo)


async def reply(state: Talk) -> dict[str, Any]:
    return {"messages": [await _echo.ainvoke(state["messages"])]}


_parrot = StateGraph(Talk)
_parrot.add_node("reply", reply)
_parrot.add_edge(START, "reply")
_parrot.add_edge("reply", END)
parrot = _parrot.compile()


@tool
async def send_mail(to: str, subject: str) -> str:
    """Sends a mail."""
    return f"sent to {to}: {subject}"


@tool
async def delete_file(path: str) -> str:
    """Deletes a file."""
    return f"deleted {path}"


def clerk_turn(messages: Sequence[BaseMessage]) -> AIMessage:
    answered = [message for message in messages if message.type == "tool"]
    if answered:
        return AIMessage("Done. " + " ".join(f"({message.text})" for message in answered))
    calls: list[Any] = [
        {"name": "send_mail", "args": {"to": "ada@example.org", "subject": "Looms"}, "id": f"mail_{len(messages)}"}
    ]
    if "both" in last(messages):
        calls.append({"name": "delete_file", "args": {"path": "/tmp/draft"}, "id": f"file_{len(messages)}"})
    return AIMessage("I will see to it.", tool_calls=calls)


clerk = create_agent(
    Speaker(turn=clerk_turn, token_seconds=0.01),
    [send_mail, delete_file],
    middleware=[
        HumanInTheLoopMiddleware(
            interrupt_on={
                "send_mail": {"allowed_decisions": ["approve", "edit", "reject", "respond"]},
                "delete_file": {"allowed_decisions": ["approve", "reject"]},
            }
        )
    ],
)


def researcher_turn(messages: Sequence[BaseMessage]) -> AIMessage:
    if any(message.type == "tool" for message in messages):
        return AIMessage("The loom is older than the wheel, as far as we know.")
    return AIMessage(
        "Let me look that up.",
        tool_calls=[{"name": "look_up", "args": {"term": "loom"}, "id": f"look_{len(messages)}"}],
    )


@tool
async def look_up(term: str) -> str:
    """Looks a term up."""
    await asyncio.sleep(0.1)
    return f"{term}: a device for weaving"


researcher = create_agent(Speaker(turn=researcher_turn, token_seconds=0.1), [look_up], name="researcher")


@tool
async def research(question: str) -> str:
    """Asks the researcher."""
    answer = await researcher.ainvoke({"messages": [("user", question)]})
    return str(answer["messages"][-1].text)


def editor_turn(messages: Sequence[BaseMessage]) -> AIMessage:
    found = [message for message in messages if message.type == "tool"]
    if found:
        return AIMessage(f"The researcher says: {found[-1].text}")
    return AIMessage(
        "I pass this on. ",
        tool_calls=[
            {"name": "research", "args": {"question": "How old is the loom?"}, "id": f"research_{len(messages)}"}
        ],
    )


team = create_agent(Speaker(turn=editor_turn), [research], name="editor")


class Asked(TypedDict):
    log: Annotated[list[str], operator.add]


def asks(name: str, question: Any) -> Any:
    async def node(state: Asked) -> dict[str, Any]:
        return {"log": [f"{name}: {interrupt(question)}"]}

    return node


async def end(state: Asked) -> dict[str, Any]:
    return {"log": ["end"]}


_pair = StateGraph(Asked)
_pair.add_node("left", asks("left", "What is on the left?"))
_pair.add_node("right", asks("right", {"question": "How many on the right?", "default": 3}))
_pair.add_node("end", end)
_pair.add_edge(START, "left")
_pair.add_edge(START, "right")
_pair.add_edge(["left", "right"], "end")
_pair.add_edge("end", END)
pair = _pair.compile()


class Numbers(TypedDict):
    numbers: Annotated[list[int], operator.add]
    note: str


def step(number: int) -> Any:
    async def node(state: Numbers) -> dict[str, Any]:
        return {"numbers": [number]}

    return node


_count = StateGraph(Numbers)
_count.add_sequence([("one", step(1)), ("two", step(2)), ("three", step(3))])
_count.add_edge(START, "one")
count = _count.compile()


class Wide(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    note: str


async def show(state: Wide) -> dict[str, Any]:
    """What models may say besides text: thoughts, pictures, files."""
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FABJADveWkH6oAAAAAElFTkSuQmCC"
    content: Any = [
        {"type": "reasoning", "reasoning": "A picture says more than words."},
        {
            "type": "text",
            "text": "Here it is:\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```py\nprint('<b>no html</b>')\n```",
        },
        {"type": "image", "base64": pixel, "mime_type": "image/png"},
        {"type": "file", "url": "https://example.org/a.pdf", "mime_type": "application/pdf"},
    ]
    message = AIMessage(content, usage_metadata={"input_tokens": 10, "output_tokens": 20, "total_tokens": 30})
    return {"messages": [message], "note": "shown"}


_media = StateGraph(Wide)
_media.add_node("show", show)
_media.add_edge(START, "show")
_media.add_edge("show", END)
media = _media.compile()
