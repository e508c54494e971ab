# Generated from _async/runs.py by scripts/unasync.py: change that file, not this one.
"""client.runs: runs assistants in the context of threads, streams what they do, manages the life of each run."""

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
    """The calls of ``client.runs``. RunOptions lists what stream, create and wait take."""

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
        """Creates a run, on a fresh temporary thread if ``thread_id`` is None, and yields its events as they happen.

        ``state_type``, ``update_type`` (one node's update) and ``custom_type`` decode and check the data of values,
        updates and custom events. A run that fails yields an ErrorEvent, then its EndEvent; nothing is raised for it.
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
        """Starts a run in the background, on a fresh temporary thread if ``thread_id`` is None."""
        made = run_call("", thread_id, assistant_id, options)
        response = self._transport.send(made, Bounds(options.get("signal")))
        run = decoded(response.content, Run)
        if on_created := options.get("on_run_created"):
            on_created(RunCreated(run.run_id, run.thread_id))
        return run

    def create_batch(self, payloads: Iterable[BatchItem], **options: Unpack[CallOptions]) -> builtins.list[Run]:
        """Starts stateless runs in parallel; all or none are accepted. The runs come in the order of ``payloads``."""
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
        """Creates a run, blocks until it is over and returns the final state.

        A run that fails raises RunFailed, or returns ``{"__error__": {"error", "message"}}`` without ``raise_error``.
        Past ``timeout`` seconds RunTimeoutError is raised; the run goes on unless ``on_disconnect="cancel"``.
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
        """Blocks until the run is over and returns the final state, as wait does."""
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
        """Joins a live or finished run: from the start, or strictly after ``last_event_id``.

        ``stream_mode`` and ``stream_subgraphs=False`` leave events out; a run has only the modes it was made with.
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
        """The runs of a thread, newest first; the bounds of the creation time are exclusive.

        ``metadata`` is matched by containment. With ``select`` only those columns come, as plain dicts.
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
        """A page of the runs of all threads, newest first; RunFilters lists what they may be searched by.

        The page's ``next`` is the ``after`` of the next one, None on the last; a page of runs that are searched by
        metadata or tags may be short. With ``select`` only those columns come, as plain dicts; ``kwargs`` come only so.
        """
        order = {"sort_by": sort_by, "sort_order": sort_order, "limit": limit, "after": after, "select": select or None}
        response = self._transport.send(filter_call("search", filters, **order))
        following = response.headers.get("x-pagination-next")
        if select:
            return Page(decoded(response.content, builtins.list[JSON]), following)
        return Page(decoded(response.content, builtins.list[FoundRun]), following)

    def count(self, **filters: Unpack[RunFilters]) -> int:
        """How many runs ``search`` finds in all."""
        return decoded((self._transport.send(filter_call("count", filters))).content, int)

    def retry(self, thread_id: str, run_id: str, **options: Unpack[CallOptions]) -> Run:
        """Asks again what a run that did not succeed was asked, from where it came to; returns the new run.

        ConflictError if there is nothing to try again: the run is active, succeeded, or is not its thread's last.
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
        """Cancels a run. ``interrupt`` keeps what was checkpointed, ``rollback`` removes the run and its checkpoints.

        Returns when the mark is set, or with ``wait`` when the run is over. NotFoundError if it was over before.
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
        """Cancels the named runs of a thread, or every run in a status."""
        body = present({"thread_id": thread_id, "run_ids": run_ids, "status": status})
        made = call("POST", "/runs/cancel", options, body=body, params={"action": action})
        self._transport.send(replace(made, gone_is_done=True))

    def delete(self, thread_id: str, run_id: str, **options: Unpack[CallOptions]) -> None:
        """Removes a run for good."""
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
    """A call about a run that exists."""
    where = run_path(thread_id, "runs", (run_id,), *([suffix] if suffix else []))
    made = call(method, where, options, params=params, headers=headers)
    return replace(made, run=RunCreated(run_id, thread_id))
