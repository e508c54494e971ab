"""Crons make their runs: once for each date, whatever happens to the servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from e2e.crons.serving import SetClock, eventually, fired, running, runs_of
from support import shapes
from support.server import Running
from support.webhook_receiver import Receiver
from treadle.backends.live.hub import Hub
from treadle.backends.tables.transaction import SqlRecords
from treadle.service.crons import Crons
from treadle.service.runs import Runs

HOURLY = {"assistant_id": "chain", "schedule": "0 * * * *", "input": {"n": ["cron"]}}


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def server(tmp_path: Path, clock: SetClock) -> AsyncIterator[Running]:
    async with running(tmp_path, clock) as server:
        yield server


async def create(server: Running, thread_id: str | None = None, **fields: Any) -> Any:
    path = "/runs/crons" if thread_id is None else f"/threads/{thread_id}/runs/crons"
    return await server.post(path, {**HOURLY, **fields})


def hour(hours: int, day: int = 22) -> str:
    return f"2026-11-{day}T{hours:02}:00:00.000000+00:00"


async def test_a_cron_of_a_thread_makes_a_run_for_each_date(server: Running, clock: SetClock) -> None:
    thread_id = await server.thread()
    cron = await create(server, thread_id, metadata={"m": 1})
    for hours in (16, 17, 18):
        clock.set(f"2026-11-22T{hours}:00:00")
        await fired(server, cron, hour(hours + 1))
    first, *_ = runs = await runs_of(server, thread_id)
    assert [run["created_at"] for run in runs] == [hour(16), hour(17), hour(18)]
    assert {run["status"] for run in runs} == {"success"}
    assert (first["metadata"]["m"], first["metadata"]["cron_id"]) == (1, cron["cron_id"])
    configurable = first["kwargs"]["config"]["configurable"]
    assert configurable["cron_id"] == cron["cron_id"]
    assert configurable["langgraph_request_id"]
    state = await server.get(f"/threads/{thread_id}/state")
    assert state["values"] == {"n": ["cron", 0, 1, 2] * 3}


async def test_it_does_not_fire_before_its_time_nor_twice(server: Running, clock: SetClock) -> None:
    thread_id = await server.thread()
    cron = await create(server, thread_id)
    clock.set("2026-11-22T15:59:59")
    await server.runtime.services.crons.fire()
    assert await runs_of(server, thread_id) == []
    clock.set("2026-11-22T16:00:00")
    for _ in range(5):
        await server.runtime.services.crons.fire()
    await fired(server, cron, hour(17))
    assert len(await runs_of(server, thread_id)) == 1


async def test_a_cron_without_a_thread_leaves_nothing_behind(server: Running, clock: SetClock) -> None:
    with Receiver() as receiver:
        cron = await create(server, webhook=receiver.url())
        clock.set("2026-11-22T16:00:00")
        (received,) = await receiver.gets()
    assert received.body["metadata"]["cron_id"] == cron["cron_id"]
    assert (received.body["values"], received.body["kwargs"]["temporary"]) == (None, True)
    assert (await server.http.get(f"/threads/{received.body['thread_id']}")).status_code == 404
    assert await server.post("/threads/search", {}) == []


async def test_a_cron_that_keeps_its_threads_makes_one_each_time(server: Running, clock: SetClock) -> None:
    cron = await create(server, on_run_completed="keep")
    for hours in (16, 17):
        clock.set(f"2026-11-22T{hours}:00:00")
        await fired(server, cron, hour(hours + 1))

    async def idle() -> Any:
        found = await server.post("/threads/search", {"status": "idle"})
        return found if len(found) == 2 else None

    assert [thread["values"] for thread in await eventually(idle)] == [{"n": ["cron", 0, 1, 2]}] * 2


async def test_every_field_reaches_the_run(server: Running, clock: SetClock) -> None:
    thread_id = await server.thread()
    fields = {
        "interrupt_before": ["n1"],
        "interrupt_after": "*",
        "stream_mode": ["updates", "custom"],
        "stream_subgraphs": True,
        "stream_resumable": True,
        "multitask_strategy": "rollback",
        "durability": "sync",
        "config": {"tags": ["t"], "recursion_limit": 7, "configurable": {"c": 1}},
        "feedback_keys": ["f"],
    }
    cron = await create(server, thread_id, **fields)
    clock.set("2026-11-22T16:00:00")
    await fired(server, cron, hour(17))
    (run,) = await runs_of(server, thread_id)
    kwargs = run["kwargs"]
    assert run["multitask_strategy"] == "rollback"
    assert {name: kwargs[name] for name in ("interrupt_before", "interrupt_after", "stream_mode", "durability")} == {
        name: fields[name] for name in ("interrupt_before", "interrupt_after", "stream_mode", "durability")
    }
    assert (kwargs["subgraphs"], kwargs["resumable"], kwargs["feedback_keys"]) == (True, True, ["f"])
    assert (kwargs["config"]["tags"], kwargs["config"]["recursion_limit"]) == (["t"], 7)
    assert kwargs["config"]["configurable"]["c"] == 1


async def test_a_context_reaches_the_run(server: Running, clock: SetClock) -> None:
    thread_id = await server.thread()
    cron = await create(server, thread_id, context={"a": 1})
    clock.set("2026-11-22T16:00:00")
    await fired(server, cron, hour(17))
    (run,) = await runs_of(server, thread_id)
    assert (run["status"], run["kwargs"]["context"]) == ("success", {"a": 1})


async def test_what_was_patched_counts(server: Running, clock: SetClock) -> None:
    thread_id = await server.thread()
    cron = await create(server, thread_id, metadata={"m": 1})
    change = {"input": {"n": ["new"]}, "metadata": {"x": 2}, "schedule": "30 * * * *"}
    await server.http.patch(f"/runs/crons/{cron['cron_id']}", json=change)
    clock.set("2026-11-22T15:30:00")
    await fired(server, cron, "2026-11-22T16:30:00.000000+00:00")
    (run,) = await runs_of(server, thread_id)
    assert run["kwargs"]["input"] == {"n": ["new"]}
    assert run["metadata"] | {"m": 1, "x": 2, "cron_id": cron["cron_id"]} == run["metadata"]


async def test_a_patch_at_the_very_moment_loses_no_run(server: Running, clock: SetClock) -> None:
    thread_id = await server.thread()
    cron = await create(server, thread_id)
    clock.set("2026-11-22T16:00:00")
    await server.http.patch(f"/runs/crons/{cron['cron_id']}", json={"metadata": {"x": 1}})
    await fired(server, cron, hour(17))
    assert len(await runs_of(server, thread_id)) == 1


async def test_a_disabled_cron_is_still_and_catches_nothing_up(server: Running, clock: SetClock) -> None:
    thread_id = await server.thread()
    cron = await create(server, thread_id, enabled=False)
    clock.set("2026-11-22T18:30:00")
    await server.runtime.services.crons.fire()
    await server.http.patch(f"/runs/crons/{cron['cron_id']}", json={"enabled": True})
    await server.runtime.services.crons.fire()
    assert await runs_of(server, thread_id) == []
    clock.set("2026-11-22T19:00:00")
    await fired(server, cron, hour(20))
    assert len(await runs_of(server, thread_id)) == 1


async def test_nothing_fires_after_the_end(server: Running, clock: SetClock) -> None:
    thread_id = await server.thread()
    cron = await create(server, thread_id, end_time="2026-11-22T17:00:00Z")
    for hours in (16, 17):
        clock.set(f"2026-11-22T{hours}:00:00")
        await fired(server, cron, hour(17)) if hours == 16 else await fired(server, cron, None)  # type: ignore[arg-type]
    clock.set("2026-11-23T00:00:00")
    await server.runtime.services.crons.fire()
    assert len(await runs_of(server, thread_id)) == 2


async def test_a_date_that_was_missed_beyond_the_end_is_not_made_up(server: Running, clock: SetClock) -> None:
    thread_id = await server.thread()
    cron = await create(server, thread_id, end_time="2026-11-22T16:30:00Z")
    clock.set("2026-11-22T18:00:00")
    await fired(server, cron, None)  # type: ignore[arg-type]
    assert await runs_of(server, thread_id) == []


async def test_after_a_time_without_a_server_it_fires_once(tmp_path: Path) -> None:
    clock = SetClock()
    async with running(tmp_path, clock) as server:
        thread_id = await server.thread()
        cron = await create(server, thread_id)
        clock.set("2026-11-22T16:00:00")
        await fired(server, cron, hour(17))
    clock.set("2026-11-25T10:30:00")
    for _ in range(2):  # a second restart at the same moment fires nothing
        async with running(tmp_path, clock) as server:
            await fired(server, cron, hour(11, day=25))
            dates = [run["created_at"] for run in await runs_of(server, thread_id)]
            assert dates == [hour(16), "2026-11-25T10:30:00.000000+00:00"]


async def test_many_schedulers_on_one_database_make_one_run_for_each_date(
    server: Running, clock: SetClock, tmp_path: Path
) -> None:
    """Each has an engine, a hub and connections of its own, as processes would."""

    services = server.runtime.services
    threads = [await server.thread() for _ in range(10)]
    for thread_id in threads:
        await create(server, thread_id, schedule="* * * * *")
    others: list[Crons] = []
    engines = [shapes.open_engine(tmp_path, clock) for _ in range(2)]
    for engine in engines:
        records = SqlRecords(engine, Hub())
        runs = Runs(records, services.log, services.assistants, clock)
        others.append(Crons(records, runs, services.assistants, clock))
    try:
        for minute in range(1, 11):
            clock.set(f"2026-11-22T15:{minute:02}:00")
            await asyncio.gather(*(crons.fire() for crons in [*others, services.crons] * 2))
    finally:
        for engine in engines:
            await asyncio.to_thread(engine.close)
    for thread_id in threads:
        times = [run["created_at"] for run in await runs_of(server, thread_id)]
        assert times == [f"2026-11-22T15:{minute:02}:00.000000+00:00" for minute in range(1, 11)]


@pytest.mark.parametrize("strategy", ["reject", "enqueue", "interrupt", "rollback"])
async def test_a_busy_thread_follows_the_strategy_and_others_go_on(
    server: Running, clock: SetClock, strategy: str
) -> None:
    busy, free = await server.thread(), await server.thread()
    waiting = await server.run("chain", {"n": ["old"]}, thread_id=busy, after_seconds=86400)
    crons = [await create(server, thread_id, multitask_strategy=strategy) for thread_id in (busy, free)]
    clock.set("2026-11-22T16:00:00")
    for cron in crons:
        await fired(server, cron, hour(17))
    assert len(await runs_of(server, free)) == 1
    made = await server.get(f"/threads/{busy}/runs")
    old = await server.http.get(waiting)
    assert {
        "reject": (1, "pending"),
        "enqueue": (2, "pending"),
        "interrupt": (2, "interrupted"),
        "rollback": (1, None),
    }[strategy] == (len(made), old.json().get("status"))


async def test_a_draining_server_fires_nothing(tmp_path: Path) -> None:
    clock = SetClock()
    async with asyncio.timeout(30), running(tmp_path, clock) as server:
        thread_id = await server.thread()
        await create(server, thread_id)
        await server.runtime.drain()
        clock.set("2026-11-22T16:00:00")
        await asyncio.sleep(0.1)  # five times as long as the schedule would sleep
        assert await runs_of(server, thread_id) == []
