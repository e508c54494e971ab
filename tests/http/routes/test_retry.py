"""Retrying a run that did not succeed: what is done is not done again, and what is asked is the same."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.server import Running, running

GRAPHS = """
import asyncio, operator
from pathlib import Path
from typing import Annotated, Any, TypedDict
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

HERE = Path(__file__).parent

class State(TypedDict, total=False):
    log: Annotated[list, operator.add]
    slow: bool

def first(state):
    with (HERE / "firsts").open("a") as firsts:
        firsts.write("x")
    return {"log": ["first"]}

async def second(state):
    if state.get("slow") and not (HERE / "mended").exists():
        await asyncio.Event().wait()
    if not (HERE / "mended").exists():
        raise ValueError("not mended")
    return {"log": ["second"]}

flaky = StateGraph(State).add_sequence([first, second]).add_edge(START, "first").compile()

def factory(config):
    if not (HERE / "mended").exists():
        raise ValueError("cannot be made")
    return flaky

def ask(state):
    answer = interrupt("well?")
    if not (HERE / "mended").exists():
        raise ValueError("not mended")
    return {"log": [answer]}

asking = StateGraph(State).add_node(ask).add_edge(START, "ask").compile()
"""
INPUT = {"log": ["in"]}


class Project:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        (directory / "graphs.py").write_text(GRAPHS)
        graphs = {name: f"./graphs.py:{name}" for name in ("flaky", "factory", "asking")}
        (directory / "langgraph.json").write_text(json.dumps({"graphs": graphs}))

    def mend(self) -> None:
        (self.directory / "mended").touch()

    @property
    def firsts(self) -> int:
        """How often the first node has run."""
        return len((self.directory / "firsts").read_text())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
async def server(tmp_path: Path, project: Project) -> AsyncIterator[Running]:
    async with running(tmp_path / "data", project=project.directory) as server:
        yield server


async def retried(server: Running, path: str, **more: Any) -> str:
    """The path of the run that tries again."""
    run = await server.post(f"{path}/retry", None, **more)
    return f"/threads/{run['thread_id']}/runs/{run['run_id']}"


async def log(server: Running, path: str) -> list[str]:
    thread_id = path.split("/")[2]
    return (await server.get(f"/threads/{thread_id}/state"))["values"]["log"]


@pytest.mark.parametrize("durability", ["async", "sync", "exit"])
async def test_a_retry_goes_on_from_where_the_run_failed(server: Running, project: Project, durability: str) -> None:
    failed = await server.run("flaky", INPUT, durability=durability)
    assert await server.ended(failed) == "error"
    project.mend()
    again = await retried(server, failed)
    assert await server.ended(again) == "success"
    assert (await log(server, again), project.firsts) == (["in", "first", "second"], 1)


async def test_a_retry_asks_the_same_and_names_the_run_that_failed(server: Running, project: Project) -> None:
    asked = {
        "config": {"tags": ["x"], "recursion_limit": 7, "configurable": {"mine": 1}},
        "metadata": {"k": "v"},
        "stream_mode": ["updates", "custom"],
        "stream_subgraphs": True,
        "durability": "sync",
        "multitask_strategy": "reject",
        "langsmith_tracer": {"project_name": "p"},
    }

    body = {"assistant_id": "flaky", "input": INPUT, **asked}
    headers = {"treadle-priority": "5", "treadle-concurrency-key": "ann"}
    thread_id = await server.thread()
    old = await server.post(f"/threads/{thread_id}/runs", body, headers=headers)
    path = f"/threads/{thread_id}/runs/{old['run_id']}"
    assert await server.ended(path) == "error"
    answer = await server.http.post(f"{path}/retry")
    new = answer.json()
    assert answer.headers["content-location"] == f"/threads/{thread_id}/runs/{new['run_id']}"
    assert new["metadata"] == {**old["metadata"], "retry_of": old["run_id"]}
    assert (new["kwargs"]["input"], new["kwargs"]["command"]) == (None, None)
    own = ("run_id", "langgraph_request_id", "__request_start_time_ms__")
    for run in (old, new):
        config = run["kwargs"]["config"]
        assert config["configurable"]["run_id"] == run["run_id"]
        config["configurable"] = {k: v for k, v in config["configurable"].items() if k not in own}
        config["metadata"].pop("retry_of", None)
        run["kwargs"]["input"] = None
    assert new["kwargs"] == old["kwargs"]
    same = ("assistant_id", "thread_id", "multitask_strategy", "langsmith_session_name")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    (found,) = await server.post("/runs/search", {"ids": [new["run_id"]]})
    assert (found["priority"], found["concurrency_key"], found["tags"]) == (5, "ann", ["x"])


async def test_a_run_that_never_came_to_a_checkpoint_is_asked_all_of_it_again(
    server: Running, project: Project
) -> None:
    failed = await server.run("factory", INPUT)
    assert await server.ended(failed) == "error"
    project.mend()
    assert await server.ended(again := await retried(server, failed)) == "success"
    assert await log(server, again) == ["in", "first", "second"]


async def test_a_run_that_was_cancelled_before_it_began_is_asked_all_of_it_again(
    server: Running, project: Project
) -> None:
    project.mend()
    delayed = await server.run("flaky", INPUT, after_seconds=3600)
    await server.post(f"{delayed}/cancel", None)
    assert await server.ended(again := await retried(server, delayed)) == "success"
    assert await log(server, again) == ["in", "first", "second"]


async def test_a_cancelled_run_goes_on(server: Running, tmp_path: Path, project: Project) -> None:
    slow = await server.run("flaky", {**INPUT, "slow": True}, stream_mode=["updates"])
    async with server.reading(slow) as reader:
        await reader.holds(2)
    await server.post(f"{slow}/cancel?wait=1", None)
    project.mend()
    assert await server.ended(again := await retried(server, slow)) == "success"
    assert (await log(server, again), project.firsts) == (["in", "first", "second"], 1)


async def test_a_run_that_took_too_long_goes_on(tmp_path: Path, project: Project) -> None:
    async with running(tmp_path / "data", project=project.directory, run_timeout_seconds=1.5) as server:
        slow = await server.run("flaky", {**INPUT, "slow": True})
        assert await server.ended(slow) == "timeout"
        project.mend()
        assert await server.ended(again := await retried(server, slow)) == "success"
        assert (await log(server, again), project.firsts) == (["in", "first", "second"], 1)


async def test_an_answer_to_an_interrupt_that_failed_is_given_again(server: Running, project: Project) -> None:
    first = await server.run("asking", INPUT)
    assert await server.ended(first) == "success"
    thread_id = first.split("/")[2]
    body = {"assistant_id": "asking", "command": {"resume": "fine"}}
    run = await server.post(f"/threads/{thread_id}/runs", body)
    answered = f"/threads/{thread_id}/runs/{run['run_id']}"
    assert await server.ended(answered) == "error"
    project.mend()
    assert await server.ended(again := await retried(server, answered)) == "success"
    assert await log(server, again) == ["in", "fine"]


async def test_a_state_that_was_mended_counts(server: Running, tmp_path: Path, project: Project) -> None:
    failed = await server.run("flaky", INPUT)
    await server.ended(failed)
    thread_id = failed.split("/")[2]
    await server.post(f"/threads/{thread_id}/state", {"values": {"log": ["by hand"]}, "as_node": "first"})
    project.mend()
    assert await server.ended(again := await retried(server, failed)) == "success"
    assert await log(server, again) == ["in", "first", "by hand", "second"]


async def test_a_retried_fork_goes_on_from_what_it_came_to(server: Running, tmp_path: Path, project: Project) -> None:
    project.mend()
    done = await server.run("flaky", INPUT)
    await server.ended(done)
    thread_id = done.split("/")[2]
    history = await server.post(f"/threads/{thread_id}/history", {"limit": 10})
    (before,) = [state["checkpoint_id"] for state in history if state["next"] == ["first"]]
    (project.directory / "mended").unlink()
    fork = await server.run("flaky", None, thread_id=thread_id, checkpoint_id=before)
    assert await server.ended(fork) == "error"
    assert project.firsts == 2
    project.mend()
    assert await server.ended(again := await retried(server, fork)) == "success"
    assert (await log(server, again), project.firsts) == (["in", "first", "second"], 2)


async def test_what_cannot_be_retried_is_refused(server: Running, tmp_path: Path, project: Project) -> None:
    failed = await server.run("flaky", INPUT)
    await server.ended(failed)
    thread_id = failed.split("/")[2]
    later = await server.run("flaky", INPUT, thread_id=thread_id, after_seconds=3600)
    for path, status in (
        (f"{failed}/retry", 409),
        (f"{later}/retry", 409),
        (f"/threads/{thread_id}/runs/{thread_id}/retry", 404),
        (f"/threads/{later.split('/')[4]}/runs/{later.split('/')[4]}/retry", 404),
        (f"/threads/{await server.thread()}/runs/{failed.split('/')[4]}/retry", 404),
        (f"/threads/{thread_id}/runs/x/retry", 422),
    ):
        assert (await server.http.post(path)).status_code == status, path
    answer = (await server.http.post(f"{failed}/retry")).json()
    assert answer["last_run_id"] == later.split("/")[4]
    await server.post(f"{later}/cancel?action=rollback", None)
    project.mend()
    assert await server.ended(again := await retried(server, failed)) == "success"
    assert (await server.http.post(f"{again}/retry")).status_code == 409


async def test_one_key_makes_one_retry(server: Running, tmp_path: Path, project: Project) -> None:
    failed = await server.run("factory", INPUT)
    await server.ended(failed)
    key = {"idempotency-key": "once"}
    first = await retried(server, failed, headers=key)
    await server.ended(first)
    assert await retried(server, failed, headers=key) == first


async def test_a_retry_waits_its_turn_like_any_run(tmp_path: Path, project: Project) -> None:
    async with running(tmp_path / "data", project=project.directory, max_pending_runs=1) as server:
        failed = await server.run("flaky", INPUT)
        await server.ended(failed)
        await server.run("flaky", INPUT, after_seconds=3600)
        answer = await server.http.post(f"{failed}/retry")
        assert (answer.status_code, answer.json()["max_pending_runs"]) == (429, 1)
