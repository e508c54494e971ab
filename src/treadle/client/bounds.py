"""The bounds of one call, its signal and its deadline, for asyncio and for threads.

Both classes are used alike. Every step that may block runs inside ``with bounds:``, which raises StreamAborted after
the signal and DeadlineReached after the deadline. They are the only part of the client written twice by hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any

from treadle.errors import StreamAborted

from .abort import AbortSignal

DRAIN_SECONDS = 0.2


class DeadlineReached(Exception):
    """The call took longer than its caller allowed."""


def _verdict(signal: AbortSignal | None) -> Exception:
    if signal is not None and signal.aborted:
        return StreamAborted("the reading was aborted by its signal")
    return DeadlineReached()


class AsyncBounds:
    """Bounds of a call in an asyncio task. A step that must stop is cancelled."""

    fresh = False

    def __init__(self, signal: AbortSignal | None = None, seconds: float | None = None) -> None:
        self._signal = signal
        self._seconds = seconds
        self._deadline: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._step: asyncio.Timeout | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    async def __aenter__(self) -> None:
        if self._loop is None:
            self._start()
        if self._signal is not None and self._signal.aborted:
            raise _verdict(self._signal)
        self._step = asyncio.timeout_at(self._deadline)
        await self._step.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        step, self._step = self._step, None
        assert step is not None
        try:
            await step.__aexit__(kind, error, trace)
        except TimeoutError:
            raise _verdict(self._signal) from None

    async def sleep(self, seconds: float, sleep: Callable[[float], Awaitable[None]] | None = None) -> None:
        async with self:
            await (sleep or asyncio.sleep)(seconds)

    def extensions(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        self._unsubscribe()

    def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._seconds is not None:
            self._deadline = self._loop.time() + self._seconds
        if self._signal is not None:
            self._unsubscribe = self._signal.subscribe(self._aborted)

    def _aborted(self) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nothing waits there any more
            self._loop.call_soon_threadsafe(self._expire)

    def _expire(self) -> None:
        if self._step is not None:
            self._step.reschedule(0)


class Bounds:
    """Bounds of a call in a thread. The socket of a step that must stop is shut down.

    The socket comes from httpcore's trace of the connect, so a call with bounds needs its own connection (``fresh``).
    With a transport that reports no socket, the call stops at the next bytes that arrive.
    """

    def __init__(self, signal: AbortSignal | None = None, seconds: float | None = None) -> None:
        self._signal = signal
        self._seconds = seconds
        self._fired = threading.Event()
        # Reentrant: a signal handler that aborts may interrupt the holder in its own thread.
        self._lock = threading.RLock()
        self._socket: socket.socket | None = None
        self._timer: threading.Timer | None = None
        self._started = False
        self._unsubscribe: Callable[[], None] = lambda: None
        self.fresh = signal is not None or seconds is not None

    def __enter__(self) -> None:
        if not self._started:
            self._start()
        if self._fired.is_set():
            raise _verdict(self._signal)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fired.is_set() and isinstance(error, Exception):
            raise _verdict(self._signal) from None

    def sleep(self, seconds: float, sleep: Callable[[float], None] | None = None) -> None:
        with self:
            (sleep or self._fired.wait)(seconds)
        if self._fired.is_set():
            raise _verdict(self._signal)

    def extensions(self) -> dict[str, Any]:
        return {"trace": self._trace} if self.fresh else {}

    def close(self) -> None:
        self._unsubscribe()
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._socket = None

    def _start(self) -> None:
        self._started = True
        if self._signal is not None:
            self._unsubscribe = self._signal.subscribe(self._fire)
        if self._seconds is not None:
            self._timer = threading.Timer(max(0.0, self._seconds), self._fire)
            self._timer.daemon = True
            self._timer.start()

    def _trace(self, name: str, info: dict[str, Any]) -> None:
        if name.endswith(("connect_tcp.complete", "start_tls.complete")):
            with self._lock:
                self._socket = info["return_value"].get_extra_info("socket")
            if self._fired.is_set():
                self._cut()

    def _fire(self) -> None:
        self._fired.set()
        self._cut()

    def _cut(self) -> None:
        # Use socket.socket.shutdown: that of the TLS socket would drop the TLS state that the reader is using.
        with self._lock, contextlib.suppress(OSError):
            if self._socket is not None:
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


async def async_drain(chunks: AsyncIterator[bytes]) -> None:
    """Read the rest of the body, so that the connection can be reused. Gives up soon."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in chunks:
                pass


def drain(chunks: Iterator[bytes]) -> None:
    """Do nothing: a blocking read cannot give up soon, so the connection is closed instead."""
