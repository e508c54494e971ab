"""The graphs of a project, opened for one use at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from langchain_core.runnables import RunnableConfig
from langgraph.store.base import BaseStore

from treadle.graph.factory import Access, Factory, Use
from treadle.graph.internals import AnyGraph


@dataclass(frozen=True)
class LoadedGraph:
    """A graph that was built once (``static``), or that a ``factory`` builds for each use."""

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
        """Open the graph for one use, and close the resources of its factory afterwards.

        Call it on the event loop that runs the graphs."""
        if self.static is not None:
            yield self.static
            return
        assert self.factory is not None
        use = Use(access=access, config=config, store=store, context=context, user=user)
        async with self.factory.make(use) as graph:
            yield graph


Graphs: TypeAlias = Mapping[str, LoadedGraph]
"""The graphs of a project by id, in the order of its langgraph.json."""
