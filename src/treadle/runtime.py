"""The composition root: settings to backend, services, worker and app; started in order, stopped in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Collection, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog
import uvicorn
import uvloop
from starlette.types import ASGIApp

from treadle.backends import DataDirInUse, open_sqlite
from treadle.backends.clock import SystemClock
from treadle.graph.auth import AuthConfig, UserAuth, auth_config
from treadle.graph.calls import GraphCalls
from treadle.graph.load import Graphs, load_config, load_graphs
from treadle.graph.loop import GraphThread, SameLoop, blocked_on
from treadle.graph.storage import StorageConfig, storage_config
from treadle.graph.webhooks import WebhookConfig, webhook_config
from treadle.http.access import Gate
from treadle.http.app import Services, build
from treadle.http.custom import HttpConfig, Lifespan, http_config
from treadle.http.sse import Streams
from treadle.ports import Clock
from treadle.service.access import GuardedRecords, internally
from treadle.service.assistants import Assistants
from treadle.service.crons import Crons
from treadle.service.runs import Runs
from treadle.service.store import Store
from treadle.service.threads import Threads
from treadle.service.webhooks import Targets, Webhooks
from treadle.settings import Settings
from treadle.worker.execute import Tools
from treadle.worker.lease import LeaseKeeper
from treadle.worker.loop import Worker, hand_back
from treadle.worker.post import LocalPost, NetworkPost, Resolver
from treadle.worker.schedule import Schedule
from treadle.worker.side import Side
from treadle.worker.sweep import Chore, Sweeper
from treadle.worker.webhook import Courier, Means, Signer

__all__ = ["DataDirInUse", "Runtime", "serve"]

logger = structlog.get_logger("treadle")

_BACKLOG = 2048
_STOP_SECONDS = 5.0
_STUCK_SECONDS = 0.5
_THREADS_SECONDS = 0.5


class Runtime:
    """One embedded server without its socket: ``app`` serves it. Two may live in one process, on two directories.

    ``start`` takes back the runs that a dead process left, ``drain`` ends or hands back what runs, ``stop`` closes all.
    """

    def __init__(
        self,
        settings: Settings,
        graphs: Graphs,
        *,
        clock: Clock | None = None,
        webhooks: WebhookConfig | None = None,
        storage: StorageConfig | None = None,
        auth: AuthConfig | None = None,
        http: HttpConfig | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self._webhooks = webhooks or WebhookConfig()
        self._targets = Targets(self._webhooks, settings.webhook_allow_private)
        self._signer = Signer(settings.webhook_secret)
        self._storage = storage = storage or StorageConfig()
        self.backend = open_sqlite(settings.database, clock=self.clock, index=storage.index, ttl=storage.store_ttl)
        self._graph_loop = SameLoop() if settings.graphs_on_serving_loop else GraphThread()
        calls = GraphCalls(graphs, self.backend.checkpoints, self._graph_loop)
        self._auth = self._user_auth(auth)
        http = http or HttpConfig()
        records = GuardedRecords(self.backend.records) if self._auth else self.backend.records
        self._assistants = Assistants(records, calls, self.clock)
        runs = Runs(
            records,
            self.backend.log,
            self._assistants,
            self.clock,
            self._targets,
            thread_ttl=storage.thread_ttl,
            webhooks=http.sends_webhooks,
        )
        self.services = Services(
            settings=settings,
            assistants=self._assistants,
            threads=Threads(records, calls, self.clock, ttl=storage.thread_ttl),
            runs=runs,
            crons=Crons(records, runs, self._assistants, self.clock),
            webhooks=Webhooks(records),
            store=Store(self.backend.checkpoints.store, self._graph_loop, indexed=storage.index is not None),
            statistics=self.backend.statistics,
            log=self.backend.log,
            streams=Streams(),
            gate=self._gate(),
            http=http,
        )
        self.app: ASGIApp = build(self.services, settings)
        self._lifespan: Lifespan | None = None
        if http.app is not None:
            self.app = self._lifespan = Lifespan(self.app)
        self._tools = Tools(
            queue=self.backend.queue,
            log=self.backend.log,
            checkpoints=self.backend.checkpoints,
            graphs=graphs,
            clock=self.clock,
            settings=settings,
        )
        self.worker = Worker(f"embedded-{secrets.token_hex(8)}", self._tools, self.backend.wakeup)
        self._keeper: LeaseKeeper | None = None
        self._resolver = Resolver()
        self._side: Side | None = None
        self._sweeper = Sweeper(
            [
                Chore("threads", storage.thread_sweep_seconds, self.backend.queue.expire_threads),
                Chore("store", storage.store_sweep_seconds, self.backend.sweep_store),
            ]
        )
        self._working: asyncio.Future[None] | None = None
        self.stuck = False

    def _user_auth(self, config: AuthConfig | None) -> UserAuth | None:
        if config is None:
            return None
        same_loop = self.settings.graphs_on_serving_loop
        return UserAuth(config, seconds=self.settings.auth_seconds, same_loop=same_loop)

    def _gate(self) -> Gate | None:
        if self._auth is None:
            return None
        return Gate(self._auth, self._assistants, self.backend.records, max_body_bytes=self.settings.max_body_bytes)

    async def start(self) -> None:
        loop = self._graph_loop
        loop.start()
        if self._auth is not None:
            self._auth.start()
        if self._lifespan is not None:
            await self._lifespan.start()
        orphans = await self.backend.queue.rescue(max_attempts=self.settings.max_attempts, exclusive=True)
        if orphans:
            logger.info("took back the runs of a process that is gone", runs=len(orphans))
        await internally(self._assistants.ensure_system_assistants)()
        await self.backend.queue.renew(self.worker.worker_id, self.settings.lease_seconds)
        self._working = asyncio.ensure_future(loop.submit(self.worker.run()))
        self._keeper = LeaseKeeper(
            self.worker, self._tools, graph_loop=loop.loop, blocked_on=lambda: blocked_on(loop.thread_id)
        )
        self._keeper.start()
        await self.backend.deliveries.recover()
        self._side = Side(self._courier(), self._schedule())
        self._side.start()
        self._sweeper.start()

    def _courier(self) -> Courier:
        means = Means(
            queue=self.backend.deliveries,
            wakeup=self.backend.wakeup,
            clock=self.clock,
            settings=self.settings,
            signer=self._signer,
            post=NetworkPost(self._targets, resolve=self._resolver),
            local=LocalPost(self.app, asyncio.get_running_loop()),
            headers=dict(self._webhooks.headers),
        )
        return Courier(means)

    def _schedule(self) -> Schedule:
        return Schedule(internally(self.services.crons.fire), self.clock, poll_seconds=self.settings.poll_seconds)

    async def drain(self) -> None:
        """Stops claiming, gives running runs their time, hands the rest back, and breaks the streams that are open."""
        if self._side is not None:
            self._side.stop_firing()
        self.worker.stop_claiming()
        patience = self.settings.drain_seconds + self.settings.cancel_seconds + 1.0
        drained = asyncio.ensure_future(self._graph_loop.submit(self.worker.drain(self.settings.drain_seconds)))
        await asyncio.wait([drained], timeout=patience)
        if left := self.worker.active():
            self.stuck = True
            logger.warning("handing back runs whose code does not let go", runs=len(left))
            await hand_back(self._tools, left)
        self.services.streams.break_all()

    async def stop(self) -> None:
        await self._sweeper.stop()
        self.worker.stop_claiming()
        if self._working is not None and not self.stuck:
            await asyncio.wait([self._working], timeout=_STOP_SECONDS)
        if self._keeper is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._keeper.stop)
        if self._side is not None:
            await self._side.stop()
        self._resolver.close()
        if self._lifespan is not None:
            await self._lifespan.stop(_STOP_SECONDS)
        if self._auth is not None:
            self._auth.stop()
        self._graph_loop.stop(_STUCK_SECONDS if self.stuck else _STOP_SECONDS)
        self.backend.close()

    async def __aenter__(self) -> Runtime:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.drain()
        await self.stop()


class _Uvicorn(uvicorn.Server):
    """Uvicorn without its own signal handling; says when it accepts requests."""

    on_started: Callable[[], None]

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_started()


def serve(settings: Settings, config_path: Path, *, ready: Callable[[str], None]) -> int:
    """Serves until SIGTERM or SIGINT and returns the exit code. ``ready`` gets the address once requests are accepted.

    Raises ConfigError for a bad configuration or a data directory in use, OSError when the address cannot be had.
    """
    configure_logging(settings)
    others = frozenset(threading.enumerate())
    listener = listen(settings.host, settings.port)
    with listener:
        project = load_config(config_path)
        graphs = load_graphs(project)
        runtime = Runtime(
            settings,
            graphs,
            webhooks=webhook_config(project),
            storage=storage_config(project),
            auth=auth_config(project),
            http=http_config(project),
        )
        _spare_the_collector()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            pool = ThreadPoolExecutor(thread_name_prefix="treadle-pool")
            runner.get_loop().set_default_executor(pool)
            runner.run(_serve(runtime, listener, ready))
            pool.shutdown(wait=False)
            if runtime.stuck or _threads_left(others):
                # The interpreter would wait for a node that blocks its thread; its run has been handed back.
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(0)
    return 0


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


async def _serve(runtime: Runtime, listener: socket.socket, ready: Callable[[str], None]) -> None:
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        runtime.app,
        lifespan="off",
        log_config=None,
        access_log=False,
        ws="auto" if runtime.services.http.app is not None else "none",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    server = _Uvicorn(config)
    server.on_started = lambda: ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    await runtime.start()
    serving = loop.create_task(server.serve(sockets=[listener]))
    asked = loop.create_task(ending.wait())
    try:
        await asyncio.wait([serving, asked], return_when=asyncio.FIRST_COMPLETED)
        await runtime.drain()
        server.should_exit = True
        await serving
    finally:
        asked.cancel()
        await runtime.stop()


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
    renderer = structlog.processors.JSONRenderer() if settings.log_json else text
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.format_exc_info] if settings.log_json else []),
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
