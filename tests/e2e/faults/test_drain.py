"""SIGTERM: what runs is given its time, the rest is handed back, and no stream looks finished that is not."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client

from e2e.faults.api import Api, Listener, attempts, check_log
from support.gates import Gates
from support.server_process import until
from treadle import AsyncClient

Start = Callable[..., Api]


def stream_url(api: Api, thread_id: str, run_id: str) -> str:
    return api.url(f"/threads/{thread_id}/runs/{run_id}/stream")


def test_a_run_longer_than_the_drain_window_is_handed_back(start: Start, gates: Gates) -> None:
    api = start(drain_seconds=0.3)
    gates.hold("k", "b")
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "steps", "k", durability="sync")["run_id"]
    gates.reached("k", "b")
    listener = Listener(stream_url(api, thread_id, run_id)).start()
    assert api.server.stop() == 0
    listener.join()
    assert listener.finished is False, "a stream of a live run was closed as if it were over"
    assert api.rows("SELECT status, crashes, worker_id FROM runs") == [("pending", 0, None)]
    assert api.rows("SELECT status FROM threads") == [("busy",)]
    gates.release("k", "b")
    api.server.start()
    rest = Listener(stream_url(api, thread_id, run_id), after=listener.last_id).start().join()
    assert api.status(thread_id, run_id) == "success"
    log = api.log(thread_id, run_id)
    check_log(log, status="success")
    assert listener.frames + rest.frames == log
    assert attempts(log) == [1, 2]
    assert api.values(thread_id)["said"] == ["hello k"]
    assert gates.places("k") == ["a", "b", "b", "c"]


def test_a_run_that_ends_within_the_drain_window_ends(start: Start, gates: Gates) -> None:
    api = start(drain_seconds=20)
    gates.hold("k", "b")
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "steps", "k")["run_id"]
    behind = api.create(thread_id, "steps", "behind")["run_id"]
    gates.reached("k", "b")
    listener = Listener(stream_url(api, thread_id, run_id)).start()
    api.server.signal(signal.SIGTERM)
    gates.release("k", "b")
    assert api.server.wait(15) == 0
    listener.join()
    assert listener.finished is True
    check_log(listener.frames, status="success")
    states = dict(api.rows("SELECT run_id, status FROM runs"))
    assert states == {run_id: "success", behind: "pending"}, "a draining server claims nothing more"
    api.server.start()
    assert api.ended(thread_id, behind) == "success"


def test_three_sigterms_in_a_row_use_up_no_attempts(start: Start, gates: Gates) -> None:
    api = start(drain_seconds=0, max_attempts=1)
    gates.hold("k", "b")
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "steps", "k")["run_id"]
    for number in range(1, 4):
        until(lambda number=number: gates.places("k").count("b") == number)
        assert api.server.stop() == 0
        assert api.rows("SELECT status, crashes FROM runs") == [("pending", 0)]
        api.server.start()
    gates.release("k", "b")
    assert api.ended(thread_id, run_id) == "success"
    log = api.log(thread_id, run_id)
    check_log(log, status="success")
    assert attempts(log) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("graph", "more"),
    [("blocking", {}), ("threaded", {}), ("stubborn", {}), ("threaded", {"graphs_on_serving_loop": True})],
    ids=["blocking", "threaded", "stubborn", "threaded on the serving loop"],
)
def test_code_that_does_not_let_go_cannot_keep_the_server(start: Start, gates: Gates, graph: str, more: Any) -> None:
    api = start(drain_seconds=0.3, cancel_seconds=0.5, **more)
    gates.hold("k", graph)
    thread_id = api.new_thread()
    run_id = api.create(thread_id, graph, "k", durability="sync")["run_id"]
    gates.reached("k", graph)
    listener = Listener(stream_url(api, thread_id, run_id)).start()
    began = time.monotonic()
    assert api.server.stop() == 0
    assert time.monotonic() - began < 8
    assert listener.join().finished is False
    assert api.rows("SELECT status, crashes FROM runs") == [("pending", 0)]
    gates.release("k", graph)
    api.server.start()
    assert api.ended(thread_id, run_id) == "success"
    assert api.values(thread_id)["trail"] == ["a", graph, "c"]
    assert gates.places("k").count("a") == 1
    check_log(api.log(thread_id, run_id), status="success")


def test_a_draining_server_is_no_client_that_left(start: Start, gates: Gates) -> None:
    """on_disconnect=cancel on stream and wait, cancel_on_disconnect on join: none fires when it is us who hang up."""
    api = start(drain_seconds=0.2)
    threads = {way: api.new_thread() for way in ("stream", "wait", "join")}
    for way in threads:
        gates.hold(way, "b")
    body = {"assistant_id": "steps", "on_disconnect": "cancel"}
    joined = api.create(threads["join"], "steps", "join")["run_id"]

    def ask(way: str) -> httpx.Response:
        if way == "join":
            path = f"/threads/{threads[way]}/runs/{joined}/join?cancel_on_disconnect=1"
            return httpx.get(api.url(path), timeout=20, trust_env=False)
        request = {**body, "input": {"key": way, "said": []}}
        return httpx.post(api.url(f"/threads/{threads[way]}/runs/{way}"), json=request, timeout=20, trust_env=False)

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(ask, way) for way in threads]
        for way in threads:
            gates.reached(way, "b")
        assert api.server.stop() == 0
        for reader in readers:
            assert isinstance(reader.exception(10), httpx.TransportError)
    assert api.rows("SELECT status, cancel_action FROM runs") == [("pending", None)] * 3
    gates.release_all()
    api.server.start()
    for thread_id in threads.values():
        assert api.rested(thread_id)["status"] == "idle"
        assert [run["status"] for run in api.runs(thread_id)] == ["success"]


@pytest.mark.filterwarnings("ignore:.*attempting reconnect to Location:UserWarning")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_the_official_sdk_goes_on_at_the_location(start: Start, gates: Gates, end: signal.Signals) -> None:
    """It reconnects by itself: the same call to stream, and to wait, yields the whole run across the restart."""
    api = start(drain_seconds=0.2)
    gates.hold("streamed", "b")
    gates.hold("waited", "b")

    async def main() -> tuple[list[Any], Any]:
        async with get_client(url=api.server.url) as client:
            streamed, waited = await client.threads.create(), await client.threads.create()
            waiting = asyncio.create_task(
                client.runs.wait(waited["thread_id"], "steps", input={"key": "waited", "said": ["hello"]})
            )
            parts: list[Any] = []
            told = asyncio.Event()

            async def read() -> None:
                given = {"key": "streamed", "said": ["hello"]}
                stream = client.runs.stream(
                    streamed["thread_id"], "steps", input=given, stream_mode=["values"], stream_resumable=True
                )
                async for part in stream:
                    parts.append(part)
                    if (
                        len(parts) == 3
                    ):  # metadata, the input, what the first node said: only what was told must come back
                        told.set()

            reading = asyncio.create_task(read())
            await asyncio.to_thread(gates.reached, "streamed", "b")
            await asyncio.to_thread(gates.reached, "waited", "b")
            await asyncio.wait_for(told.wait(), 15)
            await asyncio.to_thread(restart)
            async with asyncio.timeout(30):
                await reading
                return parts, await waiting

    def restart() -> None:
        api.server.signal(end)
        api.server.wait(15)
        gates.release_all()
        api.server.start()

    parts, waited = asyncio.run(main())
    # The second attempt begins with the state that it goes on from.
    states = [part.data["trail"] for part in parts if part.event == "values"]
    assert states == [[], ["a"], ["a"], ["a", "b"], ["a", "b", "c"]]
    assert [part.data["attempt"] for part in parts if part.event == "metadata"] == [1, 2]
    assert waited["trail"] == ["a", "b", "c"]
    assert waited["said"] == ["hello"]


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_our_client_goes_on_where_the_stream_broke(start: Start, gates: Gates, end: signal.Signals) -> None:
    api = start(drain_seconds=0.2)
    gates.hold("k", "b")
    thread_id = api.new_thread()

    async def main() -> list[Any]:
        async with AsyncClient(api.server.url) as client:
            events: list[Any] = []

            async def read() -> None:
                given = {"key": "k", "said": ["hello k"]}
                stream = client.runs.stream(thread_id, "steps", input=given, stream_mode=["values", "custom"])
                events.extend([event async for event in stream])

            reading = asyncio.create_task(read())
            await asyncio.to_thread(gates.reached, "k", "b")
            await asyncio.to_thread(restart)
            async with asyncio.timeout(30):
                await reading
            return events

    def restart() -> None:
        api.server.signal(end)
        api.server.wait(15)
        gates.release("k", "b")
        api.server.start()

    events = asyncio.run(main())
    [run] = api.runs(thread_id)
    log = api.log(thread_id, run["run_id"])
    check_log(log, status="success")
    assert [event.id for event in events] == [frame.id for frame in log]
    assert json.loads(log[-1].data)["status"] == "success"


def test_a_run_created_while_the_server_drains_is_kept(start: Start, gates: Gates) -> None:
    api = start(drain_seconds=20)
    gates.hold("k", "b")
    thread_id, other = api.new_thread(), api.new_thread()
    api.create(thread_id, "steps", "k")
    gates.reached("k", "b")
    api.server.signal(signal.SIGTERM)
    try:
        late = api.create(other, "steps", "late")["run_id"]
    except httpx.HTTPError:
        late = None  # refusing it is right as well: what counts is that nothing acknowledged is lost
    gates.release("k", "b")
    api.server.wait(15)
    api.server.start()
    if late is not None:
        assert api.ended(other, late) == "success"
    assert api.rested(thread_id)["status"] == "idle"
