"""Replays recorded scenarios against the graph layer and writes both sides in one canonical form.

The transcripts hold the official server's events for the graphs of tests/support/graphs/golden.py, with placeholders
for values that differ from run to run. The run gets the same additions to its config as on that server. Only the
version of langchain in the metadata of messages is ignored, because it depends on the installed packages.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import msgspec
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from support.graphs import golden
from treadle.graph.encode import describe_error
from treadle.graph.state import read_history, read_state, update_state
from treadle.graph.stream import GraphResult, Invocation, stream
from treadle.model import Command

TRANSCRIPTS = Path(__file__).parent / "graph"
GRAPHS = {
    name: getattr(golden, spec.rpartition(":")[2])
    for name, spec in json.loads((Path(golden.__file__).parent / "langgraph.json").read_text())["graphs"].items()
}

_VOLATILE = re.compile(
    r"<(?:uuid|hex):\d+>|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b"
)
_TIME = re.compile(r"<ts:\d+>|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00")


def canonical(value: Any) -> Any:
    """``value`` with ids numbered in order of appearance, times made equal, and nothing of what is installed."""
    seen: dict[str, str] = {}
    text = json.dumps(value, sort_keys=True).replace('"<ms>"', "0")
    text = re.sub(r'"lc_versions": \{[^}]*\}', '"lc_versions": {}', text)
    text = _VOLATILE.sub(lambda match: seen.setdefault(match.group(), f"<{len(seen)}>"), text)
    return json.loads(_TIME.sub("<ts>", text))


class Replay:
    """One scenario: runs on named threads over one saver."""

    def __init__(self) -> None:
        self.saver = InMemorySaver()
        self.store = InMemoryStore()
        self.threads: dict[str, str] = {}
        self.graph_of: dict[str, str] = {}
        self.interrupts: list[str] = []
        self.assistants: dict[str, str] = {}

    def thread(self, path: str) -> str:
        """The thread that a recorded path names; a fresh one for a stateless run."""
        found = re.match(r"/threads/([^/]+)/", path)
        return self.threads.setdefault(found.group(1), str(uuid4())) if found else str(uuid4())

    def invocation(self, thread_id: str, body: dict[str, Any]) -> Invocation:
        body = self.with_interrupts(body)
        graph_id = str(body["assistant_id"])
        modes = body.get("stream_mode") or ["values"]
        command = body.get("command")
        run_id = str(uuid4())
        assistant_id = str(uuid5(UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8"), graph_id))
        return Invocation(
            input=body.get("input"),
            command=None if command is None else msgspec.convert(command, Command),
            config={
                "configurable": {
                    "langgraph_auth_user": None,
                    "langgraph_auth_user_id": "",
                    "langgraph_auth_permissions": [],
                    "langgraph_request_id": str(uuid4()),
                    "__request_start_time_ms__": 0,
                    "__after_seconds__": 0,
                    "run_id": run_id,
                    "thread_id": thread_id,
                    "graph_id": graph_id,
                    "assistant_id": assistant_id,
                    "user_id": "",
                },
                "metadata": {
                    "created_by": "system",
                    "graph_id": graph_id,
                    "assistant_id": assistant_id,
                    "run_attempt": 1,
                    "langgraph_version": "1.2.22",
                    "langgraph_api_version": "0.16.7",
                    "langgraph_plan": "enterprise",
                    "langgraph_host": "self-hosted",
                    "langgraph_api_url": "http://127.0.0.1:31777",
                },
            },
            context=body.get("context"),
            modes=[modes] if isinstance(modes, str) else modes,
            subgraphs=body.get("stream_subgraphs", False),
            interrupt_before=body.get("interrupt_before"),
            interrupt_after=body.get("interrupt_after"),
        )

    async def run(self, path: str, body: dict[str, Any]) -> tuple[list[list[Any]], GraphResult, dict[str, str] | None]:
        """``([[event, data], …], result, error)`` of one recorded run."""
        thread_id = self.thread(path)
        invocation = self.invocation(thread_id, body)
        self.graph_of[thread_id] = str(body["assistant_id"])
        events: list[list[Any]] = [["metadata", {"run_id": invocation.config["configurable"]["run_id"], "attempt": 1}]]
        result, error = GraphResult(), None
        graph = GRAPHS[str(body["assistant_id"])]
        try:
            async for parts in stream(graph, invocation, saver=self.saver, store=self.store, result=result):
                events.extend([f"{mode}|{ns}" if ns else mode, json.loads(data)] for mode, ns, data in parts)
        except Exception as raised:
            error = describe_error(raised)
            events.append(["error", error])
        for each in result.wait_interrupts:
            if each["id"] not in self.interrupts:
                self.interrupts.append(each["id"])
        return events, result, error

    def with_interrupts(self, body: dict[str, Any]) -> dict[str, Any]:
        """A recorded request with the ids of this replay's interrupts in place of ``<hex:N>``."""
        text = json.dumps(body)
        for index, interrupt in enumerate(self.interrupts, 1):
            text = text.replace(f"<hex:{index}>", interrupt)
        return json.loads(text)

    async def state(self, path: str) -> Any:
        thread_id = self.thread(path)
        return _wire(await read_state(self.graph(thread_id), self.at(thread_id), self.saver, self.store))

    async def history(self, path: str, **given: Any) -> Any:
        thread_id = self.thread(path)
        return _wire(await read_history(self.graph(thread_id), self.at(thread_id), self.saver, self.store, **given))

    async def update(self, path: str, *, values: Any, as_node: str | None) -> Any:
        thread_id = self.thread(path)
        config = {**self.at(thread_id), "metadata": {"graph_id": self.graph_of[thread_id]}}
        graph = self.graph(thread_id)
        return await update_state(graph, config, self.saver, self.store, values=values, as_node=as_node)

    def graph(self, thread_id: str) -> Any:
        return GRAPHS[self.graph_of[thread_id]]

    def at(self, thread_id: str) -> Any:
        return {"configurable": {"thread_id": thread_id}}


def _wire(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))
