"""Limits and retention as clients of a server meet them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support import shapes
from support.keeping import Ahead, keeping, project_with
from support.server import Running, frames
from treadle.errors import ConfigError
from treadle.project.load import load_config

SLEEPER = {"assistant_id": "sleeper", "input": {"delay": 30}}


@asynccontextmanager
async def serving(
    tmp_path: Path, *, treadle: dict[str, Any] | None = None, clock: Ahead | None = None, **settings: Any
) -> AsyncIterator[Running]:
    project = project_with(tmp_path / "project", treadle=treadle or {})
    async with keeping(tmp_path / "data", project=project, clock=clock, **settings) as server:
        yield server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    async with serving(tmp_path) as server:
        yield server


async def created(server: Running, body: dict[str, Any] = SLEEPER, **headers: str) -> str:
    """A run on a thread of its own; its path."""
    named = {f"treadle-{name.replace('_', '-')}": value for name, value in headers.items()}
    path = f"/threads/{await server.thread()}/runs"
    return f"{path}/{(await server.post(path, body, headers=named))['run_id']}"


async def started(server: Running, path: str) -> None:
    async with server.reading(path) as reader:
        await reader.holds(1)


async def status(server: Running, path: str) -> str:
    return (await server.get(path))["status"]


async def test_a_graph_runs_no_more_than_its_langgraph_json_says(tmp_path: Path) -> None:
    async with serving(tmp_path, treadle={"graphs": {"sleeper": {"concurrency": 1}}}) as server:
        first, second = await created(server), await created(server)
        await started(server, first)
        other = await created(server, {"assistant_id": "chain", "input": {"n": []}})
        assert await server.ended(other) == "success"
        assert await status(server, second) == "pending"
        await server.http.post(f"{first}/cancel?wait=1")
        await started(server, second)


async def test_runs_of_a_key_share_its_slots(tmp_path: Path) -> None:
    async with serving(tmp_path, treadle={"keys": {"concurrency": 2}}) as server:
        paths = [await created(server, concurrency_key="ann") for _ in range(3)]
        await started(server, paths[0])
        await started(server, paths[1])
        await started(server, await created(server, concurrency_key="bob"))
        assert await status(server, paths[2]) == "pending"
        await server.http.post(f"{paths[0]}/cancel?wait=1")
        await started(server, paths[2])


async def test_metrics_tell_what_runs_wait_for(server: Running) -> None:
    first = await created(server, concurrency_key="ann")
    await started(server, first)
    await created(server, concurrency_key="ann")
    await created(server, concurrency_key="bob")
    waiting = await created(server, {**SLEEPER, "after_seconds": 3600})
    other = await created(server, concurrency_key="bob")
    await started(server, await created(server))
    answer = await server.get("/metrics?format=json")
    queued = {each["blocked_by"]: each["runs"] for each in answer["runs"]["queued"]}
    assert queued == {"key": 2, "time": 1}, (waiting, other)


async def test_without_a_configuration_one_run_of_a_key_runs_at_a_time(server: Running) -> None:
    first, second = await created(server, concurrency_key="k"), await created(server, concurrency_key="k")
    await started(server, first)
    await started(server, await created(server))
    assert await status(server, second) == "pending"


async def test_a_run_of_higher_priority_is_next(tmp_path: Path) -> None:
    async with serving(tmp_path, concurrency=1) as server:
        first = await created(server)
        await started(server, first)
        normal, urgent = await created(server), await created(server, priority="5")
        await server.http.post(f"{first}/cancel?wait=1")
        await started(server, urgent)
        assert await status(server, normal) == "pending"


@pytest.mark.parametrize(
    ("header", "value"),
    [("treadle-priority", bad) for bad in ("high", "101", "-101", "1.5", "", "99999999999999999999")]
    + [("treadle-concurrency-key", bad) for bad in ("", "x" * 256, "a\x7fb")],
)
async def test_a_header_that_says_nothing_usable_is_refused(server: Running, header: str, value: str) -> None:
    answer = await server.http.post("/runs", json=SLEEPER, headers={header: value})
    assert (answer.status_code, answer.json()["field"]) == (422, header)


@pytest.mark.parametrize(
    ("treadle", "key"),
    [
        ({"graph": {}}, "treadle.graph"),
        ({"graphs": {"nobody": {"concurrency": 1}}}, "treadle.graphs.nobody"),
        ({"graphs": {"sleeper": {"concurrency": 0}}}, "treadle.graphs.sleeper.concurrency"),
        ({"graphs": {"sleeper": 3}}, "treadle.graphs.sleeper"),
        ({"keys": {"concurrency": True}}, "treadle.keys.concurrency"),
        ({"keys": {}}, "treadle.keys.concurrency"),
        ([], "treadle"),
    ],
)
def test_a_limit_that_would_limit_nothing_is_refused(tmp_path: Path, treadle: Any, key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(project_with(tmp_path, treadle=treadle))
    assert refused.value.key == key


async def test_more_than_may_wait_are_refused_and_told_when_to_come_back(tmp_path: Path) -> None:
    async with serving(tmp_path, concurrency=1, max_pending_runs=3) as server:
        running = await created(server)
        await started(server, running)
        waiting = [await created(server) for _ in range(3)]
        answer = await server.http.post("/runs", json=SLEEPER)
        assert answer.status_code == 429
        said = answer.json()
        assert (said["code"], said["max_pending_runs"]) == ("rate_limited", 3)
        assert int(answer.headers["retry-after"]) == said["retry_after"]
        assert 1 <= said["retry_after"] <= 30
        assert (await server.get("/metrics?format=json"))["runs"]["refused"] == 1
        await server.http.post(f"{waiting[0]}/cancel?action=rollback")
        batch = await server.http.post("/runs/batch", json=[SLEEPER, SLEEPER])
        assert batch.status_code == 429
        assert (await server.get("/metrics?format=json"))["queue"]["n_pending"] == 2
        await created(server)


async def test_a_repeated_request_is_answered_however_many_wait(tmp_path: Path) -> None:
    async with serving(tmp_path, concurrency=1, max_pending_runs=1) as server:
        await started(server, await created(server))
        key = {"idempotency-key": "once"}
        made = await server.post("/runs", SLEEPER, headers=key)
        assert (await server.http.post("/runs", json=SLEEPER)).status_code == 429
        assert (await server.post("/runs", SLEEPER, headers=key))["run_id"] == made["run_id"]


async def test_no_more_ever_wait_however_many_ask_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path, concurrency=1, max_pending_runs=20) as server:
        await started(server, await created(server))
        answers = await asyncio.gather(*(server.http.post("/runs", json=SLEEPER) for _ in range(60)))
        assert sorted(answer.status_code for answer in answers) == [200] * 20 + [429] * 40
        assert (await server.get("/metrics?format=json"))["queue"]["n_pending"] == 20


async def test_a_cron_passes_a_date_over_when_too_many_wait(tmp_path: Path) -> None:
    clock = Ahead()
    async with serving(tmp_path, clock=clock, concurrency=1, max_pending_runs=1, poll_seconds=0.05) as server:
        await started(server, await created(server))
        await created(server)
        cron = await server.post("/runs/crons", {"assistant_id": "sleeper", "schedule": "* * * * *", "input": {}})
        clock.minutes(2)
        async with asyncio.timeout(20):
            while (await server.get(f"/runs/crons/{cron['cron_id']}"))["next_run_date"] == cron["next_run_date"]:
                await server.http.get("/ok")
        assert (await server.get("/metrics?format=json"))["queue"]["n_pending"] == 1


async def swept(server: Running, tmp_path: Path, seconds: float, what: str) -> None:
    before = server.runtime.clock.now() - int(seconds * 1e6)
    queue = server.runtime.backend.queue
    while await (queue.trim_runs(before, 1) if what == "trim" else queue.expire_runs(before, 1)):
        pass


async def test_events_of_old_runs_go_and_readers_are_told(tmp_path: Path) -> None:
    clock = Ahead()
    async with serving(tmp_path, clock=clock) as server:
        path = await server.run("chain", {"n": ["in"]})
        await server.ended(path)
        whole = frames(await server.read(path))
        thread = path.split("/")[2]
        values = (await server.get(f"/threads/{thread}"))["values"]
        clock.minutes(10)
        fresh = await server.run("chain", {"n": ["in"]}, thread_id=thread)
        await server.ended(fresh)
        await swept(server, tmp_path, 60, "trim")
        cut = frames(await server.read(path, headers={"treadle-events": "1"}))
        assert [frame.event for frame in cut] == ["gap", "end"]
        assert cut[0].data["first_seq"] == cut[1].seq == whole[-1].seq + 1
        resumed = frames(await server.read(path, whole[1].id))
        assert [frame.event for frame in resumed] == ["gap"]
        assert await server.get(f"{path}/join") == values
        assert len(frames(await server.read(fresh))) == len(whole)


async def test_old_runs_go_and_their_threads_stay(tmp_path: Path) -> None:
    clock = Ahead()
    async with serving(tmp_path, clock=clock, run_retention_seconds=10) as server:
        path = await server.run("chain", {"n": ["in"]})
        await server.ended(path)
        thread = f"/threads/{path.split('/')[2]}"
        before = await server.get(thread), await server.get(f"{thread}/state")
        clock.minutes(10)
        active = await created(server)
        await started(server, active)
        async with asyncio.timeout(20):
            while (await server.http.get(path)).status_code != 404:
                await server.http.get("/ok")
        assert (await server.get(thread), await server.get(f"{thread}/state")) == before
        assert await server.get(f"{thread}/runs") == []
        assert await status(server, active) == "running"
        assert (await server.get("/metrics?format=json"))["runs"]["expired"] == 1


async def test_a_log_of_many_chunks_goes_piece_by_piece(tmp_path: Path) -> None:
    clock = Ahead()
    async with serving(tmp_path, clock=clock) as server:
        path = await server.run("chain", {"n": ["in"]})
        await server.ended(path)
        run_id = path.split("/")[4]

        def lengthen(conn: Any) -> None:
            (last,) = conn.execute("SELECT event_seq FROM runs WHERE run_id = ?", (run_id,)).fetchone()
            (blob,) = conn.execute(
                "SELECT events FROM event_chunks WHERE run_id = ? AND last_seq = ?", (run_id, last)
            ).fetchone()
            conn.execute("DELETE FROM event_chunks WHERE run_id = ?", (run_id,))
            insert = (
                "INSERT INTO event_chunks (run_id, first_seq, last_seq, thread_id, thread_seq, attempt, events)"
                " VALUES (?, ?, ?, ?, ?, 1, ?)"
            )
            conn.executemany(insert, [(run_id, n, n, path.split("/")[2], n, blob) for n in range(1, 2501)])
            conn.execute("UPDATE runs SET event_seq = 2500 WHERE run_id = ?", (run_id,))

        shapes.written(tmp_path / "data", lengthen)
        clock.minutes(10)
        before = server.runtime.clock.now() - 60_000_000
        queue = server.runtime.backend.queue
        assert [await queue.trim_runs(before) for _ in range(4)] == [100, 100, 1, 0]
        assert await server.runtime.backend.log.bounds(run_id) == (2500, 2500)
        assert await queue.expire_runs(before) == 1
