"""Events per second of runs that do nothing else, from the run's start, which its first event tells, to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from time import perf_counter

from treadle.bench.connection import Answer, Connection
from treadle.bench.pace import Span, burst
from treadle.bench.plan import Figures, Plan
from treadle.bench.server import Server

Emit = Callable[[Connection, int], Awaitable[Answer]]
"""A run that emits as many events."""

FEW = 200
BURST_SECONDS = 0.5


async def custom_one(server: Server, plan: Plan) -> Figures:
    """Custom events per second of one run."""
    return {"custom_one": await _per_second(server, plan, _custom(server), runs=1, most=plan.events)}


async def custom_many(server: Server, plan: Plan) -> Figures:
    """Custom events per second of many runs together."""
    rate = await _per_second(server, plan, _custom(server), runs=plan.many, most=plan.events_of_many)
    return {"custom_many": rate}


async def messages(server: Server, plan: Plan) -> Figures:
    """``messages-tuple`` events per second of one run, whose model answers in so many chunks."""

    async def emit(connection: Connection, events: int) -> Answer:
        asked = {"messages": [{"role": "user", "content": "go"}], "tokens": events}
        return await server.stream(connection, "chat", asked, "messages-tuple", events)

    return {"messages": await _per_second(server, plan, emit, runs=1, most=plan.tokens)}


def _custom(server: Server) -> Emit:
    async def emit(connection: Connection, events: int) -> Answer:
        return await server.stream(connection, "custom", {"events": events}, "custom", events)

    return emit


async def _per_second(server: Server, plan: Plan, emit: Emit, *, runs: int, most: int) -> float:
    connections = [await server.connect() for _ in range(runs)]
    probe = await asyncio.gather(*(_span(connection, emit, FEW) for connection in connections))
    taken = max(span.end for span in probe) - min(span.begin for span in probe)
    events = max(FEW, min(most, round(FEW / taken * BURST_SECONDS)))
    return await burst([partial(_span, each, emit, events) for each in connections], plan.bursts, plan.seconds)


async def _span(connection: Connection, emit: Emit, events: int) -> Span:
    answer = await emit(connection, events)
    return Span(events, answer.first_at, perf_counter())
