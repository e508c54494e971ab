"""Run a runtime as a process: logging, the listening socket, signals, and the exit."""

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
"""A limit that systems allow even if their full hard limit cannot be set."""


class Living(Protocol):
    """A runtime that a process runs. ``stuck`` is true if user code did not yield its thread."""

    @property
    def stuck(self) -> bool: ...
    async def start(self) -> None: ...
    async def drain(self) -> None: ...
    async def stop(self) -> None:
        """Also called after a start that failed."""
        ...


class _Uvicorn(uvicorn.Server):
    """Uvicorn without its own signal handling, with a callback once it accepts requests."""

    on_started: Callable[[], None]

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_started()


class Web:
    """An app on a socket that is already listening."""

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
        """Serve until the returned task is done. ``ready`` is called once requests are accepted."""
        self._server.on_started = ready
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        return self._serving

    async def stop(self) -> None:
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving


def raise_descriptors() -> int:
    """Raise this process's limit of open files, since each stream needs one, and return it. The usual limit is
    1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (hard, _DESCRIPTORS):
        if soft != resource.RLIM_INFINITY and (wanted == resource.RLIM_INFINITY or wanted > soft):
            with contextlib.suppress(ValueError, OSError):  # macOS has another, lower limit
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
                return wanted
    return soft


def live(runtime: Living, web: Web | None, ready: Callable[[], None], *, others: Collection[threading.Thread]) -> None:
    """Start, call ``ready``, and drain and stop on SIGTERM or SIGINT. ``others`` are threads that this server did not
    start."""
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
    except UnavailableError as error:  # its text is meant for clients; no client is served yet
        from treadle.runtime.database import DatabaseUnusable

        raise DatabaseUnusable(error.detail) from error


def _spare_the_collector() -> None:
    """Exclude the loaded modules from garbage collection and collect less often.

    Loaded modules live as long as the process. Without this, the collector would traverse them again and again because
    of the objects created for each event, which took 40 % of an event's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def _threads_left(others: Collection[threading.Thread]) -> bool:
    """Whether a thread of this server is still working; idle threads of a closed pool end at once.

    Daemon threads count, because the interpreter waits for the workers of every pool, and a daemon's workers are
    daemons.
    """
    deadline = time.monotonic() + _THREADS_SECONDS
    started = [each for each in threading.enumerate() if each not in others]
    for each in started:
        each.join(max(0.0, deadline - time.monotonic()))
    return any(each.is_alive() for each in started)


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket. Raises OSError if the address is in use or not available."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    listener.set_inheritable(False)
    return listener


class _NotUnfinished(logging.Filter):
    """Drops uvicorn's report of an unfinished response: a stream that is cut on purpose stays unfinished."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "without completing response" not in record.getMessage()


def configure_logging(settings: Settings) -> None:
    """Log to stderr, as text or as JSON lines."""
    level = getattr(logging, settings.log_level.upper())
    # Use plain tracebacks: the richer ones print local variables, which contain user data.
    text = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    json = settings.log_format == "json"
    final = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()] if json else [text]
    first = [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *first, *final],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries use the standard logging module; their lines get the same format.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *first],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("uvicorn.error").addFilter(_NotUnfinished())
    for noisy in ("uvicorn.error", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
