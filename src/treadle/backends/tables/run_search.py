"""Search and count the runs of all threads.

A search merges a few ranges of an index, one for each status, so its cost depends on the size of the page and not on
the number of runs. Conditions without an index (metadata, tags, the owner of the thread) are evaluated for each run. A
search examines a limited number of runs for them; at the limit the page ends, and the next page continues there. If an
index finds the threads by their metadata and they are few, the search examines only their runs. Sorting by anything but
the time of creation reads all matching runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import structs

from treadle.auth.filters import required_metadata
from treadle.backends.checkpoints import rows as checkpoint_rows
from treadle.backends.tables import rows
from treadle.backends.tables.turns import KIND_OF_BLOCKER
from treadle.backends.tables.tx import Tx
from treadle.model import ACTIVE, JSON, RUN_STATUSES
from treadle.ports.queries import RunPage, RunSearchQuery
from treadle.run_search import FoundRun
from treadle.times import from_microseconds, to_microseconds

_COLUMNS = (
    "r.run_id, r.thread_id, r.assistant_id, r.graph_id, r.status, r.created_at, r.updated_at, r.available_at,"
    f" r.started_at, r.finished_at, r.attempt, r.crashes, r.worker_id, {KIND_OF_BLOCKER}, r.cancel_action, r.priority,"
    " r.concurrency_key, r.multitask_strategy, r.temporary, r.trimmed,"
    " CASE WHEN r.interrupts IS NULL THEN 0 ELSE 1 END, r.tags, r.error, r.metadata"
)
_KEYS = {
    "created_at": "r.created_at",
    "updated_at": "r.updated_at",
    "started_at": "coalesce(r.started_at, 0)",
    "finished_at": "coalesce(r.finished_at, 0)",
    "duration": "coalesce(r.finished_at - r.started_at, 0)",
}
# A subquery for each run: with a join, a planner may read all threads first.
_OF_THREAD = "(SELECT {} FROM threads t WHERE t.thread_id = r.thread_id)"


class RunSearchVerbs(Tx):
    """``examined``: the runs that one search examines at most for conditions without an index. ``few``: the threads of
    which it reads all runs at most."""

    examined = 50_000
    few = 200

    def search_runs(self, query: RunSearchQuery) -> RunPage:
        threads = self._few_threads(query)
        upto = self._examined(query) if threads is None else None
        parameters = Parameters()
        picked = page(query, parameters, upto=upto, threads=threads)
        kwargs = "q.kwargs" if query.kwargs else "NULL"
        request = " JOIN run_requests q ON q.run_id = r.run_id" if query.kwargs else ""
        found = self.execute(
            f"SELECT p.sorted, p.position, {kwargs}, {_COLUMNS} FROM ({picked}) p CROSS JOIN runs r"
            f" ON r.position = p.position{request} ORDER BY {_order(query, 'p.sorted', 'p.position')}",
            parameters.values,
        ).fetchall()
        shown = found[: query.limit]
        last = (shown[-1][0], shown[-1][1]) if len(found) > query.limit else upto
        return RunPage([_found(row[2:], self.now) for row in shown], last)

    def _few_threads(self, query: RunSearchQuery) -> list[str] | None:
        """The threads that match the query, or None if they are many or no index finds them."""
        parameters = Parameters()
        conditions = _of_thread(query, parameters)
        if not (conditions and self.conn.indexes_metadata) or _is_narrow(query):
            return None
        found = self.execute(
            f"SELECT t.thread_id FROM threads t WHERE t.gone_at IS NULL AND {conditions[0]} LIMIT {self.few + 1}",
            parameters.values[:1],
        ).fetchall()
        return [thread_id for (thread_id,) in found] if len(found) <= self.few else None

    def _examined(self, query: RunSearchQuery) -> tuple[int, int] | None:
        """The sort key and position of the last run to examine, or None for no limit."""
        if query.sort_by != "created_at" or not _examines(query):
            return None
        parameters = Parameters()
        most = self.examined
        indexed = structs.replace(query, metadata=None, thread_metadata=None, tags=(), permitted=(), limit=most)
        picked = page(indexed, parameters)
        row = self.execute(f"{picked} OFFSET {parameters.add(most)}", parameters.values).fetchone()
        return (row[0], row[1]) if row else None

    def count_runs(self, query: RunSearchQuery) -> int:
        parameters = Parameters()
        if (query.permitted or query.thread_metadata) and not _is_narrow(query):
            return self.execute(_count_by_thread(query, parameters), parameters.values).fetchone()[0]
        counted = [f"(SELECT count(*) FROM runs r WHERE {range})" for range in _ranges(query, parameters)]
        return self.execute(f"SELECT {' + '.join(counted)}", parameters.values).fetchone()[0]

    def has_checkpoints(self, thread_id: str, run_id: str) -> bool:
        return checkpoint_rows.has_checkpoints(self.conn, thread_id, run_id)


class Parameters:
    """Numbered parameters, which several ranges of one statement can share."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def add(self, value: Any) -> str:
        self.values.append(value)
        return f"?{len(self.values)}"


