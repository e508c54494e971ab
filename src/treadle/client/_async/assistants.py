"""client.assistants: graphs with a configuration."""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Unpack, overload

from treadle.client.calls import call, decoded, path, present
from treadle.client.options import CallOptions
from treadle.model import JSON, Assistant

from .transport import AsyncTransport

SortBy = Literal["assistant_id", "graph_id", "name", "created_at", "updated_at"]


class AsyncAssistantsClient:
    """The calls of ``client.assistants``. ``get_graph`` and ``get_schemas`` also accept a graph's name as the id."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(
        self,
        graph_id: str,
        config: Mapping[str, Any] | None = None,
        *,
        context: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        assistant_id: str | None = None,
        if_exists: Literal["raise", "do_nothing"] | None = None,
        name: str | None = None,
        description: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Assistant:
        """Create an assistant. Raises ConflictError if ``assistant_id`` exists, unless ``if_exists`` is
        ``do_nothing``."""
        # An id chosen here makes the call repeatable: an existing assistant with it comes from an earlier try.
        chosen = {"assistant_id": assistant_id, "if_exists": if_exists}
        ours = {"assistant_id": str(uuid.uuid4()), "if_exists": "do_nothing"}
        fields = {"graph_id": graph_id, "config": config, "context": context, "metadata": metadata}
        texts = {"name": name, "description": description}
        body = present({**fields, **texts, **(chosen if assistant_id else ours)})
        repeatable = assistant_id is None or if_exists == "do_nothing"
        response = await self._transport.send(call("POST", "/assistants", options, body=body, repeatable=repeatable))
        return decoded(response.content, Assistant)

    async def get(self, assistant_id: str, **options: Unpack[CallOptions]) -> Assistant:
        response = await self._transport.send(call("GET", path("assistants", (assistant_id,)), options))
        return decoded(response.content, Assistant)

    async def update(
        self,
        assistant_id: str,
        *,
        graph_id: str | None = None,
        config: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        name: str | None = None,
        description: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Assistant:
        """Create a new version. ``metadata`` is merged; ``config`` and ``context`` are replaced."""
        fields = {"graph_id": graph_id, "config": config, "context": context, "metadata": metadata}
        body = present({**fields, "name": name, "description": description})
        made = call("PATCH", path("assistants", (assistant_id,)), options, body=body, repeatable=False)
        return decoded((await self._transport.send(made)).content, Assistant)

    async def delete(self, assistant_id: str, *, delete_threads: bool = False, **options: Unpack[CallOptions]) -> None:
        params = {"delete_threads": True} if delete_threads else {}
        where = path("assistants", (assistant_id,))
        await self._transport.send(call("DELETE", where, options, params=params, gone_is_done=True))

    @overload
    async def search(
        self,
        *,
        metadata: Mapping[str, Any] | None = ...,
        graph_id: str | None = ...,
        name: str | None = ...,
        limit: int = ...,
        offset: int = ...,
        sort_by: SortBy | None = ...,
        sort_order: Literal["asc", "desc"] | None = ...,
        select: None = None,
        **options: Unpack[CallOptions],
    ) -> builtins.list[Assistant]: ...

    @overload
    async def search(
        self,
        *,
        metadata: Mapping[str, Any] | None = ...,
        graph_id: str | None = ...,
        name: str | None = ...,
        limit: int = ...,
        offset: int = ...,
        sort_by: SortBy | None = ...,
        sort_order: Literal["asc", "desc"] | None = ...,
        select: Sequence[str],
        **options: Unpack[CallOptions],
    ) -> builtins.list[JSON]: ...

    async def search(
        self,
        *,
        metadata: Mapping[str, Any] | None = None,
        graph_id: str | None = None,
        name: str | None = None,
        limit: int = 10,
        offset: int = 0,
        sort_by: SortBy | None = None,
        sort_order: Literal["asc", "desc"] | None = None,
        select: Sequence[str] | None = None,
        **options: Unpack[CallOptions],
    ) -> builtins.list[Assistant] | builtins.list[JSON]:
        """Search assistants whose metadata contains ``metadata``. With ``select``, return plain dicts of those
        columns."""
        filters = {"metadata": metadata, "graph_id": graph_id, "name": name, "select": select}
        paging = {"limit": limit, "offset": offset, "sort_by": sort_by, "sort_order": sort_order}
        made = call("POST", "/assistants/search", options, body=present({**filters, **paging}))
        response = await self._transport.send(made)
        return decoded(response.content, builtins.list[JSON] if select else builtins.list[Assistant])

    async def count(
        self,
        *,
        metadata: Mapping[str, Any] | None = None,
        graph_id: str | None = None,
        name: str | None = None,
        **options: Unpack[CallOptions],
    ) -> int:
        body = present({"metadata": metadata, "graph_id": graph_id, "name": name})
        response = await self._transport.send(call("POST", "/assistants/count", options, body=body))
        return decoded(response.content, int)

    async def get_graph(
        self, assistant_id: str, *, xray: int | bool = False, **options: Unpack[CallOptions]
    ) -> dict[str, builtins.list[JSON]]:
        """``{"nodes": […], "edges": […]}``. ``xray`` expands subgraphs, to a depth if it is a number."""
        made = call("GET", path("assistants", (assistant_id,), "graph"), options, params={"xray": xray})
        return decoded((await self._transport.send(made)).content, dict[str, builtins.list[JSON]])

    async def get_schemas(self, assistant_id: str, **options: Unpack[CallOptions]) -> JSON:
        """The JSON schemas of input, output, state, config and context."""
        made = call("GET", path("assistants", (assistant_id,), "schemas"), options)
        return decoded((await self._transport.send(made)).content, JSON)
