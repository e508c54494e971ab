"""Signals, broken loops, closed generators and cancelled tasks all close the connection at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from client.scripted import (
    BOUND,
    METADATA,
    RUN,
    THREAD,
    Conversation,
    Driver,
    Server,
    broken,
    end,
    frame,
    hang_up,
    stream,
)
from treadle import AbortSignal, AsyncClient, Client, Retry, StreamAborted

ONE = frame(2, "values", {"n": 1})


def hanging(conversation: Conversation) -> None:
    """Sends two events, then nothing, and is done once the client has closed."""
    broken(METADATA, ONE)(conversation)
    conversation.wait_closed()


def closed(server: Server) -> bool:
    return server.finished.get(timeout=BOUND) == 1


def abort_after(signal: AbortSignal, ready: Callable[[], Any]) -> threading.Thread:
    """Aborts from another thread once ``ready()`` returned."""
    thread = threading.Thread(target=lambda: (ready(), signal.abort()), daemon=True)
    thread.start()
    return thread


# --- AbortSignal -----------------------------------------------------------------------------------------------------


def test_a_signal_stays_aborted_and_tells_each_listener_once() -> None:
    signal, told = AbortSignal(), list[int]()
    signal.subscribe(lambda: told.append(1))
    signal.subscribe(lambda: told.append(2))()
    assert not signal.aborted
    assert not signal.wait(0)
    signal.abort()
    signal.abort()
    assert signal.aborted
    assert signal.wait(0)
    signal.subscribe(lambda: told.append(3))
    assert told == [1, 3]


def test_many_threads_may_abort_and_subscribe() -> None:
    signal, told = AbortSignal(), list[int]()
    start = threading.Barrier(9)

    def subscribe(n: int) -> None:
        start.wait(BOUND)
        signal.subscribe(lambda: told.append(n))

    threads = [threading.Thread(target=subscribe, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    start.wait(BOUND)
    signal.abort()
    for thread in threads:
        thread.join(BOUND)
    assert sorted(told) == list(range(8))


def test_an_abort_ends_a_blocked_read_at_once(driver: Driver) -> None:
    signal, seen, blocked = AbortSignal(), list[Any](), threading.Event()

    def read(client: Any) -> Any:
        stream = client.runs.stream(THREAD, "a", signal=signal)
        if driver.kind == "sync":
            for event in stream:
                seen.append(event.event)
                blocked.set()
            return None

        async def go() -> None:
            async for event in stream:
                seen.append(event.event)
                blocked.set()

        return go()

    with Server(hanging) as server:
        aborting = abort_after(signal, lambda: blocked.wait(BOUND))
        with pytest.raises(StreamAborted):
            driver.run(server.url, read)
        aborting.join(BOUND)
        assert closed(server)
    assert seen[0] == "metadata"


def test_an_abort_ends_the_wait_for_the_headers_and_for_the_final_state(driver: Driver) -> None:
    for make in (
        lambda client, signal: client.runs.create(THREAD, "a", signal=signal),
        lambda client, signal: client.runs.wait(THREAD, "a", signal=signal),
        lambda client, signal: client.runs.join(THREAD, RUN, signal=signal),
    ):
        signal, asked = AbortSignal(), threading.Event()

        def silent(conversation: Conversation, asked: threading.Event = asked) -> None:
            asked.set()
            conversation.wait_closed()

        with Server(silent) as server:
            aborting = abort_after(signal, lambda asked=asked: asked.wait(BOUND))
            with pytest.raises(StreamAborted):
                driver.run(server.url, lambda client, make=make, signal=signal: make(client, signal))
            aborting.join(BOUND)
            assert closed(server)


def test_an_abort_ends_the_pause_between_tries(driver: Driver) -> None:
    signal = AbortSignal()

    def drop(conversation: Conversation) -> None:
        hang_up(conversation)
        signal.abort()

    with Server(drop) as server, pytest.raises(StreamAborted):
        driver.collect(
            server.url,
            lambda client: client.runs.stream(THREAD, "a", signal=signal),
            sleep=None,
            retry=Retry(first_seconds=BOUND * 2, max_seconds=BOUND * 2),
        )


def test_an_aborted_signal_sends_nothing(driver: Driver) -> None:
    signal = AbortSignal()
    signal.abort()
    with Server() as server, pytest.raises(StreamAborted):
        driver.collect(server.url, lambda client: client.runs.stream(THREAD, "a", signal=signal))
    assert server.requests == []


def test_one_signal_stops_many_tasks_and_leaves_them_uncancelled() -> None:
    signal = AbortSignal()

    async def read(url: str) -> str:
        async with AsyncClient(url) as client:
            events = client.runs.stream(THREAD, "a", signal=signal)
            try:
                async for event in events:
                    if event.event == "values":
                        asyncio.get_running_loop().call_soon(signal.abort)
            except StreamAborted:
                pass
        await asyncio.sleep(0)  # would raise if the abort had left a cancellation behind
        return "aborted"

    async def main() -> None:
        with Server(hanging, hanging, hanging) as server:
            results = await asyncio.wait_for(asyncio.gather(*(read(server.url) for _ in range(3))), BOUND)
            assert results == ["aborted"] * 3

    asyncio.run(main())


def test_a_signal_is_let_go_when_the_call_is_over(driver: Driver) -> None:
    signal = AbortSignal()
    with Server(stream(METADATA, end(2))) as server:
        driver.collect(server.url, lambda client: client.runs.stream(THREAD, "a", signal=signal))
    assert signal._listeners == {}


# --- leaving ---------------------------------------------------------------------------------------------------------


def test_breaking_out_of_the_loop_closes_the_connection() -> None:
    with Server(hanging) as server, Client(server.url) as client:
        stream = client.runs.stream(THREAD, "a")
        for event in stream:
            if event.event == "values":
                break
        assert closed(server)
        assert list(stream) == []


def test_breaking_out_of_the_async_loop_closes_the_connection() -> None:
    async def main() -> None:
        with Server(hanging) as server:
            async with AsyncClient(server.url) as client:
                stream = client.runs.stream(THREAD, "a")
                async for event in stream:
                    if event.event == "values":
                        break
                assert await asyncio.to_thread(closed, server)
                assert [event async for event in stream] == []

    asyncio.run(main())


@pytest.mark.parametrize("way", ["with", "close", "iterator"])
def test_closing_a_stream_closes_the_connection(way: str) -> None:
    with Server(hanging) as server, Client(server.url) as client:
        events = client.runs.stream(THREAD, "a")
        if way == "with":
            with events:
                next(events)
        elif way == "close":
            next(events)
            events.close()
        else:
            iterator = iter(events)
            next(iterator)
            iterator.close()
        assert closed(server)
        assert (events.run_id, events.thread_id, events.last_event_id) == (RUN, THREAD, "1700000000001-1")


@pytest.mark.parametrize("way", ["with", "close", "iterator"])
def test_closing_an_async_stream_closes_the_connection(way: str) -> None:
    async def main() -> None:
        with Server(hanging) as server:
            async with AsyncClient(server.url) as client:
                events = client.runs.stream(THREAD, "a")
                if way == "with":
                    async with events:
                        await anext(events)
                elif way == "close":
                    await anext(events)
                    await events.aclose()
                else:
                    iterator = aiter(events)
                    await anext(iterator)
                    await iterator.aclose()
                assert await asyncio.to_thread(closed, server)

    asyncio.run(main())


def test_cancelling_the_task_closes_the_connection() -> None:
    async def read(url: str, blocked: asyncio.Event) -> None:
        async with AsyncClient(url) as client:
            async for event in client.runs.stream(THREAD, "a", signal=AbortSignal()):
                if event.event == "values":
                    blocked.set()

    async def main() -> None:
        with Server(hanging) as server:
            blocked = asyncio.Event()
            task = asyncio.create_task(read(server.url, blocked))
            await asyncio.wait_for(blocked.wait(), BOUND)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(closed, server)

    asyncio.run(main())


def test_an_error_in_the_loop_closes_the_connection(driver: Driver) -> None:
    def read(client: Any) -> Any:
        if driver.kind == "sync":
            for _ in client.runs.stream(THREAD, "a"):
                raise LookupError

        async def go() -> None:
            async with client.runs.stream(THREAD, "a") as events:
                async for _ in events:
                    raise LookupError

        return go()

    with Server(hanging) as server:
        with pytest.raises(LookupError):
            driver.run(server.url, read)
        assert closed(server)
