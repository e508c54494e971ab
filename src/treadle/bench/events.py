"""Measure events per second of runs that only emit events, from the run's first event to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from time import perf_counter

from treadle.bench.connection import Connection, Response
from treadle.bench.pace import Span, burst
from treadle.bench.plan import Figures, Plan
from treadle.bench.server import Server

Emit = Callable[[Connection, int], Awaitable[Response]]
"""Streams a run that emits that many events."""

FEW = 200
BURST_SECONDS = 0.5


async def custom_one(server: Server, plan: Plan) -> Figures:
    """Return custom events per second of one run."""
    return {"custom_one": await _per_second(server, plan, _custom(server), runs=1, most=plan.events)}


async def custom_many(server: Server, plan: Plan) -> Figures:
    """Return custom events per second of many concurrent runs together."""
    rate = await _per_second(server, plan, _custom(server), runs=plan.many, most=plan.events_of_many)
    return {"custom_many": rate}


async def messages(server: Server, plan: Plan) -> Figures:
    """Return ``messages-tuple`` events per second of one run of a scripted model."""

    async def emit(connection: Connection, events: int) -> Response:
        input = {"messages": [{"role": "user", "content": "go"}], "tokens": events}
        return await server.stream(connection, "chat", input, "messages-tuple", events)

    return {"messages": await _per_second(server, plan, emit, runs=1, most=plan.tokens)}


def _custom(server: Server) -> Emit:
    async def emit(connection: Connection, events: int) -> Response:
        return await server.stream(connection, "custom", {"events": events}, "custom", events)

    return emit


async def _per_second(server: Server, plan: Plan, emit: Emit, *, runs: int, most: int) -> float:
    connections = [await server.connect() for _ in range(runs)]
    probe = await asyncio.gather(*(_span(connection, emit, FEW) for connection in connections))
    seconds = max(span.end for span in probe) - min(span.begin for span in probe)
    events = max(FEW, min(most, round(FEW / seconds * BURST_SECONDS)))
    return await burst([partial(_span, each, emit, events) for each in connections], plan.bursts, plan.seconds)


async def _span(connection: Connection, emit: Emit, events: int) -> Span:
    response = await emit(connection, events)
    return Span(events, response.first_at, perf_counter())
