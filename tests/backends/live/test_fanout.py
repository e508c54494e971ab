"""A crowd of readers is woken in groups that leave others their turn; few are woken at once; readings are shared."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from backends.live.relay_peers import NEVER, Log
from treadle.backends.live.fanout import UNBATCHED_READERS, Fanout
from treadle.backends.live.hub import Hub
from treadle.ports.log import Chunk


class Pages(Log):
    """A log that gives three chunks at a time, and takes its time."""

    async def read(self, key: str, after: int) -> tuple[Sequence[Chunk], bool]:
        chunks, active = await super().read(key, after)
        await asyncio.sleep(0)
        return chunks[:3], active


def seqs(chunks: Sequence[Chunk]) -> list[int]:
    return [int(event.data) for each in chunks for event in each.events]


async def until(satisfied: Callable[[], bool]) -> None:
    while not satisfied():  # noqa: ASYNC110 - turns of this loop are what it waits for
        await asyncio.sleep(0)


class Reader:
    """Notes when it is woken, and is busy for a while then."""

    def __init__(self, woken: list[int], number: int) -> None:
        self._woken = woken
        self._number = number

    def wake(self) -> None:
        self._woken.append(self._number)
        sum(range(2_000))


async def test_a_crowd_is_woken_in_order_and_others_have_their_turn_in_between() -> None:
    fanout, woken, turns = Fanout(asyncio.get_running_loop()), list[int](), set[int]()
    fanout.wake([Reader(woken, number) for number in range(1_000)])
    while len(woken) < 1_000:
        await asyncio.sleep(0)
        turns.add(len(woken))
    assert woken == list(range(1_000))
    assert len(turns) > 5
    await until(lambda: not fanout.busy)


async def test_few_are_woken_at_once_though_a_crowd_waits() -> None:
    fanout, crowd, few = Fanout(asyncio.get_running_loop()), list[int](), list[int]()
    fanout.wake([Reader(crowd, number) for number in range(1_000)])
    fanout.wake([Reader(few, number) for number in range(UNBATCHED_READERS)])
    await asyncio.sleep(0)
    assert few == list(range(UNBATCHED_READERS))
    assert len(crowd) < 1_000


async def test_a_reader_that_takes_a_turn_is_woken_after_those_who_wait() -> None:
    fanout, woken = Fanout(asyncio.get_running_loop()), list[int]()
    fanout.wake([Reader(woken, number) for number in range(300)])
    await asyncio.sleep(0)
    assert fanout.busy
    assert fanout.enqueue(Reader(woken, 300))
    await until(lambda: len(woken) == 301)
    assert woken == list(range(301))


async def test_readers_that_join_together_share_the_readings_of_the_log() -> None:
    hub, log = Hub(), Pages()
    for _ in range(9):
        log.commit(2)
    readers = [hub.follow("r", 0, log.read, NEVER) for _ in range(50)]

    async def read(number: int) -> list[int]:
        seen: list[int] = []
        while len(seen) < 18:
            seen += seqs(await readers[number].read(5))
        return seen

    seen = await asyncio.gather(*(read(number) for number in range(50)))
    assert seen == [list(range(1, 19))] * 50
    assert log.reads == 3, "three chunks a reading"


async def test_a_reader_that_leaves_does_not_take_a_reading_from_the_others() -> None:
    hub, log = Hub(), Pages()
    log.commit(2)
    first, second = (hub.follow("r", 0, log.read, NEVER) for _ in range(2))
    leaving = asyncio.ensure_future(first.read(5))
    staying = asyncio.ensure_future(second.read(5))
    await asyncio.sleep(0)
    leaving.cancel()
    assert seqs(await staying) == [1, 2]
    assert log.reads == 1


async def test_a_failed_reading_fails_those_who_waited_for_it_and_no_others() -> None:
    class Broken(Pages):
        async def read(self, key: str, after: int) -> tuple[Sequence[Chunk], bool]:
            found = await super().read(key, after)
            if self.reads == 1:
                raise OSError("the disk is away")
            return found

    hub, log = Hub(), Broken()
    log.commit(2)
    readers = [hub.follow("r", 0, log.read, NEVER) for _ in range(3)]
    failed = await asyncio.gather(*(reader.read(5) for reader in readers), return_exceptions=True)
    assert [type(each) for each in failed] == [OSError] * 3
    assert seqs(await readers[0].read(5)) == [1, 2]


async def test_what_was_read_before_an_interruption_does_not_count_as_complete_after_it() -> None:
    """An event that was committed after the reading and whose hint was lost is found without a poll."""

    class Interrupted(Pages):
        async def read(self, key: str, after: int) -> tuple[Sequence[Chunk], bool]:
            found = await super().read(key, after)
            if self.reads == 1:
                self.commit(1)
                hub.resync()
            return found

    hub, log = Hub(), Interrupted()

    reader = hub.follow("r", 0, log.read, NEVER)
    seen: list[int] = []
    while not seen:
        seen += seqs(await reader.read(5))
    assert seen == [1]


async def test_what_many_missed_they_get_as_one_piece_made_once() -> None:
    hub, log = Hub(), Pages()
    hub.created("r")
    readers = [hub.follow("r", 0, log.read, NEVER) for _ in range(3)]
    for _ in range(5):
        hub.published("r", log.commit())
    got = [(await reader.read(5))[0] for reader in readers]
    assert seqs([got[0]]) == [1, 2, 3, 4, 5]
    assert got[0] is got[1] is got[2]
    assert [part.first for part in got[0].parts] == [1, 2, 3, 4, 5]
