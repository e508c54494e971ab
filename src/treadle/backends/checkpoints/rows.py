"""The rows of checkpoints: packing, reading, copying and removing them. Plain functions over a connection.

This module is independent of the serialiser: values are ``(type, bytes)`` pairs, as returned by ``dumps_typed``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, TypeVar

import orjson
from langgraph.checkpoint.base import writes_sort_key
from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from treadle.backends.engine.connection import Connection

T = TypeVar("T")
Typed = tuple[str, bytes]
Write = tuple[int, str, str, bytes]
"""``(index, channel, type, value)``; special writes have a negative index (``WRITES_IDX_MAP``)."""

_PAGE = 400
_NO_LIMIT = 2**62

_small_decoder = Decoder(dict[str, Typed])
_writes_decoder = Decoder(list[Write])
_encode = Encoder().encode


class PutRow(Struct, frozen=True):
    """A checkpoint to store. ``fresh`` values belong to new versions. ``known`` values are written only if their
    version is missing."""

    thread_id: str
    checkpoint_ns: str
    checkpoint_id: str
    parent_checkpoint_id: str | None
    run_id: str
    metadata: str
    checkpoint: Typed
    small: Mapping[str, Typed]
    refs: Mapping[str, Any]
    fresh: Mapping[str, Typed]
    known: Mapping[str, Typed]


class WritesRow(Struct, frozen=True):
    """The writes of one task in one call."""

    thread_id: str
    checkpoint_ns: str
    checkpoint_id: str
    run_id: str
    task_id: str
    task_path: str
    writes: Sequence[Write]


class Stored(Struct):
    """A stored checkpoint; ``calls`` are its rows of writes."""

    thread_id: str
    checkpoint_ns: str
    checkpoint_id: str
    parent_checkpoint_id: str | None
    metadata: str
    checkpoint: Typed
    small: dict[str, Typed]
    refs: dict[str, Any]
    blobs: dict[str, Typed]
    calls: list[tuple[int, str, str, bytes]]

    def writes(self) -> list[tuple[str, Write]]:
        return merge_writes(self.calls)


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


# Only the run that created a checkpoint may overwrite it. With durability "exit", a resumed run saves the checkpoint it
# loaded, as its own parent. If it took that row over, a rollback of the later run would remove the earlier run's
# history.
_PUT = """
INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, run_id, metadata, refs, type,
    checkpoint, small)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id) DO UPDATE SET
    parent_checkpoint_id = coalesce(excluded.parent_checkpoint_id, checkpoints.parent_checkpoint_id),
    metadata = excluded.metadata, refs = excluded.refs, type = excluded.type,
    checkpoint = excluded.checkpoint, small = excluded.small
WHERE checkpoints.run_id = excluded.run_id
"""
_PUT_BLOBS = """
INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, run_id, type, value) VALUES {rows}
ON CONFLICT (thread_id, checkpoint_ns, channel, version) DO {resolution}
"""
_OVERWRITE = "UPDATE SET type = excluded.type, value = excluded.value"
_PUT_WRITES = """
INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, run_id, task_id, task_path, writes)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""


def put(conn: Connection, row: PutRow) -> None:
    parent = row.parent_checkpoint_id if row.parent_checkpoint_id != row.checkpoint_id else None
    refs = orjson.dumps(row.refs).decode() if row.refs else None
    key = (row.thread_id, row.checkpoint_ns)
    values = (*key, row.checkpoint_id, parent, row.run_id, row.metadata, refs, *row.checkpoint, _encode(row.small))
    conn.execute(_PUT, values)
    _put_blobs(conn, row, row.fresh, _OVERWRITE)
    _put_blobs(conn, row, row.known, "NOTHING")


