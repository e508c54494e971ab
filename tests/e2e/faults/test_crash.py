"""SIGKILL at each named point of a run's life."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from e2e.faults.api import Api, Listener, attempts, check_log, rows, without_rows_of
from support import shapes
from support.gates import Gates
from support.server_process import Server, ServerDied, until
from treadle.backends.live.hub import Hub
from treadle.backends.tables.queue import SqlQueue
from treadle.sse import Frame

Start = Callable[..., Api]


def finished_once(api: Api, gates: Gates, thread_id: str, run_id: str, key: str) -> None:
    """The run succeeded, its input was applied once, every node ran, and its log is whole."""
    assert api.ended(thread_id, run_id) == "success"
    assert api.thread(thread_id)["status"] == "idle"
    values = api.values(thread_id)
    assert values["said"] == [f"hello {key}"]
    assert values["trail"] == ["a", "b", "c"]
    assert set(gates.places(key)) == {"a", "b", "c"}
    assert {effect.run_id for effect in gates.effects(key)} == {run_id}
    check_log(api.log(thread_id, run_id), status="success")


def test_killed_right_after_the_answer_to_create(start: Start, gates: Gates) -> None:
    api = start(max_attempts=5)
    created = []
    for number in range(3):
        thread_id = api.new_thread()
        run = api.create(thread_id, "steps", f"k{number}")
        api.server.restart()
        created.append((thread_id, run["run_id"], f"k{number}"))
    for thread_id, run_id, key in created:
        finished_once(api, gates, thread_id, run_id, key)


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_killed_after_the_claim_before_the_first_checkpoint(start: Start, gates: Gates, durability: str) -> None:
    api = start()
    gates.hold("k", "factory")
    thread_id = api.new_thread()
    options = {"config": {"configurable": {"key": "k"}}, "durability": durability}
    run_id = api.create(thread_id, "made", "k", **options)["run_id"]
    gates.reached("k", "factory")
    assert api.rows("SELECT count(*) FROM checkpoints") == [(0,)]
    api.server.kill()
    gates.release("k", "factory")
    api.server.start()
    finished_once(api, gates, thread_id, run_id, "k")
    assert attempts(api.log(thread_id, run_id)) == [1, 2]
    assert {effect.attempt for effect in gates.effects("k")} == {2}


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_killed_in_mid_run(start: Start, gates: Gates, durability: str) -> None:
    api = start()
    gates.hold("k", "b")
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "steps", "k", durability=durability, stream_mode=["values", "custom"])["run_id"]
    gates.reached("k", "b")
    listener = Listener(api.url(f"/threads/{thread_id}/runs/{run_id}/stream")).start()
    until(lambda: json.loads(listener.frames[-1].data) == {"at": "b"} if listener.frames else False)
    api.server.kill()
    seen = listener.join().frames
    assert listener.finished is False
    gates.release("k", "b")
    started = time.monotonic()
    api.server.start()
    assert time.monotonic() - started < 20
    finished_once(api, gates, thread_id, run_id, "k")
    frames = api.log(thread_id, run_id)
    assert frames[: len(seen)] == seen
    assert attempts(frames) == [1, 2]
    repeated = gates.places("k")
    assert repeated == (["a", "b", "a", "b", "c"] if durability == "exit" else ["a", "b", "b", "c"])


def test_the_orphan_runs_within_a_second_of_readiness(start: Start, gates: Gates) -> None:
    api = start(lease_seconds=30)
    gates.hold("k", "b")
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "steps", "k")["run_id"]
    gates.reached("k", "b")
    api.server.restart()
    ready = time.monotonic()
    until(lambda: gates.places("k").count("b") == 2, 5)
    assert time.monotonic() - ready < 2.0
    gates.release("k", "b")
    finished_once(api, gates, thread_id, run_id, "k")


def test_killed_right_after_the_last_event(start: Start, gates: Gates) -> None:
    api = start()
    for number in range(3):
        key, thread_id = f"k{number}", api.new_thread()
        seen: list[Frame] = []
        with pytest.raises(httpx.TransportError):
            read_to_the_last_event(api, thread_id, key, seen)
        api.server.start()
        run_id = json.loads(seen[0].data)["run_id"]
        finished_once(api, gates, thread_id, run_id, key)
        assert api.log(thread_id, run_id)[: len(seen)] == seen


def read_to_the_last_event(api: Api, thread_id: str, key: str, seen: list[Frame]) -> None:
    """Kills the server once the final state has come, and reads on."""
    with api.stream(thread_id, "steps", key) as frames:
        for frame in frames:
            seen.append(frame)
            if frame.event == "values" and json.loads(frame.data).get("trail") == ["a", "b", "c"]:
                api.server.kill()
    raise httpx.ReadError("the end came before the kill")


def test_the_end_of_a_run_is_there_as_a_whole_or_not_at_all(start: Start, gates: Gates) -> None:
    """Status, terminal event, output and the thread's status are one transaction: killed at random instants around the
    end of many runs, the file never shows one without the others."""
    api = start(concurrency=32)
    instants = random.Random(7)
    shown = {"ended": 0, "open": 0}
    # At once, when hardly any run has ended, at random instants, and when most have ended.
    delays = [0.0, *(instants.uniform(0.004, 0.09 if shapes.embedded() else 0.5) for _ in range(4)), 1.0]
    for number, delay in enumerate(delays):
        threads = [api.new_thread() for _ in range(24)]
        for each in threads:
            gates.hold(f"r{number}-{each}", "c")
            api.create(each, "steps", f"r{number}-{each}")
        for each in threads:
            gates.reached(f"r{number}-{each}", "c")
        gates.release_all()
        time.sleep(delay)  # the instant of the kill, not a synchronisation
        api.server.kill()
        for key, count in check_ends(api, threads).items():
            shown[key] += count
        api.server.start()
        for each in threads:
            assert api.rested(each)["status"] == "idle"
            assert api.values(each)["trail"] == ["a", "b", "c"]
    assert shown["ended"] > 0, shown
    assert shown["open"] > 0, shown


def check_ends(api: Api, threads: list[str]) -> dict[str, int]:
    """How many runs of the stopped server's file have ended, each wholly, and how many not at all."""
    shown = {"ended": 0, "open": 0}
    for thread_id in threads:
        [(run_id, status, finished_at, output, seq, thread_status)] = rows(
            api.server,
            "SELECT run_id, r.status, finished_at, r.output_id, r.event_seq, t.status FROM runs r"
            " JOIN threads t USING (thread_id) WHERE thread_id = ?",
            thread_id,
        )
        ended = status == "success"
        [(last, tail)] = rows(
            api.server,
            "SELECT last_seq, events FROM event_chunks WHERE run_id = ? ORDER BY first_seq DESC LIMIT 1",
            run_id,
        )
        assert last == seq
        assert (b"\xa3end" in tail) == ended == (finished_at is not None) == (output is not None)
        assert thread_status == ("idle" if ended else "busy")
        shown["ended" if ended else "open"] += 1
    return shown


