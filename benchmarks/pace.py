"""How a rate is measured: the same for bare LangGraph and for the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

Work = Callable[[], Awaitable[int]]
"""Does one piece of work and returns how many things it made."""


class Window(NamedTuple):
    """``warm_up`` seconds that do not count, then ``seconds`` that do."""

    warm_up: float
    seconds: float


async def rate(workers: list[Work], window: Window) -> float:
    """Things per second that the workers, each doing one piece after another, make within the window."""
    begin = time.perf_counter() + window.warm_up
    end = begin + window.seconds
    made = 0

    async def loop(work: Work) -> None:
        nonlocal made
        while time.perf_counter() < end:
            things = await work()
            if begin <= time.perf_counter() < end:
                made += things

    async with asyncio.timeout(window.warm_up + window.seconds + 60):
        await asyncio.gather(*(loop(work) for work in workers))
    return made / window.seconds


async def burst(workers: list[Work], times: int) -> float:
    """Things per second, the median of ``times`` turns in which every worker does one piece; one more turn warms up."""
    rates: list[float] = []
    async with asyncio.timeout(120):
        for _ in range(times + 1):
            begin = time.perf_counter()
            made = sum(await asyncio.gather(*(work() for work in workers)))
            rates.append(made / (time.perf_counter() - begin))
    return median(rates[1:])


def median(numbers: list[float]) -> float:
    """The middle one, or the mean of the two in the middle."""
    ordered, half = sorted(numbers), len(numbers) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
