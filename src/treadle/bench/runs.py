"""Measure runs per second, and the time to the first event of a run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from time import perf_counter

from treadle.bench.connection import Connection, Response
from treadle.bench.pace import median, rate
from treadle.bench.plan import Figures, Plan
from treadle.bench.server import Server

INPUT = {"n": list[int]()}
RESULT = {"n": [0, 1, 2]}
EVENTS = 4
"""The number of ``values`` events: one after the input, and one after each of the three nodes."""


async def threaded_stream(server: Server, plan: Plan) -> Figures:
    """Return runs per second, each on a new thread, with each stream read to its end."""

    async def one(connection: Connection) -> Response:
        return await server.stream(connection, "chain", INPUT, "values", EVENTS)

    return {"threaded_stream": await _per_second(server, plan, one)}


async def stateless_stream(server: Server, plan: Plan) -> Figures:
    async def one(connection: Connection) -> Response:
        return await server.stateless_stream(connection, "chain", INPUT, "values", EVENTS)

    return {"stateless_stream": await _per_second(server, plan, one)}


async def threaded_wait(server: Server, plan: Plan) -> Figures:
    async def one(connection: Connection) -> Response:
        return server.check_result(await server.wait(connection, "chain", INPUT), RESULT)

    return {"threaded_wait": await _per_second(server, plan, one)}


async def stateless_wait(server: Server, plan: Plan) -> Figures:
    async def one(connection: Connection) -> Response:
        return server.check_result(await server.stateless_wait(connection, "chain", INPUT), RESULT)

    return {"stateless_wait": await _per_second(server, plan, one)}


async def _per_second(server: Server, plan: Plan, one: Callable[[Connection], Awaitable[Response]]) -> float:
    async def work(connection: Connection) -> int:
        await one(connection)
        return 1

    connections = [await server.connect() for _ in range(plan.in_flight)]
    return await rate([partial(work, connection) for connection in connections], plan.seconds, plan.warm_up)


async def first_event(server: Server, plan: Plan) -> Figures:
    """Return the median milliseconds from sending the request to the first ``values`` event, one run after another.

    ``first_bytes`` are the milliseconds to the first event of any kind, which says that the run exists.
    """
    connection = await server.connect()
    until = perf_counter() + plan.warm_up + plan.seconds
    responses: list[Response] = []
    while len(responses) < 5 or (len(responses) < plan.sequential and perf_counter() < until):
        responses.append(await server.stream(connection, "chain", INPUT, "values", EVENTS))
    warm = responses[len(responses) // 6 :]
    return {
        "first_event": median([(response.marked_at - response.sent_at) * 1000 for response in warm]),
        "first_bytes": median([(response.first_at - response.sent_at) * 1000 for response in warm]),
    }
