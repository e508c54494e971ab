"""The state of the server: what it tells of queue, workers, database, webhooks and crons, and to whom."""

from __future__ import annotations

import os
import socket
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from support import shapes
from support.keeping import Ahead, keeping
from support.server import Running, running
from treadle.http.routes.server import shown
from treadle.settings import Settings

KEYS = [
    *("version", "langgraph_py_version", "python_version", "now", "started_at", "uptime_seconds", "process", "queue"),
    *("runs", "workers", "database", "webhooks", "crons", "settings"),
]
SLEEP = {"delay": 30}


async def started(server: Running, path: str) -> None:
    async with server.reading(path) as reader:
        await reader.holds(1)


async def test_the_state_of_a_server_that_has_nothing_to_do(server: Running) -> None:
    state = await server.get("/server")
    assert list(state) == KEYS
    (worker,) = state["workers"]
    assert (worker["host"], worker["pid"], worker["running"], worker["alive"]) == (
        *(socket.gethostname(), os.getpid(), 0, True),
    )
    assert (worker["concurrency"], worker["version"]) == (16, state["version"])
    assert 0 < worker["lease_seconds"] <= state["settings"]["lease_seconds"]
    assert worker["started_at"] <= state["now"] < worker["expires_at"]
    assert state["process"] == {**state["process"], "host": worker["host"], "pid": worker["pid"], "concurrency": 16}
    assert state["queue"] == {
        "pending": 0,
        "running": 0,
        "due": 0,
        "oldest_pending_seconds": None,
        "waiting": [],
    }
    assert set(state["runs"].values()) == {0}
    assert state["webhooks"] == {
        **dict.fromkeys(("pending", "delivered", "failed"), 0),
        "oldest_pending_seconds": None,
    }
    assert state["crons"] == {"enabled": 0, "disabled": 0, "next_run_date": None}
    database = state["database"]
    assert (database["kind"], database["bytes"]) == (
        *("sqlite" if shapes.embedded() else "postgres", sum(database["files"].values())),
    )
    assert database["bytes"] > 0
    assert database["version"][0].isdigit()
    assert (database["rows"]["runs"], database["rows"]["assistants"]) == (0, len(await assistants(server)))
    began, now = (datetime.fromisoformat(state[name]) for name in ("started_at", "now"))
    assert abs((now - began).total_seconds() - state["uptime_seconds"]) < 0.001


async def assistants(server: Running) -> list[Any]:
    return await server.post("/assistants/search", {"limit": 1000})


async def test_the_state_tells_of_runs_that_wait_and_of_the_workers_that_run_others(tmp_path: Path) -> None:
    clock = Ahead()
    async with keeping(tmp_path, clock=clock, concurrency=2, lease_seconds=600) as server:
        await server.ended(await server.run("chain", {"n": []}))
        await server.ended(await server.run("boom", {"n": []}))
        await server.post("/runs/wait", {"assistant_id": "chain", "input": {"n": []}})
        first = await server.run("sleeper", SLEEP)
        second = await server.run("sleeper", SLEEP)
        await started(server, first)
        await started(server, second)
        await server.run("sleeper", SLEEP)
        await server.run("chain", {"n": []}, after_seconds=3600)
        clock.minutes(2)
        state = await server.get("/server")
        queue = state["queue"]
        assert (queue["pending"], queue["running"], queue["due"]) == (2, 2, 1)
        assert 120 <= queue["oldest_pending_seconds"] < 180
        assert {each["graph_id"]: each["runs"] for each in queue["waiting"]} == {"sleeper": 1, "chain": 1}
        # The stateless one is gone.
        counted = {"pending": 2, "running": 2, "error": 1, "success": 1, "timeout": 0, "interrupted": 0}
        assert state["runs"] == counted
        assert [worker["running"] for worker in state["workers"]] == [2]
        assert state["process"]["open_streams"] == 0


async def test_the_state_tells_of_webhooks_and_crons(tmp_path: Path) -> None:
    async with running(tmp_path, webhook_allow_private=True, webhook_backoff_seconds=600) as server:
        hook = {"webhook": "http://127.0.0.1:9/nobody"}
        await server.ended(await server.run("chain", {"n": []}, **hook))
        cron = {"assistant_id": "chain", "schedule": "0 0 1 1 *"}
        made = await server.post("/runs/crons", cron)
        await server.post("/runs/crons", {**cron, "enabled": False})
        state = await server.get("/server")
        assert (state["webhooks"]["pending"], state["webhooks"]["delivered"]) == (1, 0)
        assert 0 <= state["webhooks"]["oldest_pending_seconds"] < 30
        assert state["crons"] == {"enabled": 1, "disabled": 1, "next_run_date": made["next_run_date"]}


def test_of_secrets_the_state_tells_only_whether_they_are_set() -> None:
    told = shown(Settings(database_url="postgresql://user:hidden@127.0.0.1/x", webhook_secret="hidden"))
    assert "hidden" not in str(told)
    assert (told["database_url"], told["webhook_secret"], told["redis_url"]) == ("set", "set", "")
    assert (told["data"], told["port"]) == (".treadle", 2024)


async def test_a_process_that_only_serves_says_so(tmp_path: Path) -> None:
    if shapes.embedded():
        pytest.skip("the process that has the file executes runs")

    async with running(tmp_path, workers=0) as server:
        state = await server.get("/server")
        assert (state["process"]["concurrency"], state["workers"]) == (0, [])
