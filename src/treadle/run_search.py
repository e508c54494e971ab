"""The wire model of searches over the runs of all threads, an addition to the official protocol."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal, TypeVar

from msgspec import UNSET, Struct, UnsetType

from treadle.model import JSON, CancelAction, MultitaskStrategy, RunStatus

T = TypeVar("T")

RunSort = Literal["created_at", "updated_at", "started_at", "finished_at", "duration"]
BlockedBy = Literal["time", "thread", "graph", "key"]


class RunFilter(Struct, kw_only=True):
    """``POST /runs/count``: the runs to count.

    ``metadata`` and ``thread_metadata`` match by containment, a run must have all of ``tags``, and the bounds on the
    creation time are exclusive. ``assistant_id`` may be a graph's name, which means its default assistant.
    """

    ids: list[str] | None = None
    status: RunStatus | list[RunStatus] | None = None
    assistant_id: str | None = None
    thread_id: str | None = None
    metadata: JSON | None = None
    thread_metadata: JSON | None = None
    tags: list[str] | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


class RunSearch(RunFilter, kw_only=True):
    """``POST /runs/search``: a page of runs. ``after`` is the ``x-pagination-next`` header of the page before."""

    sort_by: RunSort | None = None
    sort_order: Literal["asc", "desc"] | None = None
    limit: int | None = None
    after: str | None = None
    select: list[str] | None = None


class FoundRun(Struct, kw_only=True):
    """A run in a search result. ``kwargs`` is only included if selected.

    - ``available_at``: the earliest start; ``started_at``: the start of the first attempt.
    - ``duration_seconds``: from ``started_at`` until the end, or until now; null before the start.
    - ``attempt``: attempts begun; ``crashes``: attempts lost because their worker died.
    - ``blocked_by``: the reason a pending run has to wait, as last seen by a claim; null if it may start.
    - ``cancelling``: the requested cancel action of a running run.
    - ``temporary``: the thread is removed when the run ends. ``trimmed``: all events but the last are removed.
    - ``stopped_at_interrupt``: the run succeeded by reaching an interrupt, which needs or needed input.
    """

    run_id: str
    thread_id: str
    assistant_id: str
    graph_id: str
    status: RunStatus
    created_at: datetime
    updated_at: datetime
    available_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_seconds: float | None
    attempt: int
    crashes: int
    worker_id: str | None
    blocked_by: BlockedBy | None
    cancelling: CancelAction | None
    priority: int
    concurrency_key: str | None
    multitask_strategy: MultitaskStrategy
    temporary: bool
    trimmed: bool
    stopped_at_interrupt: bool
    tags: list[str]
    error: JSON | None
    metadata: JSON
    kwargs: JSON | UnsetType = UNSET


class Page(Struct, Generic[T]):
    """A page of search results. ``next`` is the cursor of the next page, None on the last page."""

    items: list[T]
    next: str | None = None
