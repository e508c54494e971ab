"""The demonstration of ``treadle demo``: kill the server during a run, resume it, and check the result."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

import httpx
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from treadle import demo as project
from treadle.cli import report
from treadle.cli.live_view import LiveView, text_of
from treadle.cli.server_process import EMBEDDED, ServerDied, ServerProcess, free_port
from treadle.client import Client
from treadle.client.calls import EVENTS_HEADER, FROM_START
from treadle.client.events import EndEvent, EventDecoder, MessagesTupleEvent, MetadataEvent, StreamEvent, UpdatesEvent
from treadle.errors import TreadleError
from treadle.http.console import is_built
from treadle.model import JSON, StreamMode
from treadle.sse import Decoder, Frame, parse_event_id

CONFIG = Path(project.__file__).parent / "langgraph.json"
GRAPH = "cars"
QUESTION = "Which part of the world built the most economical cars from 1970 to 1982, and which three were best?"
MODES: tuple[StreamMode, ...] = ("messages-tuple", "updates")
TOKENS_BEFORE_KILL = 12  # of the answer: late enough to show the break, well before the end
DOWN_SECONDS = 0.7  # time without a server, long enough that the client has to retry more than once


class Check(NamedTuple):
    claim: str
    passed: bool
    observed: str


class Demonstration:
    """One demonstration: the server process, the client's stream and its events."""

    def __init__(self, console: Console, data: Path) -> None:
        self.console = console
        self.view = LiveView(console)
        self.server = ServerProcess(
            [f"--config={CONFIG}", f"--data={data}", *EMBEDDED, f"--port={free_port()}", "--log-level=warning"],
            log=data / "server.log",
        )
        self.url = ""
        self.thread_id = ""
        self.run_id = ""
        self.events: list[StreamEvent] = []
        self._tool_results = 0
        self._answer_tokens = 0
        self._killed: int | None = None
        self._restart: threading.Thread | None = None

    def play(self) -> list[Check]:
        """Play the whole demonstration and return its checks. The server is left running."""
        self.url = url = self.server.start()
        console = f" Web console: {url}/console" if is_built() else ""
        self._say(" 1 ", f"A server, process {self.server.pid}, serves an agent at {url}. {_model_note()}{console}")
        with Client(url) as client:
            self._stream(client)
            self._say(" 5 ", "The run has ended. The thread's messages, and the checks:")
            return list(self._checks(client, url))

    def stay(self) -> None:
        """Keep the server running until Ctrl-C, so that the run can be inspected in a browser."""
        page = f"{self.url}/console/threads/{self.thread_id}/runs/{self.run_id}"
        self.console.print("\nInspect this run in the web console, or start others there; Ctrl-C ends the demo:")
        self.console.print(f"[bold]{page}[/]", soft_wrap=True)
        with suppress(KeyboardInterrupt):
            while self.server.exit_code() is None:
                threading.Event().wait(0.5)

    def end(self) -> None:
        if self._restart:
            self._restart.join()
        self.server.stop()

    def _stream(self, client: Client) -> None:
        self.thread_id = client.threads.create().thread_id
        self._say(" 2 ", f"A client starts a run and streams it. The question: [italic]{QUESTION}[/]")
        question = {"messages": [{"role": "user", "content": QUESTION}]}
        for event in client.runs.stream(self.thread_id, GRAPH, input=question, stream_mode=MODES):
            self.events.append(event)
            self._announce_resume(event)
            self.view.show(event)
            if self._killed is None and self._is_in_answer(event):
                self._kill()
        self.view.flow.end()

    def _is_in_answer(self, event: StreamEvent) -> bool:
        """True once the model has used a tool and streamed TOKENS_BEFORE_KILL tokens of its answer."""
        match event:
            case MessagesTupleEvent(data=({"type": "tool"}, _)):
                self._tool_results += 1
                self._answer_tokens = 0
            case MessagesTupleEvent(data=(chunk, _)) if self._tool_results:
                calls = bool(chunk.get("tool_call_chunks"))
                self._answer_tokens = 0 if calls else self._answer_tokens + bool(text_of(chunk))
            case UpdatesEvent():
                self._answer_tokens = 0
            case _:
                pass
        return self._answer_tokens >= TOKENS_BEFORE_KILL

    def _kill(self) -> None:
        self._killed = self.server.pid
        self.server.kill()
        self.view.flow.end()
        self._say(
            " 3 ",
            f"[bold red]kill -9 {self._killed}[/]: the server dies in the middle of the answer. The client retries.",
        )
        self._restart = threading.Thread(target=self._restart_server, daemon=True)
        self._restart.start()

    def _restart_server(self) -> None:
        threading.Event().wait(DOWN_SECONDS)
        self.server.spawn()

    def _announce_resume(self, event: StreamEvent) -> None:
        match event:
            case MetadataEvent(data={"attempt": attempt}) if attempt > 1:
                self.view.flow.end()
                self._say(
                    " 4 ",
                    f"A new server, process {self.server.pid}, resumed the run, and the same stream continues after "
                    f"event {_seq(event) - 1}. The tool results were kept. The interrupted model call starts over: "
                    "node code runs at least once.",
                )
            case MetadataEvent(data={"run_id": run_id}):
                self.run_id = run_id
            case _:
                pass

    def _checks(self, client: Client, url: str) -> Iterator[Check]:
        seqs = [_seq(event) for event in self.events]
        yield Check(
            "every event arrived once and in order, across the crash",
            seqs == list(range(1, len(seqs) + 1)),
            f"{len(seqs)} events, numbered {seqs[0]} to {seqs[-1]}",
        )
        attempts = [event.data["attempt"] for event in self.events if isinstance(event, MetadataEvent)]
        yield Check("a second process resumed the run", attempts == [1, 2], f"attempts {attempts}")
        last = self.events[-1]
        status = last.status if isinstance(last, EndEvent) else "no end"
        yield Check("the last event of the stream reports success", status == "success", f"end: {status}")
        thread = client.threads.get(self.thread_id)
        self.console.print(_conversation(thread.values))
        yield Check("the thread is idle", thread.status == "idle", thread.status)
        questions = [m for m in _messages(thread.values) if m.get("type") == "human"]
        yield Check("the input was applied once", len(questions) == 1, f"{len(questions)} question in the state")
        yield self._replay(url)

    def _replay(self, url: str) -> Check:
        """Replay the whole stream twice; compare the bytes of both and the events with those received live."""
        first, second = (self._read_stream(url) for _ in range(2))
        decoder: EventDecoder[JSON, Any, Any] = EventDecoder()
        replayed = [decoder.decode(frame) for frame in _frames(first)]
        same = first == second and replayed == self.events
        return Check("replays are identical, byte for byte", same, f"{len(first):,} bytes, {len(replayed)} events")

    def _read_stream(self, url: str) -> bytes:
        path = f"{url}/threads/{self.thread_id}/runs/{self.run_id}/stream"
        headers = {**EVENTS_HEADER, "last-event-id": FROM_START}
        return httpx.get(path, headers=headers, timeout=10, trust_env=False).raise_for_status().content

    def _say(self, number: str, text: str) -> None:
        note = Table.grid(padding=(0, 1))
        note.add_row(Text(number, style="bold black on cyan"), text)
        self.console.print(Padding(note, (1, 0)))


