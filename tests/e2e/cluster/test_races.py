"""Two processes that do the same at once: one of them wins, the other hears of it, and nothing is done twice."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from typing import Any

import httpx
import pytest

from e2e.cluster.processes import Cluster
from e2e.crons.serving import SetClock, eventually, runs_of
from support.server import Running
from support.webhook_receiver import Receiver

CHAIN = {"assistant_id": "chain", "input": {"n": []}}


async def ended(api: Running) -> None:
    """Returns once no run is active."""

    async def idle() -> bool:
        return not (await api.post("/threads/search", {"status": "busy", "limit": 1}))

    await eventually(idle)


def one_after_the_other(cluster: Cluster) -> dict[str, int]:
    """How many runs each thread had, of which each ended before the next of them began, in order of creation: their
    events say so, whose order in the thread was settled as they were written."""
    order: dict[str, list[str]] = {}
    for thread_id, run_id in cluster.rows("SELECT thread_id, run_id FROM runs ORDER BY position"):
        order.setdefault(thread_id, []).append(run_id)
    for thread_id, created in order.items():
        log = cluster.rows("SELECT run_id FROM event_chunks WHERE thread_id = ? ORDER BY thread_seq", thread_id)
        assert [run_id for run_id, _ in itertools.groupby(run_id for (run_id,) in log)] == created
    return {thread_id: len(created) for thread_id, created in order.items()}


async def test_of_two_that_may_not_meet_on_a_thread_exactly_one_is_made(cluster: Cluster) -> None:
    apis = [await cluster.api(), await cluster.api()]
    body = {**CHAIN, "multitask_strategy": "reject"}
    for _ in range(10):
        thread_id = await apis[0].thread()
        path = f"/threads/{thread_id}/runs"
        answers = await asyncio.gather(*(api.http.post(path, json=body) for api in apis * 3))
        assert sorted(answer.status_code for answer in answers) == [200, *[409] * 5]
        assert len(await apis[1].get(path)) == 1


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_of_many_that_take_each_others_place_the_last_one_stays(cluster: Cluster, strategy: str) -> None:
    apis = [await cluster.api(), await cluster.api()]
    await cluster.worker()
    thread_id = await apis[0].thread()
    body = {"assistant_id": "sleeper", "input": {"delay": 0.05}, "multitask_strategy": strategy}
    path = f"/threads/{thread_id}/runs"
    made = await asyncio.gather(*(api.post(path, body) for api in apis * 5))
    runs = await runs_of(apis[1], thread_id)
    statuses = Counter(run["status"] for run in runs)
    assert statuses["success"] >= 1
    assert runs[-1]["status"] == "success"
    assert set(statuses) <= ({"success", "interrupted"} if strategy == "interrupt" else {"success"})
    assert {run["run_id"] for run in runs} <= {run["run_id"] for run in made}
    assert (await apis[0].get(f"/threads/{thread_id}"))["status"] == "idle"


async def test_queued_runs_start_in_the_order_of_their_creation(cluster: Cluster) -> None:
    apis = [await cluster.api(), await cluster.api()]
    thread_id = await apis[0].thread()
    body = {**CHAIN, "multitask_strategy": "enqueue"}
    for _ in range(2):
        await cluster.worker()
    for _ in range(4):
        await asyncio.gather(*(api.post(f"/threads/{thread_id}/runs", body) for api in apis * 3))
    await runs_of(apis[0], thread_id)
    assert cluster.rows("SELECT status, count(*) FROM runs GROUP BY 1") == [("success", 24)]
    assert one_after_the_other(cluster) == {thread_id: 24}


async def test_one_idempotency_key_makes_one_run_however_many_ask_at_once(cluster: Cluster) -> None:
    apis = [await cluster.api(), await cluster.api()]
    thread_id = await apis[0].thread()
    for number, path in enumerate((f"/threads/{thread_id}/runs", "/runs") * 3):
        headers = {"idempotency-key": f"key {number}"}
        asked = (api.http.post(path, json=CHAIN, headers=headers) for api in apis * 10)
        answers: list[httpx.Response] = await asyncio.gather(*asked)
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["run_id"] for answer in answers}) == 1
    assert cluster.rows("SELECT count(*) FROM runs") == [(6,)]


async def test_two_workers_never_execute_two_runs_of_a_thread_nor_one_run_twice(cluster: Cluster) -> None:
    apis = [await cluster.api(), await cluster.api()]
    threads = [await apis[0].thread() for _ in range(50)]
    body = {**CHAIN, "multitask_strategy": "enqueue"}
    asked = [apis[n % 2].post(f"/threads/{thread_id}/runs", body) for n in range(4) for thread_id in threads]
    await asyncio.gather(*asked)
    for _ in range(2):
        await cluster.worker()
    await ended(apis[0])
    assert cluster.rows("SELECT status, attempt, count(*) FROM runs GROUP BY 1, 2") == [("success", 1, 200)]
    assert one_after_the_other(cluster) == dict.fromkeys(threads, 4)
    state: Any = await apis[1].get(f"/threads/{threads[0]}/state")
    assert state["values"]["n"] == [0, 1, 2] * 4


async def test_a_cron_of_two_processes_fires_once_for_each_date(cluster: Cluster) -> None:
    clock = SetClock()
    apis = [await cluster.api(workers=1, clock=clock, poll_seconds=0.02) for _ in range(2)]
    threads = [await apis[0].thread() for _ in range(5)]
    for thread_id in threads:
        await apis[0].post(f"/threads/{thread_id}/runs/crons", {**CHAIN, "schedule": "* * * * *"})
    for minute in range(1, 6):
        clock.set(f"2026-11-22T15:{minute:02}:00")
        await asyncio.gather(*(api.runtime.services.crons.fire() for api in apis * 2))
    for thread_id in threads:
        times = [run["created_at"] for run in await runs_of(apis[1], thread_id)]
        assert times == [f"2026-11-22T15:{minute:02}:00.000000+00:00" for minute in range(1, 6)]


async def test_a_webhook_of_two_couriers_is_delivered_once(cluster: Cluster) -> None:
    apis = [await cluster.api(webhook_allow_private=True, poll_seconds=0.05) for _ in range(2)]
    await cluster.worker()
    with Receiver() as receiver:
        body = {**CHAIN, "webhook": receiver.url()}
        made = await asyncio.gather(*(api.post("/runs", body) for api in apis * 10))
        await receiver.gets(20)

        async def delivered() -> bool:
            return cluster.rows("SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'") == [(20,)]

        await eventually(delivered)
        assert Counter(each.body["run_id"] for each in receiver.received) == {run["run_id"]: 1 for run in made}
