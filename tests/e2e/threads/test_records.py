"""Threads that begin with a history, the room that they take, and pruning them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient

from support.keeping import keeping
from support.server import Running

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    async with keeping(tmp_path) as server:
        yield server


def updates(*each: dict[str, Any]) -> dict[str, Any]:
    return {"updates": list(each)}


# supersteps


async def test_a_thread_begins_with_the_history_that_the_sdk_gives_it(server: Running) -> None:
    threads = LangGraphClient(server.http).threads
    thread = await threads.create(
        graph_id="chain",
        supersteps=[
            updates({"values": {"n": ["s0"]}, "as_node": "__input__"}),
            updates({"values": {"n": ["s1"]}, "as_node": "n0"}),
        ],
    )
    assert (thread["status"], thread["values"]) == ("interrupted", {"n": ["s1"]})
    thread_id = thread["thread_id"]
    state = await threads.get_state(thread_id)
    assert (state["next"], len(await threads.get_history(thread_id))) == (["n1"], 2)
    assert await server.ended(await server.run("chain", None, thread_id=thread_id)) == "success"
    assert (await threads.get(thread_id))["values"] == {"n": ["s1", 1, 2]}


async def test_a_history_may_hold_commands(server: Running) -> None:
    steps = [
        updates({"values": {"n": ["in"]}, "as_node": "__start__"}),
        updates({"command": {"update": {"n": ["told"]}, "goto": "n2"}, "as_node": "n0"}),
    ]
    thread = await server.post("/threads", {"metadata": {"graph_id": "chain"}, "supersteps": steps})
    state = await server.get(f"/threads/{thread['thread_id']}/state")
    assert state["values"] == {"n": ["in", "told"]}
    assert "n2" in state["next"]


def chain(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"graph_id": "chain", "supersteps": list(steps)}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"supersteps": [updates({"values": {"n": [1]}})]}, 422, "graph_id"),
        ({**chain(updates({"values": {"n": [1]}})), "graph_id": "nope"}, 422, "graph_id"),
        ({"metadata": {"graph_id": 5}, "supersteps": [updates({})]}, 422, "graph_id"),
        (chain(updates()), 422, "supersteps.0.updates"),
        (chain({}), 422, "supersteps[0].updates"),
        ({**chain(), "supersteps": updates()}, 422, "supersteps"),
        (chain(updates({"command": {"odd": 1}})), 422, "supersteps[0].updates[0].command.odd"),
        (chain(updates({"values": {"n": [1]}, "as_node": "nobody"})), 400, "supersteps"),
        (chain(updates({"values": {"n": 1}, "as_node": "n0"})), 400, "supersteps"),
        (
            chain(updates({"values": {"n": [1]}, "as_node": "n0"}), updates({"values": 7, "as_node": "n1"})),
            400,
            "supersteps",
        ),
    ],
)
async def test_a_thread_that_cannot_have_its_history_is_not_made(
    server: Running, body: dict[str, Any], status: int, field: str
) -> None:
    answer = await server.http.post("/threads", json={"thread_id": NOBODY, **body})
    assert (answer.status_code, answer.json().get("field")) == (status, field), answer.text
    assert await server.post("/threads/count", {}) == 0
    assert (await server.runtime.backend.statistics.metrics()).rows["checkpoints"] == 0
    assert (await server.http.post("/threads", json={"thread_id": NOBODY})).status_code == 200


async def test_a_thread_that_is_there_keeps_its_own_history(server: Running) -> None:
    path = await server.run("chain", {"n": ["own"]})
    await server.ended(path)
    steps = [updates({"values": {"n": ["other"]}, "as_node": "n0"})]
    body = {"thread_id": path.split("/")[2], "graph_id": "chain", "supersteps": steps}
    assert (await server.http.post("/threads", json=body)).status_code == 409
    kept = await server.post("/threads", {**body, "if_exists": "do_nothing"})
    assert kept["values"] == {"n": ["own", 0, 1, 2]}


# storage


async def test_the_room_that_a_thread_takes(server: Running) -> None:
    thread_id = await server.thread()
    empty = await server.get(f"/threads/{thread_id}/storage")
    assert empty == {
        "thread_id": thread_id,
        "total_bytes": 0,
        "checkpoints": {"count": 0, "bytes": 0},
        "channel_values": {"count": 0, "bytes": 0, "by_channel": {}},
        "pending_writes": {"count": 0, "bytes": 0},
    }
    await server.ended(await server.run("chain", {"n": ["in"]}, thread_id=thread_id))
    small = await server.get(f"/threads/{thread_id}/storage")
    assert small["checkpoints"]["count"] == 5
    assert small["channel_values"]["by_channel"]["n"]["versions"] == 4
    assert small["pending_writes"]["count"] > 0
    await server.ended(await server.run("chain", {"n": ["." * 100_000]}, thread_id=thread_id))
    large = await server.get(f"/threads/{thread_id}/storage")
    assert large["channel_values"]["by_channel"]["n"]["bytes"] > 100_000
    parts = [large[part]["bytes"] for part in ("checkpoints", "channel_values", "pending_writes")]
    assert large["total_bytes"] == sum(parts)
    by_channel = large["channel_values"]["by_channel"].values()
    assert large["channel_values"]["count"] == sum(each["versions"] for each in by_channel)
    assert (await server.http.get(f"/threads/{NOBODY}/storage")).status_code == 404


# pruning


async def test_pruning_deletes_threads_or_their_older_checkpoints(server: Running) -> None:
    threads = LangGraphClient(server.http).threads
    paths = [await server.run("chain", {"n": [number]}) for number in range(3)]
    for path in paths:
        await server.ended(path)
    ids = [path.split("/")[2] for path in paths]
    assert await threads.prune([ids[0], NOBODY], strategy="keep_latest") == {"pruned_count": 1}
    assert len(await threads.get_history(ids[0], limit=100)) == 1
    assert (await threads.get(ids[0]))["values"] == {"n": [0, 0, 1, 2]}
    assert await threads.prune([*ids[1:], NOBODY]) == {"pruned_count": 2}
    assert [thread["thread_id"] for thread in await threads.search()] == [ids[0]]


async def test_pruning_a_busy_thread_is_refused_and_touches_none(server: Running) -> None:
    rested = await server.run("chain", {"n": []})
    await server.ended(rested)
    busy = await server.run("sleeper", {"delay": 30})
    ids = [rested.split("/")[2], busy.split("/")[2]]
    answer = await server.http.post("/threads/prune", json={"thread_ids": ids, "strategy": "keep_latest"})
    assert answer.status_code == 409
    assert len(await server.post(f"/threads/{ids[0]}/history", {"limit": 100})) == 5
    assert await server.post("/threads/prune", {"thread_ids": ids}) == {"pruned_count": 2}
