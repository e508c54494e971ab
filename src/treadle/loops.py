"""The event loop for user code, on its own thread, so that a blocking node delays nothing else."""

from __future__ import annotations

import asyncio
import sys
import sysconfig
import threading
from collections.abc import Awaitable
from pathlib import Path
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


class GraphThread:
    """A daemon thread with an event loop for graphs."""

    def __init__(self, name: str = "treadle-graphs") -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def started(self) -> bool:
        return self._thread is not None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The graphs' event loop. Raises RuntimeError before ``start`` and after ``stop``."""
        if self._loop is None:
            raise RuntimeError("the loop of the graphs is not running")
        return self._loop

    @property
    def thread_id(self) -> int | None:
        """The thread's ident, for ``blocked_on``."""
        return self._thread.ident if self._thread is not None else None

    def start(self) -> None:
        if self._thread is not None:
            return
        self._loop = _new_loop()
        running = threading.Event()
        self._loop.call_soon(running.set)
        self._thread = threading.Thread(target=_serve, args=(self._loop,), name=self._name, daemon=True)
        self._thread.start()
        running.wait()

    def stop(self, timeout: float = 5.0) -> None:
        """Cancel running tasks and end the thread. User code that does not yield within ``timeout`` seconds is
        abandoned."""
        thread, loop = self._thread, self._loop
        if thread is None or loop is None:
            return
        self._thread = self._loop = None
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout)

    def submit(self, work: Awaitable[T]) -> Awaitable[T]:
        """Run ``work`` on the graphs' loop; its result can be awaited on the caller's loop.

        Cancelling the result cancels the work.
        """
        loop = self.loop
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_whole(work), loop))


class SameLoop:
    """Runs graphs on the serving loop, for apps whose nodes and routes share loop-bound objects."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread_id: int | None = None

    @property
    def started(self) -> bool:
        return self._loop is not None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the loop of the graphs is not running")
        return self._loop

    @property
    def thread_id(self) -> int | None:
        return self._thread_id

    def start(self) -> None:
        """Must be called on the serving loop."""
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()

    def stop(self, timeout: float = 0.0) -> None:
        self._loop = self._thread_id = None

    def submit(self, work: Awaitable[T]) -> Awaitable[T]:
        return asyncio.ensure_future(work)


def blocked_on(thread_id: int | None) -> str:
    """``file:line in function`` of the thread's innermost frame of user code, or of its innermost frame if there is
    none."""
    frame = innermost = sys._current_frames().get(thread_id or 0)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and not _is_user_code(frame):
        frame = frame.f_back
    shown = frame or innermost
    if shown is None:
        return "a thread that has ended"
    return f"{shown.f_code.co_filename}:{shown.f_lineno} in {shown.f_code.co_name}"


def _is_user_code(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    if file.startswith("<") or "site-packages" in file or "dist-packages" in file:
        return False
    return not file.startswith((sysconfig.get_path("stdlib"), str(Path(__file__).parents[1])))


async def _whole(work: Awaitable[T]) -> T:
    return await work


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # not available on every platform
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    """Run the loop until ``stop``. A node that exits the process (``sys.exit``) only ends its own run."""
    stopped = False
    while not stopped:
        try:
            loop.run_forever()
            stopped = True
        except (SystemExit, KeyboardInterrupt):
            continue


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        _run(loop)
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
