"""``treadle worker`` as a process: claims and executes runs, and serves only its health."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from treadle.errors import ConfigError
from treadle.graph.graphs import Graphs
from treadle.http import health
from treadle.loops import GraphThread, SameLoop
from treadle.ports.queue import DEFAULT_LIMITS, Limits
from treadle.project.load import load_config, load_graphs
from treadle.project.storage import StorageConfig, storage_config
from treadle.runtime.backend import open_storage, sweeps
from treadle.runtime.executor import Executor
from treadle.runtime.process import Web, configure_logging, listen, live
from treadle.settings import Settings
from treadle.worker.sweep import Sweeper

logger = structlog.get_logger("treadle")

_STOP_SECONDS = 5.0
_STUCK_SECONDS = 0.5


class WorkerRuntime:
    """A worker on a shared database. Several can live in one process."""

    def __init__(
        self,
        settings: Settings,
        graphs: Graphs,
        *,
        limits: Limits = DEFAULT_LIMITS,
        storage: StorageConfig | None = None,
    ) -> None:
        storage = storage or StorageConfig()
        self.settings = settings
        self.backend = open_storage(settings, storage, serves=False)
        self._loop = SameLoop() if settings.graphs_on_serving_loop else GraphThread()
        self.executor = Executor(self.backend, graphs, limits, settings, self._loop)
        self._sweeper = Sweeper(sweeps(self.backend, settings, storage))

    @property
    def stuck(self) -> bool:
        return self.executor.stuck

    @property
    def worker_id(self) -> str:
        return self.executor.worker.worker_id

    async def start(self) -> None:
        self._loop.start()
        if taken := await self.backend.queue.rescue(max_attempts=self.settings.max_attempts):
            logger.warning("recovered the runs of lost workers", run_ids=taken)
        await self.executor.start()
        self._sweeper.start()

    async def drain(self) -> None:
        """Stop claiming, wait for running runs, and hand the rest back."""
        await self.executor.drain()

    async def stop(self) -> None:
        await self._sweeper.stop()
        await self.executor.stop()
        self._loop.stop(_STUCK_SECONDS if self.stuck else _STOP_SECONDS)
        self.backend.close()

    async def __aenter__(self) -> WorkerRuntime:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.drain()
        await self.stop()


def work(settings: Settings, config_path: Path, *, port: int | None, ready: Callable[[str], None]) -> int:
    """Claim and execute runs until SIGTERM or SIGINT and return the exit code. ``ready`` gets a description of the
    worker.

    With a ``port``, it serves ``/ok`` and ``/metrics`` there. Raises as ``serve`` does.
    """
    if not settings.database_url:
        hint = "treadle worker --database-url postgresql://…; over SQLite `treadle serve` executes runs itself"
        raise ConfigError("is not set, but a SQLite file belongs to one process", key="database_url", hint=hint)
    configure_logging(settings)
    others = frozenset(threading.enumerate())
    with contextlib.ExitStack() as opened:
        listener = None if port is None else opened.enter_context(listen(settings.host, port))
        project = load_config(config_path)
        graphs = load_graphs(project)
        runtime = WorkerRuntime(settings, graphs, limits=project.limits, storage=storage_config(project))
        app = health.build(runtime.backend.statistics, slots=settings.concurrency)
        web = None if listener is None else Web(app, listener)
        said = f"{runtime.worker_id}, {settings.concurrency} runs at once of {', '.join(graphs)}"
        told = said if web is None else f"{said}; {web.url}"
        live(runtime, web, lambda: ready(told), others=others)
    return 0