def test_killed_between_requeue_and_wake_up(start: Start, gates: Gates) -> None:
    """A run that returned to the queue while no worker was there to notice."""
    api = start()
    gates.hold("k", "b")
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "steps", "k", durability="sync")["run_id"]
    gates.reached("k", "b")
    api.server.kill()
    gates.release("k", "b")
    with shapes.engine_on(api.server.data) as engine:
        rescue = SqlQueue(engine, Hub()).rescue(max_attempts=3, exclusive=True)
        assert asyncio.run(asyncio.wait_for(rescue, 10)) == [run_id]
    assert api.rows("SELECT status FROM runs") == [("pending",)]
    api.server.start()
    finished_once(api, gates, thread_id, run_id, "k")
    assert api.rows("SELECT crashes FROM runs") == [(1,)]


def test_killed_during_start_up_again_and_again(start: Start, gates: Gates) -> None:
    api = start()
    gates.hold("k", "b")
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "steps", "k")["run_id"]
    gates.reached("k", "b")
    instants = random.Random(3)
    api.server.kill()
    for _ in range(4):
        api.server.spawn()
        time.sleep(instants.uniform(0.02, 0.6))  # the instant of the kill, not a synchronisation
        api.server.kill()
    gates.release("k", "b")
    api.server.start()
    status = api.ended(thread_id, run_id)
    [(crashes,)] = api.rows("SELECT crashes FROM runs")
    # Of three attempts the first two may be lost; the third ends the run, one way or the other.
    assert (status, crashes == 2) in {("success", False), ("success", True), ("error", True)}
    assert crashes <= 2
    check_log(api.log(thread_id, run_id), status=status)


