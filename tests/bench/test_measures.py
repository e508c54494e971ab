"""Every measure with small sizes on a real server, and servers that cannot be measured."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from benchmarks.server import MeasuredServer, start_server

from treadle.bench import graphs
from treadle.bench.cases import CASES, Case, Endpoint, LoadGenerator, MeasureFailed, Measurement
from treadle.bench.check import PROJECT, GraphsMissing, check_server, write_project
from treadle.bench.rows import ROWS
from treadle.bench.server import GRAPHS, BadResponse, Server

SMALL = (
    "--warm-up=0",
    "--sequential=6",
    "--bursts=1",
    "--events=300",
    "--events-of-many=200",
    "--many=3",
    "--tokens=200",
    "--readers=20",
    "--shared-events=60",
    "--streams=120",
    "--streamed-runs=7",
    "--quiet-seconds=0.2",
    "--messages=40",
    "--steps=3",
    "--runs=30",
    "--fill-seconds=5",
)
small = LoadGenerator(0.2, SMALL)


def test_the_project_serves_every_measured_graph():
    config = json.loads((PROJECT / "langgraph.json").read_text())
    assert tuple(config["graphs"]) == GRAPHS
    assert all(hasattr(graphs, name) for name in GRAPHS)


@pytest.fixture(scope="module")
def measured(server: MeasuredServer) -> Callable[[Case], Measurement]:
    """Measure a case, once for all tests."""
    return cache(partial(small, Endpoint(server.url, server.pid)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_measure_returns_its_figures(measured: Callable[[Case], Measurement], case: Case):
    result = measured(case)
    assert result.figures[case.name] > 0
    assert result.load_cpu_seconds > 0
    assert result.server_cpu_seconds is not None
    assert set(result.figures) - {row.figure for row in ROWS} <= {
        "first_bytes",
        "first_run",
        "late_run_before",
        "readers_events",
    }


def test_every_row_is_measured(measured: Callable[[Case], Measurement]):
    figures = {name for case in CASES for name in measured(case).figures}
    assert {row.figure for row in ROWS} - figures == set()


def test_all_idle_streams_stay_open(measured: Callable[[Case], Measurement]):
    assert measured(CASES[-1]).figures["idle_streams"] == 120


def test_memory_is_left_out_if_the_process_is_unknown(server: MeasuredServer):
    assert small(Endpoint(server.url), Case("idle_streams")).figures == {"idle_streams": 120}


def test_threads_can_be_created_with_separate_requests(server: MeasuredServer):
    result = small(Endpoint(server.url, creates=False), Case("threaded_stream", 4))
    assert result.figures["threaded_stream_4"] > 0


def test_a_server_that_refuses_connections_fails_the_measure():
    with pytest.raises(MeasureFailed, match="first_event: ConnectionRefusedError"):
        small(Endpoint("http://127.0.0.1:1"), Case("first_event"))


def test_a_stream_must_hold_the_expected_number_of_events(server: MeasuredServer):
    async def stream(events: int) -> Any:
        client = Server.at(server.url)
        connection = await client.connect()
        try:
            return await client.stream(connection, "custom", {"events": 3}, "custom", events)
        finally:
            await connection.aclose()

    assert asyncio.run(stream(3)).marks == 3
    with pytest.raises(BadResponse, match=r"3 events \(wanted 4\)"):
        asyncio.run(stream(4))


def test_a_server_of_the_graphs_can_be_measured(server: MeasuredServer):
    assert check_server(server.url, server.pid) == Endpoint(server.url, server.pid, creates=True)
    assert replace(Endpoint(server.url), creates=False) != check_server(server.url)


def test_a_server_without_the_graphs_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = write_project(tmp_path / "project")
    config.write_text('{"dependencies": ["."], "graphs": {"chain": "./graphs.py:chain"}}')
    monkeypatch.setattr("benchmarks.server.CONFIG", config)
    with (
        start_server(tmp_path) as other,
        pytest.raises(GraphsMissing, match="counter, custom, chat, conversation, waiting"),
    ):
        check_server(other.url)
