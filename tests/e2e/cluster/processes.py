"""Several processes' parts over one database, all in this process: some serve, some execute, some do both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from support import shapes
from support.server import GOLDEN, QUICK, Running, graphs_of
from support.transport import StreamingTransport
from treadle.ports.backend import Backend
from treadle.ports.clock import Clock
from treadle.project.storage import StorageConfig
from treadle.runtime import Runtime, WorkerRuntime
from treadle.runtime.backend import open_storage


class Cluster:
    """Whatever is started here stops with it, the last one first, unless it is stopped before."""

    def __init__(self, data: Path, project: Path, stack: AsyncExitStack) -> None:
        self.data = data
        self.graphs = graphs_of(project)
        self._stack = stack

    async def api(self, *, workers: int = 0, clock: Clock | None = None, **settings: Any) -> Running:
        """A process that serves, and executes runs only if asked to."""
        chosen = shapes.settings(self.data, **{**QUICK, "workers": workers, **settings})
        runtime = await self._stack.enter_async_context(Runtime(chosen, self.graphs, clock=clock))
        transport = StreamingTransport(runtime.app)
        http = httpx.AsyncClient(transport=transport, base_url="http://treadle", timeout=30)
        return Running(runtime, await self._stack.enter_async_context(http))

    async def worker(self, **settings: Any) -> WorkerRuntime:
        return await self._stack.enter_async_context(self.some_worker(**settings))

    @asynccontextmanager
    async def some_worker(self, **settings: Any) -> AsyncIterator[WorkerRuntime]:
        """A worker that ends before the others do."""
        async with WorkerRuntime(shapes.settings(self.data, **{**QUICK, **settings}), self.graphs) as worker:
            yield worker

    def backend(self) -> Backend:
        """What a process of the test's own does with the database."""
        backend = open_storage(shapes.settings(self.data), StorageConfig())
        self._stack.callback(backend.close)
        return backend

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return shapes.rows(self.data, sql, parameters)


@asynccontextmanager
async def cluster_over(data: Path, *, project: Path = GOLDEN) -> AsyncIterator[Cluster]:
    async with AsyncExitStack() as stack:
        yield Cluster(data, project, stack)