def test_killed_while_a_rollback_is_cleaning_up(start: Start, gates: Gates) -> None:
    """The mark is durable: the next worker finishes the rollback instead of the run."""
    api = start()
    thread_id = api.new_thread()
    before = api.create(thread_id, "steps", "before")["run_id"]
    api.join(thread_id, before)
    state = api.values(thread_id)
    gates.hold("k", "stubborn")
    run_id = api.create(thread_id, "stubborn", "k")["run_id"]
    gates.reached("k", "stubborn")
    behind = api.create(thread_id, "steps", "behind")["run_id"]
    assert api.cancel(thread_id, run_id, action="rollback").status_code == 202
    gates.reached("k", "swallowed")
    api.server.restart()
    assert api.ended(thread_id, behind) == "success"
    assert api.request("GET", f"/threads/{thread_id}/runs/{run_id}").status_code == 404
    without_rows_of(api.server, run_id)
    after = api.values(thread_id)
    assert after["said"] == [*state["said"], "hello behind"]
    assert after["trail"] == [*state["trail"], "a", "b", "c"]
    assert api.thread(thread_id)["status"] == "idle"
    assert gates.places("k").count("stubborn") == 1


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
def test_a_cancel_that_was_answered_survives_the_kill(start: Start, gates: Gates, action: str) -> None:
    api = start()
    gates.hold("k", "stubborn")
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "stubborn", "k")["run_id"]
    gates.reached("k", "stubborn")
    api.cancel(thread_id, run_id, action=action)
    api.server.restart()
    resting = api.rested(thread_id)
    assert gates.places("k").count("stubborn") == 1
    if action == "rollback":
        assert api.request("GET", f"/threads/{thread_id}/runs/{run_id}").status_code == 404
        assert resting["status"] == "idle"
    else:
        assert api.status(thread_id, run_id) == "interrupted"
        assert resting["status"] == "interrupted"
        check_log(api.log(thread_id, run_id), status="interrupted")


def test_attempts_run_out(start: Start, gates: Gates) -> None:
    api = start(max_attempts=2)
    gates.hold("k", "b")
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "steps", "k")["run_id"]
    behind = api.create(thread_id, "steps", "behind")["run_id"]
    for attempt in (1, 2):
        until(lambda attempt=attempt: gates.places("k").count("b") == attempt)
        api.server.restart()
    assert api.ended(thread_id, run_id) == "error"
    assert api.ended(thread_id, behind) == "success"
    frames = api.log(thread_id, run_id)
    check_log(frames, status="error")
    assert frames[-2].event == "error"
    assert json.loads(frames[-2].data)["error"] == "AttemptsExhausted"
    assert "__error__" in api.join(thread_id, run_id)
    assert api.thread(thread_id)["status"] == "idle"
    assert attempts(frames) == [1, 2]


def test_the_thread_of_a_run_out_of_attempts_rests_in_error(start: Start, gates: Gates) -> None:
    api = start(max_attempts=1)
    gates.hold("k", "b")
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "steps", "k")["run_id"]
    gates.reached("k", "b")
    api.server.restart()
    assert api.ended(thread_id, run_id) == "error"
    thread = api.thread(thread_id)
    assert thread["status"] == "error"
    assert thread["error"]["error"] == "AttemptsExhausted"
    gates.release("k", "b")
    follow_up = api.create(thread_id, "steps", "k", input=None)["run_id"]
    assert api.ended(thread_id, follow_up) == "success"
    assert api.values(thread_id)["trail"] == ["a", "b", "c"]


