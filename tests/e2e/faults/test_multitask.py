"""Several runs on one thread: the four strategies on every route that creates a run, and the order of the queue."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from e2e.faults.api import Api, check_log, without_rows_of
from support.gates import Gates

Start = Callable[..., Api]

_numbers = iter(range(1_000_000))


@pytest.fixture
def key() -> str:
    return f"multi{next(_numbers)}"


def busy(api: Api, gate: Gates, key: str, place: str = "b") -> tuple[str, str, str]:
    """A thread with a running run and a queued one behind it."""
    thread_id = api.new_thread()
    gate.hold(key, place)
    running = api.create(thread_id, "steps", key)["run_id"]
    queued = api.create(thread_id, "steps", f"{key}-queued")["run_id"]
    gate.reached(key, place)
    return thread_id, running, queued


@pytest.mark.parametrize("route", ["", "/stream", "/wait"])
def test_reject_refuses_on_a_busy_thread(api: Api, gate: Gates, key: str, route: str) -> None:
    thread_id, running, queued = busy(api, gate, key)
    body = {"assistant_id": "steps", "input": {"key": key}, "multitask_strategy": "reject"}
    answer = api.request("POST", f"/threads/{thread_id}/runs{route}", json=body)
    assert answer.status_code == 409
    assert "already running a task" in answer.json()["detail"]
    gate.release(key, "b")
    assert api.ended(thread_id, running) == api.ended(thread_id, queued) == "success"
    assert len(api.runs(thread_id)) == 2
    answer = api.request("POST", f"/threads/{thread_id}/runs{route}", json=body)
    assert answer.status_code == 200


@pytest.mark.parametrize("after_seconds", [None, 600])
def test_reject_counts_pending_runs(api: Api, key: str, after_seconds: float | None) -> None:
    thread_id = api.new_thread()
    api.create(thread_id, "steps", key, after_seconds=600)
    body = {"assistant_id": "steps", "multitask_strategy": "reject", "after_seconds": after_seconds or 0}
    assert api.request("POST", f"/threads/{thread_id}/runs", json=body).status_code == 409


@pytest.mark.parametrize("route", ["", "/stream", "/wait"])
def test_interrupt_stops_what_is_there_and_goes_on_top(api: Api, gate: Gates, key: str, route: str) -> None:
    thread_id, running, queued = busy(api, gate, key)
    body = {"assistant_id": "steps", "input": {"key": f"{key}-new", "said": ["new"]}, "multitask_strategy": "interrupt"}
    answer = api.request("POST", f"/threads/{thread_id}/runs{route}", json=body)
    assert answer.status_code == 200
    new = api.runs(thread_id)[-1]["run_id"]
    assert api.ended(thread_id, new) == "success"
    assert api.status(thread_id, running) == api.status(thread_id, queued) == "interrupted"
    values = api.values(thread_id)
    assert values["said"] == [f"hello {key}", "new"]
    assert values["trail"] == ["a", "a", "b", "c"]
    for run_id in (running, queued):
        check_log(api.log(thread_id, run_id), status="interrupted")
    assert api.thread(thread_id)["status"] == "idle"


@pytest.mark.parametrize("route", ["", "/stream", "/wait"])
def test_rollback_removes_what_is_there(api: Api, gate: Gates, key: str, route: str) -> None:
    thread_id, running, queued = busy(api, gate, key)
    body = {"assistant_id": "steps", "input": {"key": f"{key}-new", "said": ["new"]}, "multitask_strategy": "rollback"}
    assert api.request("POST", f"/threads/{thread_id}/runs{route}", json=body).status_code == 200
    new = api.runs(thread_id)[-1]["run_id"]
    assert api.ended(thread_id, new) == "success"
    for run_id in (running, queued):
        assert api.request("GET", f"/threads/{thread_id}/runs/{run_id}").status_code == 404
        without_rows_of(api.server, run_id)
    assert api.values(thread_id)["said"] == ["new"]
    assert api.values(thread_id)["trail"] == ["a", "b", "c"]
    assert api.rested(thread_id)["status"] == "idle"


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
def test_the_new_run_waits_for_code_that_does_not_stop(api: Api, gate: Gates, key: str, strategy: str) -> None:
    thread_id = api.new_thread()
    gate.hold(key, "stubborn")
    old = api.create(thread_id, "stubborn", key)["run_id"]
    gate.reached(key, "stubborn")
    new = api.create(thread_id, "steps", f"{key}-new", multitask_strategy=strategy)["run_id"]
    gate.reached(key, "swallowed")
    assert gate.places(f"{key}-new") == []
    assert api.ended(thread_id, new) == "success"
    assert api.values(thread_id)["said"][-1] == f"hello {key}-new"
    gone = api.request("GET", f"/threads/{thread_id}/runs/{old}")
    assert gone.status_code == 404 if strategy == "rollback" else gone.json()["status"] == "interrupted"


def test_enqueue_is_first_in_first_out(api: Api, gate: Gates, key: str) -> None:
    thread_id, *_ = busy(api, gate, key)
    keys = [f"{key}-{number}" for number in range(10)]
    for each in keys:
        api.create(thread_id, "steps", each)
    gate.release(key, "b")
    assert api.rested(thread_id)["status"] == "idle"
    assert api.values(thread_id)["said"] == [f"hello {each}" for each in (key, f"{key}-queued", *keys)]
    began = [effect.key for effect in gate.effects() if effect.thread_id == thread_id and effect.place == "a"]
    assert began == [key, f"{key}-queued", *keys]


def test_enqueue_is_first_in_first_out_across_a_restart(start: Start, gates: Gates) -> None:
    """The run that was running when the process died goes first again."""
    api = start()
    thread_id = api.new_thread()
    gates.hold("k0", "b")
    for number in range(6):
        api.create(thread_id, "steps", f"k{number}")
    gates.reached("k0", "b")
    api.server.restart()
    for number in range(6, 9):
        api.create(thread_id, "steps", f"k{number}")
    gates.release("k0", "b")
    assert api.rested(thread_id)["status"] == "idle"
    assert api.values(thread_id)["said"] == [f"hello k{number}" for number in range(9)]
    assert [run["status"] for run in api.runs(thread_id)] == ["success"] * 9


def test_one_run_at_a_time_however_many_ask(api: Api, gate: Gates, key: str) -> None:
    thread_id = api.new_thread()
    clients = [threading.Thread(target=lambda n=n: api.create(thread_id, "steps", f"{key}-{n}")) for n in range(12)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(20)
    api.rested(thread_id)
    runs = api.runs(thread_id)
    effects = [(effect.run_id, effect.place) for effect in gate.effects() if effect.thread_id == thread_id]
    assert effects == [(run["run_id"], place) for run in runs for place in "abc"]


def test_the_strategy_of_a_stateless_run_changes_nothing(api: Api, key: str) -> None:
    bodies: list[Any] = [{"multitask_strategy": each} for each in ("reject", "interrupt", "rollback", "enqueue")]
    for body in bodies:
        assert api.post("/runs/wait", {"assistant_id": "steps", "input": {"key": key}, **body})["trail"] == [*"abc"]
