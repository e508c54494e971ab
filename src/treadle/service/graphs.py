"""The port of graphs, as the rules use it. Each call runs on the graphs' event loop, never on the caller's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from treadle.errors import NotFoundError, UnprocessableError
from treadle.model import JSON, Superstep, ThreadState

SHOWN = 80
"""Characters of an invalid name that an error quotes."""


class GraphCalls(Protocol):
    """The graphs of this server by name. ``config`` is a RunnableConfig in JSON types.

    Errors of the graph's own code (a factory, a reducer) propagate.
    """

    @property
    def ids(self) -> Sequence[str]:
        """The names, in the order of langgraph.json."""
        ...

    async def drawing(self, graph_id: str, config: JSON, *, xray: int | bool) -> JSON:
        """``{"nodes": […], "edges": […]}``."""
        ...

    async def schemas(self, graph_id: str, config: JSON) -> JSON:
        """``graph_id`` and the JSON schemas of input, output, state, config and context."""
        ...

    async def subgraphs(self, graph_id: str, config: JSON, *, namespace: str | None, recurse: bool) -> JSON:
        """The schemas of the subgraphs, by namespace."""
        ...

    async def state(self, graph_id: str, config: JSON, *, subgraphs: bool) -> ThreadState:
        """The state at the checkpoint in ``config``, or the latest. Empty for an unknown checkpoint."""
        ...

    async def history(
        self, graph_id: str, config: JSON, *, limit: int, before: str | None, metadata: JSON | None
    ) -> list[ThreadState]:
        """States, newest first. ``before`` is an exclusive checkpoint id; ``metadata`` must be equal key by key."""
        ...

    async def update(self, graph_id: str, config: JSON, *, values: Any, as_node: str | None) -> JSON:
        """Write a state as if ``as_node`` had returned ``values``. Returns the new thread_id, checkpoint_ns and
        checkpoint_id.

        Raises BadRequestError for an unknown node or for values that the graph rejects.
        """
        ...

    async def replay(self, graph_id: str, config: JSON, supersteps: Sequence[Superstep]) -> None:
        """Write a history step by step, as if the named nodes had returned it. Raises as ``update`` does."""
        ...

    def encode(self, value: Any) -> bytes:
        """Encode a state of a graph as compact JSON."""
        ...


def require(graphs: GraphCalls, graph_id: str) -> str:
    """Return ``graph_id``, or raise NotFoundError, which lists the graphs."""
    if graph_id in graphs.ids:
        return graph_id
    known = sorted(graphs.ids)
    raise NotFoundError(f"Graph {graph_id[:SHOWN]!r} not found. Expected one of: {known}", graphs=known)


def invalid_assistant(graphs: GraphCalls, reference: str) -> UnprocessableError:
    """The error for a reference that is neither a UUID nor a graph's name."""
    text = (
        f"Invalid assistant: {reference[:SHOWN]!r}. Must be either:\n- A valid assistant UUID, or\n"
        f"- One of the registered graphs: {', '.join(graphs.ids)}"
    )
    return UnprocessableError(text, field="assistant_id", graphs=list(graphs.ids))
