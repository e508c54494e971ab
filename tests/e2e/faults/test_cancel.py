"""Cancelling: in every state of a run, twice, with and without waiting, against code that does not listen."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from e2e.faults.api import Api, Listener, check_log, without_rows_of
from support.gates import Gates
from support.server_process import until

Start = Callable[..., Api]
WAYS = pytest.mark.parametrize("wait", [False, True], ids=["wait=0", "wait=1"])
ACTIONS = pytest.mark.parametrize("action", ["interrupt", "rollback"])

_numbers = iter(range(1_000_000))


@pytest.fixture
def key() -> str:
    """A name that no other test on the shared server has."""
    return f"cancel{next(_numbers)}"


def begin(api: Api, gate: Gates, graph: str, key: str, place: str, **fields: Any) -> tuple[str, str]:
    """A run that waits at ``place``, on a thread with an earlier run."""
    thread_id = api.new_thread()
    api.join(thread_id, api.create(thread_id, "steps", f"{key}-before")["run_id"])
    gate.hold(key, place)
    run_id = api.create(thread_id, graph, key, **fields)["run_id"]
    gate.reached(key, place)
    return thread_id, run_id


def cancelled(api: Api, thread_id: str, run_id: str, *, wait: bool, action: str, before: Any) -> None:
    """The cancel was taken and did what it says, as soon as it answered if it waited."""
    answer = api.cancel(thread_id, run_id, action=action, wait=wait)
    assert (answer.status_code, answer.content) == ((200, b"{}") if wait else (202, b""))
    if not wait:
        api.rested(thread_id)
    if action == "interrupt":
        assert api.status(thread_id, run_id) == "interrupted"
        thread = api.thread(thread_id)
        assert thread["status"] == "interrupted"
        assert thread["error"]["error"] == "UserInterrupt"
        check_log(api.log(thread_id, run_id), status="interrupted")
    else:
        rolled_back(api, thread_id, run_id, before)
        assert api.thread(thread_id)["status"] == "idle"


def rolled_back(api: Api, thread_id: str, run_id: str, before: Any) -> None:
    """Nothing of the run is left, in any namespace, and the state is what it was."""
    assert api.request("GET", f"/threads/{thread_id}/runs/{run_id}").status_code == 404
    without_rows_of(api.server, run_id)
    assert comparable(api, thread_id) == before


def comparable(api: Api, thread_id: str) -> Any:
    """The state, the values of the thread, and every checkpoint."""
    state = api.get(f"/threads/{thread_id}/state")
    history = api.post(f"/threads/{thread_id}/history", {"limit": 1000})
    return state, api.thread(thread_id)["values"], [each["checkpoint_id"] for each in history]


@WAYS
@ACTIONS
@pytest.mark.parametrize(
    ("graph", "place"), [("steps", "a"), ("steps", "b"), ("nested", "d2"), ("nested", "m2"), ("stubborn", "stubborn")]
)
def test_a_running_run(api: Api, gate: Gates, key: str, graph: str, place: str, action: str, wait: bool) -> None:
    thread_id = api.new_thread()
    api.join(thread_id, api.create(thread_id, "steps", f"{key}-before")["run_id"])
    before = comparable(api, thread_id)
    gate.hold(key, place)
    run_id = api.create(thread_id, graph, key)["run_id"]
    gate.reached(key, place)
    until(lambda: api.rows("SELECT count(*) FROM checkpoints WHERE run_id = ?", run_id)[0][0] >= 2)
    began = time.monotonic()
    cancelled(api, thread_id, run_id, wait=wait, action=action, before=before)
    assert time.monotonic() - began < 5
    gate.release(key, place)
    follow_up = api.create(thread_id, "steps", f"{key}-after")["run_id"]
    assert api.join(thread_id, follow_up)["said"][-1] == f"hello {key}-after"
    assert api.thread(thread_id)["status"] == "idle"
    if action == "rollback":
        without_rows_of(api.server, run_id)
        assert f"hello {key}" not in api.values(thread_id)["said"]


@WAYS
@ACTIONS
def test_a_pending_run(api: Api, gate: Gates, key: str, action: str, wait: bool) -> None:
    """It ends at once; the one that runs and the ones queued with it are untouched."""
    thread_id, running = begin(api, gate, "steps", key, "b")
    first = api.create(thread_id, "steps", f"{key}-first")["run_id"]
    last = api.create(thread_id, "steps", f"{key}-last")["run_id"]
    answer = api.cancel(thread_id, first, action=action, wait=wait)
    assert answer.status_code == (200 if wait else 202)
    if action == "interrupt":
        assert api.status(thread_id, first) == "interrupted"
        check_log(api.log(thread_id, first), status="interrupted")
    else:
        assert api.request("GET", f"/threads/{thread_id}/runs/{first}").status_code == 404
        without_rows_of(api.server, first)
    assert api.status(thread_id, running) == "running"
    assert api.thread(thread_id)["status"] == "busy"
    gate.release(key, "b")
    assert api.ended(thread_id, running) == api.ended(thread_id, last) == "success"
    assert api.values(thread_id)["said"] == [f"hello {key}{part}" for part in ("-before", "", "-last")]
    assert gate.places(f"{key}-first") == []


@ACTIONS
def test_the_only_pending_run_leaves_the_thread_at_rest(api: Api, action: str, key: str) -> None:
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "steps", key, after_seconds=600)["run_id"]
    assert api.thread(thread_id)["status"] == "busy"
    api.cancel(thread_id, run_id, action=action)
    assert api.thread(thread_id)["status"] == "idle"


@WAYS
@ACTIONS
def test_a_finished_run_cannot_be_cancelled(api: Api, key: str, action: str, wait: bool) -> None:
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "steps", key)["run_id"]
    values = api.join(thread_id, run_id)
    answer = api.cancel(thread_id, run_id, action=action, wait=wait)
    assert answer.status_code == 404
    assert "No matching runs to cancel" in answer.json()["detail"]
    assert api.status(thread_id, run_id) == "success"
    assert api.values(thread_id) == values


def test_an_unknown_run_or_thread(api: Api, key: str) -> None:
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "steps", key)["run_id"]
    unknown = "01a20460-1cc7-734f-be92-7dff66e1107e"
    for thread, run in ((thread_id, unknown), (unknown, run_id), (api.new_thread(), run_id)):
        answer = api.cancel(thread, run)
        assert answer.status_code == 404
        assert "No runs found to cancel" in answer.json()["detail"]


@WAYS
@ACTIONS
def test_a_run_that_is_being_cancelled_can_be_cancelled_again(
    api: Api, gate: Gates, key: str, action: str, wait: bool
) -> None:
    thread_id, run_id = begin(api, gate, "stubborn", key, "stubborn")
    assert api.cancel(thread_id, run_id, action=action).status_code == 202
    gate.reached(key, "swallowed")
    assert api.cancel(thread_id, run_id, action=action, wait=wait).status_code == (200 if wait else 202)
    api.rested(thread_id)
    found = api.request("GET", f"/threads/{thread_id}/runs/{run_id}")
    assert found.status_code == (404 if action == "rollback" else 200)


def test_a_rollback_outranks_an_interrupt_and_not_the_other_way_round(api: Api, gate: Gates, key: str) -> None:
    for number, actions in enumerate((("interrupt", "rollback"), ("rollback", "interrupt"))):
        thread_id, run_id = begin(api, gate, "stubborn", f"{key}-{number}", "stubborn")
        for action in actions:
            assert api.cancel(thread_id, run_id, action=action).status_code == 202
        assert api.rested(thread_id)["status"] == "idle"
        without_rows_of(api.server, run_id)


def test_many_cancels_at_once(api: Api, gate: Gates, key: str) -> None:
    thread_id, run_id = begin(api, gate, "steps", key, "b")
    codes: list[int] = []

    def cancel(wait: bool) -> None:
        codes.append(api.cancel(thread_id, run_id, wait=wait).status_code)

    workers = [threading.Thread(target=cancel, args=(bool(number % 2),)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert set(codes) <= {200, 202, 404}
    assert len(codes) == 8
    assert api.status(thread_id, run_id) == "interrupted"
    check_log(api.log(thread_id, run_id), status="interrupted")


@ACTIONS
def test_code_that_swallows_the_cancellation_is_cut_off(api: Api, gate: Gates, key: str, action: str) -> None:
    """It may live on, but what it comes to is not written, and the next run does not wait for it."""
    thread_id, run_id = begin(api, gate, "stubborn", key, "stubborn")
    behind = api.create(thread_id, "steps", f"{key}-behind")["run_id"]
    began = time.monotonic()
    api.cancel(thread_id, run_id, action=action, wait=True)
    assert time.monotonic() - began < 4, "cancel_seconds is 1 here"
    assert api.ended(thread_id, behind) == "success"
    values = comparable(api, thread_id)
    gate.release(key, "stubborn")
    later = api.create(None, "steps", f"{key}-later")
    api.join(None, later["run_id"])
    assert comparable(api, thread_id) == values


@ACTIONS
def test_a_function_that_blocks_its_thread_is_left_behind(api: Api, gate: Gates, key: str, action: str) -> None:
    thread_id, run_id = begin(api, gate, "threaded", key, "threaded")
    until(lambda: api.rows("SELECT count(*) FROM checkpoints WHERE run_id = ?", run_id) == [(3,)])
    before_end = comparable(api, thread_id) if action == "interrupt" else None
    api.cancel(thread_id, run_id, action=action, wait=True)
    gone = api.request("GET", f"/threads/{thread_id}/runs/{run_id}")
    assert gone.status_code == 404 if action == "rollback" else gone.json()["status"] == "interrupted"
    after = comparable(api, thread_id)
    gate.release(key, "threaded")
    until(lambda: "threaded-end" in gate.places(key))
    api.join(None, api.create(None, "steps", f"{key}-later")["run_id"])
    assert comparable(api, thread_id) == after
    assert before_end is None or before_end[2] == after[2]
    assert api.thread(thread_id)["status"] != "busy"


def test_a_node_that_blocks_the_loop_is_cut_off(start: Start, gates: Gates) -> None:
    """Not even the loop of the graphs answers: the lease keeper ends the run from its own thread."""
    api = start(cancel_seconds=0.5)
    gates.hold("k", "blocking")
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "blocking", "k")["run_id"]
    gates.reached("k", "blocking")
    api.cancel(thread_id, run_id, wait=True)
    assert api.status(thread_id, run_id) == "interrupted"
    gates.release("k", "blocking")
    assert api.ended(thread_id, api.create(thread_id, "steps", "after")["run_id"]) == "success"
    assert api.values(thread_id)["trail"] == ["a", "a", "b", "c"]


@WAYS
def test_a_queued_run_starts_only_after_the_clean_up(api: Api, gate: Gates, key: str, wait: bool) -> None:
    thread_id, run_id = begin(api, gate, "stubborn", key, "stubborn")
    behind = api.create(thread_id, "steps", f"{key}-behind")["run_id"]
    canceller = threading.Thread(target=lambda: api.cancel(thread_id, run_id, action="rollback", wait=wait))
    canceller.start()
    gate.reached(key, "swallowed")
    assert gate.places(f"{key}-behind") == []
    canceller.join(10)
    assert api.ended(thread_id, behind) == "success"
    without_rows_of(api.server, run_id)
    assert api.values(thread_id)["said"] == [f"hello {key}-before", f"hello {key}-behind"]
    assert api.values(thread_id)["trail"] == ["a", "b", "c"] * 2
    assert api.rested(thread_id)["status"] == "idle"


def test_readers_of_a_rolled_back_run_end(api: Api, gate: Gates, key: str) -> None:
    thread_id, run_id = begin(api, gate, "steps", key, "b")
    listener = Listener(api.url(f"/threads/{thread_id}/runs/{run_id}/stream")).start()
    # Its answer has begun, so it is there before the run goes.
    with httpx.stream("GET", api.url(f"/threads/{thread_id}/runs/{run_id}/join"), trust_env=False) as joining:
        api.cancel(thread_id, run_id, action="rollback", wait=True)
        assert "__error__" in json.loads(joining.read())
    listener.join()
    assert listener.finished is True
    assert (listener.frames[-1].event, json.loads(listener.frames[-1].data)["status"]) == ("end", "rolled_back")


@WAYS
@pytest.mark.parametrize("graph", ["asking", "asking_below"])
def test_a_rollback_of_a_resume_brings_the_question_back(
    api: Api, gate: Gates, key: str, graph: str, wait: bool
) -> None:
    thread_id = api.new_thread()
    api.join(thread_id, api.create(thread_id, graph, key)["run_id"])
    thread, before = api.thread(thread_id), comparable(api, thread_id)
    assert thread["status"] == "interrupted"
    assert [each["value"] for each in before[0]["interrupts"]] == [{"question": "go on?"}]
    gate.hold(key, "c")
    run_id = api.create(thread_id, graph, key, input=None, command={"resume": "yes"})["run_id"]
    gate.reached(key, "c")
    api.cancel(thread_id, run_id, action="rollback", wait=wait)
    after = api.rested(thread_id)
    gate.release(key, "c")
    rolled_back(api, thread_id, run_id, before)
    assert after["status"] == "interrupted"
    assert after["interrupts"] == thread["interrupts"]
    answered = api.create(thread_id, graph, key, input=None, command={"resume": "second"})["run_id"]
    assert api.join(thread_id, answered)["answer"] == "second"


def test_interrupt_keeps_what_was_checkpointed_and_can_go_on(api: Api, gate: Gates, key: str) -> None:
    thread_id = api.new_thread()
    gate.hold(key, "b")
    run_id = api.create(thread_id, "steps", key)["run_id"]
    gate.reached(key, "b")
    api.cancel(thread_id, run_id, wait=True)
    gate.release(key, "b")
    state = api.get(f"/threads/{thread_id}/state")
    assert (state["values"]["trail"], state["next"]) == (["a"], ["b"])
    assert api.thread(thread_id)["values"]["trail"] == ["a"]
    assert api.join(thread_id, run_id)["trail"] == ["a"]
    go_on = api.create(thread_id, "steps", key, input=None)["run_id"]
    assert api.join(thread_id, go_on)["trail"] == ["a", "b", "c"]
    assert gate.places(key) == ["a", "b", "b", "c"]


def test_interrupt_with_a_tool_call_in_flight(api: Api, gate: Gates, key: str) -> None:
    """LangGraph leaves the model's message with its tool call, unanswered, and the tools as the next step. Going on
    without input runs the tool and answers the call."""
    thread_id = api.new_thread()
    human = {"role": "user", "content": "hi"}
    gate.hold(key, "look_up")
    given = {"key": key, "messages": [human]}
    run_id = api.create(thread_id, "calling", key, input=given)["run_id"]
    gate.reached(key, "look_up")
    api.cancel(thread_id, run_id, wait=True)
    gate.release(key, "look_up")
    state = api.get(f"/threads/{thread_id}/state")
    assert [each["type"] for each in state["values"]["messages"]] == ["human", "ai"]
    assert state["next"] == ["tools"]
    go_on = api.create(thread_id, "calling", key, input=None)["run_id"]
    messages = api.join(thread_id, go_on)["messages"]
    assert [each["type"] for each in messages] == ["human", "ai", "tool", "ai"]
    assert messages[2]["tool_call_id"] == messages[1]["tool_calls"][0]["id"]


@pytest.mark.parametrize("strategy", [None, "interrupt"], ids=["cancelled before", "by multitask_strategy"])
def test_new_input_after_a_tool_call_that_was_interrupted(
    api: Api, gate: Gates, key: str, strategy: str | None
) -> None:
    """The call is answered before the new message, so that a chat model accepts the history."""
    thread_id = api.new_thread()
    gate.hold(key, "look_up")
    given = {"key": key, "messages": [{"role": "user", "content": "hi"}]}
    run_id = api.create(thread_id, "calling", key, input=given)["run_id"]
    gate.reached(key, "look_up")
    if strategy is None:
        api.cancel(thread_id, run_id, wait=True)
    given = {"key": f"{key}-new", "messages": [{"role": "user", "content": "something else"}]}
    options = {} if strategy is None else {"multitask_strategy": strategy}
    messages = api.join(thread_id, api.create(thread_id, "calling", key, input=given, **options)["run_id"])["messages"]
    assert api.status(thread_id, run_id) == "interrupted"
    kinds = [each["type"] for each in messages]
    assert kinds == ["human", "ai", "tool", "human", "ai", "tool", "ai"]
    for index in (1, 4):
        assert messages[index + 1]["tool_call_id"] == messages[index]["tool_calls"][0]["id"]


def test_cancel_many(api: Api, gate: Gates, key: str) -> None:
    thread_id, running = begin(api, gate, "steps", key, "b")
    pending = [api.create(thread_id, "steps", f"{key}-{n}")["run_id"] for n in range(3)]
    api.post("/runs/cancel", {"thread_id": thread_id, "run_ids": [pending[0], running]})
    assert api.ended(thread_id, running) == api.ended(thread_id, pending[0]) == "interrupted"
    assert api.ended(thread_id, pending[1]) == api.ended(thread_id, pending[2]) == "success"


@WAYS
def test_a_run_of_another_graph_is_not_stopped_with_it(api: Api, gate: Gates, key: str, wait: bool) -> None:
    thread_id, run_id = begin(api, gate, "steps", key, "b")
    other_thread, other = begin(api, gate, "nested", f"{key}-other", "d1")
    api.cancel(thread_id, run_id, wait=wait)
    api.rested(thread_id)
    assert api.status(other_thread, other) == "running"
    gate.release(f"{key}-other", "d1")
    assert api.ended(other_thread, other) == "success"


def test_deleting_a_running_run_rolls_it_back(api: Api, gate: Gates, key: str) -> None:
    thread_id, run_id = begin(api, gate, "nested", key, "d2")
    assert api.request("DELETE", f"/threads/{thread_id}/runs/{run_id}").status_code == 204
    without_rows_of(api.server, run_id)
    assert api.thread(thread_id)["status"] == "idle"
