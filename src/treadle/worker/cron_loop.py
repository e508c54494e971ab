"""The loop that fires crons when they are due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from treadle.ports.clock import Clock

logger = structlog.get_logger("treadle.schedule")


class CronLoop:
    """Await ``run`` on any loop. ``stop`` may be called from any thread.

    ``fire`` creates the runs of all due crons and returns the next due time (unix microseconds). It is called again at
    that time, and at least every ``poll_seconds``, to notice new crons and changes of the clock.
    """

    def __init__(self, fire: Callable[[], Awaitable[int | None]], clock: Clock, *, poll_seconds: float) -> None:
        self._fire = fire
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = asyncio.Event()
        self._stopping = False

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        while not self._stopping:
            pause = await self._turn()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), pause)

    def stop(self) -> None:
        self._stopping = True
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: it has ended
                self._loop.call_soon_threadsafe(self._stopped.set)

    async def _turn(self) -> float:
        try:
            due = await self._fire()
        except Exception as error:  # the database cannot be reached now; due crons stay due
            logger.error("firing crons failed", error=repr(error))
            return self._poll_seconds
        return self._poll_seconds if due is None else min(self._poll_seconds, max(0.0, (due - self._clock.now()) / 1e6))
