"""One server: its backend, services, app, background work, and the worker for the runs it executes itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import structlog
from starlette.types import ASGIApp

from treadle.auth.guard import GuardedRecords
from treadle.auth.handlers import UserAuth
from treadle.auth.scope import unrestricted
from treadle.graph.api import GraphCalls
from treadle.graph.graphs import Graphs
from treadle.http import console
from treadle.http.app import Services, build
from treadle.http.gate import Gate
from treadle.http.sse import Streams
from treadle.http.user_app import Lifespan
from treadle.loops import GraphThread, SameLoop
from treadle.ports.clock import Clock
from treadle.ports.queue import DEFAULT_LIMITS, Limits
from treadle.project.auth import AuthConfig, auth_config
from treadle.project.http import HttpConfig, http_config
from treadle.project.load import load_config, load_graphs
from treadle.project.storage import StorageConfig, storage_config
from treadle.project.webhooks import WebhookConfig, webhook_config
from treadle.runtime.backend import open_storage, sweeps
from treadle.runtime.executor import Executor
from treadle.runtime.process import Web, configure_logging, listen, live
from treadle.service.admission import Admission
from treadle.service.assistants import Assistants
from treadle.service.crons import Crons
from treadle.service.run_search import RunSearches
from treadle.service.runs import Runs
from treadle.service.store import Store
from treadle.service.threads import Threads
from treadle.settings import Settings
from treadle.webhooks.courier import Courier, CourierDependencies, WebhookSigner
from treadle.webhooks.deliveries import Webhooks
from treadle.webhooks.post import LocalPost, NetworkPost, Resolver
from treadle.webhooks.targets import Targets
from treadle.worker.background import Background
from treadle.worker.cron_loop import CronLoop
from treadle.worker.sweep import Sweeper

logger = structlog.get_logger("treadle")

_STOP_SECONDS = 5.0
_STUCK_SECONDS = 0.5


class Runtime:
    """A server without its socket; ``app`` is the ASGI app to serve. Several can live in one process.

    ``start`` recovers the runs of dead processes, ``drain`` finishes or hands back running runs, ``stop`` closes
    everything.
    """

    def __init__(
        self,
        settings: Settings,
        graphs: Graphs,
        *,
        clock: Clock | None = None,
        limits: Limits = DEFAULT_LIMITS,
        webhooks: WebhookConfig | None = None,
        storage: StorageConfig | None = None,
        auth: AuthConfig | None = None,
        http: HttpConfig | None = None,
    ) -> None:
        self.settings = settings
        self._webhooks = webhooks or WebhookConfig()
        self._targets = Targets(self._webhooks, settings.webhook_allow_private)
        self._signer = WebhookSigner(settings.webhook_secret)
        self._storage = storage = storage or StorageConfig()
        self.backend = open_storage(settings, storage, clock=clock)
        self.clock = self.backend.clock
        self._graph_loop = SameLoop() if settings.graphs_on_serving_loop else GraphThread()
        self._auth = self._user_auth(auth)
        self.services = self._services(graphs, http or HttpConfig())
        self.app: ASGIApp = build(self.services, settings)
        self._lifespan: Lifespan | None = None
        if self.services.http.app is not None:
            self.app = self._lifespan = Lifespan(self.app)
        self.executor = self._executor(graphs, limits) if settings.workers else None
        self._resolver = Resolver()
        self._background: Background | None = None
        self._sweeper = Sweeper(sweeps(self.backend, settings, storage, rescues=self.executor is None))

    def _services(self, graphs: Graphs, http: HttpConfig) -> Services:
        backend, clock, ttl = self.backend, self.clock, self._storage.thread_ttl
        calls = GraphCalls(graphs, backend.checkpoints, self._graph_loop)
        records = GuardedRecords(backend.records) if self._auth else backend.records
        assistants = Assistants(records, calls, clock)
        targets, webhooks = self._targets, http.sends_webhooks
        admission = Admission(self.settings.max_pending_runs)
        runs = Runs(
            records, backend.log, assistants, clock, targets, thread_ttl=ttl, webhooks=webhooks, admission=admission
        )
        return Services(
            settings=self.settings,
            clock=clock,
            started_at=clock.now(),
            assistants=assistants,
            threads=Threads(records, calls, clock, ttl=ttl),
            runs=runs,
            run_searches=RunSearches(records, assistants),
            crons=Crons(records, runs, assistants, clock),
            webhooks=Webhooks(records),
            store=Store(backend.checkpoints.store, self._graph_loop, indexed=self._storage.index is not None),
            statistics=backend.statistics,
            log=backend.log,
            streams=Streams(),
            gate=self._gate(assistants),
            http=http,
        )

    def _user_auth(self, config: AuthConfig | None) -> UserAuth | None:
        if config is None:
            return None
        same_loop = self.settings.graphs_on_serving_loop
        return UserAuth(config, seconds=self.settings.auth_seconds, same_loop=same_loop)

    def _executor(self, graphs: Graphs, limits: Limits) -> Executor:
        return Executor(self.backend, graphs, limits, self.settings, self._graph_loop)

    def _gate(self, assistants: Assistants) -> Gate | None:
        if self._auth is None:
            return None
        return Gate(self._auth, assistants, self.backend.records, max_body_bytes=self.settings.max_body_bytes)

    @property
    def stuck(self) -> bool:
        """Whether user code did not yield its thread."""
        return self.executor is not None and self.executor.stuck

    async def start(self) -> None:
        self._graph_loop.start()
        if self._auth is not None:
            self._auth.start()
        if self._lifespan is not None:
            await self._lifespan.start()
        await self._take_back()
        await unrestricted(self.services.assistants.ensure_system_assistants)()
        if self.executor is not None:
            await self.executor.start()
        self._background = Background(self._courier(), self._cron_loop())
        self._background.start()
        self._sweeper.start()

    async def _take_back(self) -> None:
        """Recover orphaned runs: all running ones if no other process can be alive, otherwise those without a valid
        lease."""
        alone = self.backend.exclusive
        orphans = await self.backend.queue.rescue(max_attempts=self.settings.max_attempts, exclusive=alone)
        if orphans:
            logger.info("recovered the runs of a dead process", runs=len(orphans))
        if alone:
            await self.backend.deliveries.recover()

    def _courier(self) -> Courier:
        dependencies = CourierDependencies(
            queue=self.backend.deliveries,
            wakeup=self.backend.wakeup,
            clock=self.clock,
            settings=self.settings,
            signer=self._signer,
            post=NetworkPost(self._targets, resolve=self._resolver),
            local=LocalPost(self.app, asyncio.get_running_loop()),
            headers=dict(self._webhooks.headers),
        )
        return Courier(dependencies)

    def _cron_loop(self) -> CronLoop:
        return CronLoop(unrestricted(self.services.crons.fire), self.clock, poll_seconds=self.settings.poll_seconds)

    async def drain(self) -> None:
        """Stop claiming, wait for running runs, hand the rest back, and cut the open streams."""
        if self._background is not None:
            self._background.stop_firing()
        if self.executor is not None:
            await self.executor.drain()
        if self._background is not None:
            await self._background.fired()
        self.services.streams.break_all()

    async def stop(self) -> None:
        await self._sweeper.stop()
        if self.executor is not None:
            await self.executor.stop()
        if self._background is not None:
            await self._background.stop()
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


def serve(settings: Settings, config_path: Path, *, ready: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT and return the exit code. ``ready`` gets the address once requests are accepted.

    Raises ConfigError for an invalid configuration or a data directory in use, DatabaseUnusable if the database does
    not respond, OSError if the address is not available.
    """
    configure_logging(settings)
    others = frozenset(threading.enumerate())
    with listen(settings.host, settings.port) as listener:
        project = load_config(config_path)
        runtime = Runtime(
            settings,
            load_graphs(project),
            limits=project.limits,
            webhooks=webhook_config(project),
            storage=storage_config(project),
            auth=auth_config(project),
            http=http_config(project),
        )
        web = Web(runtime.app, listener, websockets=runtime.services.http.app is not None)

        def accepted() -> None:
            ready(web.url)
            _tell_of_console(settings, f"{web.url}{runtime.services.http.prefix}/console")

        live(runtime, web, accepted, others=others)
    return 0


def _tell_of_console(settings: Settings, url: str) -> None:
    if settings.console and console.is_built():
        logger.info("the console is ready", url=url)
