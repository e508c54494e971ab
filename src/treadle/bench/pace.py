"""Measure rates in the same way for bare LangGraph and for servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

Work = Callable[[], Awaitable[int]]
"""Does one piece of work, and returns the number of things produced."""

PATIENCE_SECONDS = 120.0


class Span(NamedTuple):
    """The number of things produced between ``begin`` and ``end``, in the time of ``time.perf_counter``."""

    made: int
    begin: float
    end: float


async def rate(workers: Sequence[Work], seconds: float, warm_up: float) -> float:
    """Return the things per second that all workers produce within ``seconds``, each doing one piece after another.

    The window opens after ``warm_up`` seconds, or later, when every worker has done a piece. It is extended until at
    least one thing was produced in it.
    """
    begin = end = made = 0.0
    warm_at = time.perf_counter() + warm_up
    cold = len(workers)

    async def loop(work: Work) -> None:
        nonlocal begin, end, made, cold
        first = True
        while not end or not made or time.perf_counter() < end:
            count = await work()
            now = time.perf_counter()
            if end and not made:
                end = max(end, now)
            if begin <= now <= end:
                made += count
            cold -= first
            first = False
            if not end and not cold and now >= warm_at:
                begin, end = now, now + seconds

    async with asyncio.timeout(warm_up + seconds + PATIENCE_SECONDS):
        await asyncio.gather(*(loop(work) for work in workers))
    return made / (end - begin)


async def burst(workers: Sequence[Callable[[], Awaitable[Span]]], times: int, seconds: float) -> float:
    """Return the things per second from the first begin to the last end of all workers, which work concurrently.

    This is the median of up to ``times`` turns within ``seconds``, after one turn to warm up.
    """
    rates: list[float] = []
    until = time.perf_counter() + seconds
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(rates) < 2 or (len(rates) <= times and time.perf_counter() < until):
            spans = await asyncio.gather(*(work() for work in workers))
            seconds_taken = max(span.end for span in spans) - min(span.begin for span in spans)
            rates.append(sum(span.made for span in spans) / seconds_taken)
    return median(rates[1:])


def median(numbers: Sequence[float]) -> float:
    """Return the middle number, or the mean of the two in the middle."""
    ordered, half = sorted(numbers), len(numbers) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
