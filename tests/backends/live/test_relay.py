"""Hubs of many processes hear each other over real servers, and miss nothing for good when those fail."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
import redis

from backends.live import relay_peers
from backends.live.relay_peers import NEVER, RELAYS, SECONDS, Both, Log, Peer, read_all
from support.services import PostgresServer, RedisServer, free_port
from treadle.backends.live.relay import ClusterHub
from treadle.backends.live.relay_link import ServerRelay, delay
from treadle.backends.live.relay_postgres import PostgresRelay
from treadle.backends.live.relay_redis import RedisRelay
from treadle.ports.log import Chunk

NAMES = iter(range(1_000_000))

Join = Callable[..., Peer]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer(fsync=False) as server:
        yield server


@pytest.fixture(scope="module")
def shared_redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """For a test that breaks it."""
    with RedisServer() as server:
        yield server


@pytest.fixture(params=["postgres", "redis"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def url(kind: str, postgres: PostgresServer, shared_redis: RedisServer) -> str:
    return {"postgres": postgres.url, "redis": shared_redis.url}[kind]


@pytest.fixture
def join(kind: str, url: str) -> Iterator[Join]:
    """Another process's hub joins, by a relay of its own."""
    namespace = f"test{next(NAMES)}"
    with ExitStack() as stack:

        def join(**options: bool) -> Peer:
            peer = Peer(RELAYS[kind](url, namespace=namespace, **options))
            stack.callback(peer.hub.close)
            peer.begin()
            return peer

        yield join


def cut_connections(kind: str, postgres: PostgresServer, shared_redis: RedisServer) -> None:
    """Ends every connection that listens; the servers are this module's own."""
    if kind == "postgres":
        with postgres.connect() as connection:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'treadle relay'"
            assert connection.execute(query).fetchall()
    else:
        with redis.Redis.from_url(shared_redis.url) as client:
            for one in client.client_list(_type="pubsub"):
                client.client_kill_filter(_id=one["id"])


# --- hints ------------------------------------------------------------------------------------------------------------


def test_every_hint_reaches_the_others_and_none_comes_back(join: Join) -> None:
    here, there = join(), join()
    here.hub.queue_changed()
    here.hub.cancel_marked("r", "rollback")
    here.hub.delivery_due()
    assert [there.hears() for _ in range(3)] == ["queue", ("r", "rollback"), "delivery"]
    there.hub.cancel_marked("over", "interrupt")
    assert [here.hears() for _ in range(4)] == ["queue", ("r", "rollback"), "delivery", ("over", "interrupt")]
    assert there.hears() == ("over", "interrupt")
    assert here.said.empty()
    assert there.said.empty()


def test_another_database_hears_nothing(kind: str, url: str, join: Join) -> None:
    here, there = join(), join()
    other = Peer(RELAYS[kind](url, namespace="other"))
    other.begin()
    here.hub.queue_changed()
    assert there.hears() == "queue"
    other.hub.close()
    assert other.said.empty()


async def test_a_reader_elsewhere_gets_events_without_polling(kind: str, join: Join) -> None:
    here, there, log = join(), join(), Log()
    there.hub.created("r")
    follower = there.follow(log)
    reading = asyncio.ensure_future(read_all(follower, 500))
    for _ in range(100):
        await asyncio.sleep(0)
        here.hub.appended("r", "t", log.commit(5), log.reach - 4)
    assert await reading == list(range(1, 501))
    assert there.hub.counts.events == 0
    if kind == "redis":
        assert log.reads == 0
    follower.close()


async def test_one_message_serves_the_readers_of_a_thread_and_of_a_run(join: Join) -> None:
    here, there, log = join(), join(), Log()
    run = there.follow(log)
    thread = there.hub.follow_thread("t", 0, log.read, NEVER)
    for _ in range(20):
        here.hub.appended("r", "t", log.commit(2), log.reach - 1)
    assert await asyncio.gather(read_all(run, 40), read_all(thread, 40)) == [list(range(1, 41))] * 2
    run.close()
    thread.close()


