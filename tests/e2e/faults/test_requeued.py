"""A run that waits again after its process died is pending, but not as if it had never run."""

from __future__ import annotations

import time

import pytest

from e2e.faults.api import Api, without_rows_of
from e2e.faults.conftest import Start
from support.gates import Gates
from support.server_process import until


def requeued(start: Start, gates: Gates) -> tuple[Api, str, str]:
    """A run that had come to its second node when its process died, and waits because another takes the only slot."""
    api = start(concurrency=2)
    threads = [api.new_thread(), api.new_thread()]
    for key in ("first", "second"):
        gates.hold(key, "b")
    runs = [
        api.create(thread, "steps", key)["run_id"] for thread, key in zip(threads, ("first", "second"), strict=True)
    ]
    for key in ("first", "second"):
        gates.reached(key, "b")
    # What has been checkpointed by then is what is to be taken back.
    until(lambda: len(api.rows("SELECT 1 FROM checkpoints WHERE run_id = ?", runs[1])) == 3)
    api.server.kill()
    api.server.settings["concurrency"] = 1
    gates.hold("first", "b")
    api.server.start()
    gates.reached("first", "b")
    assert api.status(threads[1], runs[1]) == "pending"
    return api, threads[1], runs[1]


@pytest.mark.parametrize("how", ["cancel", "supersede", "delete"])
def test_a_rollback_of_a_requeued_run_takes_back_what_it_had_written(start: Start, gates: Gates, how: str) -> None:
    api, thread_id, run_id = requeued(start, gates)
    next_id = ""
    if how == "cancel":
        assert api.cancel(thread_id, run_id, action="rollback").status_code == 202
    elif how == "delete":
        assert api.request("DELETE", f"/threads/{thread_id}/runs/{run_id}").status_code == 204
    else:
        next_id = api.create(thread_id, "steps", "next", multitask_strategy="rollback")["run_id"]
    without_rows_of(api.server, run_id)
    gates.release_all()
    if next_id:
        assert api.ended(thread_id, next_id) == "success"
        assert api.values(thread_id)["said"] == ["hello next"]
    else:
        assert api.rested(thread_id)["status"] == "idle"


def test_what_comes_due_meanwhile_does_not_run_between_two_attempts(start: Start, gates: Gates) -> None:
    """It would build on the middle of the other's work, which then had nothing to go on from."""
    api = start(concurrency=2)
    other, thread_id = api.new_thread(), api.new_thread()
    gates.hold("other", "b")
    gates.hold("begun", "b")
    api.create(other, "steps", "other")
    gates.reached("other", "b")
    delayed = api.create(thread_id, "steps", "delayed", after_seconds=1.5)["run_id"]
    begun = api.create(thread_id, "steps", "begun")["run_id"]
    gates.reached("begun", "b")
    until(lambda: len(api.rows("SELECT 1 FROM checkpoints WHERE run_id = ?", begun)) == 3)
    api.server.kill()
    due = "SELECT 1 FROM runs WHERE run_id = ? AND available_at <= ?"
    until(lambda: api.rows(due, delayed, time.time_ns() // 1000))
    gates.release("begun", "b")
    api.server.start()
    assert api.ended(thread_id, begun) == "success"
    assert api.ended(thread_id, delayed) == "success"
    assert api.values(thread_id)["said"] == ["hello begun", "hello delayed"]
    assert api.values(thread_id)["trail"] == ["a", "b", "c", "a", "b", "c"]
