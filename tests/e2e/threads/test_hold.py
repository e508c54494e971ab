"""While the state of a thread is being updated no run of it starts, and nothing holds a thread for good."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.keeping import Ahead, keeping
from support.server import Running

PROJECT = Path(__file__).parent / "project"


@asynccontextmanager
async def serving(data: Path, clock: Ahead | None = None) -> AsyncIterator[Running]:
    async with keeping(data, project=PROJECT, clock=clock, poll_seconds=0.05) as server:
        yield server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    async with serving(tmp_path) as server:
        yield server


def gates() -> Any:
    module = sys.modules["gated_graphs"]
    module.updating.clear()
    module.may_update.clear()
    return module


async def updating(server: Running, thread_id: str, gate: Any) -> asyncio.Task[Any]:
    """An update that has got to the graph, and waits there."""
    body = {"values": {"log": ["update"]}, "as_node": "work"}
    task = asyncio.create_task(server.http.post(f"/threads/{thread_id}/state", json=body))
    assert await asyncio.to_thread(gate.updating.wait, 10)
    return task


async def claims(server: Running) -> int:
    return (await server.runtime.backend.statistics.metrics()).claims


async def looked(server: Running, times: int = 3) -> None:
    """The worker has looked for runs that often."""
    seen = server.runtime.backend.queue
    for _ in range(times):
        assert (await seen.claim("somebody-else", 1)).claims == []


async def test_a_run_that_comes_during_an_update_starts_after_it(server: Running) -> None:
    gate = gates()
    thread_id = (await server.post("/threads", {"metadata": {"graph_id": "gated"}}))["thread_id"]
    update = await updating(server, thread_id, gate)
    path = await server.run("gated", {"log": ["input"]}, thread_id=thread_id)
    await looked(server)
    assert (await server.get(path))["status"] == "pending"
    assert await claims(server) == 0
    gate.may_update.set()
    assert (await update).status_code == 200
    assert await server.ended(path) == "success"
    state = await server.get(f"/threads/{thread_id}/state")
    assert state["values"] == {"log": ["update", "input", "run"]}
    assert (await server.get(f"/threads/{thread_id}"))["status"] == "idle"


async def test_other_threads_are_not_held(server: Running) -> None:
    gate = gates()
    thread_id = (await server.post("/threads", {"metadata": {"graph_id": "gated"}}))["thread_id"]
    update = await updating(server, thread_id, gate)
    assert await server.ended(await server.run("teller", {"count": 1})) == "success"
    gate.may_update.set()
    assert (await update).status_code == 200


async def test_updates_of_one_thread_come_one_after_the_other(server: Running) -> None:
    gate = gates()
    thread_id = (await server.post("/threads", {"metadata": {"graph_id": "gated"}}))["thread_id"]
    first = await updating(server, thread_id, gate)
    body = {"values": {"log": ["second"]}, "as_node": "work"}
    second = asyncio.create_task(server.http.post(f"/threads/{thread_id}/state", json=body))
    gate.may_update.set()
    assert [(await each).status_code for each in (first, second)] == [200, 200]
    assert (await server.get(f"/threads/{thread_id}/state"))["values"] == {"log": ["update", "second"]}
    assert (await server.get(f"/threads/{thread_id}"))["values"] == {"log": ["update", "second"]}


async def test_an_update_that_fails_lets_go(server: Running) -> None:
    gates().may_update.set()
    thread_id = (await server.post("/threads", {"metadata": {"graph_id": "gated"}}))["thread_id"]
    for body in ({"values": {"log": ["x"]}, "as_node": "nobody"}, {"values": {"log": 1}, "as_node": "work"}):
        answer = await server.http.post(f"/threads/{thread_id}/state", json=body)
        assert answer.status_code == 400, answer.text
        assert await server.ended(await server.run("gated", {}, thread_id=thread_id)) == "success"


async def test_an_update_of_a_busy_thread_is_refused_and_leaves_its_runs_alone(server: Running) -> None:
    path = await server.run("teller", {"forever": True})
    thread_id = path.split("/")[2]
    answer = await server.http.post(f"/threads/{thread_id}/state", json={"values": {}})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    await server.http.post(f"{path}/cancel?wait=1")
    assert await server.ended(await server.run("teller", {"forever": False}, thread_id=thread_id)) == "success"


async def test_a_hold_runs_out(tmp_path: Path) -> None:
    clock = Ahead()
    async with serving(tmp_path, clock) as server:
        thread_id = await server.thread()
        records = server.runtime.backend.records
        held = await records.transact(lambda tx: tx.hold_thread(thread_id, 60))
        assert held is not None
        assert await records.transact(lambda tx: tx.hold_thread(thread_id, 60)) is None
        path = await server.run("teller", {}, thread_id=thread_id)
        await looked(server)
        clock.minutes(2)
        assert await server.ended(path) == "success"
        await records.transact(lambda tx: tx.release_thread(thread_id, held))


async def test_a_hold_dies_with_its_process(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        thread_id = await server.thread()
        await server.runtime.backend.records.transact(lambda tx: tx.hold_thread(thread_id, 3600))
        path = await server.run("teller", {}, thread_id=thread_id)
    async with serving(tmp_path) as server:
        assert await server.ended(path) == "success"


async def test_only_the_holder_lets_go(server: Running) -> None:
    thread_id = await server.thread()
    records = server.runtime.backend.records
    held = await records.transact(lambda tx: tx.hold_thread(thread_id, 60))
    assert held is not None
    await records.transact(lambda tx: tx.release_thread(thread_id, held - 1))
    assert await records.transact(lambda tx: tx.hold_thread(thread_id, 60)) is None
    await records.transact(lambda tx: tx.release_thread(thread_id, held))
    assert await records.transact(lambda tx: tx.hold_thread(thread_id, 60)) is not None
