"""Rates count only work within their window."""

from __future__ import annotations

import asyncio
import time

import pytest

from treadle.bench.pace import Span, burst, median, rate


def test_a_rate_counts_only_work_within_the_window():
    async def work() -> int:
        await asyncio.sleep(0.01)
        return 5

    measured = asyncio.run(rate([work, work], seconds=0.4, warm_up=0.05))
    assert 0.3 * 1000 < measured <= 1000  # two of them, 5 in 10 ms each; never more than that


def test_the_window_opens_when_every_worker_has_done_a_piece():
    began: list[float] = []

    async def slow() -> int:
        began.append(time.perf_counter())
        await asyncio.sleep(0.1)
        return 1

    asyncio.run(rate([slow], seconds=0.1, warm_up=0.0))
    assert len(began) >= 2


def test_an_empty_window_is_extended():
    async def slow() -> int:
        await asyncio.sleep(0.1)
        return 1

    assert 0 < asyncio.run(rate([slow], seconds=0.01, warm_up=0.0)) <= 10


def test_a_burst_lasts_from_the_first_begin_to_the_last_end():
    async def span(begin: float, end: float) -> Span:
        return Span(100, begin, end)

    measured = asyncio.run(burst([lambda: span(0.0, 1.0), lambda: span(0.5, 2.0)], times=3, seconds=0.1))
    assert measured == 100.0


def test_a_burst_has_at_most_the_given_turns_and_one_to_warm_up():
    turns = 0

    async def one() -> Span:
        nonlocal turns
        turns += 1
        return Span(1, 0.0, 1.0)

    asyncio.run(burst([one], times=4, seconds=60))
    assert turns == 5


@pytest.mark.parametrize(("numbers", "middle"), [([3.0, 1.0, 2.0], 2.0), ([4.0, 1.0], 2.5), ([7.0], 7.0)])
def test_median(numbers: list[float], middle: float):
    assert median(numbers) == middle
