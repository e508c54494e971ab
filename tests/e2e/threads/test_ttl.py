"""Threads go, or lose their older checkpoints, when nothing has changed on them for as long as their ttl says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient

from support.keeping import Ahead, keeping, project_with
from support.server import Running

QUICK_SWEEP = {"sweep_interval_minutes": 0.0005}


@pytest.fixture
def clock() -> Ahead:
    return Ahead()


@asynccontextmanager
async def serving(tmp_path: Path, clock: Ahead, **ttl: Any) -> AsyncIterator[Running]:
    project = project_with(tmp_path / "project", checkpointer={"ttl": {**QUICK_SWEEP, **ttl}})
    async with keeping(tmp_path / "data", project=project, clock=clock) as server:
        yield server


@pytest.fixture
async def server(tmp_path: Path, clock: Ahead) -> AsyncIterator[Running]:
    async with serving(tmp_path, clock) as server:
        yield server


async def gone(server: Running, thread_id: str) -> None:
    """The sweeper removes it, in a while."""
    async with asyncio.timeout(10):
        while (await server.http.get(f"/threads/{thread_id}")).status_code != 404:
            await server.http.get("/ok")


async def swept(server: Running) -> None:
    """All that has expired by now is dealt with."""
    while await server.runtime.backend.queue.expire_threads():
        pass


async def ttl(server: Running, thread_id: str) -> Any:
    return (await server.get(f"/threads/{thread_id}?include=ttl"))["ttl"]


async def history(server: Running, thread_id: str) -> list[Any]:
    return await server.post(f"/threads/{thread_id}/history", {"limit": 100})


async def test_a_thread_goes_when_its_time_is_over_with_all_it_has(server: Running, clock: Ahead) -> None:
    made = await server.post("/threads", {"ttl": {"ttl": 10}})
    stays = await server.thread()
    thread_id = made["thread_id"]
    assert "ttl" not in made
    assert "ttl" not in await server.get(f"/threads/{thread_id}")
    path = await server.run("chain", {"n": ["in"]}, thread_id=thread_id)
    await server.ended(path)
    said = await ttl(server, thread_id)
    assert (said["strategy"], said["ttl_minutes"]) == ("delete", 10)
    assert said["expires_at"] > (await server.get(f"/threads/{thread_id}"))["updated_at"]
    assert await ttl(server, stays) is None
    clock.minutes(9)
    await swept(server)
    assert (await server.http.get(path)).status_code == 200
    clock.minutes(2)
    await gone(server, thread_id)
    assert (await server.http.get(path)).status_code == 404
    assert (await server.http.get(f"/threads/{stays}")).status_code == 200
    clock.minutes(2)
    rows = (await server.runtime.backend.statistics.metrics()).rows
    assert rows["checkpoints"] == rows["runs"] == rows["event_chunks"] == 0


async def test_every_change_puts_it_off(server: Running, clock: Ahead) -> None:
    thread_id = (await server.post("/threads", {"ttl": {"ttl": 10}}))["thread_id"]
    clock.minutes(8)
    await server.ended(await server.run("chain", {"n": []}, thread_id=thread_id))
    clock.minutes(8)
    await server.post(f"/threads/{thread_id}/state", {"values": {"n": [1]}})
    clock.minutes(8)
    await server.http.patch(f"/threads/{thread_id}", json={"metadata": {"a": 1}})
    clock.minutes(8)
    await swept(server)
    assert (await server.http.get(f"/threads/{thread_id}")).status_code == 200


async def test_a_busy_thread_stays_until_it_is_idle(server: Running, clock: Ahead) -> None:
    thread_id = (await server.post("/threads", {"ttl": {"ttl": 1}}))["thread_id"]
    path = await server.run("sleeper", {"delay": 30}, thread_id=thread_id)
    clock.minutes(5)
    await swept(server)
    assert (await server.get(path))["status"] in ("pending", "running")
    await server.http.post(f"{path}/cancel?wait=1")
    clock.minutes(2)
    await gone(server, thread_id)


async def test_keep_latest_leaves_the_thread_and_its_latest_state(server: Running, clock: Ahead) -> None:
    thread_id = (await server.post("/threads", {"ttl": {"ttl": 1, "strategy": "keep_latest"}}))["thread_id"]
    await server.ended(await server.run("chain", {"n": ["in"]}, thread_id=thread_id))
    before = await server.get(f"/threads/{thread_id}/state")
    assert len(await history(server, thread_id)) == 5
    clock.minutes(2)
    await swept(server)
    assert len(await history(server, thread_id)) == 1
    after = await server.get(f"/threads/{thread_id}/state")
    assert (after["values"], after["checkpoint"]) == (before["values"], before["checkpoint"])
    assert (await ttl(server, thread_id))["expires_at"] is None
    assert await server.runtime.backend.queue.expire_threads() == 0
    await server.ended(await server.run("chain", {"n": ["again"]}, thread_id=thread_id))
    assert len(await history(server, thread_id)) == 6
    clock.minutes(2)
    await swept(server)
    assert len(await history(server, thread_id)) == 1


async def test_the_configuration_says_what_new_threads_get(clock: Ahead, tmp_path: Path) -> None:
    async with serving(tmp_path, clock, default_ttl=5, strategy="keep_latest") as server:
        plain = await server.thread()
        own = (await server.post("/threads", {"ttl": {"ttl": 60}}))["thread_id"]
        made = "00000000-0000-4000-8000-00000000000a"
        await server.ended(await server.run("chain", {}, thread_id=made, if_not_exists="create"))
        kept = (await server.post("/runs", {"assistant_id": "chain", "input": {}, "on_completion": "keep"}))[
            "thread_id"
        ]
        copied = (await server.post(f"/threads/{own}/copy", {}))["thread_id"]
        minutes = [(await ttl(server, thread_id))["ttl_minutes"] for thread_id in (plain, own, made, kept, copied)]
        assert minutes == [5, 60, 5, 5, 60]
        assert (await ttl(server, plain))["strategy"] == "keep_latest"


async def test_the_official_sdk_gives_and_changes_it(server: Running, clock: Ahead) -> None:
    threads = LangGraphClient(server.http).threads
    thread_id = (await threads.create(ttl=10))["thread_id"]
    assert (await threads.get(thread_id, include=["ttl"]))["ttl"]["ttl_minutes"] == 10  # type: ignore[typeddict-item]
    await threads.update(thread_id, metadata={}, ttl={"ttl": 20, "strategy": "keep_latest"})
    said = await ttl(server, thread_id)
    assert (said["ttl_minutes"], said["strategy"]) == (20, "keep_latest")
    await threads.update(thread_id, metadata={}, ttl=0.5)
    clock.minutes(1)
    await gone(server, thread_id)


async def test_search_shows_it_to_who_asks(server: Running, clock: Ahead) -> None:
    await server.post("/threads", {"ttl": {"ttl": 10}})
    (plain,) = await server.post("/threads/search", {})
    assert "ttl" not in plain
    (asked,) = await server.post("/threads/search", {"select": ["ttl", "status"]})
    assert (asked["status"], asked["ttl"]["ttl_minutes"]) == ("idle", 10)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_odd_lifetimes_are_refused(server: Running, clock: Ahead, method: str) -> None:
    path = "/threads" if method == "POST" else f"/threads/{await server.thread()}"
    refused = {
        "ttl": [60, "60", [60], {"strategy": "delete"}],
        "ttl.ttl": [{"ttl": 0}, {"ttl": -1}, {"ttl": "1"}, {"ttl": 1e300}, {"ttl": None}],
        "ttl.strategy": [{"ttl": 1, "strategy": "forget"}],
    }
    for field, bodies in refused.items():
        for body in bodies:
            answer = await server.http.request(method, path, json={"ttl": body})
            assert answer.status_code == 422, (body, answer.text)
            assert answer.json()["field"].startswith(field), (body, answer.text)


async def test_what_expired_while_no_server_ran_goes_when_one_starts(tmp_path: Path) -> None:
    clock = Ahead()
    project = project_with(tmp_path / "project")
    async with asyncio.timeout(40):
        async with keeping(tmp_path / "data", project=project, clock=clock) as server:
            thread_id = (await server.post("/threads", {"ttl": {"ttl": 10}}))["thread_id"]
        clock.minutes(11)
        async with keeping(tmp_path / "data", project=project, clock=clock) as server:
            await gone(server, thread_id)
