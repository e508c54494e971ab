"""Measure how much slower a run is on a thread with a long history."""

from __future__ import annotations

import uuid
from time import perf_counter

from treadle.bench.connection import Connection
from treadle.bench.pace import median
from treadle.bench.plan import Figures, Plan
from treadle.bench.server import BadResponse, Server

PAIRS = 20
SENTENCE = "Beat up, change the shed, throw the shuttle, and pick up the thread where it was left."


def conversation(messages: int) -> list[dict[str, str]]:
    """Return a conversation of that many messages, in the form of an input."""
    return [
        {"role": ("user", "assistant")[number % 2], "content": f"{number}: {SENTENCE}", "id": str(uuid.uuid4())}
        for number in range(messages)
    ]


async def long_values(server: Server, plan: Plan) -> Figures:
    """Return the median milliseconds of a run of some steps, streamed as ``values``, on a thread with many messages.

    ``long_values_stream`` counts from the first event, so it leaves out the run's time in the queue.
    """
    connection = await server.connect()
    until = perf_counter() + plan.warm_up + plan.seconds
    times: list[tuple[float, float]] = []
    while len(times) < 3 or (len(times) < plan.sequential and perf_counter() < until):
        times.append(await _long(server, plan, connection))
    whole, streamed = zip(*times[1:], strict=True)
    return {"long_values": median(whole), "long_values_stream": median(streamed)}


async def _long(server: Server, plan: Plan, connection: Connection) -> tuple[float, float]:
    thread_id = await server.thread()
    input = {"messages": conversation(plan.messages), "steps": 0}
    seeded = await server.wait(connection, "conversation", input, thread_id=thread_id)
    if seeded.status != 200 or seeded.body.count(SENTENCE.encode()) != plan.messages:
        raise BadResponse(f"status {seeded.status}, not a thread of {plan.messages} messages: {seeded.body[:500]!r}")
    input = {"messages": list[str](), "steps": plan.steps}
    response = await server.stream(connection, "conversation", input, "values", plan.steps + 1, thread_id=thread_id)
    end = perf_counter()
    return (end - response.sent_at) * 1000, (end - response.first_at) * 1000


async def late_run(server: Server, plan: Plan) -> Figures:
    """Return the milliseconds of a run with ``/wait`` on a thread that has had many runs, and on a new thread.

    The two are measured in turn. ``late_run_before`` is the number of earlier runs, limited by ``fill_seconds``.
    """
    connection = await server.connect()
    old = await server.thread()
    until = perf_counter() + plan.fill_seconds
    before = 0
    while before < plan.runs - PAIRS and perf_counter() < until:
        await _run_counter(server, connection, old)
        before += 1
    late: list[float] = []
    first: list[float] = []
    while len(late) < 5 or (len(late) < PAIRS and perf_counter() < until + plan.seconds):
        first.append(await _run_counter(server, connection, await server.thread()))
        late.append(await _run_counter(server, connection, old))
    late_ms, first_ms = median(late), median(first)
    return {
        "late_run": late_ms,
        "first_run": first_ms,
        "late_run_slowdown": late_ms / first_ms,
        "late_run_before": before + len(late),
    }


async def _run_counter(server: Server, connection: Connection, thread_id: str) -> float:
    begin = perf_counter()
    response = await server.wait(connection, "counter", {"count": 0}, thread_id=thread_id)
    server.check_result(response, {"count": 3})
    return (perf_counter() - begin) * 1000