async def test_a_thread_hears_of_its_own_events_and_a_run_of_events_without_a_thread(join: Join) -> None:
    here, there, log = join(), join(), Log()
    run = there.follow(log)
    thread = there.hub.follow_thread("t", 0, log.read, NEVER)
    chunk = log.commit(2)
    here.hub.published("r", chunk)
    here.hub.published_in_thread("t", chunk)
    assert await asyncio.gather(read_all(run, 2), read_all(thread, 2)) == [[1, 2]] * 2
    run.close()
    thread.close()


async def test_the_readers_of_a_removed_run_end_and_those_of_its_thread_look_again(join: Join) -> None:
    here, there, log = join(), join(), Log()
    run = there.follow(log)
    thread = there.hub.follow_thread("t", 0, log.read, NEVER)
    assert not await thread.read(0)
    reads = log.reads
    here.hub.thread_cut("t")
    here.hub.gone("r")
    async with asyncio.timeout(SECONDS):
        while not run.ended:
            await run.read(SECONDS)
        while log.reads == reads:
            await thread.read(1)
    run.close()
    thread.close()


async def test_a_process_without_readers_hears_of_no_events(join: Join) -> None:
    here, there, worker, log = join(), join(), join(readers=False), Log()
    tail = worker.follow(log)
    follower = there.follow(log)
    here.hub.published("r", log.commit(2))
    assert await read_all(follower, 2) == [1, 2]
    here.hub.cancel_marked("r", "interrupt")
    assert worker.hears() == ("r", "interrupt")
    assert worker.hub._tails["r"].state().reach == 0
    tail.close()
    follower.close()


async def test_events_too_large_for_a_message_are_told_of(join: Join) -> None:
    here, there, log = join(), join(), Log()
    there.hub.created("r")
    follower = there.follow(log)
    here.hub.published("r", log.commit(1))
    here.hub.published("r", log.commit(1, size=5_000_000))
    assert await read_all(follower, 2) == [1, 2]
    assert log.reads
    follower.close()


# --- runs that are new ------------------------------------------------------------------------------------------------


async def test_a_run_whose_beginning_went_by_is_read_from_the_log(join: Join) -> None:
    """Another process claims a run before the one that created it has said so to its own hub."""

    here, there, log = join(), join(), Log()
    here.hub.published("r", log.commit(2))
    here.hub.published("after", Chunk(1, log.chunks[0].events))
    there.hub.created("after")  # whether its events have gone by or are still to come
    after = there.follow(log, "after")
    assert await read_all(after, 2) == [1, 2]
    there.hub.created("r")
    follower = there.follow(log)
    assert await read_all(follower, 2) == [1, 2]
    assert log.reads
    follower.close()
    after.close()


async def test_no_reader_relies_on_a_relay_that_does_not_listen(kind: str, url: str) -> None:
    hub, log = ClusterHub(RELAYS[kind](url, namespace="silent")), Log()
    hub.created("r")
    log.commit(1)
    follower = hub.follow("r", 0, log.read, NEVER)
    assert await read_all(follower, 1) == [1]
    follower.close()
    hub.close()


# --- failures ---------------------------------------------------------------------------------------------------------


async def test_after_a_cut_readers_go_on_from_the_log_and_listeners_look_again(
    kind: str, join: Join, postgres: PostgresServer, shared_redis: RedisServer
) -> None:
    here, there, log = join(), join(), Log()
    there.hub.created("r")
    follower = there.follow(log)
    here.hub.published("r", log.commit(2))
    assert await read_all(follower, 2) == [1, 2]
    for _ in range(3):
        reading = asyncio.ensure_future(read_all(follower, log.reach + 4))
        await asyncio.sleep(0)
        cut_connections(kind, postgres, shared_redis)
        here.hub.published("r", log.commit(2))
        there.hears_at_last("delivery")
        here.hub.published("r", log.commit(2))
        assert await reading == list(range(log.reach - 3, log.reach + 1))
    follower.close()


