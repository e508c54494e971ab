# Generated from _async/runs.py by scripts/unasync.py: change that file, not this one.
"""client.runs: create runs, stream their events, and manage them."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import UnionType
from typing import Any, Literal, Unpack, overload

from treadle.client.abort import AbortSignal
from treadle.client.bounds import Bounds
from treadle.client.calls import (
    EVENTS_HEADER,
    Call,
    batch_call,
    call,
    decoded,
    encode,
    envelope_error,
    filter_call,
    instant,
    present,
    retry_call,
    run_call,
    run_path,
)
from treadle.client.events import C, EventDecoder, S, U
from treadle.client.options import BatchItem, CallOptions, RunCreated, RunFilters, RunOptions
from treadle.client.shapes import shape
from treadle.model import JSON, CancelAction, Run, RunStatus, StreamMode
from treadle.run_search import FoundRun, Page, RunSort

from .stream import EventStream
from .transport import OnCreated, Transport


class RunsClient:
    """The calls of ``client.runs``. RunOptions lists the options of stream, create and wait."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def stream(
        self,
        thread_id: str | None,
        assistant_id: str,
        *,
        state_type: type[S] | UnionType | None = None,
        update_type: type[U] | UnionType | None = None,
        custom_type: type[C] | UnionType | None = None,
        **options: Unpack[RunOptions],
    ) -> EventStream[S, U, C]:
        """Create a run and yield its events as they happen. If ``thread_id`` is None, it runs on a new temporary
        thread.

        ``state_type``, ``update_type`` (one node's update) and ``custom_type`` decode and validate the data of values,
        updates and custom events. A run that fails yields an ErrorEvent and its EndEvent; it raises nothing.
        """
        made = run_call("stream", thread_id, assistant_id, options, headers=EVENTS_HEADER)
        return EventStream(
            self._transport,
            made,
            EventDecoder(state_type, update_type, custom_type),
            Bounds(options.get("signal")),
            on_created=options.get("on_run_created"),
        )

    def create(self, thread_id: str | None, assistant_id: str, **options: Unpack[RunOptions]) -> Run:
        """Create a run in the background, on a new temporary thread if ``thread_id`` is None."""
        made = run_call("", thread_id, assistant_id, options)
        response = self._transport.send(made, Bounds(options.get("signal")))
        run = decoded(response.content, Run)
        if on_created := options.get("on_run_created"):
            on_created(RunCreated(run.run_id, run.thread_id))
        return run

    def create_batch(self, payloads: Iterable[BatchItem], **options: Unpack[CallOptions]) -> builtins.list[Run]:
        """Create stateless runs in parallel; either all or none. Returns them in the order of ``payloads``."""
        response = self._transport.send(batch_call(payloads, options))
        return decoded(response.content, builtins.list[Run])

    def wait(
        self,
        thread_id: str | None,
        assistant_id: str,
        *,
        timeout: float | None = None,
        raise_error: bool = True,
        state_type: type[S] | UnionType | None = None,
        **options: Unpack[RunOptions],
    ) -> S:
        """Create a run, wait until it ends, and return the final state.

        If the run fails, raises RunFailed, or returns ``{"__error__": {"error", "message"}}`` with
        ``raise_error=False``. After ``timeout`` seconds, raises RunTimeoutError; the run continues unless
        ``on_disconnect="cancel"``.
        """
        made = run_call("wait", thread_id, assistant_id, options)
        bounds = Bounds(options.get("signal"), timeout)
        return self._final(made, bounds, state_type, raise_error, options.get("on_run_created"))

    def join(
        self,
        thread_id: str | None,
        run_id: str,
        *,
        timeout: float | None = None,
        raise_error: bool = True,
        state_type: type[S] | UnionType | None = None,
        signal: AbortSignal | None = None,
        **options: Unpack[CallOptions],
    ) -> S:
        """Wait until the run ends, and return the final state as ``wait`` does."""
        made = _run_call("GET", thread_id, run_id, "join", options)
        return self._final(made, Bounds(signal, timeout), state_type, raise_error)

    def join_stream(
        self,
        thread_id: str | None,
        run_id: str,
        *,
        stream_mode: StreamMode | Sequence[StreamMode] | None = None,
        stream_subgraphs: bool | None = None,
        last_event_id: str | None = None,
        cancel_on_disconnect: bool = False,
        state_type: type[S] | UnionType | None = None,
        update_type: type[U] | UnionType | None = None,
        custom_type: type[C] | UnionType | None = None,
        signal: AbortSignal | None = None,
        **options: Unpack[CallOptions],
    ) -> EventStream[S, U, C]:
        """Join an active or finished run, from the start or after ``last_event_id``.

        ``stream_mode`` and ``stream_subgraphs=False`` filter events; a run only has the modes it was created with.
        """
        params = {
            "stream_mode": [stream_mode] if isinstance(stream_mode, str) else stream_mode,
            "stream_subgraphs": stream_subgraphs,
            "cancel_on_disconnect": cancel_on_disconnect,
        }
        headers = EVENTS_HEADER | ({"last-event-id": last_event_id} if last_event_id else {})
        return EventStream(
            self._transport,
            _run_call("GET", thread_id, run_id, "stream", options, params=params, headers=headers),
            EventDecoder(state_type, update_type, custom_type),
            Bounds(signal),
            subgraphs=stream_subgraphs is not False,
            last_event_id=last_event_id,
        )

    @overload
    def list(
        self,
        thread_id: str,
        *,
        limit: int = ...,
        offset: int = ...,
        status: RunStatus | None = ...,
        metadata: Mapping[str, Any] | None = ...,
        created_after: datetime | str | None = ...,
        created_before: datetime | str | None = ...,
        select: None = None,
        **options: Unpack[CallOptions],
    ) -> builtins.list[Run]: ...

    @overload
    def list(
        self,
        thread_id: str,
        *,
        limit: int = ...,
        offset: int = ...,
        status: RunStatus | None = ...,
        metadata: Mapping[str, Any] | None = ...,
        created_after: datetime | str | None = ...,
        created_before: datetime | str | None = ...,
        select: Sequence[str],
        **options: Unpack[CallOptions],
    ) -> builtins.list[JSON]: ...

    def list(
        self,
        thread_id: str,
        *,
        limit: int = 10,
        offset: int = 0,
        status: RunStatus | None = None,
        metadata: Mapping[str, Any] | None = None,
        created_after: datetime | str | None = None,
        created_before: datetime | str | None = None,
        select: Sequence[str] | None = None,
        **options: Unpack[CallOptions],
    ) -> builtins.list[Run] | builtins.list[JSON]:
        """List the runs of a thread, newest first. The bounds of the creation time are exclusive.

        Matches runs whose metadata contains ``metadata``. With ``select``, returns plain dicts of those columns.
        """
        params = {
            "limit": limit,
            "offset": offset,
            "status": status,
            "metadata": encode(metadata).decode() if metadata is not None else None,
            "created_after": instant("created_after", created_after),
            "created_before": instant("created_before", created_before),
            "select": builtins.list(select) if select else None,
        }
        response = self._transport.send(call("GET", run_path(thread_id, "runs"), options, params=params))
        return decoded(response.content, builtins.list[JSON] if select else builtins.list[Run])

    @overload
    def search(
        self,
        *,
        sort_by: RunSort | None = ...,
        sort_order: Literal["asc", "desc"] | None = ...,
        limit: int = ...,
        after: str | None = ...,
        select: None = None,
        **filters: Unpack[RunFilters],
    ) -> Page[FoundRun]: ...

    @overload
    def search(
        self,
        *,
        sort_by: RunSort | None = ...,
        sort_order: Literal["asc", "desc"] | None = ...,
        limit: int = ...,
        after: str | None = ...,
        select: Sequence[str],
        **filters: Unpack[RunFilters],
    ) -> Page[JSON]: ...

    def search(
        self,
        *,
        sort_by: RunSort | None = None,
        sort_order: Literal["asc", "desc"] | None = None,
        limit: int = 10,
        after: str | None = None,
        select: Sequence[str] | None = None,
        **filters: Unpack[RunFilters],
    ) -> Page[FoundRun] | Page[JSON]:
        """Search the runs of all threads, newest first, and return a page. RunFilters lists the filters.

        Pass the page's ``next`` as ``after`` to get the next page; it is None on the last one. With filters by metadata
        or tags, a page may be short without being the last. With ``select``, returns plain dicts of those columns;
        ``kwargs`` is only available this way.
        """
        order = {"sort_by": sort_by, "sort_order": sort_order, "limit": limit, "after": after, "select": select or None}
        response = self._transport.send(filter_call("search", filters, **order))
        following = response.headers.get("x-pagination-next")
        if select:
            return Page(decoded(response.content, builtins.list[JSON]), following)
        return Page(decoded(response.content, builtins.list[FoundRun]), following)

    def count(self, **filters: Unpack[RunFilters]) -> int:
        """Count the runs that ``search`` finds."""
        return decoded((self._transport.send(filter_call("count", filters))).content, int)

    def retry(self, thread_id: str, run_id: str, **options: Unpack[CallOptions]) -> Run:
        """Retry a failed run from its last checkpoint, and return the new run.

        Raises ConflictError if the run is active, succeeded, or is not the last of its thread.
        """
        response = self._transport.send(retry_call(thread_id, run_id, options))
        return decoded(response.content, Run)

    def get(self, thread_id: str, run_id: str, **options: Unpack[CallOptions]) -> Run:
        response = self._transport.send(_run_call("GET", thread_id, run_id, "", options))
        return decoded(response.content, Run)

    def cancel(
        self,
        thread_id: str,
        run_id: str,
        *,
        wait: bool = False,
        action: CancelAction = "interrupt",
        **options: Unpack[CallOptions],
    ) -> None:
        """Cancel a run. ``interrupt`` keeps its checkpoints, ``rollback`` removes the run and its checkpoints.

        Returns once the cancellation is recorded, or with ``wait`` once the run has ended. Raises NotFoundError if it
        had ended before.
        """
        params = {"wait": int(wait), "action": action}
        made = _run_call("POST", thread_id, run_id, "cancel", options, params=params)
        self._transport.send(replace(made, gone_is_done=True), patient=wait)

    def cancel_many(
        self,
        *,
        thread_id: str | None = None,
        run_ids: Sequence[str] | None = None,
        status: Literal["pending", "running", "all"] | None = None,
        action: CancelAction = "interrupt",
        **options: Unpack[CallOptions],
    ) -> None:
        """Cancel the named runs of a thread, or all runs in a status."""
        body = present({"thread_id": thread_id, "run_ids": run_ids, "status": status})
        made = call("POST", "/runs/cancel", options, body=body, params={"action": action})
        self._transport.send(replace(made, gone_is_done=True))

    def delete(self, thread_id: str, run_id: str, **options: Unpack[CallOptions]) -> None:
        """Delete a run."""
        made = _run_call("DELETE", thread_id, run_id, "", options)
        self._transport.send(replace(made, gone_is_done=True))

    def _final(
        self, made: Call, bounds: Bounds, state_type: Any, raise_error: bool, on_created: OnCreated | None = None
    ) -> Any:
        decode = shape(state_type, partial=True)
        run = made.run

        def learn(found: RunCreated) -> None:
            nonlocal run
            run = found
            if on_created is not None:
                on_created(found)

        values = self._transport.final(made, bounds, learn)
        error = envelope_error(values, run, made)
        if error is not None and raise_error:
            raise error
        return values if error is not None or state_type is None else decode(encode(values))


def _run_call(
    method: str,
    thread_id: str | None,
    run_id: str,
    suffix: str,
    options: CallOptions,
    *,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Call:
    """A call for an existing run."""
    where = run_path(thread_id, "runs", (run_id,), *([suffix] if suffix else []))
    made = call(method, where, options, params=params, headers=headers)
    return replace(made, run=RunCreated(run_id, thread_id))
