"""Heartbeats of many streams come from one timer, each in its interval."""

from __future__ import annotations

import asyncio

from treadle.http.heartbeats import Heartbeats

EVERY = 0.08


class Stream:
    def __init__(self) -> None:
        self.beats: list[float] = []

    def beat(self) -> None:
        self.beats.append(asyncio.get_running_loop().time())


async def _beaten(streams: list[Stream], count: int) -> None:
    async with asyncio.timeout(10):
        while any(len(stream.beats) < count for stream in streams):  # noqa: ASYNC110 - time is what beats are about
            await asyncio.sleep(EVERY / 16)


async def test_each_beats_once_in_an_interval_and_not_all_at_once() -> None:
    beats, streams = Heartbeats(), list[Stream]()
    for _ in range(40):
        streams.append(Stream())
        beats.add(streams[-1], EVERY)
        await asyncio.sleep(EVERY / 40)
    await _beaten(streams, 4)
    counts = [len(stream.beats) for stream in streams]
    assert max(counts) - min(counts) <= 2
    assert len({stream.beats[0] for stream in streams}) > 5
    for stream in streams:
        beats.remove(stream)


async def test_who_has_left_beats_no_more_and_the_last_stops_the_timer() -> None:
    beats, gone, here = Heartbeats(), Stream(), Stream()
    beats.add(gone, EVERY)
    beats.add(here, EVERY)
    beats.remove(gone)
    await _beaten([here], 2)
    assert not gone.beats
    beats.remove(here)
    assert beats.idle
    beats.add(gone, EVERY)
    await _beaten([gone], 1)
    beats.remove(gone)