async def test_what_is_said_while_the_server_is_away_is_made_up_for_when_it_is_back(own_redis: RedisServer) -> None:
    here, there = (Peer(RedisRelay(own_redis.url, namespace="away")) for _ in range(2))
    here.begin()
    there.begin()
    log = Log()
    there.hub.created("r")
    follower = there.follow(log)
    reading = asyncio.ensure_future(read_all(follower, 3))
    await asyncio.sleep(0)
    own_redis.kill()
    here.hub.queue_changed()
    here.hub.published("r", log.commit(3))
    own_redis.start()
    assert await reading == [1, 2, 3]
    assert [there.hears(), there.hears()] == ["queue", "delivery"]
    here.hub.cancel_marked("r", "interrupt")
    there.hears_at_last(("r", "interrupt"))
    follower.close()
    here.hub.close()
    there.hub.close()


@contextmanager
def fallback_pair(postgres: PostgresServer, *redis_urls: str) -> Iterator[tuple[Peer, Peer]]:
    """Two hubs with both relays, each with its own way to Redis."""
    name = f"fallback{next(NAMES)}"
    first, second = (
        Peer(Both(RedisRelay(url, namespace=name), PostgresRelay(postgres.url, namespace=name))) for url in redis_urls
    )
    try:
        yield first, second
    finally:
        first.hub.close()
        second.hub.close()


async def test_while_redis_is_away_postgres_carries_the_hints(postgres: PostgresServer, own_redis: RedisServer) -> None:
    with fallback_pair(postgres, own_redis.url, own_redis.url) as (here, there):
        here.begin()
        there.begin()
        log = Log()
        there.hub.created("r")
        follower = there.follow(log)

        async def say(last: int) -> None:
            reading = asyncio.ensure_future(read_all(follower, last))
            while log.reach < last:
                await asyncio.sleep(0)
                here.hub.published("r", log.commit(1))
            await reading

        await say(50)
        assert log.reads == 0
        own_redis.kill()
        await say(100)
        here.hub.cancel_marked("r", "interrupt")
        there.hears_at_last(("r", "interrupt"))
        reads = log.reads
        assert reads
        own_redis.start()
        for peer in (here, there):
            assert peer.relay.both[0].await_listening(SECONDS)
        await say(150)
        follower.close()


def test_when_redis_hangs_postgres_takes_over(postgres: PostgresServer, own_redis: RedisServer) -> None:
    """Its connections stay open, and nothing comes or goes through them."""
    with fallback_pair(postgres, own_redis.url, own_redis.url) as (here, there):
        here.begin()
        there.begin()
        own_redis.pause()
        here.hub.cancel_marked("r", "interrupt")
        there.hears_at_last(("r", "interrupt"))
        own_redis.resume()
        for peer in (here, there):
            assert peer.relay.both[0].await_listening(SECONDS)


def test_who_alone_cannot_reach_redis_is_told_by_postgres(postgres: PostgresServer, shared_redis: RedisServer) -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    with fallback_pair(postgres, shared_redis.url, nowhere) as (here, alone):
        here.begin()
        alone.hub.start()
        alone.hub.cancel_marked("said alone", "interrupt")
        here.hears_at_last(("said alone", "interrupt"))
        heard = threading.Event()
        alone.hub.on_cancel(lambda *_: heard.set())
        for _ in range(100):  # until it has heard that somebody is deaf
            here.hub.cancel_marked("said by both", "interrupt")
            if heard.wait(SECONDS / 100):
                break
        assert heard.is_set()


