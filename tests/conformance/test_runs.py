"""Requirements of runs that no other test covers."""

from __future__ import annotations

import uuid

from support.server import Running, frames

CHAIN = {"assistant_id": "chain", "input": {"n": ["in"]}}


async def test_a_batch_item_runs_on_its_thread(server: Running) -> None:
    thread_id = await server.thread()
    on_it, alone = await server.post("/runs/batch", [{**CHAIN, "thread_id": thread_id}, {**CHAIN, "thread_id": None}])
    assert on_it["thread_id"] == thread_id
    assert alone["thread_id"] != thread_id
    assert await server.get(f"/runs/{on_it['run_id']}/join") == {"n": ["in", 0, 1, 2]}
    assert (await server.get(f"/threads/{thread_id}/state"))["values"] == {"n": ["in", 0, 1, 2]}
    for bad, status in ((str(uuid.uuid4()), 404), ("x", 422), (5, 422)):
        answer = await server.http.post("/runs/batch", json=[CHAIN, {**CHAIN, "thread_id": bad}])
        assert answer.status_code == status, answer.text
    assert len(await server.get(f"/threads/{thread_id}/runs")) == 1


async def test_a_batch_on_a_busy_thread_follows_its_strategy(server: Running) -> None:
    thread_id = await server.thread()
    path = await server.run("sleeper", {"delay": 30}, thread_id=thread_id)
    item = {**CHAIN, "thread_id": thread_id, "multitask_strategy": "reject"}
    assert (await server.http.post("/runs/batch", json=[item])).status_code == 409
    assert (await server.http.post(f"{path}/cancel", params={"wait": 1})).status_code == 200


async def test_an_unknown_checkpoint_starts_empty(server: Running) -> None:
    thread_id = await server.thread()
    await server.post(f"/threads/{thread_id}/runs/wait", CHAIN)
    body = {"assistant_id": "chain", "checkpoint_id": str(uuid.uuid4())}
    answer = await server.http.post(f"/threads/{thread_id}/runs/stream", json=body)
    assert answer.status_code == 200
    *_, last = frames(answer.content)
    assert (last.event, last.data["error"]) == ("error", "EmptyInputError")


async def test_a_null_input_retries_the_failed_step(server: Running) -> None:
    thread_id = await server.thread()
    wait = f"/threads/{thread_id}/runs/wait"
    failed = await server.post(wait, {"assistant_id": "boom", "input": {"n": []}})
    again = await server.post(wait, {"assistant_id": "boom", "input": None})
    assert failed["__error__"] == again["__error__"] == {"error": "ValueError", "message": "boom message"}
    assert (await server.get(f"/threads/{thread_id}/state"))["values"] == {"n": [0]}


async def test_info_announces_strict_resume(server: Running) -> None:
    assert (await server.get("/info"))["flags"]["strict_resume"] is True
