"""What one process does of a run that another executes: it shows, cancels, joins and hands over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster.processes import Cluster, cluster_over
from support.server import Running, frames

PROJECT = Path(__file__).parents[1] / "streams" / "project"
EVENTS = {"headers": {"treadle-events": "1"}}


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster_over(tmp_path / "data", project=PROJECT) as cluster:
        yield cluster


async def started(api: Running, path: str) -> None:
    while (await api.get(path))["status"] == "pending":  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_events_come_in_order_and_before_the_run_is_over(cluster: Cluster, tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    api, other = await cluster.api(), await cluster.api()
    await cluster.worker()
    path = await api.run("emitter", {"n": 500, "more": 500, "gate": str(gate)}, stream_mode=["custom", "values"])
    async with api.reading(path) as here, other.reading(path) as there:
        await here.holds(502)  # the metadata and the input's values come first
        await there.holds(502)
        gate.touch()
        bodies = [await here.rest(), await there.rest()]
    assert bodies[0] == bodies[1] == await api.read(path)
    log = frames(bodies[0])
    assert [frame.seq for frame in log] == list(range(1, len(log) + 1))
    assert [frame.data["i"] for frame in log if frame.event == "custom"] == list(range(1000))


async def test_a_run_that_is_streamed_from_its_creation_starts_without_waiting_for_a_poll(cluster: Cluster) -> None:
    api = await cluster.api(poll_seconds=30)
    await cluster.worker(poll_seconds=30)
    for _ in range(5):
        body = {"assistant_id": "emitter", "input": {"n": 3}, "stream_mode": ["custom"]}
        async with asyncio.timeout(10):
            answer = await api.http.post("/runs/stream", json=body)
        assert [frame.event for frame in frames(answer.content)] == ["metadata", *["custom"] * 3]


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_cancel_reaches_the_process_that_executes(cluster: Cluster, tmp_path: Path, action: str) -> None:
    # Neither the poll nor the renewal of the lease is what tells of it.
    api = await cluster.api(poll_seconds=30, lease_seconds=60)
    await cluster.worker(poll_seconds=30, lease_seconds=60)
    thread_id = await api.thread()
    path = await api.run("emitter", {"n": 1, "gate": str(tmp_path / "never")}, thread_id=thread_id)
    await started(api, path)
    async with asyncio.timeout(15):
        answer = await api.http.post(f"{path}/cancel", params={"wait": 1, "action": action})
    assert answer.status_code == 200
    status = (await api.http.get(path)).json().get("status")
    assert status == ("interrupted" if action == "interrupt" else None)
    assert (await api.get(f"/threads/{thread_id}"))["status"] != "busy"


async def test_whoever_joins_or_waits_elsewhere_gets_the_state(cluster: Cluster, tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    api = await cluster.api()
    await cluster.worker()
    path = await api.run("emitter", {"n": 1, "gate": str(gate)})
    joined = [asyncio.ensure_future(api.get(f"{path}/join")) for _ in range(3)]
    await started(api, path)
    assert not any(each.done() for each in joined)
    gate.touch()
    assert [(await each)["log"] for each in joined] == [["emitted"]] * 3
    body = {"assistant_id": "emitter", "input": {"n": 1}}
    assert (await api.post("/runs/wait", body))["log"] == ["emitted"]


async def test_the_stream_of_a_thread_shows_runs_of_all_processes(cluster: Cluster) -> None:
    first, second = await cluster.api(), await cluster.api()
    await cluster.worker()
    await cluster.worker()
    thread_id = await first.thread()
    async with second.reading(f"/threads/{thread_id}", "0") as reader:
        paths = [await (first, second)[n % 2].run("emitter", {"n": 3}, thread_id=thread_id) for n in range(6)]
        body = await reader.until(lambda body: body.count(b'"run_done"') >= 6)
    data = [frame.data for frame in frames(body) if frame.event == "metadata"]
    assert [each["run_id"] for each in data if each.get("status") == "run_done"] == [path[-36:] for path in paths]


async def test_a_worker_that_drains_hands_its_run_to_another_and_its_stream_goes_on(
    cluster: Cluster, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"

    api = await cluster.api()
    request = {"n": 2, "more": 1, "gate": str(gate)}
    async with cluster.some_worker(drain_seconds=0.1):
        path = await api.run("emitter", request, stream_mode=["custom"])
        reading = asyncio.ensure_future(api.read(path, **EVENTS))
        await started(api, path)
    [(status, attempt, crashes)] = cluster.rows("SELECT status, attempt, crashes FROM runs")
    assert (status, attempt, crashes) == ("pending", 1, 0)
    await cluster.worker()
    gate.touch()
    log = frames(await reading)
    assert [frame.seq for frame in log] == list(range(1, len(log) + 1))
    assert [frame.data["attempt"] for frame in log if frame.event == "metadata"] == [1, 2]
    assert (log[-1].event, log[-1].data["status"]) == ("end", "success")
    assert cluster.rows("SELECT attempt, crashes FROM runs") == [(2, 0)]


async def test_a_run_whose_worker_is_lost_is_executed_elsewhere_once_its_lease_is_over(cluster: Cluster) -> None:
    api = await cluster.api(lease_seconds=1)
    lost = cluster.backend()
    path = await api.run("emitter", {"n": 2}, stream_mode=["custom"])
    await lost.queue.renew("lost", 1.0)
    (claim,) = (await lost.queue.claim("lost", 1)).claims
    await cluster.worker(lease_seconds=1)
    assert await api.ended(path) == "success"
    log = frames(await api.read(path, **EVENTS))
    assert [frame.data["attempt"] for frame in log if frame.event == "metadata"] == [1, 2]
    assert cluster.rows("SELECT attempt, crashes FROM runs") == [(claim.lease.attempt + 1, 1)]


async def test_a_thread_that_is_deleted_ends_the_streams_of_its_run_everywhere(
    cluster: Cluster, tmp_path: Path
) -> None:
    api, other = await cluster.api(), await cluster.api()
    await cluster.worker()
    path = await api.run("emitter", {"n": 1, "gate": str(tmp_path / "never")}, stream_mode=["custom"])
    async with other.reading(path) as reader:
        await reader.holds(2)
        assert (await api.http.delete("/".join(path.split("/")[:3]))).status_code == 204
        await reader.rest()
    assert (await other.http.get(path)).status_code == 404


async def test_a_state_that_is_updated_elsewhere_is_seen_at_once(cluster: Cluster) -> None:
    """Neither process keeps what the other may change."""

    apis = [await cluster.api(), await cluster.api()]
    await cluster.worker()
    thread_id = await apis[0].thread()
    await apis[0].ended(await apis[0].run("emitter", {"n": 1}, thread_id=thread_id))
    for number in range(6):
        api, other = apis[number % 2], apis[1 - number % 2]
        await api.post(f"/threads/{thread_id}/state", {"values": {"log": [number]}, "as_node": "emit"})
        await api.http.patch(f"/threads/{thread_id}", json={"metadata": {"number": number}})
        state: Any = await other.get(f"/threads/{thread_id}/state")
        assert state["values"]["log"] == ["emitted", *range(number + 1)]
        assert (await other.get(f"/threads/{thread_id}"))["metadata"]["number"] == number


async def test_what_one_process_is_told_of_an_assistant_the_others_run(cluster: Cluster) -> None:
    apis = [await cluster.api(), await cluster.api()]
    await cluster.worker()
    made = await apis[0].post("/assistants", {"graph_id": "emitter", "metadata": {"v": 1}})
    path = f"/assistants/{made['assistant_id']}"
    await asyncio.gather(*(api.http.patch(path, json={"metadata": {"v": 2}}) for api in apis * 5))
    versions = await apis[1].post(f"{path}/versions", {"limit": 20})
    assert [each["version"] for each in versions] == list(range(11, 0, -1)), "each change made a version"
    run = await apis[1].post("/runs/wait", {"assistant_id": made["assistant_id"], "input": {"n": 1}})
    assert json.dumps(run["log"]) == '["emitted"]'
