"""A hub with a relay, what it was told, and its readers; as a program, such a hub in a process of its own."""

from __future__ import annotations

import asyncio
import logging
import queue
import sys
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from support.server_process import until
from treadle.backends.live.relay import ClusterHub, FallbackRelay, Relay
from treadle.backends.live.relay_postgres import PostgresRelay
from treadle.backends.live.relay_redis import RedisRelay
from treadle.backends.live.tail import TailFollower
from treadle.model import Event
from treadle.ports.log import Chunk

SECONDS = 20.0
NEVER = 1e9


class Log:
    """What was committed, to a run and its thread alike."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.reads = 0

    def commit(self, count: int = 1, size: int = 0) -> Chunk:
        first = self.reach + 1
        events = [Event(1, "custom", "", b"%d" % (first + n) + b" " * size) for n in range(count)]
        self.chunks.append(Chunk(first, events))
        return self.chunks[-1]

    @property
    def reach(self) -> int:
        return self.chunks[-1].last if self.chunks else 0

    async def read(self, key: str, after: int) -> tuple[Sequence[Chunk], bool]:
        self.reads += 1
        return [each for each in self.chunks if each.last > after], True


class Peer:
    """``said`` is what its listeners heard, in order."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.hub = ClusterHub(relay)
        self.said: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.hub.on_queue(lambda: self.said.put("queue"))
        self.hub.on_delivery(lambda: self.said.put("delivery"))
        self.hub.on_cancel(lambda run_id, action: self.said.put((run_id, action)))

    def hears(self) -> Any:
        return self.said.get(timeout=SECONDS)

    def hears_at_last(self, wanted: Any) -> None:
        """Whatever else it hears before."""
        while self.hears() != wanted:
            pass

    def begin(self) -> None:
        """Returns once it listens, was told so, and is heard."""
        self.hub.start()
        relays = getattr(self.relay, "both", (self.relay,))
        assert all(relay.await_listening(SECONDS) for relay in relays)
        assert sorted(self.hears() for _ in relays * 2) == ["delivery"] * len(relays) + ["queue"] * len(relays)
        until(lambda: all(relay.can_send for relay in relays))

    def follow(self, log: Log, run_id: str = "r") -> TailFollower:
        return self.hub.follow(run_id, 0, log.read, NEVER)


class Both(FallbackRelay):
    """A fallback relay that shows its halves."""

    def __init__(self, primary: Relay, secondary: Relay) -> None:
        super().__init__(primary, secondary)
        self.both = (primary, secondary)


async def read_all(follower: TailFollower, last: int) -> list[int]:
    """Reads up to ``last``, without ever a poll."""
    seen: list[int] = []
    async with asyncio.timeout(SECONDS):
        while follower.cursor < last:
            for chunk in await follower.read(SECONDS):
                assert [int(event.data) for event in chunk.events] == list(range(chunk.first, chunk.last + 1))
                seen += range(chunk.first, chunk.last + 1)
    return seen


RELAYS: dict[str, Callable[..., Relay]] = {"postgres": PostgresRelay, "redis": RedisRelay}


def main(kind: str, url: str, count: str) -> None:
    """Says when it listens, publishes once it is given a line, and says that it heard the cancel that follows."""
    peer = Peer(RELAYS[kind](url, namespace="processes"))
    peer.begin()
    print("listening", flush=True)
    sys.stdin.readline()
    log = Log()
    for _ in range(int(count)):
        peer.hub.appended("r", "t", log.commit(3), log.reach - 2)
    peer.hears_at_last(("r", "interrupt"))
    print("cancelled", flush=True)
    peer.hub.close()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    main(*sys.argv[1:])
