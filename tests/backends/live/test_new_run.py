"""The reader that comes with a new run is served from memory; that memory is bounded when no reader comes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from treadle.backends.live.hub import Hub
from treadle.model import Event
from treadle.ports.log import Chunk


def chunk(first: int, *modes: str) -> Chunk:
    return Chunk(first, [Event(1, mode, "", b"{}") for mode in modes])


class Log:
    """A log that says when it was read."""

    def __init__(self) -> None:
        self.reads = 0

    async def read(self, run_id: str, after: int) -> tuple[Sequence[Chunk], bool]:
        self.reads += 1
        return [chunk(after + 1, "from the log")], True


def modes(chunks: Sequence[Chunk]) -> list[str]:
    return [event.mode for each in chunks for event in each.events]


async def first(hub: Hub, log: Log, run_id: str = "r") -> list[str]:
    follower = hub.follow(run_id, 0, log.read, 30.0)
    try:
        return modes(await follower.read(5.0))
    finally:
        follower.close()


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 10))


async def test_a_reader_that_comes_before_the_first_event_waits_for_it_without_reading_the_log() -> None:
    hub, log = Hub(), Log()
    hub.created("r")
    reading = asyncio.create_task(first(hub, log))
    await asyncio.sleep(0)
    hub.published("r", chunk(1, "metadata"))
    assert (await reading, log.reads) == (["metadata"], 0)


async def test_a_reader_that_comes_after_the_first_events_gets_them_without_reading_the_log() -> None:
    hub, log = Hub(), Log()
    hub.created("r")
    hub.published("r", chunk(1, "metadata", "values"))
    assert (await first(hub, log), log.reads) == (["metadata", "values"], 0)


@pytest.mark.parametrize(
    "happens",
    [
        pytest.param(lambda hub: hub.published("r", chunk(1, "metadata", "end")), id="it has ended"),
        pytest.param(lambda hub: hub.published("r", chunk(1, *["custom"] * 64)), id="it has written much"),
        pytest.param(lambda hub: hub.gone("r"), id="it is gone"),
        pytest.param(lambda hub: [hub.created(f"r{n}") for n in range(1024)], id="many others are newer"),
    ],
)
async def test_without_a_reader_the_memory_is_given_back_when(happens: Any) -> None:
    hub, log = Hub(), Log()
    hub.created("r")
    happens(hub)
    assert (await first(hub, log), log.reads) == (["from the log"], 1)


async def test_once_a_reader_has_come_and_left_nothing_is_held() -> None:
    hub, log = Hub(), Log()
    hub.created("r")
    hub.published("r", chunk(1, "metadata"))
    await first(hub, log)
    assert (await first(hub, log), log.reads) == (["from the log"], 1)
