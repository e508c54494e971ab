"""What a thread's past costs its next run."""

from __future__ import annotations

import uuid
from time import perf_counter

from treadle.bench.connection import Connection
from treadle.bench.pace import median
from treadle.bench.plan import Figures, Plan
from treadle.bench.server import Server, Unexpected

PAIRS = 20
SENTENCE = "Beat up, change the shed, throw the shuttle, and pick up the thread where it was left."


def talk(messages: int) -> list[dict[str, str]]:
    """A conversation of so many messages, as one inputs it."""
    return [
        {"role": ("user", "assistant")[number % 2], "content": f"{number}: {SENTENCE}", "id": str(uuid.uuid4())}
        for number in range(messages)
    ]


async def long_values(server: Server, plan: Plan) -> Figures:
    """Milliseconds of a run of some steps, streamed as ``values``, on a thread that holds many messages; the median.

    ``long_values_stream`` is the part of it from the first event on, without the run's time in the queue.
    """
    connection = await server.connect()
    until = perf_counter() + plan.warm_up + plan.seconds
    taken: list[tuple[float, float]] = []
    while len(taken) < 3 or (len(taken) < plan.sequential and perf_counter() < until):
        taken.append(await _long(server, plan, connection))
    whole, streamed = zip(*taken[1:], strict=True)
    return {"long_values": median(whole), "long_values_stream": median(streamed)}


async def _long(server: Server, plan: Plan, connection: Connection) -> tuple[float, float]:
    thread_id = await server.thread()
    input = {"messages": talk(plan.messages), "steps": 0}
    seeded = await server.wait(connection, "conversation", input, thread_id=thread_id)
    if seeded.status != 200 or seeded.body.count(SENTENCE.encode()) != plan.messages:
        raise Unexpected(f"status {seeded.status}, not a thread of {plan.messages} messages: {seeded.body[:500]!r}")
    input = {"messages": list[str](), "steps": plan.steps}
    answer = await server.stream(connection, "conversation", input, "values", plan.steps + 1, thread_id=thread_id)
    over = perf_counter()
    return (over - answer.sent_at) * 1000, (over - answer.first_at) * 1000


async def late_run(server: Server, plan: Plan) -> Figures:
    """Milliseconds of a waited run on a thread that has had many, and ``first_run`` those of one on a fresh thread.

    The two are measured in turn. ``late_run_before`` is how many the thread had: a slow server gets some seconds only.
    """
    connection = await server.connect()
    old = await server.thread()
    until = perf_counter() + plan.fill_seconds
    before = 0
    while before < plan.runs - PAIRS and perf_counter() < until:
        await _counted(server, connection, old)
        before += 1
    late: list[float] = []
    first: list[float] = []
    while len(late) < 5 or (len(late) < PAIRS and perf_counter() < until + plan.seconds):
        first.append(await _counted(server, connection, await server.thread()))
        late.append(await _counted(server, connection, old))
    middle, least = median(late), median(first)
    return {
        "late_run": middle,
        "first_run": least,
        "late_run_slowdown": middle / least,
        "late_run_before": before + len(late),
    }


async def _counted(server: Server, connection: Connection, thread_id: str) -> float:
    begin = perf_counter()
    answer = await server.wait(connection, "counter", {"count": 0}, thread_id=thread_id)
    server.result(answer, {"count": 3})
    return (perf_counter() - begin) * 1000
