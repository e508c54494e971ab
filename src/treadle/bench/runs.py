"""Runs per second, and how soon a run is heard of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from time import perf_counter

from treadle.bench.connection import Answer, Connection
from treadle.bench.pace import median, rate
from treadle.bench.plan import Figures, Plan
from treadle.bench.server import Server

INPUT = {"n": list[int]()}
RESULT = {"n": [0, 1, 2]}
EVENTS = 4
"""States of the chain: after the input and after each node."""


async def threaded_stream(server: Server, plan: Plan) -> Figures:
    """Runs per second, each on a thread of its own, each stream read to its end."""

    async def one(connection: Connection) -> Answer:
        return await server.stream(connection, "chain", INPUT, "values", EVENTS)

    return {"threaded_stream": await _per_second(server, plan, one)}


async def stateless_stream(server: Server, plan: Plan) -> Figures:
    async def one(connection: Connection) -> Answer:
        return await server.stateless_stream(connection, "chain", INPUT, "values", EVENTS)

    return {"stateless_stream": await _per_second(server, plan, one)}


async def threaded_wait(server: Server, plan: Plan) -> Figures:
    async def one(connection: Connection) -> Answer:
        return server.result(await server.wait(connection, "chain", INPUT), RESULT)

    return {"threaded_wait": await _per_second(server, plan, one)}


async def stateless_wait(server: Server, plan: Plan) -> Figures:
    async def one(connection: Connection) -> Answer:
        return server.result(await server.stateless_wait(connection, "chain", INPUT), RESULT)

    return {"stateless_wait": await _per_second(server, plan, one)}


async def _per_second(server: Server, plan: Plan, one: Callable[[Connection], Awaitable[Answer]]) -> float:
    async def work(connection: Connection) -> int:
        await one(connection)
        return 1

    connections = [await server.connect() for _ in range(plan.in_flight)]
    return await rate([partial(work, connection) for connection in connections], plan.seconds, plan.warm_up)


async def first_event(server: Server, plan: Plan) -> Figures:
    """Milliseconds from sending the request to the first state in its stream, one run after another, the median.

    ``first_bytes`` are those to whatever comes first, which tells that there is a run.
    """
    connection = await server.connect()
    until = perf_counter() + plan.warm_up + plan.seconds
    answers: list[Answer] = []
    while len(answers) < 5 or (len(answers) < plan.sequential and perf_counter() < until):
        answers.append(await server.stream(connection, "chain", INPUT, "values", EVENTS))
    warm = answers[len(answers) // 6 :]
    return {
        "first_event": median([(answer.marked_at - answer.sent_at) * 1000 for answer in warm]),
        "first_bytes": median([(answer.first_at - answer.sent_at) * 1000 for answer in warm]),
    }
