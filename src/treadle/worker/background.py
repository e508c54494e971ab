"""The background work of a server besides runs: webhooks and crons, on their own thread."""

from __future__ import annotations

import asyncio

from treadle.loops import GraphThread
from treadle.webhooks.courier import Courier
from treadle.worker.cron_loop import CronLoop

_STOP_SECONDS = 5.0


class Background:
    """``start`` it, call ``stop_firing`` and ``fired`` when the server drains, and ``stop`` once its runs have ended.

    The runs' last webhooks are still sent. Each method may be called again.
    """

    def __init__(self, courier: Courier, schedule: CronLoop) -> None:
        self._courier = courier
        self._cron_loop = schedule
        self._thread = GraphThread("treadle-background")
        self._lives: list[asyncio.Future[None]] = []

    def start(self) -> None:
        """Must be called on a running loop."""
        if not self._lives:
            self._thread.start()
            works = (self._courier.run(), self._cron_loop.run())
            self._lives = [asyncio.ensure_future(self._thread.submit(work)) for work in works]

    def stop_firing(self) -> None:
        self._cron_loop.stop()

    async def fired(self) -> None:
        """Wait until no cron is being fired."""
        if self._lives:
            await asyncio.wait(self._lives[1:], timeout=_STOP_SECONDS)

    async def stop(self) -> None:
        self._cron_loop.stop()
        self._courier.stop()
        if self._lives:
            await asyncio.wait(self._lives, timeout=_STOP_SECONDS)
        self._thread.stop()