def _put_blobs(conn: Connection, row: PutRow, blobs: Mapping[str, Typed], resolution: str) -> None:
    # One statement for many rows, because each statement on the writer thread costs a wait for the GIL.
    for page in batched(blobs.items(), _PAGE):
        sql = _PUT_BLOBS.format(rows=", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(page)), resolution=resolution)
        rows = (
            (row.thread_id, row.checkpoint_ns, channel, row.refs[channel], row.run_id, *typed)
            for channel, typed in page
        )
        conn.execute(sql, tuple(chain.from_iterable(rows)))


def put_writes(conn: Connection, row: WritesRow) -> None:
    key = (row.thread_id, row.checkpoint_ns, row.checkpoint_id)
    conn.execute(_PUT_WRITES, (*key, row.run_id, row.task_id, row.task_path, _encode(row.writes)))


def dump_metadata(metadata: Mapping[str, Any]) -> str:
    """JSON text. Values without a JSON type, which users may store here, become their string."""
    try:
        return orjson.dumps(metadata, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # integers beyond 64 bits, lone surrogates
        return json.dumps(metadata, default=str)


_LATEST = """
SELECT position FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ? ORDER BY checkpoint_id DESC LIMIT 1
"""
_BY_ID = "SELECT position FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?"
_BY_POSITION = "SELECT CAST(value AS BIGINT) FROM json_each(?)"

# One statement, so one snapshot: the checkpoints at the given positions, their large values and their writes. CROSS
# JOIN fixes the order of the loops, so that each step is one index lookup.
_READ = """
WITH head (position) AS MATERIALIZED ({head})
SELECT 0, c.position, c.thread_id, c.checkpoint_ns, c.checkpoint_id, c.parent_checkpoint_id, c.metadata, c.refs, c.type,
    c.checkpoint, c.small
FROM head CROSS JOIN checkpoints c USING (position)
UNION ALL
SELECT 1, c.position, b.channel, NULL, NULL, NULL, NULL, NULL, b.type, b.value, NULL
FROM head CROSS JOIN checkpoints c USING (position) CROSS JOIN json_each(c.refs) ref CROSS JOIN checkpoint_blobs b
    ON b.thread_id = c.thread_id AND b.checkpoint_ns = c.checkpoint_ns AND b.channel = ref.key AND b.version = ref.value
UNION ALL
SELECT 2, w.position, w.task_id, w.task_path, CAST(c.position AS TEXT), NULL, NULL, NULL, NULL, w.writes, NULL
FROM head CROSS JOIN checkpoints c USING (position) CROSS JOIN checkpoint_writes w
    ON w.thread_id = c.thread_id AND w.checkpoint_ns = c.checkpoint_ns AND w.checkpoint_id = c.checkpoint_id
"""
_READ_LATEST = _READ.format(head=_LATEST)
_READ_BY_ID = _READ.format(head=_BY_ID)
_READ_BY_POSITION = _READ.format(head=_BY_POSITION)


def read(conn: Connection, thread_id: str, checkpoint_ns: str, checkpoint_id: str | None = None) -> Stored | None:
    """The checkpoint with this id, or the latest (the greatest id) of the namespace."""
    key = (thread_id, checkpoint_ns)
    # Most runs start on an empty thread, and the whole statement costs several times this one.
    if checkpoint_id is None and conn.execute(_LATEST, key).fetchone() is None:
        return None
    whole = (_READ_LATEST, key) if checkpoint_id is None else (_READ_BY_ID, (*key, checkpoint_id))
    return next(iter(_assemble(conn.execute(*whole).fetchall()).values()), None)


def read_page(conn: Connection, positions: Sequence[int]) -> list[Stored]:
    """The checkpoints at these positions that still exist, in the given order."""
    found = _assemble(conn.execute(_READ_BY_POSITION, (json.dumps(positions),)).fetchall())
    return [found[position] for position in positions if position in found]


def _assemble(rows: Iterable[tuple[Any, ...]]) -> dict[int, Stored]:
    found: dict[int, Stored] = {}
    for part, position, *row in sorted(rows, key=lambda row: row[0]):
        if part == 0:
            found[position] = _stored(row)
        elif part == 1:
            found[position].blobs[row[0]] = (row[6], row[7])
        else:
            task_id, task_path, checkpoint = row[:3]
            found[int(checkpoint)].calls.append((position, task_id, task_path, row[7]))
    return found


def _stored(row: Sequence[Any]) -> Stored:
    thread_id, checkpoint_ns, checkpoint_id, parent, metadata, refs, type, checkpoint, small = row
    return Stored(
        thread_id=thread_id,
        checkpoint_ns=checkpoint_ns,
        checkpoint_id=checkpoint_id,
        parent_checkpoint_id=parent,
        metadata=metadata,
        checkpoint=(type, checkpoint),
        small=_small_decoder.decode(small),
        refs=orjson.loads(refs) if refs else {},
        blobs={},
        calls=[],
    )


def load_metadata(text: str) -> dict[str, Any]:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # written by the json module in dump_metadata
        return json.loads(text)


def merge_writes(calls: Iterable[tuple[int, str, str, bytes]]) -> list[tuple[str, Write]]:
    """The effective writes among ``(position, task_id, task_path, packed writes)``, in writes_sort_key order."""
    kept: dict[tuple[str, int], tuple[str, Write]] = {}
    for _, task_id, task_path, packed in sorted(calls, key=lambda call: call[0]):
        taken = set(kept)
        for write in _writes_decoder.decode(packed):
            key = (task_id, write[0])
            if write[0] < 0 or key not in taken:
                kept[key] = (task_path, write)
    order = sorted(kept, key=lambda key: writes_sort_key(kept[key][0], *key))
    return [(key[0], kept[key][1]) for key in order]


def positions(
    conn: Connection,
    *,
    thread_id: str | None,
    checkpoint_ns: str | None,
    checkpoint_id: str | None,
    before: str | None,
    limit: int | None,
) -> list[int]:
    """The positions of the matching checkpoints, newest id first."""
    conditions = {
        "thread_id = ?": thread_id,
        "checkpoint_ns = ?": checkpoint_ns,
        "checkpoint_id = ?": checkpoint_id,
        "checkpoint_id < ?": before,
    }
    given = {condition: value for condition, value in conditions.items() if value is not None}
    where = f"WHERE {' AND '.join(given)}" if given else ""
    sql = f"SELECT position FROM checkpoints {where} ORDER BY checkpoint_id DESC, position DESC LIMIT ?"
    most = _NO_LIMIT if limit is None else max(limit, 0)
    return [position for (position,) in conn.execute(sql, (*given.values(), most))]


# The checkpoint, then its parents, nearest first.
_CHAIN = """
WITH RECURSIVE chain (position, checkpoint_id, refs, small, parent) AS (
    SELECT position, checkpoint_id, refs, small, parent_checkpoint_id FROM checkpoints
    WHERE thread_id = ?1 AND checkpoint_ns = ?2 AND checkpoint_id = ?3
    UNION ALL
    SELECT c.position, c.checkpoint_id, c.refs, c.small, c.parent_checkpoint_id FROM chain CROSS JOIN checkpoints c
    ON c.thread_id = ?1 AND c.checkpoint_ns = ?2 AND c.checkpoint_id = chain.parent
)
SELECT position, checkpoint_id, refs, small FROM chain LIMIT 64
"""
_WRITES_OF = """
SELECT checkpoint_id, position, task_id, task_path, writes FROM checkpoint_writes
WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id IN ({ids})
"""
_BLOB = """
SELECT type, value FROM checkpoint_blobs WHERE thread_id = ? AND checkpoint_ns = ? AND channel = ? AND version = ?
"""


class _Ancestor(Struct):
    position: int
    checkpoint_id: str
    refs: dict[str, Any]
    small: dict[str, Typed]


class Ancestry(Struct):
    """The values of some channels in a checkpoint's ancestors: the nearest stored value, if any, and the writes since
    then, oldest first."""

    writes: dict[str, list[tuple[str, Write]]]
    seeds: dict[str, Typed]


def ancestry(
    conn: Connection, thread_id: str, checkpoint_ns: str, checkpoint_id: str | None, channels: Sequence[str]
) -> Ancestry:
    """Follow the parents of the checkpoint (None: the latest) until each channel has a value. Requires a snapshot."""
    key = (thread_id, checkpoint_ns)
    if checkpoint_id is None:
        checkpoint_id = _latest_id(conn, *key)
    remaining, seeds = set(channels), dict[str, Typed]()
    line: list[tuple[str, frozenset[str]]] = []  # (checkpoint, the channels that are still missing)
    for ancestor in _ancestors(conn, *key, checkpoint_id):
        line.append((ancestor.checkpoint_id, frozenset(remaining)))
        for channel in remaining & ancestor.small.keys():
            seeds[channel] = ancestor.small[channel]
        for channel in remaining & ancestor.refs.keys():
            seeds[channel] = conn.execute(_BLOB, (*key, channel, ancestor.refs[channel])).fetchone()
        remaining -= seeds.keys()
        if not remaining:
            break
    writes: dict[str, list[tuple[str, Write]]] = {channel: [] for channel in channels}
    calls = _calls(conn, *key, [ancestor_id for ancestor_id, _ in line])
    for ancestor_id, wanted in reversed(line):
        for task_id, write in merge_writes(calls.get(ancestor_id, ())):
            if write[1] in wanted:
                writes[write[1]].append((task_id, write))
    return Ancestry(writes, seeds)


def _latest_id(conn: Connection, thread_id: str, checkpoint_ns: str) -> str | None:
    sql = "SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ?"
    return conn.execute(sql, (thread_id, checkpoint_ns)).fetchone()[0]


def _ancestors(
    conn: Connection, thread_id: str, checkpoint_ns: str, checkpoint_id: str | None
) -> Generator[_Ancestor, None, None]:
    """The parent, its parent, and so on. A cyclic chain ends at the repetition."""
    seen: set[int] = set()
    while True:
        # Each page starts where the previous one ended.
        page = conn.execute(_CHAIN, (thread_id, checkpoint_ns, checkpoint_id)).fetchall()
        for position, ancestor, refs, small in page[1:]:
            if position in seen:
                return
            seen.add(position)
            yield _Ancestor(position, ancestor, orjson.loads(refs) if refs else {}, _small_decoder.decode(small))
            checkpoint_id = ancestor
        if len(page) < 2:
            return


def _calls(
    conn: Connection, thread_id: str, checkpoint_ns: str, checkpoint_ids: Sequence[str]
) -> dict[str, list[tuple[int, str, str, bytes]]]:
    calls: defaultdict[str, list[tuple[int, str, str, bytes]]] = defaultdict(list)
    for ids in batched(checkpoint_ids, _PAGE):
        sql = _WRITES_OF.format(ids=", ".join("?" * len(ids)))
        for checkpoint_id, *call in conn.execute(sql, (thread_id, checkpoint_ns, *ids)):
            calls[checkpoint_id].append((call[0], call[1], call[2], call[3]))
    return calls


# A unary plus keeps SQLite from scanning the whole thread instead of using the index of the run.
_FIRST_OF_RUN = "SELECT min(position) FROM checkpoints WHERE run_id = ? AND +thread_id = ?"
_DELETE_WRITES_ON_RUN = """
DELETE FROM checkpoint_writes WHERE position IN (
    SELECT w.position FROM checkpoints c CROSS JOIN checkpoint_writes w
    ON w.thread_id = c.thread_id AND w.checkpoint_ns = c.checkpoint_ns AND w.checkpoint_id = c.checkpoint_id
    WHERE c.run_id = ? AND +c.thread_id = ?)
"""
_DELETE_WRITES_BY_RUN = "DELETE FROM checkpoint_writes WHERE run_id = ? AND +thread_id = ?"
_DELETE_RUN = "DELETE FROM checkpoints WHERE run_id = ? AND +thread_id = ?"
# Only checkpoints after the first of a run can refer to its values.
_DELETE_BLOBS_OF_RUN = """
DELETE FROM checkpoint_blobs WHERE thread_id = :thread AND run_id = :run
AND (checkpoint_ns, channel, version) NOT IN (
    SELECT c.checkpoint_ns, ref.key, ref.value FROM checkpoints c CROSS JOIN json_each(c.refs) ref
    WHERE c.thread_id = :thread AND c.position >= :first)
"""
_DELETE_LOOSE_BLOBS = """
DELETE FROM checkpoint_blobs WHERE thread_id = :thread
AND (checkpoint_ns, channel, version) NOT IN (
    SELECT c.checkpoint_ns, ref.key, ref.value FROM checkpoints c CROSS JOIN json_each(c.refs) ref
    WHERE c.thread_id = :thread)
"""
_THREADS_OF_RUN = """
SELECT thread_id FROM checkpoints WHERE run_id = :run UNION SELECT thread_id FROM checkpoint_writes WHERE run_id = :run
"""


def delete_runs_checkpoints(conn: Connection, thread_id: str, run_id: str) -> None:
    """Remove everything that the run added to the thread, in every namespace: its checkpoints with all their writes,
    its writes on checkpoints of other runs, and the values that no remaining checkpoint uses."""
    (first,) = conn.execute(_FIRST_OF_RUN, (run_id, thread_id)).fetchone()
    for sql in (_DELETE_WRITES_ON_RUN, _DELETE_WRITES_BY_RUN, _DELETE_RUN):
        conn.execute(sql, (run_id, thread_id))
    conn.execute(_DELETE_BLOBS_OF_RUN, {"thread": thread_id, "run": run_id, "first": first or 0})


def delete_runs(conn: Connection, run_ids: Iterable[str]) -> None:
    """``delete_runs_checkpoints`` for every thread that the runs wrote to."""
    for run_id in run_ids:
        for (thread_id,) in conn.execute(_THREADS_OF_RUN, {"run": run_id}).fetchall():
            delete_runs_checkpoints(conn, thread_id, run_id)


def delete_loose_writes(conn: Connection, thread_id: str, run_id: str) -> None:
    """Remove the run's writes, and nothing else."""
    conn.execute(_DELETE_WRITES_BY_RUN, (run_id, thread_id))


def delete_thread_checkpoints(conn: Connection, thread_id: str) -> None:
    for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes"):
        conn.execute(f"DELETE FROM {table} WHERE thread_id = ?", (thread_id,))


def has_checkpoints(conn: Connection, thread_id: str, run_id: str) -> bool:
    """Whether the run has written a checkpoint on the thread. Updates made on its behalf do not count."""
    sql = (
        "SELECT 1 FROM checkpoints WHERE run_id = ? AND +thread_id = ?"
        " AND coalesce(json_extract(metadata, '$.source'), '') <> 'update' LIMIT 1"
    )
    return conn.execute(sql, (run_id, thread_id)).fetchone() is not None


_COPY_WRITES = """
INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, run_id, task_id, task_path, writes)
SELECT :target, checkpoint_ns, checkpoint_id, '', task_id, task_path, writes FROM checkpoint_writes w
WHERE thread_id = :source AND NOT EXISTS (
    SELECT 1 FROM checkpoints c
    WHERE c.thread_id = :target AND c.checkpoint_ns = w.checkpoint_ns AND c.checkpoint_id = w.checkpoint_id)
ORDER BY position
"""
_COPY_BLOBS = """
INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, run_id, type, value)
SELECT :target, checkpoint_ns, channel, version, '', type, value FROM checkpoint_blobs
WHERE thread_id = :source ORDER BY position
ON CONFLICT DO NOTHING
"""
_COPY_CHECKPOINTS = """
INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, run_id,
    metadata, refs, type, checkpoint, small)
SELECT :target, checkpoint_ns, checkpoint_id, parent_checkpoint_id, '',
    CASE WHEN json_valid(metadata) AND json_extract(metadata, '$.thread_id') = :source
    THEN json_set(metadata, '$.thread_id', :target) ELSE metadata END,
    refs, type, checkpoint, small
FROM checkpoints WHERE thread_id = :source ORDER BY position
ON CONFLICT DO NOTHING
"""


def copy_thread_checkpoints(conn: Connection, source: str, target: str) -> None:
    """Copy the whole history of ``source`` to ``target``, except checkpoints that already exist there.

    The copies belong to no run, so removing a run of the source does not affect them.
    """
    if source == target:
        return
    for sql in (_COPY_WRITES, _COPY_BLOBS, _COPY_CHECKPOINTS):
        conn.execute(sql, {"source": source, "target": target})


_HEADS = """
SELECT checkpoint_ns, checkpoint_id, position, metadata, refs, small FROM checkpoints
WHERE thread_id = ?1 AND (checkpoint_ns, checkpoint_id) IN (
    SELECT checkpoint_ns, max(checkpoint_id) FROM checkpoints WHERE thread_id = ?1 GROUP BY checkpoint_ns)
"""
_DELETE_OTHERS = """
DELETE FROM checkpoints
WHERE thread_id = :thread AND position NOT IN (SELECT CAST(value AS BIGINT) FROM json_each(:kept))
"""
_DELETE_WRITES_OF_OTHERS = """
DELETE FROM checkpoint_writes WHERE thread_id = :thread AND (checkpoint_ns, checkpoint_id) NOT IN (
    SELECT checkpoint_ns, checkpoint_id FROM checkpoints WHERE thread_id = :thread)
"""


def keep_latest(conn: Connection, thread_id: str) -> None:
    """Keep the latest checkpoint of each namespace, and the ancestors from which its delta channels are rebuilt."""
    kept: list[int] = []
    for checkpoint_ns, checkpoint_id, position, metadata, refs, small in conn.execute(_HEADS, (thread_id,)).fetchall():
        # For each delta channel, LangGraph counts here the steps since its value was last stored.
        counted = set[str](load_metadata(metadata).get("counters_since_delta_snapshot") or ())
        wanted = counted - _stored_channels(refs, small)
        kept += [position, *_needed(conn, thread_id, checkpoint_ns, checkpoint_id, wanted)]
    parameters = {"thread": thread_id, "kept": json.dumps(kept)}
    for sql in (_DELETE_OTHERS, _DELETE_WRITES_OF_OTHERS, _DELETE_LOOSE_BLOBS):
        conn.execute(sql, parameters)


def _needed(
    conn: Connection, thread_id: str, checkpoint_ns: str, checkpoint_id: str, wanted: set[str]
) -> Iterator[int]:
    """The positions of the ancestors, down to the one at which each wanted channel has a stored value."""
    ancestors = _ancestors(conn, thread_id, checkpoint_ns, checkpoint_id)
    while wanted and (ancestor := next(ancestors, None)):
        yield ancestor.position
        wanted = wanted - ancestor.refs.keys() - ancestor.small.keys()
    ancestors.close()


def _stored_channels(refs: str | None, small: bytes) -> set[str]:
    return {*(orjson.loads(refs) if refs else ()), *_small_decoder.decode(small)}
