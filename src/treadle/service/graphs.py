"""What the rules may ask of graphs. Each call runs on the loop of the graphs, never on the caller's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from treadle.errors import NotFoundError, UnprocessableError
from treadle.model import JSON, Superstep, ThreadState

SHOWN = 80
"""Characters of a bad name that an error repeats."""


class GraphCalls(Protocol):
    """The graphs of this server by name. ``config`` is a RunnableConfig, so far as JSON carries it.

    A graph whose own code fails (a factory, a reducer) raises what that code raised.
    """

    @property
    def ids(self) -> Sequence[str]:
        """The names, in the order of the configuration file."""
        ...

    async def drawing(self, graph_id: str, config: JSON, *, xray: int | bool) -> JSON:
        """``{"nodes": […], "edges": […]}``."""
        ...

    async def schemas(self, graph_id: str, config: JSON) -> JSON:
        """``graph_id`` and the JSON schemas of input, output, state, config and context."""
        ...

    async def subgraphs(self, graph_id: str, config: JSON, *, namespace: str | None, recurse: bool) -> JSON:
        """The schemas of the sub-graphs, by namespace."""
        ...

    async def state(self, graph_id: str, config: JSON, *, subgraphs: bool) -> ThreadState:
        """The state at the checkpoint in ``config``, or the latest; an unknown checkpoint gives an empty state."""
        ...

    async def history(
        self, graph_id: str, config: JSON, *, limit: int, before: str | None, metadata: JSON | None
    ) -> list[ThreadState]:
        """States, newest first. ``before`` is a checkpoint id, exclusive; ``metadata`` must be equal key by key."""
        ...

    async def update(self, graph_id: str, config: JSON, *, values: Any, as_node: str | None) -> JSON:
        """Writes a state as if ``as_node`` had returned ``values``; returns the new thread_id, checkpoint_ns and _id.

        Raises BadRequestError for an unknown node or values that the graph does not take."""
        ...

    async def replay(self, graph_id: str, config: JSON, supersteps: Sequence[Superstep]) -> None:
        """Writes a history, step by step, as if the nodes that are named had returned it. Raises as ``update`` does."""
        ...

    def encode(self, value: Any) -> bytes:
        """A state of a graph as compact JSON."""
        ...


def require(graphs: GraphCalls, graph_id: str) -> str:
    """``graph_id``, or NotFoundError that lists what there is."""
    if graph_id in graphs.ids:
        return graph_id
    known = sorted(graphs.ids)
    raise NotFoundError(f"Graph {graph_id[:SHOWN]!r} not found. Expected one of: {known}", graphs=known)


def invalid_assistant(graphs: GraphCalls, reference: str) -> UnprocessableError:
    """The error for what is neither a UUID nor a graph's name."""
    text = (
        f"Invalid assistant: {reference[:SHOWN]!r}. Must be either:\n- A valid assistant UUID, or\n"
        f"- One of the registered graphs: {', '.join(graphs.ids)}"
    )
    return UnprocessableError(text, field="assistant_id", graphs=list(graphs.ids))
