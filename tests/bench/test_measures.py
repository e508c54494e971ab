"""Every measure, small, on a real server; and servers that are not what should be measured."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from benchmarks.server import Serving, serving

from treadle.bench import graphs
from treadle.bench.check import PROJECT, NotServed, checked, write_project
from treadle.bench.rows import ROWS
from treadle.bench.server import GRAPHS, Server, Unexpected
from treadle.bench.take import TAKES, MeasureFailed, Take, Taken, Taker, Target

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
small = Taker(0.2, SMALL)


def test_the_project_serves_what_is_measured():
    config = json.loads((PROJECT / "langgraph.json").read_text())
    assert tuple(config["graphs"]) == GRAPHS
    assert all(hasattr(graphs, name) for name in GRAPHS)


@pytest.fixture(scope="module")
def measured(server: Serving) -> Callable[[Take], Taken]:
    """Each measure once."""
    return cache(partial(small, Target(server.url, server.pid)))


@pytest.mark.parametrize("take", TAKES, ids=lambda take: take.name)
def test_a_measure_finds_its_figures(measured: Callable[[Take], Taken], take: Take):
    taken = measured(take)
    assert taken.figures[take.name] > 0
    assert taken.load_cpu_seconds > 0
    assert taken.server_cpu_seconds is not None
    assert set(taken.figures) - {row.figure for row in ROWS} <= {
        "first_bytes",
        "first_run",
        "late_run_before",
        "readers_events",
    }


def test_every_row_is_measured(measured: Callable[[Take], Taken]):
    found = {name for take in TAKES for name in measured(take).figures}
    assert {row.figure for row in ROWS} - found == set()


def test_all_streams_are_held(measured: Callable[[Take], Taken]):
    assert measured(TAKES[-1]).figures["idle_streams"] == 120


def test_of_an_unknown_process_no_memory_is_told(server: Serving):
    assert small(Target(server.url), Take("idle_streams")).figures == {"idle_streams": 120}


def test_a_server_may_want_threads_to_be_made_first(server: Serving):
    taken = small(Target(server.url, creates=False), Take("threaded_stream", 4))
    assert taken.figures["threaded_stream_4"] > 0


def test_an_answer_that_is_no_whole_run_ends_a_measure():
    with pytest.raises(MeasureFailed, match="first_event: ConnectionRefusedError"):
        small(Target("http://127.0.0.1:1"), Take("first_event"))


def test_a_stream_must_hold_what_was_asked_for(server: Serving):
    async def stream(events: int) -> Any:
        at = Server.at(server.url)
        connection = await at.connect()
        try:
            return await at.stream(connection, "custom", {"events": 3}, "custom", events)
        finally:
            await connection.aclose()

    assert asyncio.run(stream(3)).marks == 3
    with pytest.raises(Unexpected, match=r"3 events \(wanted 4\)"):
        asyncio.run(stream(4))


def test_a_server_of_the_graphs_is_a_target(server: Serving):
    assert checked(server.url, server.pid) == Target(server.url, server.pid, creates=True)
    assert replace(Target(server.url), creates=False) != checked(server.url)


def test_a_server_of_other_graphs_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = write_project(tmp_path / "project")
    config.write_text('{"dependencies": ["."], "graphs": {"chain": "./graphs.py:chain"}}')
    monkeypatch.setattr("benchmarks.server.CONFIG", config)
    with serving(tmp_path) as other, pytest.raises(NotServed, match="counter, custom, chat, conversation, waiting"):
        checked(other.url)
