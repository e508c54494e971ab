"""TODO."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal, TypeVar

from msgspec import UNSET, Struct, UnsetType

from treadle.model import JSON, CancelAction, MultitaskStrategy, RunStatus

T = TypeVar("T")


RunSort = Literal["created_at", "updated_at", "started_at", "finished_at", "duration"]


BlockedBy = Literal["time", "thread", "graph", "key"]


# --- runs of all threads ----------------------------------------------------------------------------------------------


class RunFilter(Struct, kw_only=True):
    """``POST /runs/count``: which runs. ``metadata`` and that of their thread are matched by containment, a run has to
    have all of ``tags``, and the bounds of the creation time are exclusive. ``assistant_id`` may be the name of a
    graph, for its own assistant."""

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
    """``POST /runs/search``: a page of them. ``after`` is what ``x-pagination-next`` of the page before said."""

    sort_by: RunSort | None = None
    sort_order: Literal["asc", "desc"] | None = None
    limit: int | None = None
    after: str | None = None
    select: list[str] | None = None


class FoundRun(Struct, kw_only=True):
    """A run as searches show it: what became of it, and ``kwargs`` only if they are selected.

    - ``available_at``: when it may start; ``started_at``: when its first attempt began.
    - ``duration_seconds``: from there to its end, or to now; null before it has started.
    - ``attempt``: how many were begun; ``crashes``: how many of them were lost with their worker.
    - ``blocked_by``: what a pending run waits for, as claims found it; null if it may start.
    - ``cancelling``: what a running run was told to do.
    - ``temporary``: its thread goes when it ends. ``trimmed``: its events are gone, but for the end.
    - ``stopped_at_interrupt``: it succeeded in coming to an interrupt, which waits or waited for an answer.
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
    """A page of what was searched; ``next`` is what the next page is after, None if there is none."""

    items: list[T]
    next: str | None = None