def present(console: Console, *, stay: bool = False) -> bool:
    """Play the demonstration on ``console``. True if every check passed; then ``stay`` keeps the server running."""
    with tempfile.TemporaryDirectory(prefix="treadle-demo-") as directory:
        demonstration = Demonstration(console, Path(directory))
        try:
            checks = demonstration.play()
            passed = _conclude(console, checks)
            if passed and stay:
                demonstration.stay()
            return passed
        except ServerDied as error:
            report.fail(error.detail, details=error.log)
        except TreadleError as error:
            report.fail(error.detail, details=demonstration.server.logged())
        finally:
            demonstration.end()


def _conclude(console: Console, checks: list[Check]) -> bool:
    console.print(_check_table(checks))
    passed = all(check.passed for check in checks)
    next_step = (
        "For your own graphs, run [bold]treadle dev[/] next to your langgraph.json and open "
        "[bold]http://127.0.0.1:2024/console[/]."
    )
    console.print(f"\n{next_step if passed else '[bold red]A check failed.[/]'}")
    return passed


def _model_note() -> str:
    if os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL"):
        return "It uses the model that your environment configures."
    return "Its model is scripted but works with real tool results; set OPENAI_API_KEY to use a real model."


def _conversation(values: Any) -> Table:
    """The messages of the final state."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("message", style="bold", no_wrap=True, min_width=16)
    table.add_column("content")
    for message in _messages(values):
        calls = [f"→ {call['name']} {json.dumps(call['args'])}" for call in message.get("tool_calls") or ()]
        is_result = message["type"] == "tool"
        sender = f"tool {message['name']}" if is_result else str(message["type"])
        content = "\n".join(filter(None, (text_of(message).strip(), *calls)))
        table.add_row(sender, Text(content, no_wrap=is_result, overflow="ellipsis" if is_result else "fold"))
    return table


def _check_table(checks: list[Check]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        verdict = Text("✓", style="bold green") if check.passed else Text("✗", style="bold red")
        table.add_row(verdict, check.claim, Text(check.observed, style="dim"))
    return table


def _messages(values: Any) -> list[JSON]:
    return cast("list[JSON]", values["messages"]) if isinstance(values, dict) else []


def _frames(stream: bytes) -> list[Frame]:
    return Decoder().feed(stream)


def _seq(event: StreamEvent) -> int:
    """The seq of an event; 0 if it has none."""
    return (parse_event_id(event.id or "") or (0, 0))[1]
