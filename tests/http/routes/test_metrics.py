"""Metrics: what a scraper reads is what has happened, and asking costs little."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from support.keeping import Ahead, keeping
from support.server import Running

Samples = dict[tuple[str, tuple[str, ...]], float]
DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def clock() -> Ahead:
    return Ahead()


@pytest.fixture
async def server(tmp_path: Path, clock: Ahead) -> AsyncIterator[Running]:
    async with keeping(tmp_path, clock=clock, concurrency=2) as server:
        yield server


async def scraped(server: Running) -> Samples:
    answer = await server.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.text)
    return {(s.name, tuple(s.labels.values())): s.value for family in families for s in family.samples}


async def test_a_scraper_reads_what_has_happened(server: Running, clock: Ahead) -> None:
    before = await scraped(server)
    assert (before["treadle_runs_pending", ()], before["treadle_workers", ()]) == (0, 1)
    await server.ended(await server.run("chain", {"n": []}))
    await server.ended(await server.run("boom", {}))
    gone = await server.run("sleeper", {"delay": 30})
    async with server.reading(gone) as reader:
        await reader.holds(1)
    await server.http.post(f"{gone}/cancel?action=rollback&wait=1")
    slow = [await server.run("sleeper", {"delay": 30}) for _ in range(3)]
    async with server.reading(slow[0]) as reader, server.reading(slow[1]) as other:
        await reader.holds(1)
        await other.holds(1)
        clock.minutes(2)
        now = await scraped(server)
    assert now["treadle_runs_pending", ()] == now["treadle_runs_due", ()] == 1
    assert now["treadle_runs_running", ()] == now["treadle_worker_slots", ()] == 2
    assert 120 <= now["treadle_run_wait_seconds_max", ()] < 180
    assert now["treadle_streams_open", ()] == 2
    ended = {status: now["treadle_runs_ended_total", (status,)] for status in ("success", "error", "rolled_back")}
    assert ended == {"success": 1, "error": 1, "rolled_back": 1}
    assert now["treadle_claims_total", ()] == 5
    assert now["treadle_events_total", ()] > 10
    assert 0 < now["treadle_commits_total", ()] <= now["treadle_write_jobs_total", ()]
    assert now["treadle_rows", ("runs",)] == 5
    assert now["treadle_file_bytes", ("database",)] > 0
    assert now["treadle_http_requests_total", ("POST", "/threads/{thread_id}/runs", "200")] == 6
    assert now["treadle_http_requests_total", ("GET", "/metrics", "200")] == 1
    assert now["process_resident_memory_bytes", ()] > 0


async def test_json_has_the_names_of_the_official_server(server: Running) -> None:
    await server.ended(await server.run("chain", {"n": []}))
    said = await server.get("/metrics?format=json")
    assert said["queue"] == {
        "n_pending": 0,
        "pending_runs_wait_time_max_secs": None,
        "pending_runs_wait_time_med_secs": None,
        "pending_unblocked_runs_wait_time_max_secs": None,
        "n_running": 0,
    }
    assert said["workers"] == {"max": 2, "active": 0, "available": 2}
    assert {"method": "POST", "path": "/threads", "status": 200, "count": 1} in said["api"]["http_requests_total"]
    assert said["runs"]["ended"] == {"success": 1}
    answer = await server.http.get("/metrics?format=xml")
    assert (answer.status_code, answer.json()["field"]) == (422, "format")


async def test_waiting_runs_that_are_not_blocked_are_told_apart(server: Running, clock: Ahead) -> None:
    first = await server.run("sleeper", {"delay": 30})
    async with server.reading(first) as reader:
        await reader.holds(1)
    await server.run("sleeper", {"delay": 30}, thread_id=first.split("/")[2])
    await server.run("sleeper", {"delay": 30}, after_seconds=3600)
    clock.minutes(1)
    queue = (await server.get("/metrics?format=json"))["queue"]
    assert (queue["n_pending"], queue["n_running"]) == (2, 1)
    assert 60 <= queue["pending_runs_wait_time_max_secs"] == queue["pending_runs_wait_time_med_secs"]
    assert queue["pending_unblocked_runs_wait_time_max_secs"] is None


async def test_two_servers_count_for_themselves_and_nothing_is_global(tmp_path: Path) -> None:
    known = set(REGISTRY._names_to_collectors)  # pyright: ignore[reportPrivateUsage]

    async with asyncio.timeout(40), keeping(tmp_path / "a") as one, keeping(tmp_path / "b") as other:
        await one.ended(await one.run("chain", {"n": []}))
        assert (await scraped(one))["treadle_claims_total", ()] == 1
        assert (await scraped(other))["treadle_claims_total", ()] == 0
    assert set(REGISTRY._names_to_collectors) == known  # pyright: ignore[reportPrivateUsage]


async def test_rows_are_counted_once_a_minute(server: Running, clock: Ahead) -> None:
    assert (await scraped(server))["treadle_rows", ("threads",)] == 0
    await server.thread()
    assert (await scraped(server))["treadle_rows", ("threads",)] == 0
    clock.minutes(1.1)
    assert (await scraped(server))["treadle_rows", ("threads",)] == 1


async def test_every_metric_is_in_the_docs(server: Running) -> None:
    page = (DOCS / "metrics.md").read_text()

    names = {name for name, _ in await scraped(server) if name.startswith("treadle_")}
    assert {name for name in names if f"`{name}`" not in page} == set()
