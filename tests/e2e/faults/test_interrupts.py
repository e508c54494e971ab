"""Questions and answers, commands, forks and durability, through the server."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.faults.api import Api, check_log
from support.gates import Gates

_numbers = iter(range(1_000_000))


@pytest.fixture
def key() -> str:
    return f"ask{next(_numbers)}"


def asked(api: Api, key: str, graph: str = "asking") -> tuple[str, str]:
    """A thread whose run stopped at a question."""
    thread_id = api.new_thread()
    run_id = api.create(thread_id, graph, key)["run_id"]
    answer = api.join(thread_id, run_id)
    assert [each["value"] for each in answer["__interrupt__"]] == [{"question": "go on?"}]
    assert answer["said"] == [f"hello {key}"]
    return thread_id, run_id


@pytest.mark.parametrize("graph", ["asking", "asking_below"])
def test_a_question_and_its_answer(api: Api, gate: Gates, key: str, graph: str) -> None:
    thread_id, run_id = asked(api, key, graph)
    assert api.status(thread_id, run_id) == "success", "the run is over, the thread is what waits"
    thread = api.thread(thread_id)
    assert thread["status"] == "interrupted"
    [[question]] = thread["interrupts"].values()
    assert question["value"] == {"question": "go on?"}
    check_log(api.log(thread_id, run_id), status="success")
    resume = api.create(thread_id, graph, key, input=None, command={"resume": {question["id"]: "yes"}})["run_id"]
    values = api.join(thread_id, resume)
    assert values["answer"] == "yes"
    assert values["trail"] == ["a", "c"]
    assert api.thread(thread_id)["status"] == "idle"
    assert api.thread(thread_id)["interrupts"] == {}
    assert gate.places(key).count("a") == 1


def test_update_and_goto(api: Api, gate: Gates, key: str) -> None:
    thread_id = api.new_thread()
    api.join(thread_id, api.create(thread_id, "jumping", key)["run_id"])
    commands: list[tuple[Any, list[str]]] = [
        ({"update": {"said": ["x"]}, "goto": "left"}, ["left"]),
        ({"update": [["said", ["y"]]], "goto": ["left", "right"]}, ["left", "right"]),
        ({"goto": {"node": "right", "input": {"key": key}}}, ["right"]),
    ]
    trail = ["start"]
    for command, nodes in commands:
        run_id = api.create(thread_id, "jumping", key, input=None, command=command)["run_id"]
        trail += nodes
        assert api.join(thread_id, run_id)["trail"] == trail
        assert api.status(thread_id, run_id) == "success"
    assert api.values(thread_id)["said"] == [f"hello {key}", "x", "y"]
    assert gate.places(key) == trail


@pytest.mark.parametrize("way", ["checkpoint_id", "checkpoint", "configurable"])
def test_a_fork_from_a_checkpoint(api: Api, gate: Gates, key: str, way: str) -> None:
    thread_id = api.new_thread()
    api.join(thread_id, api.create(thread_id, "steps", key)["run_id"])
    history = api.post(f"/threads/{thread_id}/history", {"limit": 100})
    before_b = next(each for each in history if each["next"] == ["b"])["checkpoint"]["checkpoint_id"]
    ask: dict[str, Any] = {
        "checkpoint_id": {"checkpoint_id": before_b},
        "checkpoint": {"checkpoint": {"checkpoint_id": before_b, "checkpoint_ns": ""}},
        "configurable": {"config": {"configurable": {"checkpoint_id": before_b}}},
    }[way]
    run_id = api.create(thread_id, "steps", key, input=None, **ask)["run_id"]
    assert api.join(thread_id, run_id)["trail"] == ["a", "b", "c"]
    assert gate.places(key) == ["a", "b", "c", "b", "c"]
    assert api.values(thread_id)["said"] == [f"hello {key}"]


def test_a_rolled_back_fork_leaves_the_branch_it_came_from(api: Api, gate: Gates, key: str) -> None:
    thread_id = api.new_thread()
    api.join(thread_id, api.create(thread_id, "steps", key)["run_id"])
    history = api.post(f"/threads/{thread_id}/history", {"limit": 100})
    before_b = next(each for each in history if each["next"] == ["b"])["checkpoint"]["checkpoint_id"]
    gate.hold(key, "c")
    run_id = api.create(thread_id, "steps", key, input=None, checkpoint_id=before_b)["run_id"]
    gate.reached(key, "c")
    api.cancel(thread_id, run_id, action="rollback", wait=True)
    gate.release(key, "c")
    assert api.post(f"/threads/{thread_id}/history", {"limit": 100}) == history
    assert api.values(thread_id)["trail"] == ["a", "b", "c"]


@pytest.mark.parametrize(("durability", "count"), [("sync", 5), ("async", 5), ("exit", 1)])
def test_durability_decides_how_many_checkpoints_stay(api: Api, key: str, durability: str, count: int) -> None:
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "steps", key, durability=durability)["run_id"]
    assert api.join(thread_id, run_id)["trail"] == ["a", "b", "c"]
    steps = [each["metadata"]["step"] for each in api.post(f"/threads/{thread_id}/history", {"limit": 100})]
    assert steps == ([3] if durability == "exit" else [3, 2, 1, 0, -1])
    assert len(steps) == count


def test_interrupt_before_and_after(api: Api, gate: Gates, key: str) -> None:
    thread_id = api.new_thread()
    first = api.create(thread_id, "steps", key, interrupt_before=["b"])["run_id"]
    assert api.join(thread_id, first)["trail"] == ["a"]
    assert api.thread(thread_id)["status"] == "interrupted"
    second = api.create(thread_id, "steps", key, input=None, interrupt_after=["b"])["run_id"]
    assert api.join(thread_id, second)["trail"] == ["a", "b"]
    third = api.create(thread_id, "steps", key, input=None)["run_id"]
    assert api.join(thread_id, third)["trail"] == ["a", "b", "c"]
    assert api.thread(thread_id)["status"] == "idle"
    assert gate.places(key) == ["a", "b", "c"]
