"""Remove expired data, each kind at its own interval."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import structlog

logger = structlog.get_logger("treadle.sweep")

_MOST = 100
"""A sweep that removed this many continues soon, since there is more."""
_PAUSE_SECONDS = 0.02
"""Pause between batches, for other writes."""


class Sweep(NamedTuple):
    """``work`` removes up to 100 items (or all) and returns the number removed."""

    name: str
    seconds: float
    work: Callable[[], Awaitable[int]]


class Sweeper:
    """``start`` it on a running loop; the first sweep covers the time without a server. ``stop`` may be called
    again."""

    def __init__(self, sweeps: Sequence[Sweep]) -> None:
        self._sweeps = sweeps
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(_repeat(sweep), name=f"sweep {sweep.name}") for sweep in self._sweeps]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []


async def _repeat(sweep: Sweep) -> None:
    while True:
        try:
            more = await sweep.work() >= _MOST
        except Exception as error:  # the database cannot be written now; the next interval retries
            logger.error("sweeping failed", chore=sweep.name, error=repr(error))
            more = False
        await asyncio.sleep(_PAUSE_SECONDS if more else sweep.seconds)
