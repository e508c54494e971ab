"""How a rate is measured: the same for LangGraph in process and for a server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

Work = Callable[[], Awaitable[int]]
"""Does one piece of work and returns how many things it made."""

PATIENCE_SECONDS = 120.0


class Span(NamedTuple):
    """``made`` things between ``begin`` and ``end``, by ``time.perf_counter``."""

    made: int
    begin: float
    end: float


async def rate(workers: Sequence[Work], seconds: float, warm_up: float) -> float:
    """Things per second that the workers, each doing one piece after another, make within ``seconds``.

    What comes before does not count: ``warm_up`` seconds, or longer, until every worker has done a piece. A window in
    which nothing was made is as long as it takes to make something.
    """
    begin = end = made = 0.0
    warm_at = time.perf_counter() + warm_up
    cold = len(workers)

    async def loop(work: Work) -> None:
        nonlocal begin, end, made, cold
        first = True
        while not end or not made or time.perf_counter() < end:
            things = await work()
            now = time.perf_counter()
            if end and not made:
                end = max(end, now)
            if begin <= now <= end:
                made += things
            cold -= first
            first = False
            if not end and not cold and now >= warm_at:
                begin, end = now, now + seconds

    async with asyncio.timeout(warm_up + seconds + PATIENCE_SECONDS):
        await asyncio.gather(*(loop(work) for work in workers))
    return made / (end - begin)


async def burst(workers: Sequence[Callable[[], Awaitable[Span]]], times: int, seconds: float) -> float:
    """Things per second from the first begin to the last end of all workers, each doing one piece at the same time.

    The median of as many turns as ``seconds`` allow, ``times`` at most; one more turn warms up.
    """
    rates: list[float] = []
    until = time.perf_counter() + seconds
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(rates) < 2 or (len(rates) <= times and time.perf_counter() < until):
            spans = await asyncio.gather(*(work() for work in workers))
            taken = max(span.end for span in spans) - min(span.begin for span in spans)
            rates.append(sum(span.made for span in spans) / taken)
    return median(rates[1:])


def median(numbers: Sequence[float]) -> float:
    """The middle one, or the mean of the two in the middle."""
    ordered, half = sorted(numbers), len(numbers) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
