from __future__ import annotations

import asyncio
import threading

import pytest

from treadle.loops import GraphThread, SameLoop, blocked_on


async def _where() -> tuple[int, asyncio.AbstractEventLoop]:
    return threading.get_ident(), asyncio.get_running_loop()


async def test_work_runs_on_the_thread_of_the_graphs_and_is_awaited_here() -> None:
    graphs = GraphThread()
    graphs.start()
    graphs.start()
    ident, loop = await graphs.submit(_where())
    assert ident == graphs.thread_id != threading.get_ident()
    assert loop is graphs.loop
    graphs.stop()


async def test_what_the_work_raises_is_raised_here() -> None:
    async def fail() -> None:
        raise KeyError("k")

    graphs = GraphThread()
    graphs.start()
    with pytest.raises(KeyError):
        await graphs.submit(fail())
    graphs.stop()


async def test_cancelling_the_result_cancels_the_work() -> None:
    entered, cancelled = threading.Event(), threading.Event()

    async def hang() -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    graphs = GraphThread()
    graphs.start()
    waiting = asyncio.ensure_future(graphs.submit(hang()))
    assert await asyncio.to_thread(entered.wait, 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.to_thread(cancelled.wait, 10)
    graphs.stop()


async def test_stopping_cancels_what_runs_and_is_idempotent() -> None:
    entered, cancelled = threading.Event(), threading.Event()

    async def hang() -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    graphs = GraphThread()
    graphs.stop()
    graphs.start()
    waiting = asyncio.ensure_future(graphs.submit(hang()))
    assert await asyncio.to_thread(entered.wait, 10)
    await asyncio.to_thread(graphs.stop)
    graphs.stop()
    assert cancelled.is_set()
    assert not graphs.started
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(waiting, 10)
    with pytest.raises(RuntimeError, match="not running"):
        _ = graphs.loop


async def test_a_blocked_thread_names_the_line_of_the_users_code() -> None:
    entered, release = threading.Event(), threading.Event()

    async def block() -> None:
        entered.set()
        release.wait(10)

    graphs = GraphThread()
    graphs.start()
    waiting = asyncio.ensure_future(graphs.submit(block()))
    assert await asyncio.to_thread(entered.wait, 10)
    ident = graphs.thread_id
    assert ident is not None
    named = blocked_on(ident)
    release.set()
    await waiting
    graphs.stop()
    file, _, rest = named.partition(".py:")
    assert file.endswith("test_loop")
    assert rest.endswith("in block")


def test_a_thread_without_user_code_shows_its_innermost_frame() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, args=(10,))
    thread.start()
    assert thread.ident is not None
    assert "threading.py:" in blocked_on(thread.ident)
    stop.set()
    thread.join()
    assert blocked_on(thread.ident) == "a thread that has ended"


async def test_on_the_serving_loop_work_runs_where_it_was_started() -> None:
    same = SameLoop()
    assert not same.started
    same.start()
    assert await same.submit(_where()) == (threading.get_ident(), asyncio.get_running_loop())
    assert same.thread_id == threading.get_ident()
    assert same.loop is asyncio.get_running_loop()
    same.stop()
    assert not same.started
