"""A whole server whose clock the test sets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from support import shapes
from support.server import GOLDEN, QUICK, Running, graphs_of
from support.transport import StreamingTransport
from treadle.runtime import Runtime


class SetClock:
    """The time of day is what the test says; intervals are real."""

    def __init__(self, now: str = "2026-11-22T15:00:00") -> None:
        self.set(now)

    def set(self, now: str) -> None:
        self._now = int(datetime.fromisoformat(now).replace(tzinfo=UTC).timestamp()) * 1_000_000

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return time.monotonic()


@asynccontextmanager
async def running(data: Path, clock: SetClock, **settings: Any) -> AsyncIterator[Running]:
    chosen = shapes.settings(data, **{**QUICK, "poll_seconds": 0.02, "webhook_allow_private": True, **settings})
    runtime = Runtime(chosen, graphs_of(GOLDEN), clock=clock)
    transport = StreamingTransport(runtime.app)
    async with runtime, httpx.AsyncClient(transport=transport, base_url="http://treadle", timeout=30) as http:
        yield Running(runtime, http)


async def eventually(found: Callable[[], Awaitable[Any]]) -> Any:
    """What ``found`` gives once that is true."""
    async with asyncio.timeout(20):
        while not (result := await found()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return result


async def fired(server: Running, cron: Any, next_run_date: str) -> Any:
    """The cron, once its next date is that: then it has fired for the one before."""
    path = f"/runs/crons/{cron['cron_id']}"

    async def moved() -> Any:
        found = await server.get(path)
        return found if found["next_run_date"] == next_run_date else None

    return await eventually(moved)


async def runs_of(server: Running, thread_id: str) -> list[Any]:
    """The runs of a thread, oldest first, all of them ended."""

    async def ended() -> Any:
        found = await server.get(f"/threads/{thread_id}/runs", params={"limit": 1000})
        return None if any(run["status"] in ("pending", "running") for run in found) else [found]

    (found,) = await eventually(ended)
    return found[::-1]