def test_a_relay_without_a_server_neither_blocks_nor_raises(kind: str) -> None:
    nowhere = {"postgres": "postgresql://postgres@127.0.0.1:{}/x", "redis": "redis://127.0.0.1:{}/0"}[kind]
    peer = Peer(RELAYS[kind](nowhere.format(free_port()), namespace="nowhere"))
    peer.hub.start()
    log = Log()
    for _ in range(1000):
        peer.hub.appended("r", "t", log.commit(1), log.reach)
    assert not peer.relay.listening
    assert not peer.relay.can_send
    peer.hub.close()


def test_starting_and_closing_again_changes_nothing(join: Join) -> None:
    here, there = join(), join()
    threads = threading.active_count()
    here.hub.start()
    assert threading.active_count() == threads
    here.hub.cancel_marked("last", "interrupt")
    here.hub.close()
    assert there.hears() == ("last", "interrupt")
    assert threading.active_count() == threads - 2
    here.hub.close()
    here.hub.start()
    here.hub.queue_changed()
    assert threading.active_count() == threads - 2


@pytest.mark.parametrize("relay", [PostgresRelay, RedisRelay])
def test_a_quiet_connection_shows_that_it_lives_when_asked(
    relay: Callable[..., ServerRelay], postgres: PostgresServer, shared_redis: RedisServer
) -> None:
    url = postgres.url if relay is PostgresRelay else shared_redis.url
    with closing(relay(url, namespace="quiet")._subscribe()) as subscription:
        for _ in range(3):
            assert subscription.poll(0) is None
            subscription.ping()
            assert subscription.poll(SECONDS) == ([] if relay is PostgresRelay else ())


def test_a_server_that_hangs_is_noticed_and_heard_again_afterwards() -> None:
    with PostgresServer(fsync=False) as server:
        here, there = (Peer(PostgresRelay(server.url, namespace="hang")) for _ in range(2))
        lost = threading.Event()
        there.hub.on_disconnected = lambda was_live: lost.set()
        here.begin()
        there.begin()
        server.pause()
        here.hub.queue_changed()
        assert lost.wait(SECONDS)
        assert not there.relay.listening
        server.resume()
        there.hears_at_last("delivery")
        here.hub.cancel_marked("r", "interrupt")
        there.hears_at_last(("r", "interrupt"))
        here.hub.close()
        there.hub.close()


def test_a_message_that_is_not_understood_is_passed_over(shared_redis: RedisServer) -> None:
    """A newer release may say more."""
    peer = Peer(RedisRelay(shared_redis.url, namespace="newer"))
    peer.begin()
    with redis.Redis.from_url(shared_redis.url) as client:
        client.publish("treadle:newer:control", b"0123456789abcdef\x91\x92\xcc\xff\x01")
        client.publish("treadle:newer:control", b"0123456789abcdef\x91\x91\x01")
    assert peer.hears() == "queue"
    assert peer.relay.listening
    peer.hub.close()


def test_attempts_to_connect_are_at_most_two_seconds_apart() -> None:
    waits = [delay(failures) for failures in range(1000)]
    assert waits[0] == 0.05
    assert waits == sorted(waits)
    assert max(waits) == 2.0


# --- processes --------------------------------------------------------------------------------------------------------


async def test_two_processes(kind: str, url: str) -> None:
    peer, log = Peer(RELAYS[kind](url, namespace="processes")), Log()
    peer.begin()
    peer.hub.created("r")
    follower = peer.follow(log)
    with other_process(kind, url, "200") as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "listening\n"
        for _ in range(200):  # as the other will have committed it by the time it speaks
            log.commit(3)
        other.stdin.write("\n")
        other.stdin.flush()
        assert await read_all(follower, 600) == list(range(1, 601))
        peer.hub.cancel_marked("r", "interrupt")
        assert other.stdout.readline() == "cancelled\n"
        assert other.wait(SECONDS) == 0
    follower.close()
    peer.hub.close()


@contextmanager
def other_process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    with subprocess.Popen(
        [sys.executable, str(Path(relay_peers.__file__)), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        try:
            yield process
        finally:
            process.kill()
