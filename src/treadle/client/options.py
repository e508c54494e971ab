"""The options of calls: one table of fields for stream, create, wait and batch items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Required, TypedDict

from msgspec import Struct

from treadle.model import Durability, MultitaskStrategy, RunStatus, StreamMode

from .abort import AbortSignal


class RunCreated(Struct, frozen=True):
    """The run, as far as it is known from the response headers. ``thread_id`` may be None for a stateless run."""

    run_id: str
    thread_id: str | None = None


class CallOptions(TypedDict, total=False):
    """Accepted by every call. ``headers`` are added to the client's own, ``params`` to the query."""

    headers: Mapping[str, str] | None
    params: Mapping[str, Any] | None


class RunFields(TypedDict, total=False):
    """The fields of a run. None means the same as omitting the field.

    - ``input``: any JSON; pydantic models and langchain messages are dumped. ``command``: resume, update, goto.
    - ``config``: tags, recursion_limit, configurable, metadata. ``context``: the graph's static context.
    - ``stream_mode``: one or several; default ``values``. ``stream_subgraphs``: include events of subgraphs.
    - ``stream_resumable``: False lets the server drop the event log once the run has ended.
    - ``interrupt_before``, ``interrupt_after``: node names, or ``"*"``.
    - ``checkpoint``, ``checkpoint_id``: the checkpoint to fork from.
    - ``multitask_strategy``: the behaviour on a busy thread; default ``enqueue``.
    - ``on_disconnect``: whether the run continues without its reader; default ``continue``.
    - ``on_completion``: whether a stateless run's thread is kept; default ``delete``.
    - ``if_not_exists``: ``create`` creates a missing thread; default ``reject``.
    - ``after_seconds``: delay of the start in seconds.
    - ``durability``: when checkpoints are written; default ``async``. ``checkpoint_during`` is its deprecated form.
    - ``webhook``: a URL that is called once the run has ended.
    - ``strict_resume``: fail if the resume value answers an interrupt that is not open.
    """

    input: Any
    command: Mapping[str, Any] | None
    config: Mapping[str, Any] | None
    context: Mapping[str, Any] | None
    metadata: Mapping[str, Any] | None
    stream_mode: StreamMode | Sequence[StreamMode] | None
    stream_subgraphs: bool | None
    stream_resumable: bool | None
    feedback_keys: Sequence[str] | None
    interrupt_before: Literal["*"] | Sequence[str] | None
    interrupt_after: Literal["*"] | Sequence[str] | None
    webhook: str | None
    checkpoint: Mapping[str, Any] | None
    checkpoint_id: str | None
    checkpoint_during: bool | None
    multitask_strategy: MultitaskStrategy | None
    if_not_exists: Literal["create", "reject"] | None
    on_disconnect: Literal["cancel", "continue"] | None
    on_completion: Literal["delete", "keep"] | None
    after_seconds: float | None
    durability: Durability | None
    strict_resume: bool | None
    langsmith_tracing: Mapping[str, Any] | None
    kwargs: Mapping[str, Any] | None
    """Additional request fields, merged last."""


class RunOptions(RunFields, CallOptions, total=False):
    """Accepted by stream, create and wait: the run's fields, the call's options, and two more.

    ``on_run_created`` is called with a RunCreated once the run is known. ``signal`` stops the call.
    """

    on_run_created: Callable[[RunCreated], object] | None
    signal: AbortSignal | None


class RunFilters(CallOptions, total=False):
    """Accepted by search and count of runs. None means the same as omitting the field.

    - ``status``: one or several. ``ids``: only these runs. ``assistant_id``: an id or a graph. ``thread_id``.
    - ``metadata``, ``thread_metadata``: contained in the run's, and in its thread's. ``tags``: all of them.
    - ``created_after``, ``created_before``: exclusive; a datetime must have a time zone.
    """

    status: RunStatus | Sequence[RunStatus] | None
    ids: Sequence[str] | None
    assistant_id: str | None
    thread_id: str | None
    metadata: Mapping[str, Any] | None
    thread_metadata: Mapping[str, Any] | None
    tags: Sequence[str] | None
    created_after: datetime | str | None
    created_before: datetime | str | None


class BatchItem(RunFields, total=False):
    """One run of create_batch."""

    assistant_id: Required[str]
