"""langgraph's RemoteGraph with its sync and its async half under one face, so that a test drives both."""

from __future__ import annotations

import asyncio
from typing import Any

from langgraph.pregel.remote import RemoteGraph
from langgraph_sdk.client import SyncLangGraphClient

SECONDS = 30.0


class Remote:
    """The remote graph ``name``: its methods, whichever half is driven. Streams come as lists."""

    def __init__(self, graph: RemoteGraph, runner: asyncio.Runner | None) -> None:
        self.graph = graph
        self._runner = runner

    @property
    def sync_client(self) -> SyncLangGraphClient:
        assert self.graph.sync_client is not None
        return self.graph.sync_client

    def invoke(self, *arguments: Any, **more: Any) -> Any:
        return self._call("invoke", *arguments, **more)

    def stream(self, *arguments: Any, **more: Any) -> list[Any]:
        return self._all("stream", *arguments, **more)

    def get_state(self, config: Any, **more: Any) -> Any:
        return self._call("get_state", config, **more)

    def get_state_history(self, config: Any, **more: Any) -> list[Any]:
        return self._all("get_state_history", config, **more)

    def update_state(self, config: Any, values: Any, **more: Any) -> Any:
        return self._call("update_state", config, values, **more)

    def get_graph(self, **more: Any) -> Any:
        return self._call("get_graph", **more)

    def inside(self, parent: Any, name: str, *arguments: Any, **more: Any) -> Any:
        """Calls ``name`` of a local graph that holds the remote one; a stream comes as a list."""
        return Remote(parent, self._runner)._any(name, *arguments, **more)

    def close(self) -> None:
        self.sync_client.close()
        if self._runner is not None and self.graph.client is not None:
            self._runner.run(self.graph.client.aclose())

    def _any(self, name: str, *arguments: Any, **more: Any) -> Any:
        return (self._all if name == "stream" else self._call)(name, *arguments, **more)

    def _call(self, name: str, *arguments: Any, **more: Any) -> Any:
        if self._runner is None:
            return getattr(self.graph, name)(*arguments, **more)
        return self._runner.run(asyncio.wait_for(getattr(self.graph, f"a{name}")(*arguments, **more), SECONDS))

    def _all(self, name: str, *arguments: Any, **more: Any) -> list[Any]:
        if self._runner is None:
            return list(getattr(self.graph, name)(*arguments, **more))
        return self._runner.run(_listed(getattr(self.graph, f"a{name}")(*arguments, **more)))


async def _listed(items: Any) -> list[Any]:
    async with asyncio.timeout(SECONDS):
        return [item async for item in items]


class Connect:
    """``connect("chain")`` is the remote graph of that name."""

    def __init__(self, url: str, runner: asyncio.Runner | None) -> None:
        self._url = url
        self._runner = runner
        self._open: list[Remote] = []

    def __call__(self, graph_id: str, **more: Any) -> Remote:
        remote = Remote(RemoteGraph(graph_id, url=self._url, **more), self._runner)
        self._open.append(remote)
        return remote

    def close(self) -> None:
        for remote in self._open:
            remote.close()
