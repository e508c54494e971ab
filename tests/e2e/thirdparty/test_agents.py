"""Agents of deepagents, langgraph-supervisor, langgraph-swarm and langchain, loaded from langgraph.json as they are.

Each looks at something, wants to send a message, is stopped for a person's decision and goes on with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient

from support.server import Running, frames, running

pytestmark = [
    # Some of these libraries use what others of them have deprecated.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
PROJECT = Path(__file__).parent / "project"
AGENTS = ["agent", "deep", "supervisor", "swarm"]
LAST = {
    "agent": "I have told her.",
    "deep": "All of it is done.",
    "supervisor": "Both have done their part.",
    "swarm": "Bob has sent it.",
}
INNER = {"agent": set[str](), "deep": {"tools"}, "supervisor": {"scout", "clerk"}, "swarm": {"alice", "bob"}}
"""The nodes under which each runs its sub-agents."""
QUESTION = {"messages": [{"role": "user", "content": "look at the harbour and tell Ada"}]}
SENT = "sent 'all is well' to ada"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, project=PROJECT) as server:
        yield server


async def streamed(server: Running, thread_id: str, graph: str, **asked: Any) -> list[tuple[str, Any]]:
    body = {
        "assistant_id": graph,
        "stream_mode": ["messages-tuple", "updates", "values", "tasks"],
        "stream_subgraphs": True,
        **asked,
    }
    answer = await server.http.post(f"/threads/{thread_id}/runs/stream", json=body)
    assert answer.status_code == 200, answer.text
    return [(frame.event or "", frame.data) for frame in frames(answer.content)]


def spoken(parts: list[tuple[str, Any]]) -> list[str]:
    """The text of each model, joined from its tokens."""
    told: dict[str, str] = {}
    for name, data in parts:
        if name.partition("|")[0] == "messages" and data[0]["type"] == "AIMessageChunk":
            told[data[0]["id"]] = told.get(data[0]["id"], "") + data[0]["content"]
    return [text for text in told.values() if text]


def interrupts(parts: list[tuple[str, Any]]) -> list[Any]:
    """The interrupts of the root, which include those of subagents."""
    found = [each for name, data in parts if name == "updates" for each in data.get("__interrupt__", ())]
    return list({each["id"]: each for each in found}.values())


def tool_results(values: Any) -> list[str]:
    return [message["content"] for message in values["messages"] if message["type"] == "tool"]


@pytest.mark.parametrize("graph", AGENTS)
async def test_it_streams_stops_for_a_person_and_goes_on(tmp_path: Path, graph: str) -> None:
    async def rests(server: Running, thread_id: str, asked: Any) -> None:
        """The thread waits, and its state shows for what, in the sub-agent where it is."""
        thread = await server.get(f"/threads/{thread_id}")
        assert thread["status"] == "interrupted"
        assert [each["id"] for waiting in thread["interrupts"].values() for each in waiting] == [asked["id"]]
        state = await server.get(f"/threads/{thread_id}/state", params={"subgraphs": "true"})
        (task,) = [task for task in state["tasks"] if task["interrupts"]]
        assert task["interrupts"][0]["value"] == asked["value"]
        if graph in ("supervisor", "swarm"):
            assert task["state"]["values"]["messages"]

    async with running(tmp_path, project=PROJECT) as server:
        thread_id = await server.thread()
        parts = await streamed(server, thread_id, graph, input=QUESTION)
        assert not [data for name, data in parts if name == "error"]
        spaces = {space.partition(":")[0] for name, _ in parts for space in name.split("|")[1:]}
        assert spaces >= INNER[graph]
        tokens = [data for name, data in parts if name.partition("|")[0] == "messages"]
        assert len(tokens) > 10
        (asked,) = interrupts(parts)
        (wanted,) = asked["value"]["action_requests"]
        assert (wanted["name"], wanted["args"]) == ("send", {"to": "ada", "text": "all is well"})
        await rests(server, thread_id, asked)
        again = await streamed(server, thread_id, graph, command={"resume": {"decisions": [{"type": "approve"}]}})
        assert not interrupts(again)
        assert spoken(again)[-1] == LAST[graph]
        state = await server.get(f"/threads/{thread_id}/state")
        assert state["next"] == []
        assert state["values"]["messages"][-1]["content"] == LAST[graph]
        thread = await server.get(f"/threads/{thread_id}")
        assert (thread["status"], thread["interrupts"]) == ("idle", {})
        everything = [data for name, data in parts + again if name.partition("|")[0] == "values"]
        assert any(
            SENT in tool_results(values) for values in everything if isinstance(values, dict) and "messages" in values
        )


@pytest.mark.parametrize("graph", AGENTS)
@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        ({"type": "reject", "message": "not now"}, "not now"),
        (
            {"type": "edit", "edited_action": {"name": "send", "args": {"to": "bob", "text": "hello"}}},
            "sent 'hello' to bob",
        ),
    ],
)
async def test_a_person_may_decide_otherwise(server: Running, graph: str, decision: Any, expected: str) -> None:
    thread_id = await server.thread()
    waited = await server.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": graph, "input": QUESTION})
    (asked,) = waited["__interrupt__"]
    assert waited["messages"]
    resume = {"resume": {asked["id"]: {"decisions": [decision]}}}
    parts = await streamed(server, thread_id, graph, command=resume)
    assert not [data for name, data in parts if name == "error"]
    seen = [text for name, data in parts if name.partition("|")[0] == "values" for text in tool_results(data)]
    assert any(expected in text for text in seen)
    assert SENT not in seen
    assert (await server.get(f"/threads/{thread_id}"))["status"] == "idle"


@pytest.mark.parametrize("graph", AGENTS)
async def test_it_waits_for_its_person_across_a_restart(tmp_path: Path, graph: str) -> None:
    async with asyncio.timeout(60):
        async with running(tmp_path, project=PROJECT) as server:
            thread_id = await server.thread()
            await streamed(server, thread_id, graph, input=QUESTION)
        async with running(tmp_path, project=PROJECT) as server:
            assert (await server.get(f"/threads/{thread_id}"))["status"] == "interrupted"
            parts = await streamed(server, thread_id, graph, command={"resume": {"decisions": [{"type": "approve"}]}})
            assert spoken(parts)[-1] == LAST[graph]
            second = await streamed(server, thread_id, graph, input=QUESTION)
            assert len(interrupts(second)) == 1


async def test_a_deep_agent_keeps_its_files_and_its_scout_streams_under_its_own_name(server: Running) -> None:
    thread_id = await server.thread()
    parts = await streamed(server, thread_id, "deep", input=QUESTION)
    state = await server.get(f"/threads/{thread_id}/state")
    assert "/notes.txt" in state["values"]["files"]
    inner = [data[0]["content"] for name, data in parts if name.startswith("messages|tools:")]
    assert "".join(inner).replace("the harbour is fine", "").strip() == "The harbour is fine."


@pytest.mark.parametrize("graph", AGENTS)
async def test_the_official_sdk_drives_it(server: Running, graph: str) -> None:
    client = LangGraphClient(server.http)
    thread_id = (await client.threads.create())["thread_id"]
    asked: dict[str, Any] = {"stream_mode": ["messages-tuple", "updates"], "stream_subgraphs": True}
    parts = [part async for part in client.runs.stream(thread_id, graph, input=QUESTION, **asked)]
    assert any(part.event.partition("|")[0] == "messages" for part in parts)
    state = await client.threads.get_state(thread_id)
    assert len(state["interrupts"]) == 1
    command: Any = {"resume": {"decisions": [{"type": "approve"}]}}
    final: Any = await client.runs.wait(thread_id, graph, command=command)
    assert final["messages"][-1]["content"] == LAST[graph]
    drawn = await client.assistants.get_graph(graph, xray=True)
    assert len(drawn["nodes"]) > 3
    assert (await client.assistants.get_schemas(graph))["input_schema"]
    assert len(await client.threads.get_history(thread_id, limit=50)) > 3
