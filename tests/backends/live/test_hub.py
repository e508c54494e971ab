"""A tail passes on nothing but the dense log, whatever becomes of the hints: lost, repeated, late, out of order."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from treadle.backends.live.hub import Hub
from treadle.backends.live.tail import Tail, TailFollower
from treadle.model import Event
from treadle.ports.log import Chunk

T = TypeVar("T")
NEVER = 1e9


def chunk(first: int, count: int = 1, mode: str = "custom") -> Chunk:
    return Chunk(first, [Event(1, mode, "", b"%d" % (first + n)) for n in range(count)])


def seqs(chunks: Sequence[Chunk]) -> list[int]:
    found = [int(event.data) for each in chunks for event in each.events]
    assert found == [seq for each in chunks for seq in range(each.first, each.last + 1)]
    return found


class Log:
    """Chunks that were committed; some may be removed again. ``reach`` is the number of the last one ever."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.reach = 0
        self.reads = 0

    def commit(self, count: int, mode: str = "custom") -> Chunk:
        made = chunk(self.reach + 1, count, mode)
        self.chunks.append(made)
        self.reach = made.last
        return made

    async def read(self, key: str, after: int) -> tuple[Sequence[Chunk], bool]:
        self.reads += 1
        await asyncio.sleep(0)
        return [each for each in self.chunks if each.last > after][:3], self.reach >= after