def _examines(query: RunSearchQuery) -> bool:
    """Whether the query has conditions without an index."""
    return bool(query.metadata or query.thread_metadata or query.tags or query.permitted)


def _is_narrow(query: RunSearchQuery) -> bool:
    """Whether the query names its thread or its runs, so that few runs are read in any case."""
    return query.thread_id is not None or query.ids is not None


def page(
    query: RunSearchQuery,
    parameters: Parameters,
    *,
    upto: tuple[int, int] | None = None,
    threads: Sequence[str] | None = None,
) -> str:
    """SQL for the positions of a page, and of one more run if a next page exists. ``upto`` is the last run to examine
    (its sort key and position); ``threads`` restricts the search to the runs of these threads."""
    key = _KEYS[query.sort_by]
    onward, back = (">", "<=") if query.ascending else ("<", ">=")
    passed = ""
    for place, comparison in ((query.after, onward), (upto, back)):
        if place is not None:
            at, position = (parameters.add(number) for number in place)
            passed += f" AND ({key}, r.position) {comparison} ({at}, {position})"
    order, most = _order(query, "sorted", "position"), parameters.add(query.limit + 1)
    # Each range has its own limit; otherwise PostgreSQL would read all of them and sort the union.
    ranges = [
        f"SELECT * FROM (SELECT {key} AS sorted, r.position AS position FROM runs r WHERE {range}{passed}"
        f" ORDER BY {order} LIMIT {most}) r{number}"
        for number, range in enumerate(_ranges(query, parameters, threads=threads))
    ]
    return f"{' UNION ALL '.join(ranges)} ORDER BY {order} LIMIT {most}"


def _count_by_thread(query: RunSearchQuery, parameters: Parameters) -> str:
    """SQL that counts from the threads to their runs: there are fewer threads than runs, and PostgreSQL has an index on
    the contents of their metadata."""
    threads = " AND ".join(_of_thread(query, parameters))
    (range,) = _ranges(structs.replace(query, permitted=(), thread_metadata=None), parameters, by_thread=True)
    return (
        "SELECT count(*) FROM threads t CROSS JOIN runs r ON r.thread_id = t.thread_id"
        f" WHERE t.gone_at IS NULL AND {threads} AND {range}"
    )


def _order(query: RunSearchQuery, *columns: str) -> str:
    return ", ".join(f"{column} {'ASC' if query.ascending else 'DESC'}" for column in columns)


def _ranges(
    query: RunSearchQuery, parameters: Parameters, *, by_thread: bool = False, threads: Sequence[str] | None = None
) -> list[str]:
    """Disjoint conditions that together select the matching runs. Each is a range of an index, or a single condition
    finds the runs by their thread or their ids."""
    by_thread = by_thread or threads is not None or _is_narrow(query)
    common = _common(query, parameters, by_thread=by_thread)
    if threads is not None:
        common.append(f"r.thread_id IN (SELECT value FROM json_each({parameters.add(rows.dump(threads))}))")
    statuses = dict.fromkeys(query.statuses or RUN_STATUSES)
    if by_thread:
        # The unary plus keeps the planner from the indexes by status: the runs of a thread are few.
        wanted = ", ".join(parameters.add(status) for status in statuses)
        listed = "(+r.temporary = 0 OR r.finished_at IS NULL)"
        return [" AND ".join([*common, f"+r.status IN ({wanted})", listed])]
    named = {parameters.add(status): status for status in statuses}
    if query.assistant_id is not None:
        assistant = f"r.assistant_id = {parameters.add(query.assistant_id)}"
        # The sum keeps planners from using the index that starts with temporary.
        listed = {name: [] if status in ACTIVE else ["r.temporary + 0 = 0"] for name, status in named.items()}
        return [" AND ".join([assistant, f"r.status = {name}", *more, *common]) for name, more in listed.items()]
    return [
        " AND ".join([f"r.temporary = {temporary}", f"r.status = {name}", *common])
        for name, status in named.items()
        for temporary in ((0, 1) if status in ACTIVE else (0,))
    ]


