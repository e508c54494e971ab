"""client.threads: conversations, with their state and its history."""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Unpack, overload

from treadle.client.calls import call, decoded, path, present
from treadle.client.options import CallOptions
from treadle.model import JSON, Thread, ThreadState, ThreadStatus

from .transport import AsyncTransport

SortBy = Literal["thread_id", "status", "created_at", "updated_at", "state_updated_at"]


class AsyncThreadsClient:
    """The calls of ``client.threads``."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(
        self,
        *,
        thread_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        graph_id: str | None = None,
        if_exists: Literal["raise", "do_nothing"] | None = None,
        **options: Unpack[CallOptions],
    ) -> Thread:
        """Create a thread. Raises ConflictError if ``thread_id`` exists, unless ``if_exists`` is ``do_nothing``."""
        marked = {**(metadata or {}), **present({"graph_id": graph_id})}
        # An id chosen here makes the call repeatable: an existing thread with it comes from an earlier try.
        chosen = {"thread_id": thread_id, "if_exists": if_exists}
        ours = {"thread_id": str(uuid.uuid4()), "if_exists": "do_nothing"}
        body = present({"metadata": marked or None, **(chosen if thread_id else ours)})
        repeatable = thread_id is None or if_exists == "do_nothing"
        response = await self._transport.send(call("POST", "/threads", options, body=body, repeatable=repeatable))
        return decoded(response.content, Thread)

    async def get(self, thread_id: str, **options: Unpack[CallOptions]) -> Thread:
        response = await self._transport.send(call("GET", path("threads", (thread_id,)), options))
        return decoded(response.content, Thread)

    async def update(self, thread_id: str, *, metadata: Mapping[str, Any], **options: Unpack[CallOptions]) -> Thread:
        """Merge ``metadata`` at the top level."""
        made = call("PATCH", path("threads", (thread_id,)), options, body={"metadata": metadata})
        return decoded((await self._transport.send(made)).content, Thread)

    async def delete(self, thread_id: str, **options: Unpack[CallOptions]) -> None:
        """Delete the thread with its runs and its history."""
        await self._transport.send(call("DELETE", path("threads", (thread_id,)), options, gone_is_done=True))

    @overload
    async def search(
        self,
        *,
        metadata: Mapping[str, Any] | None = ...,
        values: Mapping[str, Any] | None = ...,
        ids: Sequence[str] | None = ...,
        status: ThreadStatus | None = ...,
        limit: int = ...,
        offset: int = ...,
        sort_by: SortBy | None = ...,
        sort_order: Literal["asc", "desc"] | None = ...,
        select: None = None,
        **options: Unpack[CallOptions],
    ) -> builtins.list[Thread]: ...

    @overload
    async def search(
        self,
        *,
        metadata: Mapping[str, Any] | None = ...,
        values: Mapping[str, Any] | None = ...,
        ids: Sequence[str] | None = ...,
        status: ThreadStatus | None = ...,
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
        values: Mapping[str, Any] | None = None,
        ids: Sequence[str] | None = None,
        status: ThreadStatus | None = None,
        limit: int = 10,
        offset: int = 0,
        sort_by: SortBy | None = None,
        sort_order: Literal["asc", "desc"] | None = None,
        select: Sequence[str] | None = None,
        **options: Unpack[CallOptions],
    ) -> builtins.list[Thread] | builtins.list[JSON]:
        """Search threads whose metadata and values contain the given ones. With ``select``, return plain dicts of those
        columns."""
        filters = {"metadata": metadata, "values": values, "ids": ids, "status": status, "select": select}
        paging = {"limit": limit, "offset": offset, "sort_by": sort_by, "sort_order": sort_order}
        made = call("POST", "/threads/search", options, body=present({**filters, **paging}))
        response = await self._transport.send(made)
        return decoded(response.content, builtins.list[JSON] if select else builtins.list[Thread])

    async def count(
        self,
        *,
        metadata: Mapping[str, Any] | None = None,
        values: Mapping[str, Any] | None = None,
        status: ThreadStatus | None = None,
        **options: Unpack[CallOptions],
    ) -> int:
        body = present({"metadata": metadata, "values": values, "status": status})
        response = await self._transport.send(call("POST", "/threads/count", options, body=body))
        return decoded(response.content, int)

    async def copy(self, thread_id: str, **options: Unpack[CallOptions]) -> Thread:
        """Create a thread with the history of this one, without its runs."""
        made = call("POST", path("threads", (thread_id,), "copy"), options, repeatable=False)
        return decoded((await self._transport.send(made)).content, Thread)

    async def get_state(
        self,
        thread_id: str,
        checkpoint: Mapping[str, Any] | None = None,
        checkpoint_id: str | None = None,
        *,
        subgraphs: bool = False,
        **options: Unpack[CallOptions],
    ) -> ThreadState:
        """The latest state, or that of a checkpoint. ``subgraphs`` includes the states of tasks that are subgraphs."""
        where = path("threads", (thread_id,), "state")
        if checkpoint:
            body = {"checkpoint": checkpoint, "subgraphs": subgraphs}
            made = call("POST", f"{where}/checkpoint", options, body=body)
        else:
            at = path((checkpoint_id,)) if checkpoint_id else ""
            made = call("GET", where + at, options, params={"subgraphs": subgraphs})
        return decoded((await self._transport.send(made)).content, ThreadState)

    async def update_state(
        self,
        thread_id: str,
        values: Mapping[str, Any] | Sequence[Any] | None,
        *,
        as_node: str | None = None,
        checkpoint: Mapping[str, Any] | None = None,
        checkpoint_id: str | None = None,
        **options: Unpack[CallOptions],
    ) -> JSON:
        """Write ``values`` as if ``as_node`` had returned them. Returns checkpoint, configurable, checkpoint_id."""
        where = present({"as_node": as_node, "checkpoint": checkpoint, "checkpoint_id": checkpoint_id})
        body = {"values": values, **where}
        made = call("POST", path("threads", (thread_id,), "state"), options, body=body, repeatable=False)
        return decoded((await self._transport.send(made)).content, JSON)

    async def get_history(
        self,
        thread_id: str,
        *,
        limit: int = 10,
        before: str | Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        checkpoint: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> builtins.list[ThreadState]:
        """List states, newest first. ``before`` is a checkpoint id or ``{"configurable": {"checkpoint_id": …}}``."""
        body = present({"limit": limit, "before": before, "metadata": metadata, "checkpoint": checkpoint})
        made = call("POST", path("threads", (thread_id,), "history"), options, body=body)
        return decoded((await self._transport.send(made)).content, builtins.list[ThreadState])
