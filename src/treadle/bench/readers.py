"""Many readers: of one run that is under way, and of runs in which nothing happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, TypeVar

from treadle.bench.connection import Answer, Connection
from treadle.bench.plan import Figures, Plan
from treadle.bench.process import resident_kib
from treadle.bench.server import Server, Unexpected

TOGETHER = 20
PAUSE = 0.01
FEW = 20
AT_ONCE = 100
SHARED_SECONDS = 5.0
"""What the run that all read may take on a slow server: it then has fewer events."""

PATIENCE_SECONDS = 120.0
OPEN_SECONDS = 30.0
DELAYED_SECONDS = 3600


T = TypeVar("T")


class Shared(NamedTuple):
    """One run and its readers. ``seconds`` from the first event's making to the end of the run as the server has it,
    ``delivered`` events per second in all, from the first that a reader had to the last that the last had."""

    seconds: float
    delivered: float


async def readers(server: Server, plan: Plan) -> Figures:
    """One run that writes 20 events every 10 ms, read by many at once, each of which must get every event.

    ``readers`` is what they got per second together, ``readers_slowdown`` how much longer the run took than with one.
    """
    probe = await shared(server, plan.readers, FEW)
    events = max(FEW, min(plan.shared_events, round(probe.delivered / plan.readers * SHARED_SECONDS)))
    alone = [await shared(server, 1, events)]
    many = [await shared(server, plan.readers, events) for _ in range(2)]
    alone.append(await shared(server, 1, events))
    return {
        "readers": sum(each.delivered for each in many) / 2,
        "readers_events": events,
        "readers_slowdown": sum(each.seconds for each in many) / sum(each.seconds for each in alone),
    }


async def shared(server: Server, count: int, events: int) -> Shared:
    """The run waits behind another one of its thread until all readers are there. Raises Unexpected."""
    connections = await opened(server, count)
    thread_id = await server.thread()
    blocking = await server.start(thread_id, "waiting", {"seconds": 600})
    asked = {"events": events, "together": TOGETHER, "pause": PAUSE}
    options = {"stream_mode": ["custom"], "stream_resumable": True}
    run_id = await server.start(thread_id, "custom", asked, **options)
    reading = [_join(server, connection, thread_id, run_id) for connection in connections]
    await _all_headed(connections, PATIENCE_SECONDS)
    await server.ask(f"/threads/{thread_id}/runs/{blocking}/cancel", {})
    async with asyncio.timeout(PATIENCE_SECONDS):
        answers = await asyncio.gather(*reading)
    over = time.perf_counter()
    for answer in answers:
        _got_all(server, answer, events)
    seconds = await _took(server, thread_id, run_id)
    for connection in connections:
        connection.close()
    return Shared(seconds, count * events / (over - min(answer.marked_at for answer in answers)))


def _join(server: Server, connection: Connection, thread_id: str, run_id: str) -> asyncio.Future[Answer]:
    path = f"GET {server.prefix}/threads/{thread_id}/runs/{run_id}/stream?stream_mode=custom"
    return connection.begin(path, headers="last-event-id: 0\r\n", mark=b"event: custom", keep=False)


def _got_all(server: Server, answer: Answer, events: int) -> None:
    server.whole(answer, events)
    if f'"i":{events - 1}}}'.encode() not in answer.last.replace(b" ", b""):
        raise Unexpected(f"the last event is not the last that was written: …{answer.last!r}")


async def _took(server: Server, thread_id: str, run_id: str) -> float:
    """From the first event's making to the run's end, by the clock of the server's machine."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (run := await server.ask(f"/threads/{thread_id}/runs/{run_id}"))["status"] != "success":
            if run["status"] not in ("pending", "running"):
                raise Unexpected(f"the run that all read ended with {run['status']}")
            await asyncio.sleep(0.05)
    state: dict[str, Any] = await server.ask(f"/threads/{thread_id}/state")
    return datetime.fromisoformat(run["updated_at"]).timestamp() - state["values"]["began_at"]


async def idle_streams(server: Server, plan: Plan) -> Figures:
    """Streams of runs that have not begun, all open at once and each the only thing its client does.

    ``idle_streams`` is how many were open after a while; ``idle_stream_kib`` what each costs the server's process.
    """
    runs = await _some_at_once([partial(_delayed, server)] * plan.streamed_runs)
    try:
        return await _idle(server, plan, runs)
    finally:
        await _some_at_once([partial(_removed, server, thread_id) for thread_id, _ in runs])


async def _delayed(server: Server) -> tuple[str, str]:
    """A run that will not begin while it is looked at, and its thread."""
    thread_id = await server.thread()
    return thread_id, await server.start(thread_id, "chain", {"n": []}, after_seconds=DELAYED_SECONDS)


async def _removed(server: Server, thread_id: str) -> None:
    with suppress(Unexpected):
        await server.ask(f"/threads/{thread_id}", method="DELETE")


async def _idle(server: Server, plan: Plan, runs: Sequence[tuple[str, str]]) -> Figures:
    await _held(server, runs[:1], AT_ONCE, 0.0)  # what the first streams make the server load is not theirs
    before = resident_kib(server.pid) if server.pid else None
    held, after = await _held(server, runs, plan.streams, plan.quiet_seconds)
    if before is None or after is None or not held:
        return {"idle_streams": held}
    return {"idle_streams": held, "idle_stream_kib": (after - before) / held}


async def _held(server: Server, runs: Sequence[tuple[str, str]], count: int, seconds: float) -> tuple[int, int | None]:
    """How many streams have begun and are still open after so many seconds, and the server's memory then."""
    connections = await opened(server, count)
    paths = [f"GET {server.prefix}/threads/{thread_id}/runs/{run_id}/stream" for thread_id, run_id in runs]
    reading = [each.begin(paths[number % len(paths)], keep=False) for number, each in enumerate(connections)]
    with suppress(TimeoutError):
        await _all_headed(connections, OPEN_SECONDS)
    await asyncio.sleep(seconds)
    open_ones = zip(connections, reading, strict=True)
    held = sum(connection.headed.is_set() and not each.done() for connection, each in open_ones)
    resident = resident_kib(server.pid) if server.pid else None
    for each in connections:
        each.close()
    return held, resident


async def opened(server: Server, count: int) -> list[Connection]:
    """So many connections, a few at a time: a server's queue of those to accept is short."""
    return await _some_at_once([server.connect] * count)


async def _some_at_once(work: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    done: list[T] = []
    for begin in range(0, len(work), AT_ONCE):
        done += await asyncio.gather(*(each() for each in work[begin : begin + AT_ONCE]))
    return done


async def _all_headed(connections: Sequence[Connection], seconds: float) -> None:
    """Waits until all streams have begun: from then on they are read. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        for connection in connections:
            await connection.headed.wait()