def _common(query: RunSearchQuery, parameters: Parameters, *, by_thread: bool) -> list[str]:
    after, before = query.created_after, query.created_before
    given: list[tuple[str, Any]] = [
        ("r.run_id IN (SELECT value FROM json_each({}))", None if query.ids is None else rows.dump(list(query.ids))),
        ("r.thread_id = {}", query.thread_id),
        ("+r.assistant_id = {}", query.assistant_id if by_thread else None),
        ("r.created_at > {}", None if after is None else to_microseconds(after)),
        ("r.created_at < {}", None if before is None else to_microseconds(before)),
        ("json_contains(r.metadata, {})", _contained(query.metadata)),
        ("json_contains(r.tags, {})", _contained(query.tags)),
    ]
    found = [text.format(parameters.add(value)) for text, value in given if value is not None]
    if of_thread := _of_thread(query, parameters):
        found.append(_OF_THREAD.format(" AND ".join(of_thread)))
    return found


def _of_thread(query: RunSearchQuery, parameters: Parameters) -> list[str]:
    """Conditions on a thread ``t``. Containment comes first: an index may find it, and it is cheaper to evaluate than
    the filters."""
    part = [required_metadata(query.permitted)] if query.permitted else []
    parts = [*part, *([query.thread_metadata] if query.thread_metadata else [])]
    conditions = [f"json_contains(t.metadata, {parameters.add(rows.dump(part))})" for part in parts]
    if query.permitted:
        conditions.append(f"json_permits(t.metadata, {parameters.add(rows.dump(query.permitted))})")
    return conditions


def _contained(part: JSON | Sequence[str] | None) -> str | None:
    return rows.dump(part) if part else None


def _found(row: Sequence[Any], now: int) -> FoundRun:
    kwargs, run_id, thread_id, assistant_id, graph_id, status, created_at, updated_at, available_at = row[:9]
    started_at, finished_at, attempt, crashes, worker_id, blocked_by, cancelling, priority, key = row[9:18]
    strategy, temporary, trimmed, interrupted, tags, error, metadata = row[18:]
    found = FoundRun(
        run_id=run_id,
        thread_id=thread_id,
        assistant_id=assistant_id,
        graph_id=graph_id,
        status=status,
        created_at=from_microseconds(created_at),
        updated_at=from_microseconds(updated_at),
        available_at=from_microseconds(available_at),
        started_at=None if started_at is None else from_microseconds(started_at),
        finished_at=None if finished_at is None else from_microseconds(finished_at),
        duration_seconds=_duration(started_at, finished_at, now),
        attempt=attempt,
        crashes=crashes,
        worker_id=worker_id,
        blocked_by=blocked_by,
        cancelling=cancelling if status == "running" else None,
        priority=priority,
        concurrency_key=key,
        multitask_strategy=strategy,
        temporary=bool(temporary),
        trimmed=bool(trimmed),
        stopped_at_interrupt=bool(interrupted),
        tags=[] if tags is None else rows.load(tags),
        error=rows.load_or_none(error),
        metadata=rows.load(metadata),
    )
    if kwargs is not None:
        found.kwargs, _ = rows.split_request(rows.load(kwargs))
    return found


def _duration(started_at: int | None, finished_at: int | None, now: int) -> float | None:
    if started_at is None:
        return None
    return max(0, (now if finished_at is None else finished_at) - started_at) / 1e6
