"""A thread whose graph refused what was written to it can be read in every way, and written to again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.keeping import keeping
from support.server import Running

PROJECT = Path(__file__).parent / "project"
TOLD = ("values", "next")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    async with keeping(tmp_path, project=PROJECT, poll_seconds=0.05) as server:
        yield server


async def run(server: Running, thread_id: str, graph: str, input: Any = None, **more: Any) -> Any:
    return await server.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": graph, "input": input, **more})


async def read_everything(server: Running, thread_id: str) -> Any:
    """The state of the thread, after every way to read it was gone: each answers a 200, or this fails."""
    path = f"/threads/{thread_id}"
    state = await server.get(f"{path}/state")
    deep = await server.get(f"{path}/state", params={"subgraphs": "true"})
    at = {"checkpoint": {"checkpoint_ns": ""}, "subgraphs": True}
    assert await server.post(f"{path}/state/checkpoint", at) == deep
    history = await server.post(f"{path}/history", {"limit": 20})
    assert await server.get(f"{path}/history", params={"limit": 20}) == history
    assert history[0]["checkpoint_id"] == state["checkpoint_id"]
    for each in history:
        found = await server.get(f"{path}/state/{each['checkpoint_id']}")
        assert [found[part] for part in TOLD] == [each[part] for part in TOLD]
        await server.get(f"{path}/state/{each['checkpoint_id']}", params={"subgraphs": "true"})
    assert (await server.get(path))["values"] == state["values"]
    searched = await server.post("/threads/search", {"ids": [thread_id], "extract": {"first": "values.log[0]"}})
    assert searched[0]["values"] == state["values"]
    copy = (await server.post(f"{path}/copy", None))["thread_id"]
    copied = await server.get(f"/threads/{copy}/state")
    assert [copied[part] for part in TOLD] == [state[part] for part in TOLD]
    return state


@pytest.mark.parametrize(
    ("graph", "input", "values", "next"),
    [
        ("chat", {"messages": 5}, {"messages": []}, ["__start__"]),
        ("asking", {"log": 5}, {"log": []}, ["__start__"]),
        ("numbering", {"log": ["in"]}, {"log": ["in"]}, ["number"]),
        ("clashing", {"log": ["in"]}, {"log": ["in"]}, ["a", "b"]),
        ("asking_beside", {"log": ["in"]}, {"log": ["in"]}, ["number", "ask"]),
    ],
)
async def test_what_a_graph_refused_is_left_out_of_its_state(
    server: Running, graph: str, input: Any, values: Any, next: list[str]
) -> None:
    thread_id = await server.thread()
    assert "__error__" in await run(server, thread_id, graph, input)
    state = await read_everything(server, thread_id)
    assert (state["values"], state["next"]) == (values, next)
    assert (await server.get(f"/threads/{thread_id}"))["status"] == "error"


async def test_a_question_beside_a_refused_output_is_told(server: Running) -> None:
    thread_id = await server.thread()
    await run(server, thread_id, "asking_beside", {"log": []})
    state = await read_everything(server, thread_id)
    assert [each["value"] for each in state["interrupts"]] == ["what?"]


async def test_a_refused_output_in_a_sub_graph_hides_neither_it_nor_its_parent(server: Running) -> None:
    thread_id = await server.thread()
    await run(server, thread_id, "parent", {"log": ["in"]})
    await read_everything(server, thread_id)
    state = await server.get(f"/threads/{thread_id}/state", params={"subgraphs": "true"})
    assert (state["values"], state["next"]) == ({"log": ["in"]}, ["inner"])
    inner = state["tasks"][0]["state"]
    assert (inner["values"], inner["next"]) == ({"log": ["in"]}, ["number", "ask"])


async def test_the_refused_update_of_a_command_hides_neither_the_state_nor_the_history(server: Running) -> None:
    thread_id = await server.thread()
    await run(server, thread_id, "asking", {"log": ["in"]})
    assert "__error__" in await run(server, thread_id, "asking", command={"update": {"log": 5}})
    state = await read_everything(server, thread_id)
    assert (state["values"], state["next"]) == ({"log": ["in"]}, ["ask"])
    assert [each["value"] for each in state["interrupts"]] == ["what?"]


async def test_in_a_history_only_the_state_with_a_refused_update_is_without_it(server: Running) -> None:
    thread_id = await server.thread()
    await run(server, thread_id, "asking", {"log": ["in"]})
    await run(server, thread_id, "asking", command={"update": {"log": 5}})
    await server.post(f"/threads/{thread_id}/state", {"values": {"log": ["mended"]}})
    command = {"update": {"log": ["more"]}, "resume": "answer"}
    answer = await run(server, thread_id, "asking", command=command)
    assert answer["log"] == ["in", "mended", "more", "answer"]
    await read_everything(server, thread_id)
    history = await server.post(f"/threads/{thread_id}/history", {"limit": 20})
    logs = [each["values"]["log"] for each in history]
    assert logs == [["in", "mended", "more", "answer"], ["in", "mended", "more"], ["in"], []]


@pytest.mark.parametrize("way", ["state", "input"])
async def test_a_thread_goes_on_after_a_refused_input(server: Running, way: str) -> None:
    thread_id = await server.thread()
    await run(server, thread_id, "chat", {"messages": 5})
    if way == "state":
        await server.post(f"/threads/{thread_id}/state", {"values": {"messages": "hi"}, "as_node": "__start__"})
    answer = await run(server, thread_id, "chat", {"messages": "hi"} if way == "input" else None)
    assert [each["content"] for each in answer["messages"]] == ["hi", "x"]
    assert (await server.get(f"/threads/{thread_id}"))["status"] == "idle"


@pytest.mark.parametrize("body", [{"values": None, "as_node": "__end__"}, {"values": {"messages": 5}}])
async def test_a_state_that_the_graph_refuses_is_a_400(server: Running, body: Any) -> None:
    thread_id = await server.thread()
    await run(server, thread_id, "chat", {"messages": 5})
    answer = await server.http.post(f"/threads/{thread_id}/state", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert "Unsupported message type" in answer.json()["detail"]
