"""The log lines of a run: one when it starts, one when it ends."""

from __future__ import annotations

import logging
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
import structlog

from support.server import Running

Logs = list[MutableMapping[str, Any]]


@pytest.fixture
def logs() -> Iterator[Logs]:
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    with structlog.testing.capture_logs() as logs:
        yield logs
    structlog.configure(wrapper_class=before)


def of_event(logs: Logs, event: str) -> MutableMapping[str, Any]:
    (line,) = [line for line in logs if line["event"] == event]
    return line


async def test_the_start_and_the_end_of_a_run_are_logged(logs: Logs, server: Running) -> None:
    path = await server.run("chain", {"n": []})
    await server.ended(path)
    ids = {"run_id": path.rpartition("/")[2], "thread_id": path.split("/")[2], "graph_id": "chain"}
    start, end = of_event(logs, "a run starts"), of_event(logs, "a run ends")
    assert start == {"event": "a run starts", "log_level": "info", "attempt": 1, **ids} | {
        "queued_seconds": start["queued_seconds"]
    }
    assert 0 <= start["queued_seconds"] < 60
    assert end == {"event": "a run ends", "log_level": "info", "status": "success", **ids} | {
        "duration_seconds": end["duration_seconds"],
        "events": end["events"],
    }
    assert 0 < end["duration_seconds"] < 60
    stream = await server.read(path)
    # The worker does not count the metadata event, which the claim writes.
    assert end["events"] == stream.count(b"event: ") - 1


async def test_a_failed_run_ends_with_its_status(logs: Logs, server: Running) -> None:
    await server.ended(await server.run("boom", {"n": []}))
    assert of_event(logs, "a run ends")["status"] == "error"


async def test_claims_and_leases_are_logged_for_debugging(logs: Logs, server: Running) -> None:
    await server.ended(await server.run("chain", {"n": []}))
    claimed = of_event(logs, "claimed runs")
    assert claimed == {"event": "claimed runs", "log_level": "debug", "count": 1, "free_slots": 16}
    assert "renewed the lease" in [line["event"] for line in logs if line["log_level"] == "debug"]