class Hinted(RuleBasedStateMachine):
    """One log, readers in another process than its writer, and an adversarial relay. No reader polls."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.hub = Hub(tail_events=12)
        self.log = Log()
        self.sent: list[Chunk] = []
        self.readers: list[tuple[TailFollower, int, list[int]]] = []
        self.waiting: list[TailFollower] = []

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(work, 10))

    def follow(self, after: int) -> TailFollower:
        return self.hub.follow("r", after, self.log.read, NEVER)

    def publish(self, chunk: Chunk) -> None:
        self.hub.published("r", chunk)

    def announce(self, last: int) -> None:
        self.hub._tails["r"].announce(last) if "r" in self.hub._tails else None

    @rule(count=st.integers(1, 5), arrives=st.booleans())
    def commit(self, count: int, arrives: bool) -> None:
        self.sent.append(self.log.commit(count))
        if arrives:
            self.publish(self.sent[-1])

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        """Again, late, or in the wrong order."""
        self.publish(data.draw(st.sampled_from(self.sent[-6:])))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def tell(self, data: st.DataObject) -> None:
        self.announce(data.draw(st.sampled_from(self.sent)).last)

    @rule()
    def interrupt(self) -> None:
        self.hub.resync()

    @rule(back=st.integers(0, 10))
    def join(self, back: int) -> None:
        async def begin() -> None:
            after = max(0, self.log.reach - back)
            self.readers.append((self.follow(after), after, []))

        self.do(begin())

    @precondition(lambda self: self.readers)
    @rule(data=st.data(), under_way=st.booleans())
    def read(self, data: st.DataObject, under_way: bool) -> None:
        follower, _, seen = data.draw(st.sampled_from(self.readers))

        async def read() -> None:
            reading = asyncio.ensure_future(follower.read(0.0))
            if under_way:
                await asyncio.sleep(0)
                self.commit(1, True)
            seen.extend(seqs(await reading))

        self.do(read())

    @rule(back=st.integers(0, 10))
    def wait_for_the_end(self, back: int) -> None:
        async def begin() -> None:
            self.waiting.append(self.hub.follow("r", max(0, self.log.reach - back), self.log.read, NEVER))

        self.do(begin())

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def wait(self, data: st.DataObject) -> None:
        follower = data.draw(st.sampled_from(self.waiting))
        self.do(follower.end(0.0))
        assert not follower.ended

    @invariant()
    def dense(self) -> None:
        for _, after, seen in self.readers:
            assert seen == list(range(after + 1, after + 1 + len(seen)))

    def teardown(self) -> None:
        """The last hint to arrive, of whatever kind, brings everything without a poll."""
        try:
            for hint in (self.publish, lambda last: self.announce(last.last), lambda _: self.hub.resync()):
                hint(self.log.commit(2))
                for reader in self.readers:
                    self.do(self.catch_up(*reader))
            self.end()
        finally:
            self.loop.close()

    def end(self) -> None:
        """The end is heard of by whatever hint comes after it."""
        hints = (self.publish, lambda last: self.announce(last.last), lambda _: self.hub.resync())
        hints[self.log.reach % len(hints)](self.log.commit(1, "end"))
        for follower in self.waiting:
            self.do(self.until_the_end(follower))

    async def until_the_end(self, follower: TailFollower) -> None:
        while not follower.ended:
            await follower.end(9.0)
        assert follower.cursor == self.log.reach

    async def catch_up(self, follower: TailFollower, after: int, seen: list[int]) -> None:
        while follower.cursor < self.log.reach:
            seen += seqs(await follower.read(9.0))
        self.dense()


class HintedThread(Hinted):
    """The same for a thread: events are removed, and most hints of that are lost."""

    def follow(self, after: int) -> TailFollower:
        return self.hub.follow_thread("r", after, self.log.read, NEVER)

    def publish(self, chunk: Chunk) -> None:
        self.hub.published_in_thread("r", chunk)

    def announce(self, last: int) -> None:
        self.hub._threads["r"].announce(last) if "r" in self.hub._threads else None

    @precondition(lambda self: self.log.chunks)
    @rule(data=st.data(), heard=st.booleans())
    def remove(self, data: st.DataObject, heard: bool) -> None:
        self.log.chunks.remove(data.draw(st.sampled_from(self.log.chunks)))
        if heard:
            self.hub.thread_cut("r")

    def dense(self) -> None:
        """In order, none twice, and of what is still there none left out."""
        there = {seq for each in self.log.chunks for seq in range(each.first, each.last + 1)}
        for follower, after, seen in self.readers:
            assert all(one < other for one, other in pairwise(seen))
            assert {seq for seq in there if after < seq <= follower.cursor} <= set(seen)

    dense = invariant()(dense)

    def wait_for_the_end(self) -> None:
        """A thread has none."""

    def end(self) -> None: ...


TestHinted = Hinted.TestCase
TestHinted.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestHintedThread = HintedThread.TestCase
TestHintedThread.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


def test_a_gap_sends_readers_to_the_log() -> None:
    tail = Tail(100, 10_000)
    tail.push(chunk(1, 2))
    tail.push(chunk(5, 2))
    assert tail.since(0) is None
    assert tail.since(2) is None
    assert seqs(tail.since(4) or ()) == [5, 6]


@pytest.mark.parametrize("first", [1, 3, 5])
def test_a_chunk_that_is_late_or_comes_again_changes_nothing(first: int) -> None:
    tail = Tail(100, 10_000)
    for each in (1, 3, 5, first):
        tail.push(chunk(each, 2))
    assert seqs(tail.since(0) or ()) == [1, 2, 3, 4, 5, 6]


def test_a_chunk_that_reaches_further_than_one_before_sends_readers_to_the_log() -> None:
    tail = Tail(100, 10_000)
    tail.push(chunk(1, 2))
    tail.push(chunk(1, 3))
    assert seqs(tail.since(0) or ()) == [1, 2]
    assert tail.since(2) is None


def test_word_of_more_sends_those_who_have_less_to_the_log() -> None:
    tail = Tail(100, 10_000)
    tail.push(chunk(1, 2))
    tail.announce(4)
    assert seqs(tail.since(0) or ()) == [1, 2]
    assert tail.since(2) is None
    assert tail.since(4) is None, "whether there is more than was told of, the log knows"
    tail.push(chunk(3, 2))
    assert tail.since(4) == ()


async def test_word_of_what_is_known_wakes_nobody() -> None:
    hub, log = Hub(), Log()
    follower = hub.follow("r", 0, log.read, NEVER)
    hub.published("r", log.commit(2))
    assert seqs(await follower.read(5)) == [1, 2]
    reading = asyncio.ensure_future(follower.read(0.05))
    await asyncio.sleep(0)
    hub._tails["r"].announce(2)
    assert not await reading
    assert log.reads == 0
    follower.close()


async def test_who_waits_for_the_end_is_woken_by_nothing_before_it_and_reads_nothing() -> None:
    hub, log = Hub(tail_events=4), Log()
    hub.created("r")
    follower = hub.follow("r", 0, log.read, NEVER)
    waiting = asyncio.ensure_future(follower.end())
    await asyncio.sleep(0)
    for _ in range(10):
        hub.published("r", log.commit(2))
        await asyncio.sleep(0)
    assert not waiting.done()
    hub.published("r", log.commit(1, "end"))
    await waiting
    await follower.end()
    assert (follower.ended, follower.cursor, log.reads) == (True, 21, 0)
    follower.close()


@pytest.mark.parametrize("joined", [0, 5])
async def test_who_waits_for_an_end_that_came_before_finds_it_in_the_log(joined: int) -> None:
    hub, log = Hub(), Log()
    log.commit(4)
    log.commit(1, "end")
    follower = hub.follow("r", joined and 4, log.read, NEVER)
    while not follower.ended:
        await follower.end()
    assert follower.cursor == 5
    follower.close()


async def test_who_waits_for_the_end_passes_over_nothing_that_it_has_read_and_not_looked_at() -> None:
    hub, log = Hub(), Log()
    log.chunks = [Chunk(seq, [Event(1, "custom", "", b"." * 50_000)]) for seq in (1, 2, 3)]
    log.reach = 3
    follower = hub.follow("r", 0, log.read, NEVER)
    await follower.end(0.0)
    hub.published("r", log.commit(1))
    for _ in range(4):
        await follower.end(0.0)
    assert follower.cursor == 4
    hub.resync()
    log.commit(1, "end")
    while not follower.ended:
        await follower.end(0.0)
    assert follower.cursor == 5
    follower.close()


async def test_what_was_told_of_and_then_removed_unheard_is_looked_for_once() -> None:
    hub, log = Hub(), Log()
    follower = hub.follow_thread("t", 0, log.read, NEVER)
    hub.published_in_thread("t", log.commit(2))
    assert seqs(await follower.read(5)) == [1, 2]
    log.commit(2)
    hub.published_in_thread("t", log.commit(2))
    del log.chunks[1:]
    for _ in range(5):
        assert not await follower.read(0.0)
    assert log.reads == 1
    hub.published_in_thread("t", log.commit(1))
    assert seqs(await follower.read(5)) == [7]
    follower.close()


async def test_a_thread_made_anew_unheard_is_read_from_its_beginning() -> None:
    hub, log = Hub(), Log()
    follower = hub.follow_thread("t", 0, log.read, NEVER)
    hub.published_in_thread("t", log.commit(5))
    assert seqs(await follower.read(5)) == [1, 2, 3, 4, 5]
    log.chunks, log.reach = [], 0
    log.commit(2)
    hub.resync()
    assert seqs(await follower.read(5)) == [1, 2]
    assert follower.cursor == 2
    follower.close()


async def test_an_interruption_wakes_readers_and_has_them_read_the_log() -> None:
    hub, log = Hub(), Log()
    hub.created("r")
    follower = hub.follow("r", 0, log.read, NEVER)
    reading = asyncio.ensure_future(follower.read(9))
    await asyncio.sleep(0)
    log.commit(3)
    hub.resync()
    assert not await reading
    assert seqs(await follower.read(9)) == [1, 2, 3]
    follower.close()


async def test_one_call_serves_the_readers_of_the_run_and_of_the_thread() -> None:
    hub, log = Hub(), Log()
    hub.created("r")
    run = hub.follow("r", 0, log.read, NEVER)
    thread = hub.follow_thread("t", 0, log.read, NEVER)
    hub.published_in_thread("t", chunk(1))
    await thread.read(5)
    hub.appended("r", "t", chunk(1, 2), 2)
    (of_run,), (of_thread,) = await run.read(5), await thread.read(5)
    assert (of_run.first, of_thread.first) == (1, 2)
    assert of_run.events == of_thread.events
    assert (hub.counts.events, log.reads) == (2, 0)
    run.close()
    thread.close()


@pytest.mark.parametrize("hint", [lambda tail: tail.announce(4), lambda tail: tail.push(chunk(3, 2))])
async def test_a_hint_that_comes_as_a_reader_is_about_to_wait_is_not_missed(hint: Any) -> None:
    hub, log = Hub(), Log()
    follower = hub.follow("r", 0, log.read, NEVER)
    tail = hub._tails["r"]
    tail.push(chunk(1, 2))
    assert seqs(await follower.read(5)) == [1, 2]
    hint(tail)
    assert not tail.park(follower)
    follower.close()
