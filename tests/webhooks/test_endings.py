"""Every ending of a run tells its webhook, once, what it came to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import shapes
from support.server import Running, running
from support.webhook_receiver import Received, Receiver

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")
RUN = {
    *("run_id", "thread_id", "assistant_id", "created_at", "updated_at", "status", "metadata", "kwargs"),
    *("multitask_strategy", "langsmith_session_name"),
}
ADDED = {"run_started_at", "run_ended_at", "webhook_sent_at", "values"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def server(tmp_path: Path, receiver: Receiver) -> AsyncIterator[Running]:
    async with running(tmp_path, webhook_allow_private=True) as server:
        yield server


async def only(receiver: Receiver) -> Received:
    """The one webhook that came; a second one would have come with it."""
    (received,) = await receiver.gets()
    return received


async def test_a_run_that_succeeds(server: Running, receiver: Receiver) -> None:
    path = await server.run("chain", {"n": ["in"]}, webhook=receiver.url("/sink/bg?tok=1"), metadata={"m": 1})
    received = await only(receiver)
    body = received.body
    assert (received.path, received.headers["content-type"]) == ("/sink/bg?tok=1", "application/json")
    assert set(body) == RUN | ADDED
    assert (body["status"], body["values"], body["metadata"]["m"]) == ("success", {"n": ["in", 0, 1, 2]}, 1)
    shown = await server.get(path)
    assert {name: body[name] for name in RUN} == shown
    times = [body[name] for name in ("created_at", "run_started_at", "run_ended_at", "webhook_sent_at")]
    assert all(STAMP.fullmatch(time) for time in times)
    assert times == sorted(times)
    assert "webhook-signature" not in received.headers


async def test_a_run_that_fails(server: Running, receiver: Receiver) -> None:
    await server.run("boom", {"n": []}, webhook=receiver.url())
    body = (await only(receiver)).body
    assert set(body) == RUN | ADDED | {"error"}
    assert (body["status"], body["error"]) == ("error", {"error": "ValueError", "message": "boom message"})
    assert body["values"] == {"n": [0]}


async def test_a_run_that_takes_too_long(receiver: Receiver, tmp_path: Path) -> None:
    async with running(tmp_path, webhook_allow_private=True, run_timeout_seconds=0.2) as server:
        await server.run("sleeper", {"delay": 30}, webhook=receiver.url())
        body = (await only(receiver)).body
        assert (body["status"], body["error"]["error"]) == ("timeout", "TimedOut")


async def test_a_run_that_stops_at_an_interrupt(server: Running, receiver: Receiver) -> None:
    await server.run("hil", {"log": []}, webhook=receiver.url())
    body = (await only(receiver)).body
    assert (body["status"], body["values"]) == ("success", {"log": ["before"]})


@pytest.mark.parametrize(
    ("action", "status", "error"),
    [("interrupt", "interrupted", "UserInterrupt"), ("rollback", "rollback", "UserRollback")],
)
async def test_a_running_run_that_is_cancelled(
    server: Running, receiver: Receiver, action: str, status: str, error: str
) -> None:
    path = await server.run("sleeper", {"delay": 30}, webhook=receiver.url())
    async with server.reading(path) as reader:
        await reader.holds(2)
    await server.post(f"{path}/cancel", None, params={"action": action, "wait": 1})
    body = (await only(receiver)).body
    assert (body["status"], body["error"]["error"]) == (status, error)
    assert body["error"]["message"].startswith(f"{action} requested via POST /threads/")
    assert body["run_started_at"]
    assert (body["values"] is None) == (action == "rollback")


@pytest.mark.parametrize(("action", "status"), [("interrupt", "interrupted"), ("rollback", "rollback")])
async def test_a_pending_run_that_is_cancelled(server: Running, receiver: Receiver, action: str, status: str) -> None:
    path = await server.run("chain", {"n": []}, webhook=receiver.url(), after_seconds=3600)
    await server.post(f"{path}/cancel", None, params={"action": action})
    body = (await only(receiver)).body
    assert (body["status"], body["run_started_at"]) == (status, None)
    assert body["error"]["message"].startswith(f"{action} requested via POST /threads/")


async def test_a_pending_run_that_is_superseded(server: Running, receiver: Receiver) -> None:
    thread_id = await server.thread()
    await server.run("chain", {"n": []}, thread_id=thread_id, webhook=receiver.url(), after_seconds=3600)
    later = await server.run("chain", {"n": []}, thread_id=thread_id, multitask_strategy="interrupt")
    body = (await only(receiver)).body
    assert body["error"]["message"] == f"superseded by run {later[-36:]} (multitask_strategy=interrupt)"


@pytest.mark.parametrize("delay", [0, 3600], ids=["running", "pending"])
async def test_a_run_whose_thread_is_deleted(server: Running, receiver: Receiver, delay: int) -> None:
    path = await server.run("sleeper", {"delay": 30}, webhook=receiver.url(), after_seconds=delay)
    if not delay:
        async with server.reading(path) as reader:
            await reader.holds(2)
    assert (await server.http.delete(path.partition("/runs")[0])).status_code == 204
    body = (await only(receiver)).body
    assert (body["status"], body["values"], body["error"]["error"]) == ("rollback", None, "ThreadDeleted")


@pytest.mark.parametrize(("kept", "values"), [({}, None), ({"on_completion": "keep"}, {"n": ["in", 0, 1, 2]})])
async def test_a_stateless_run(server: Running, receiver: Receiver, kept: dict[str, str], values: Any) -> None:
    body = {"assistant_id": "chain", "input": {"n": ["in"]}, "webhook": receiver.url(), **kept}
    assert await server.post("/runs/wait", body) == {"n": ["in", 0, 1, 2]}
    received = (await only(receiver)).body
    assert (received["status"], received["values"]) == ("success", values)


async def test_a_run_without_a_webhook_tells_nobody(server: Running, receiver: Receiver) -> None:
    await server.ended(await server.run("chain", {"n": []}))
    assert await server.get("/webhooks/deliveries") == []


async def test_the_delivery_is_there_when_the_run_is_over(server: Running, receiver: Receiver) -> None:
    """It is written by the transaction that ends the run, not after it."""

    paths = [await server.run("chain", {"n": [i]}, webhook=receiver.url()) for i in range(8)]
    for path in paths:
        await server.ended(path)
        (delivery,) = await server.get("/webhooks/deliveries", params={"run_id": path[-36:]})
        assert delivery["run_status"] == "success"
    await receiver.gets(8)


async def test_the_webhooks_of_a_batch_and_of_a_stream(server: Running, receiver: Receiver) -> None:
    one = {"assistant_id": "chain", "input": {"n": []}}
    await server.post("/runs/batch", [{**one, "webhook": receiver.url(f"/{i}")} for i in range(3)])
    thread_id = await server.thread()
    await server.http.post(f"/threads/{thread_id}/runs/stream", json={**one, "webhook": receiver.url("/stream")})
    assert sorted(each.path for each in await receiver.gets(4)) == ["/0", "/1", "/2", "/stream"]


async def test_ends_on_its_own_loop(tmp_path: Path) -> None:
    """The server stops while a receiver hangs, in bounded time, and the delivery waits for the next start."""

    with Receiver(lambda _: None) as receiver:
        from support.server import running

        # In a cluster the try's lease, a little longer than its time, has to run out.
        timeout = 15.0 if shapes.embedded() else 0.5
        settings = {"webhook_allow_private": True, "webhook_timeout_seconds": timeout}
        async with asyncio.timeout(30), running(tmp_path / "data", **settings) as server:
            await server.ended(await server.run("chain", {"n": []}, webhook=receiver.url()))
            await receiver.gets()
        receiver.answer = lambda _: 200
        async with asyncio.timeout(30), running(tmp_path / "data", **settings):
            first, second = await receiver.gets(2)
        assert (first.id, first.body["run_id"]) == (second.id, second.body["run_id"])
