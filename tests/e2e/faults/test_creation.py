"""What a creating call may ask for: a later start, a thread that is not there yet, the same run twice, a time limit,
no thread at all."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from e2e.faults.api import EVERYTHING, Api, Listener, attempts, check_log
from support.gates import Gates
from support.server_process import until

Start = Callable[..., Api]

_numbers = iter(range(1_000_000))


@pytest.fixture
def key() -> str:
    return f"create{next(_numbers)}"


# --- after_seconds ----------------------------------------------------------------------------------------------------


def test_a_delayed_run_starts_on_time_and_blocks_no_later_one(api: Api, gate: Gates, key: str) -> None:
    thread_id = api.new_thread()
    asked = time.monotonic()
    delayed = api.create(thread_id, "steps", f"{key}-delayed", after_seconds=0.6)["run_id"]
    at_once = api.create(thread_id, "steps", f"{key}-now")["run_id"]
    assert api.ended(thread_id, at_once) == "success"
    assert time.monotonic() - asked < 0.6
    assert api.status(thread_id, delayed) == "pending"
    assert api.thread(thread_id)["status"] == "busy"
    assert api.ended(thread_id, delayed) == "success"
    assert 0.6 <= time.monotonic() - asked < 2.0
    assert api.values(thread_id)["said"] == [f"hello {key}-now", f"hello {key}-delayed"]


@pytest.mark.parametrize("after_seconds", [0, -5, 0.0])
def test_no_delay(api: Api, key: str, after_seconds: float) -> None:
    thread_id = api.new_thread()
    assert api.ended(thread_id, api.create(thread_id, "steps", key, after_seconds=after_seconds)["run_id"]) == "success"


def test_a_delayed_run_starts_on_time_after_a_restart(start: Start, gates: Gates) -> None:
    api = start(poll_seconds=60)
    thread_id, late_thread = api.new_thread(), api.new_thread()
    created = time.time()
    soon = api.create(thread_id, "steps", "soon", after_seconds=3.0)["run_id"]
    overdue = api.create(late_thread, "steps", "overdue", after_seconds=0.2)["run_id"]
    api.server.kill()
    until(lambda: time.time() > created + 0.3)
    api.server.start()
    assert api.ended(late_thread, overdue) == "success"
    assert api.ended(thread_id, soon) == "success"
    began = next(effect for effect in gates.effects("soon"))
    assert began.attempt == 1
    started = json.loads(api.log(thread_id, soon)[0].id.split("-")[0]) / 1000  # type: ignore[union-attr]
    assert created + 3.0 <= started < created + 4.5


# --- if_not_exists, ids -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ["", "/stream", "/wait"])
def test_if_not_exists(api: Api, key: str, route: str) -> None:
    thread_id = str(uuid4())
    body: dict[str, Any] = {"assistant_id": "steps", "input": {"key": key}, "metadata": {"who": key}}
    for refused in ({}, {"if_not_exists": "reject"}):
        answer = api.request("POST", f"/threads/{thread_id}/runs{route}", json={**body, **refused})
        assert answer.status_code == 404
        assert api.request("GET", f"/threads/{thread_id}").status_code == 404
    for _ in range(2):
        answer = api.request("POST", f"/threads/{thread_id}/runs{route}", json={**body, "if_not_exists": "create"})
        assert answer.status_code == 200
    thread = api.rested(thread_id)
    assert thread["metadata"]["who"] == key
    assert [run["status"] for run in api.runs(thread_id)] == ["success"] * 2


def test_bad_input_names_what_is_wrong(api: Api, key: str) -> None:
    thread_id = api.new_thread()
    path = f"/threads/{thread_id}/runs"
    good = {"assistant_id": "steps", "input": {"key": key}}
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"assistant_id": "nope"}, 422, "steps"),
        ({"assistant_id": str(uuid4())}, 404, "not found"),
        ({"assistant_id": None}, 422, "assistant_id"),
        ({"stream_mode": "nope"}, 422, "stream_mode"),
        ({"stream_mode": ["values", "tools"]}, 422, "stream_mode"),
        ({"multitask_strategy": "nope"}, 422, "multitask_strategy"),
        ({"durability": "nope"}, 422, "durability"),
        ({"on_disconnect": 1}, 422, "on_disconnect"),
        ({"after_seconds": "soon"}, 422, "after_seconds"),
        ({"interrupt_before": "a"}, 422, "interrupt_before"),
        ({"checkpoint_id": "x"}, 422, "checkpoint"),
        ({"command": {"resum": 1}}, 422, "resum"),
        ({"command": {"goto": [1]}}, 422, "goto"),
        ({"config": {"recursion_limit": 0}}, 422, "recursion_limit"),
        ({"config": "x"}, 422, "config"),
        ({"metadata": []}, 422, "metadata"),
    ]
    for change, status, text in cases:
        for route in ("", "/stream", "/wait"):
            answer = api.request("POST", path + route, json=good | change)
            assert (answer.status_code, text in answer.text) == (status, True), (change, answer.text)
    for content in (b"", b"{", b"[]", b"null", b'"x"', b"\xff"):
        assert api.request("POST", path, content=content).status_code in (400, 422), content
    assert api.request("POST", f"/threads/{uuid4()}/runs", json=good).status_code == 404
    assert api.request("POST", "/threads/nope/runs", json=good).status_code in (400, 422)
    for call in ("", "/join", "/stream"):
        assert api.request("GET", f"{path}/{uuid4()}{call}").status_code == 404
        assert api.request("GET", f"{path}/nope{call}").status_code == 422
    assert api.runs(thread_id) == []
    assert api.thread(thread_id)["status"] == "idle"


def test_a_body_over_the_limit_is_refused_quickly(start: Start) -> None:
    api = start(max_body_bytes=100_000)
    thread_id = api.new_thread()
    began = time.monotonic()
    answer = api.request("POST", f"/threads/{thread_id}/runs", json={"assistant_id": "steps", "input": "x" * 200_000})
    assert answer.status_code == 413
    assert time.monotonic() - began < 2
    assert api.runs(thread_id) == []


# --- Idempotency-Key --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ["", "/wait"])
def test_one_key_makes_one_run(api: Api, gate: Gates, key: str, route: str) -> None:
    thread_id = api.new_thread()
    body = {"assistant_id": "steps", "input": {"key": key, "said": ["once"]}}
    headers = {"idempotency-key": key}

    def create() -> Any:
        return api.post(f"/threads/{thread_id}/runs{route}", body, headers=headers)

    with ThreadPoolExecutor(8) as pool:
        answers = [each.result(20) for each in [pool.submit(create) for _ in range(8)]]
    [run] = api.runs(thread_id)
    assert api.ended(thread_id, run["run_id"]) == "success"
    if route == "":
        assert {answer["run_id"] for answer in answers} == {run["run_id"]}
    else:
        assert answers == [answers[0]] * 8
    assert api.values(thread_id)["said"] == ["once"]
    assert gate.places(key) == ["a", "b", "c"]
    other = api.request(
        "POST", f"/threads/{thread_id}/runs{route}", json=body | {"input": {"key": "x"}}, headers=headers
    )
    assert other.status_code == 409
    assert "Idempotency-Key" in other.json()["detail"]


def test_one_key_makes_one_run_across_a_kill(start: Start, gates: Gates) -> None:
    api = start()
    thread_id = api.new_thread()
    body = {"assistant_id": "steps", "input": {"key": "k", "said": ["once"]}}
    first = api.post(f"/threads/{thread_id}/runs", body, headers={"idempotency-key": "x"})
    api.server.restart()
    second = api.post(f"/threads/{thread_id}/runs", body, headers={"idempotency-key": "x"})
    assert first["run_id"] == second["run_id"]
    assert api.join(thread_id, first["run_id"])["said"] == ["once"]
    assert len(api.runs(thread_id)) == 1


def test_one_key_makes_one_batch(api: Api, key: str) -> None:
    body = [{"assistant_id": "steps", "input": {"key": f"{key}-{n}"}} for n in range(3)]
    batches = [api.post("/runs/batch", body, headers={"idempotency-key": key}) for _ in range(2)]
    assert [run["run_id"] for run in batches[0]] == [run["run_id"] for run in batches[1]]
    refused = api.request("POST", "/runs/batch", json=body[:1], headers={"idempotency-key": key})
    assert refused.status_code == 409


def test_a_batch_with_one_bad_item_makes_no_run(api: Api, gate: Gates, key: str) -> None:
    body = [{"assistant_id": "steps", "input": {"key": key}}, {"assistant_id": "nope"}]
    before = api.rows("SELECT count(*) FROM runs")
    assert api.request("POST", "/runs/batch", json=body).status_code == 422
    assert api.rows("SELECT count(*) FROM runs") == before


# --- the time limit ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", ["steps", "nested"])
def test_a_run_over_its_time_ends_as_timeout(start: Start, gates: Gates, graph: str) -> None:
    api = start(run_timeout_seconds=0.5)
    place = "b" if graph == "steps" else "d2"
    gates.hold("k", place)
    thread_id = api.new_thread()
    run_id = api.create(thread_id, graph, "k")["run_id"]
    answer = api.join(thread_id, run_id)
    assert answer["__error__"]["message"] == "the run took longer than 0.5 seconds"
    assert api.status(thread_id, run_id) == "timeout"
    assert api.thread(thread_id)["status"] == "error"
    frames = api.log(thread_id, run_id)
    check_log(frames, status="timeout")
    assert frames[-2].event == "error"
    gates.release("k", place)
    assert api.join(thread_id, api.create(thread_id, graph, "k", input=None)["run_id"])["said"] == ["hello k"]


def test_a_failed_run(api: Api, gate: Gates, key: str) -> None:
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "failing", key)["run_id"]
    assert api.join(thread_id, run_id) == {"__error__": {"error": "ValueError", "message": "meant to fail"}}
    assert api.status(thread_id, run_id) == "error"
    thread = api.thread(thread_id)
    assert (thread["status"], thread["error"]["error"]) == ("error", "ValueError")
    assert thread["values"]["trail"] == ["a"]
    frames = api.log(thread_id, run_id)
    check_log(frames, status="error")
    assert frames[-2].event == "error"
    assert gate.places(key) == ["a", "fail"], "a failure is the graph's own and is not tried again"


# --- stateless runs ---------------------------------------------------------------------------------------------------


def gone(api: Api, thread_id: str) -> None:
    """The temporary thread cannot be seen any more, and no checkpoint of it is left."""
    assert api.request("GET", f"/threads/{thread_id}").status_code == 404
    assert api.post("/threads/search", {"ids": [thread_id]}) == []
    assert api.rows("SELECT count(*) FROM checkpoints WHERE thread_id = ?", thread_id) == [(0,)]
    assert api.rows("SELECT count(*) FROM checkpoint_writes WHERE thread_id = ?", thread_id) == [(0,)]


@pytest.mark.parametrize("ending", ["success", "error", "interrupt", "rollback", "question", "pending"])
def test_the_thread_of_a_stateless_run_is_gone_after_every_ending(api: Api, gate: Gates, key: str, ending: str) -> None:
    graph = {"error": "failing", "question": "asking"}.get(ending, "steps")
    gate.hold(key, "a")
    run = api.create(None, graph, key, **({"after_seconds": 600} if ending == "pending" else {}))
    thread_id, run_id = run["thread_id"], run["run_id"]
    if ending != "pending":
        gate.reached(key, "a")
    if ending in ("interrupt", "rollback", "pending"):
        api.cancel(thread_id, run_id, action="rollback" if ending == "rollback" else "interrupt", wait=True)
    gate.release(key, "a")
    expected = {"success": "success", "question": "success", "error": "error"}.get(ending, "interrupted")
    if ending != "rollback":
        until(lambda: api.rows("SELECT status FROM runs WHERE run_id = ?", run_id) == [(expected,)])
        check_log(api.log(None, run_id), status=expected)
    gone(api, thread_id)


def test_the_thread_of_a_stateless_run_is_gone_after_crashes(start: Start, gates: Gates) -> None:
    api = start(max_attempts=2)
    runs: dict[str, Any] = {}
    for name in ("resumed", "exhausted"):
        gates.hold(name, "b")
        runs[name] = api.create(None, "steps", name)
        gates.reached(name, "b")
    api.server.kill()
    gates.release("resumed", "b")
    api.server.start()
    until(lambda: api.rows("SELECT status FROM runs WHERE run_id = ?", runs["resumed"]["run_id"]) == [("success",)])
    until(lambda: gates.places("exhausted").count("b") == 2)
    api.server.restart()
    for name, status in (("resumed", "success"), ("exhausted", "error")):
        log = api.log(None, runs[name]["run_id"])
        check_log(log, status=status)
        assert attempts(log) == [1, 2]
        gone(api, runs[name]["thread_id"])


def test_what_is_left_of_stateless_runs_is_swept(start: Start) -> None:
    """The stream can be joined for the retention; then nothing is left of the run."""
    api = start(stateless_retention_seconds=0)
    run = api.create(None, "steps", "k")
    api.join(None, run["run_id"])
    until(lambda: api.rows("SELECT 1 FROM runs") == [])
    for table in ("threads", "event_chunks", "outputs", "run_requests", "checkpoints", "checkpoint_blobs"):
        assert api.rows(f"SELECT count(*) FROM {table}") == [(0,)], table


@pytest.mark.parametrize("route", ["", "/stream", "/wait"])
def test_on_completion_keep(api: Api, key: str, route: str) -> None:
    body = {"assistant_id": "steps", "input": {"key": key, "said": []}, "on_completion": "keep"}
    answer = api.request("POST", f"/runs{route}", json=body)
    assert answer.status_code == 200
    run_id = answer.headers["content-location"].split("/runs/")[1].split("/")[0]
    [(thread_id,)] = api.rows("SELECT thread_id FROM runs WHERE run_id = ?", run_id)
    assert api.rested(thread_id)["status"] == "idle"
    assert api.values(thread_id)["trail"] == ["a", "b", "c"]
    assert api.status(thread_id, run_id) == "success"


def test_a_stateless_run_can_be_rejoined_at_the_location_it_announces(api: Api, gate: Gates, key: str) -> None:
    gate.hold(key, "b")
    body = {"assistant_id": "steps", "input": {"key": key, "said": []}}
    with api.http.stream("POST", api.url("/runs/stream"), json=body) as response:
        location = response.headers["location"]
        assert response.headers["content-location"] == location.removesuffix("/stream")
        gate.reached(key, "b")
    live = Listener(api.url(location)).start()
    gate.release(key, "b")
    live.join()
    check_log(live.frames, status="success")
    with api.open("GET", location, headers=EVERYTHING) as frames:
        assert list(frames) == live.frames
    middle = live.frames[2].id or ""
    assert Listener(api.url(location), after=middle).start().join().frames == live.frames[3:]
