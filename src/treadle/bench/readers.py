"""Measure many readers of one active run, and many idle streams."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, TypeVar

from treadle.bench.connection import Connection, Response
from treadle.bench.plan import Figures, Plan
from treadle.bench.process import resident_kib
from treadle.bench.server import BadResponse, Server

EVENTS_AT_ONCE = 20
PAUSE = 0.01
FEW = 20
BATCH = 100
SHARED_SECONDS = 5.0
"""The longest duration of the run that all read. On a slow server the run gets fewer events."""

PATIENCE_SECONDS = 120.0
OPEN_SECONDS = 30.0
DELAYED_SECONDS = 3600


T = TypeVar("T")


class SharedRun(NamedTuple):
    """One run and its readers. ``seconds`` is the time from writing the first event to the end of the run, by the
    server's clock. ``delivered`` is the events per second received by all readers together."""

    seconds: float
    delivered: float


async def readers(server: Server, plan: Plan) -> Figures:
    """Measure one run that writes 20 events every 10 ms, with many readers, each of which must receive every event.

    ``readers`` is the events per second received by all readers together, ``readers_slowdown`` the ratio of the run's
    duration to its duration with one reader.
    """
    probe = await read_one_run(server, plan.readers, FEW)
    events = max(FEW, min(plan.shared_events, round(probe.delivered / plan.readers * SHARED_SECONDS)))
    alone = [await read_one_run(server, 1, events)]
    many = [await read_one_run(server, plan.readers, events) for _ in range(2)]
    alone.append(await read_one_run(server, 1, events))
    return {
        "readers": sum(each.delivered for each in many) / 2,
        "readers_events": events,
        "readers_slowdown": sum(each.seconds for each in many) / sum(each.seconds for each in alone),
    }


async def read_one_run(server: Server, count: int, events: int) -> SharedRun:
    """Start a run behind another run of its thread, connect all readers, and cancel the other run.

    Raise BadResponse if a reader misses an event.
    """
    connections = await open_connections(server, count)
    thread_id = await server.thread()
    blocking = await server.start(thread_id, "waiting", {"seconds": 600})
    input = {"events": events, "together": EVENTS_AT_ONCE, "pause": PAUSE}
    options = {"stream_mode": ["custom"], "stream_resumable": True}
    run_id = await server.start(thread_id, "custom", input, **options)
    reading = [_join(server, connection, thread_id, run_id) for connection in connections]
    await _await_headers(connections, PATIENCE_SECONDS)
    await server.request(f"/threads/{thread_id}/runs/{blocking}/cancel", {})
    async with asyncio.timeout(PATIENCE_SECONDS):
        responses = await asyncio.gather(*reading)
    end = time.perf_counter()
    for response in responses:
        _check_complete(server, response, events)
    seconds = await _run_seconds(server, thread_id, run_id)
    for connection in connections:
        connection.close()
    return SharedRun(seconds, count * events / (end - min(response.marked_at for response in responses)))


def _join(server: Server, connection: Connection, thread_id: str, run_id: str) -> asyncio.Future[Response]:
    path = f"GET {server.prefix}/threads/{thread_id}/runs/{run_id}/stream?stream_mode=custom"
    return connection.send(path, headers="last-event-id: 0\r\n", mark=b"event: custom", keep=False)


def _check_complete(server: Server, response: Response, events: int) -> None:
    server.check_stream(response, events)
    if f'"i":{events - 1}}}'.encode() not in response.last.replace(b" ", b""):
        raise BadResponse(f"a reader did not receive the last event: …{response.last!r}")


async def _run_seconds(server: Server, thread_id: str, run_id: str) -> float:
    """Wait for the run to end, and return the seconds from its first event to its end, by the server's clock."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (run := await server.request(f"/threads/{thread_id}/runs/{run_id}"))["status"] != "success":
            if run["status"] not in ("pending", "running"):
                raise BadResponse(f"the run ended with status {run['status']}")
            await asyncio.sleep(0.05)
    state: dict[str, Any] = await server.request(f"/threads/{thread_id}/state")
    return datetime.fromisoformat(run["updated_at"]).timestamp() - state["values"]["began_at"]


async def idle_streams(server: Server, plan: Plan) -> Figures:
    """Open streams of runs that have not started, all at the same time, each on its own connection.

    ``idle_streams`` is the number that stayed open; ``idle_stream_kib`` the memory of each in the server's process.
    """
    runs = await _in_batches([partial(_create_delayed_run, server)] * plan.streamed_runs)
    try:
        return await _idle(server, plan, runs)
    finally:
        await _in_batches([partial(_delete_thread, server, thread_id) for thread_id, _ in runs])


async def _create_delayed_run(server: Server) -> tuple[str, str]:
    """Create a run that will not start during the measurement. Return the ids of its thread and of the run."""
    thread_id = await server.thread()
    return thread_id, await server.start(thread_id, "chain", {"n": []}, after_seconds=DELAYED_SECONDS)


async def _delete_thread(server: Server, thread_id: str) -> None:
    with suppress(BadResponse):
        await server.request(f"/threads/{thread_id}", method="DELETE")


async def _idle(server: Server, plan: Plan, runs: Sequence[tuple[str, str]]) -> Figures:
    await _hold_open(server, runs[:1], BATCH, 0.0)  # the first streams make the server load code
    before = resident_kib(server.pid) if server.pid else None
    held, after = await _hold_open(server, runs, plan.streams, plan.quiet_seconds)
    if before is None or after is None or not held:
        return {"idle_streams": held}
    return {"idle_streams": held, "idle_stream_kib": (after - before) / held}


async def _hold_open(
    server: Server, runs: Sequence[tuple[str, str]], count: int, seconds: float
) -> tuple[int, int | None]:
    """Return the number of streams that are open after that many seconds, and the server's memory in KiB then."""
    connections = await open_connections(server, count)
    paths = [f"GET {server.prefix}/threads/{thread_id}/runs/{run_id}/stream" for thread_id, run_id in runs]
    reading = [each.send(paths[number % len(paths)], keep=False) for number, each in enumerate(connections)]
    with suppress(TimeoutError):
        await _await_headers(connections, OPEN_SECONDS)
    await asyncio.sleep(seconds)
    open_ones = zip(connections, reading, strict=True)
    held = sum(connection.headers_received.is_set() and not each.done() for connection, each in open_ones)
    resident = resident_kib(server.pid) if server.pid else None
    for each in connections:
        each.close()
    return held, resident


async def open_connections(server: Server, count: int) -> list[Connection]:
    """Open connections in batches, because the listen queue of a server is short."""
    return await _in_batches([server.connect] * count)


async def _in_batches(work: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    done: list[T] = []
    for begin in range(0, len(work), BATCH):
        done += await asyncio.gather(*(each() for each in work[begin : begin + BATCH]))
    return done


async def _await_headers(connections: Sequence[Connection], seconds: float) -> None:
    """Wait until all streams have started. Raise TimeoutError."""
    async with asyncio.timeout(seconds):
        for connection in connections:
            await connection.headers_received.wait()
