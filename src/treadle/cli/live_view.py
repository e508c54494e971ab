"""Show the events of a run on a terminal as they arrive: tokens, tool calls and results, updates, the end."""

from __future__ import annotations

import json
import re
from typing import Any

from rich.console import Console
from rich.text import Text

from treadle.client.events import (
    CustomEvent,
    EndEvent,
    ErrorEvent,
    GapEvent,
    MessagesEvent,
    MessagesMetadataEvent,
    MessagesTupleEvent,
    MetadataEvent,
    StreamEvent,
    UpdatesEvent,
    ValuesEvent,
)
from treadle.model import JSON

LONGEST = 400  # characters shown of a tool result or an update


class Flow:
    """Write text piece by piece, wrapped at the console's width even if the output is recorded."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._column = 0

    def write(self, text: str, style: str = "") -> None:
        for piece in re.findall(r"\n|[^\S\n]+|\S+", text):
            if piece == "\n":
                self._break()
            elif self._column + len(piece) <= self.console.width:
                self._put(piece, style)
            else:
                self._break()
                self._put(piece.lstrip(), style)

    def line(self, *parts: str | tuple[str, str]) -> None:
        """Print a separate line. Each part is a text or ``(text, style)``."""
        self.end()
        self.console.print(Text.assemble(*parts))

    def end(self) -> None:
        """End the current line unless it is empty."""
        if self._column:
            self._break()

    def _put(self, piece: str, style: str) -> None:
        self.console.print(Text(piece, style=style), end="", soft_wrap=True)
        self._column += len(piece)

    def _break(self) -> None:
        self.console.print()
        self._column = 0


class LiveView:
    """Print the events of a run in any stream mode."""

    def __init__(self, console: Console) -> None:
        self.flow = Flow(console)
        self._speaker: tuple[str | None, bool] | None = None

    def show(self, event: StreamEvent) -> None:
        match event:
            case MessagesTupleEvent(data=(chunk, _)):
                self._message(chunk)
            case MessagesEvent(data=messages) if event.complete:
                for message in messages:
                    self._message(message)
            case MessagesEvent() | MessagesMetadataEvent():
                pass  # each partial repeats the whole message so far
            case UpdatesEvent(data=updates):
                for node, update in updates.items():
                    self._update(node, update)
            case MetadataEvent(data=info):
                self._attempt(info["run_id"], info["attempt"])
            case ValuesEvent(data=state):
                self._block("values", json.dumps(state, indent=2, ensure_ascii=False))
            case CustomEvent(data=data):
                self._block("custom", _compact(data))
            case ErrorEvent():
                self._line((f"{event.error}: ", "bold red"), event.message)
            case GapEvent(data=gap):
                self._line(("gap: ", "bold yellow"), gap["message"])
            case EndEvent():
                self._line(("■ ", _color(event.status)), (event.status.replace("_", " "), _color(event.status)))
            case _:
                self._block("|".join((event.event, *event.namespace)), shorten(_compact(event.data)))

    def _attempt(self, run_id: str, attempt: int) -> None:
        if attempt == 1:
            self._line(("● ", "cyan"), (f"run {run_id}", "dim"))
        else:
            self._line(("● ", "cyan"), (f"attempt {attempt} resumed from the last checkpoint", "bold cyan"))

    def _message(self, message: JSON) -> None:
        if message.get("type") == "tool":
            return self._line(
                ("← ", "green"), (f"{message.get('name') or 'tool'} ", "bold green"), shorten(text_of(message))
            )
        if text := text_of(message):
            self._turn(message, calling=False)
            self.flow.write(text)
        for call in message.get("tool_call_chunks") or _whole_calls(message):
            if call.get("name"):
                self._turn(message, calling=True)
                self.flow.write(f"→ {call['name']} ", "bold magenta")
            self.flow.write(call.get("args") or "", "magenta")
        return None

    def _turn(self, message: JSON, *, calling: bool) -> None:
        """Start a new line for a new message or a tool call."""
        speaker = (message.get("id"), calling)
        if speaker != self._speaker or calling:
            self.flow.end()
        self._speaker = speaker

    def _update(self, node: str, update: Any) -> None:
        if node == "__interrupt__":
            return
        others = {k: v for k, v in update.items() if k != "messages"} if isinstance(update, dict) else update
        self._line(("· ", "dim"), (node, "dim bold"), (f" {shorten(_compact(others))}" if others else "", "dim"))

    def _block(self, name: str, text: str) -> None:
        self._line((f"{name} ", "bold blue"), text)

    def _line(self, *parts: str | tuple[str, str]) -> None:
        self._speaker = None
        self.flow.line(*parts)


def text_of(message: JSON) -> str:
    """The text of a message. Its content is a string or a list of blocks."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(block if isinstance(block, str) else str(block.get("text") or "") for block in content)


def shorten(text: str) -> str:
    """The first LONGEST characters of a text."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _whole_calls(message: JSON) -> list[JSON]:
    """The tool calls of a complete message, in the form of chunks."""
    if message.get("type") != "ai":
        return []
    return [{"name": call["name"], "args": _compact(call["args"])} for call in message.get("tool_calls") or ()]


def _compact(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, default=str)


def _color(status: str) -> str:
    return {"success": "green", "interrupted": "yellow", "rolled_back": "yellow"}.get(status, "bold red")
