"""What is asked of a backend's records, page by page, and what searches of runs find.

``permitted`` are filters that metadata must all pass (treadle.filters).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from treadle.model import JSON, RunStatus, ThreadStatus
from treadle.run_search import FoundRun, RunSort


class ThreadRunsQuery(Struct, kw_only=True, frozen=True):
    """Runs of one thread, newest first. ``metadata`` is matched by containment; the bounds are exclusive."""

    thread_id: str
    status: RunStatus | None = None
    metadata: JSON | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    limit: int = 10
    offset: int = 0


class RunSearchQuery(Struct, kw_only=True, frozen=True):
    """Runs of all threads, but for ended ones of temporary threads. ``statuses`` empty: any.

    ``after`` is the last run of the page before: what it is sorted by, as a number, and its position. What ``sort_by``
    names and a run has not (yet) counts as 0. ``permitted`` is of the metadata of threads."""

    ids: Sequence[str] | None = None
    statuses: Sequence[RunStatus] = ()
    assistant_id: str | None = None
    thread_id: str | None = None
    metadata: JSON | None = None
    thread_metadata: JSON | None = None
    tags: Sequence[str] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None
    sort_by: RunSort = "created_at"
    ascending: bool = False
    permitted: Sequence[JSON] = ()
    limit: int = 10
    after: tuple[int, int] | None = None
    kwargs: bool = False


class RunPage(Struct, frozen=True):
    """``last`` is what the next page is after, None if there is none."""

    runs: list[FoundRun]
    last: tuple[int, int] | None


class ThreadQuery(Struct, kw_only=True, frozen=True):
    ids: Sequence[str] | None = None
    metadata: JSON | None = None
    values: JSON | None = None
    status: ThreadStatus | None = None
    sort_by: str = "created_at"
    ascending: bool = False
    permitted: Sequence[JSON] = ()
    limit: int = 10
    offset: int = 0


class AssistantQuery(Struct, kw_only=True, frozen=True):
    graph_id: str | None = None
    name: str | None = None
    metadata: JSON | None = None
    sort_by: str = "created_at"
    ascending: bool = False
    permitted: Sequence[JSON] = ()
    limit: int = 10
    offset: int = 0


class CronQuery(Struct, kw_only=True, frozen=True):
    assistant_id: str | None = None
    thread_id: str | None = None
    enabled: bool | None = None
    metadata: JSON | None = None
    sort_by: str = "created_at"
    ascending: bool = False
    permitted: Sequence[JSON] = ()
    limit: int = 10
    offset: int = 0