def test_sync_durability_is_durable_before_the_next_step(start: Start, gates: Gates) -> None:
    """Ten runs killed the moment their second node begins: the first one's checkpoint is always there."""
    api = start()
    keys = [f"k{number}" for number in range(10)]
    for key in keys:
        gates.hold(key, "b")

    def create(key: str) -> tuple[str, str]:
        thread_id = api.new_thread()
        return thread_id, api.create(thread_id, "steps", key, durability="sync")["run_id"]

    with ThreadPoolExecutor(10) as pool:
        created = list(pool.map(create, keys))
    for key in keys:
        gates.reached(key, "b")
    api.server.kill()
    for _, run_id in created:
        step = "CAST(json_extract(metadata, '$.step') AS INTEGER)"
        steps = rows(api.server, f"SELECT {step} FROM checkpoints WHERE run_id = ?", run_id)
        assert sorted(step for (step,) in steps) == [-1, 0, 1]
    gates.release_all()
    api.server.start()
    for key, (thread_id, run_id) in zip(keys, created, strict=True):
        finished_once(api, gates, thread_id, run_id, key)
        assert gates.places(key) == ["a", "b", "b", "c"]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_a_resumed_answer_is_not_lost_and_not_asked_again(start: Start, gates: Gates, durability: str) -> None:
    """Killed while a resume is under way: the next attempt goes on with the same answer."""
    api = start()
    for number, graph in enumerate(("asking", "asking_below")):
        key, thread_id = f"k{number}", api.new_thread()
        api.join(thread_id, api.create(thread_id, graph, key)["run_id"])
        assert api.thread(thread_id)["status"] == "interrupted"
        gates.hold(key, "ask")
        options = {"command": {"resume": "yes"}, "durability": durability}
        run_id = api.create(thread_id, graph, key, input=None, **options)["run_id"]
        gates.reached(key, "ask")
        api.server.kill()
        gates.release(key, "ask")
        api.server.start()
        assert api.ended(thread_id, run_id) == "success"
        assert api.values(thread_id)["answer"] == "yes"
        assert api.values(thread_id)["trail"] == ["a", "c"]
        assert api.values(thread_id)["said"] == [f"hello {key}"]
        assert api.thread(thread_id)["status"] == "idle"
        check_log(api.log(thread_id, run_id), status="success")


@pytest.mark.parametrize("durability", ["async", "exit"])
def test_a_fork_that_is_killed_goes_on_in_its_own_branch(start: Start, gates: Gates, durability: str) -> None:
    api = start()
    thread_id = api.new_thread()
    api.join(thread_id, api.create(thread_id, "steps", "k")["run_id"])
    history = api.post(f"/threads/{thread_id}/history", {"limit": 100})
    before_b = next(each for each in history if each["next"] == ["b"])["checkpoint"]["checkpoint_id"]
    gates.hold("k", "c")
    options = {"input": None, "checkpoint_id": before_b, "durability": durability}
    run_id = api.create(thread_id, "steps", "k", **options)["run_id"]
    gates.reached("k", "c")
    if durability == "async":  # saved while c is already at work
        until(lambda: api.post(f"/threads/{thread_id}/history", {"limit": 1})[0]["next"] == ["c"])
    api.server.kill()
    gates.release("k", "c")
    api.server.start()
    assert api.ended(thread_id, run_id) == "success"
    assert api.values(thread_id)["trail"] == ["a", "b", "c"]
    again = ["c"] if durability == "async" else ["b", "c"]
    assert gates.places("k") == ["a", "b", "c", "b", "c", *again]


@pytest.mark.parametrize("durability", ["async", "exit"])
def test_a_command_that_is_killed_is_applied_once(start: Start, gates: Gates, durability: str) -> None:
    api = start()
    thread_id = api.new_thread()
    api.join(thread_id, api.create(thread_id, "jumping", "k")["run_id"])
    gates.hold("k", "left")
    command = {"update": {"said": ["x"]}, "goto": "left"}
    run_id = api.create(thread_id, "jumping", "k", input=None, command=command, durability=durability)["run_id"]
    gates.reached("k", "left")
    api.server.kill()
    gates.release("k", "left")
    api.server.start()
    assert api.ended(thread_id, run_id) == "success"
    assert api.values(thread_id)["said"] == ["hello k", "x"]
    assert api.values(thread_id)["trail"] == ["start", "left"]


def test_the_data_directory_of_a_running_server_is_refused(start: Start) -> None:
    api = start()
    second = Server(api.server.config, api.server.data, env={"FAULTS_DIR": "/nowhere"})
    with pytest.raises(ServerDied, match="another treadle server is using this data directory"):
        second.start()
    assert api.get("/ok")["ok"] is True
    api.server.restart()
