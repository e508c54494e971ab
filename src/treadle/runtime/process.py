"""What makes a runtime a process: its log, its socket, the signals that end it, and how it gets out in the end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Collection, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import structlog
import uvicorn
import uvloop
from starlette.types import ASGIApp

from treadle.errors import UnavailableError
from treadle.settings import Settings

_BACKLOG = 2048
_THREADS_SECONDS = 0.5
_DESCRIPTORS = 10240
"""What every system allows whose limit cannot be had in full."""


class Living(Protocol):
    """What a process lives for. ``stuck`` is set when user code did not let go of its thread."""

    @property
    def stuck(self) -> bool: ...
    async def start(self) -> None: ...
    async def drain(self) -> None: ...
    async def stop(self) -> None:
        """Also after a start that failed."""
        ...


class _Uvicorn(uvicorn.Server):
    """Uvicorn without its own signal handling; says when it accepts requests."""

    on_started: Callable[[], None]

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_started()


class Web:
    """An app on a socket that listens already."""

    def __init__(self, app: ASGIApp, listener: socket.socket, *, websockets: bool = False) -> None:
        self._listener = listener
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="auto" if websockets else "none",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=3,
            server_header=False,
        )
        self._server = _Uvicorn(config)
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        host, port = self._listener.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def start(self, ready: Callable[[], None]) -> asyncio.Task[None]:
        """Serves until the returned task is done; ``ready`` is called once requests are accepted."""
        self._server.on_started = ready
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        return self._serving

    async def stop(self) -> None:
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving


def raise_descriptors() -> int:
    """Has this process open as many files as the system lets it, each stream being one; how many that is. The usual
    limit is 1,024, to be raised by whoever needs more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (hard, _DESCRIPTORS):
        if soft != resource.RLIM_INFINITY and (wanted == resource.RLIM_INFINITY or wanted > soft):
            with contextlib.suppress(ValueError, OSError):  # macOS has another limit below this one
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
                return wanted
    return soft


def live(runtime: Living, web: Web | None, ready: Callable[[], None], *, others: Collection[threading.Thread]) -> None:
    """Starts, calls ``ready``, and drains and stops at SIGTERM or SIGINT. ``others`` are the threads of others."""
    _spare_the_collector()
    raise_descriptors()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        pool = ThreadPoolExecutor(thread_name_prefix="treadle-pool")
        runner.get_loop().set_default_executor(pool)
        runner.run(_live(runtime, web, ready))
        pool.shutdown(wait=False)
        if runtime.stuck or _threads_left(others):
            # The interpreter would wait for a node that blocks its thread; its run has been handed back.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)


async def _live(runtime: Living, web: Web | None, ready: Callable[[], None]) -> None:
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    asked = loop.create_task(ending.wait())
    lives: list[asyncio.Task[Any]] = [asked]
    try:
        await _start(runtime)
        if web is None:
            ready()
        else:
            lives.append(web.start(ready))
        await asyncio.wait(lives, return_when=asyncio.FIRST_COMPLETED)
        await runtime.drain()
        if web is not None:
            await web.stop()
    finally:
        asked.cancel()
        await runtime.stop()


async def _start(runtime: Living) -> None:
    try:
        await runtime.start()
    except UnavailableError as error:  # it speaks to clients; here nobody is served yet
        from treadle.runtime.database import DatabaseUnusable

        raise DatabaseUnusable(error.detail) from error


def _spare_the_collector() -> None:
    """What has been loaded lives as long as the process: the collector, which would walk it again and again for the
    objects that events are made of (40 % of what an event costs), is told so, and comes less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def _threads_left(others: Collection[threading.Thread]) -> bool:
    """Whether a thread of this server still works; idle ones of a closed pool end at once.

    Daemon threads count: the interpreter waits for the workers of every pool, and those of a daemon's are daemons.
    """
    deadline = time.monotonic() + _THREADS_SECONDS
    started = [each for each in threading.enumerate() if each not in others]
    for each in started:
        each.join(max(0.0, deadline - time.monotonic()))
    return any(each.is_alive() for each in started)


def listen(host: str, port: int) -> socket.socket:
    """The listening socket. Raises OSError when the address is taken or is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    listener.set_inheritable(False)
    return listener


class _NotUnfinished(logging.Filter):
    """A stream that is broken off on purpose is left unfinished; uvicorn need not report it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "without completing response" not in record.getMessage()


def configure_logging(settings: Settings) -> None:
    """Logs to stderr, for people or as JSON lines."""
    level = getattr(logging, settings.log_level.upper())
    # Plain tracebacks: the richer ones print local variables, and those hold what users said.
    text = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    renderer = structlog.processors.JSONRenderer() if settings.log_format == "json" else text
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.format_exc_info] if settings.log_format == "json" else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s [%(levelname)s] %(name)s: %(message)s")
    logging.getLogger("uvicorn.error").addFilter(_NotUnfinished())
    for noisy in ("uvicorn.error", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
