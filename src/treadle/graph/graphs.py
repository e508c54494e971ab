"""TODO."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.store.base import BaseStore

from treadle.graph.factory import Access, Factory, Use
from treadle.graph.internals import AnyGraph
from treadle.ports.queue import Limits


@dataclass(frozen=True)
class LoadedGraph:
    """A graph that can be opened: made once (``static``) or by a ``factory`` for each use."""

    graph_id: str
    description: str | None
    static: AnyGraph | None = None
    factory: Factory | None = None

    @asynccontextmanager
    async def open(
        self,
        *,
        access: Access,
        config: RunnableConfig,
        store: BaseStore | None,
        context: Any = None,
        user: Any = None,
    ) -> AsyncGenerator[AnyGraph]:
        """The graph for one use; what a factory holds open is closed afterwards. Call it on the loop of the graphs."""
        if self.static is not None:
            yield self.static
            return
        assert self.factory is not None
        use = Use(access=access, config=config, store=store, context=context, user=user)
        async with self.factory.make(use) as graph:
            yield graph


class Graphs(Mapping[str, LoadedGraph]):
    """The graphs of a project by id, in the order of its file. ``limits``: how many of their runs may run at once."""

    def __init__(self, graphs: Mapping[str, LoadedGraph], limits: Limits | None = None) -> None:
        self._graphs = dict(graphs)
        self.limits = limits or Limits()

    def __getitem__(self, graph_id: str) -> LoadedGraph:
        return self._graphs[graph_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._graphs)

    def __len__(self) -> int:
        return len(self._graphs)
