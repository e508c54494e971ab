"""The graphs of this process, for the rules in ``service``: every call runs on the graphs' event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig

from treadle.graph import describe
from treadle.graph import state as states
from treadle.graph.encode import Encoder
from treadle.graph.factory import Access
from treadle.graph.graphs import Graphs
from treadle.graph.internals import AnyGraph
from treadle.graph.user import current_user, with_user
from treadle.model import JSON, Superstep, ThreadState
from treadle.ports.backend import Checkpoints, GraphLoop


class GraphCalls:
    """Implements the GraphCalls protocol of service/graphs.py. ``config`` is a RunnableConfig in JSON types."""

    def __init__(self, graphs: Graphs, checkpoints: Checkpoints, loop: GraphLoop) -> None:
        self._graphs = graphs
        self._checkpoints = checkpoints
        self._loop = loop

    @property
    def ids(self) -> Sequence[str]:
        return tuple(self._graphs)

    async def drawing(self, graph_id: str, config: JSON, *, xray: int | bool) -> JSON:
        async def work() -> JSON:
            async with self._open(graph_id, config, "assistants.read") as graph:
                return describe.drawing(graph, xray=xray)

        return await self._loop.submit(work())

    async def schemas(self, graph_id: str, config: JSON) -> JSON:
        async def work() -> JSON:
            async with self._open(graph_id, config, "assistants.read") as graph:
                return describe.schemas(graph, graph_id)

        return await self._loop.submit(work())

    async def subgraphs(self, graph_id: str, config: JSON, *, namespace: str | None, recurse: bool) -> JSON:
        async def work() -> JSON:
            async with self._open(graph_id, config, "assistants.read") as graph:
                return describe.subgraphs(graph, namespace=namespace, recurse=recurse)

        return await self._loop.submit(work())

    async def state(self, graph_id: str, config: JSON, *, subgraphs: bool) -> ThreadState:
        async def work() -> ThreadState:
            async with self._open(graph_id, config, "threads.read") as graph:
                saver, store = self._checkpoints.for_thread(), self._checkpoints.store
                return await states.read_state(graph, RunnableConfig(**config), saver, store, subgraphs=subgraphs)

        return await self._loop.submit(work())

    async def history(
        self, graph_id: str, config: JSON, *, limit: int, before: str | None, metadata: JSON | None
    ) -> list[ThreadState]:
        async def work() -> list[ThreadState]:
            async with self._open(graph_id, config, "threads.read") as graph:
                saver, store = self._checkpoints.for_thread(), self._checkpoints.store
                return await states.read_history(
                    graph, RunnableConfig(**config), saver, store, limit=limit, before=before, metadata=metadata
                )

        return await self._loop.submit(work())

    async def update(self, graph_id: str, config: JSON, *, values: Any, as_node: str | None) -> JSON:
        async def work() -> JSON:
            async with self._open(graph_id, config, "threads.update") as graph:
                saver, store = self._checkpoints.for_thread(), self._checkpoints.store
                return await states.update_state(
                    graph, RunnableConfig(**config), saver, store, values=values, as_node=as_node
                )

        return await self._loop.submit(work())

    async def replay(self, graph_id: str, config: JSON, supersteps: Sequence[Superstep]) -> None:
        async def work() -> None:
            async with self._open(graph_id, config, "threads.update") as graph:
                saver, store = self._checkpoints.for_thread(), self._checkpoints.store
                await states.replay(graph, RunnableConfig(**config), saver, store, supersteps)

        await self._loop.submit(work())

    def encode(self, value: Any) -> bytes:
        return Encoder().encode(value)

    @asynccontextmanager
    async def _open(self, graph_id: str, config: JSON, access: Access) -> AsyncGenerator[AnyGraph]:
        loaded = self._graphs[graph_id]
        user = current_user()
        config = with_user(config, user)
        store = self._checkpoints.store
        async with loaded.open(access=access, config=RunnableConfig(**config), store=store, user=user) as graph:
            yield graph
