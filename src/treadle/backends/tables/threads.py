"""Threads beyond their records: holds, expiry, their order of events, and storage. Plain functions over a connection.

Times are in unix microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec.msgpack import Decoder

from treadle.backends import chunks
from treadle.backends.checkpoints import rows as checkpoint_rows
from treadle.backends.engine.connection import Connection
from treadle.backends.live.hub import Hub
from treadle.backends.tables.turns import wake_thread
from treadle.model import Event, ThreadTTL
from treadle.ports.log import Chunk
from treadle.ports.statistics import ChannelsUsage, ChannelUsage, ThreadStorage, Usage

Typed = tuple[str, bytes]
Tell = Callable[[Callable[[], None]], None]

_small_decoder = Decoder(dict[str, Typed])


class ThreadVerbs:
    """Mixed into the transaction."""

    now: int
    _conn: Connection
    _hub: Hub
    _tell: Tell

    def hold_thread(self, thread_id: str, seconds: float) -> int | None:
        until = self.now + int(seconds * 1e6)
        return until if hold(self._conn, thread_id, self.now, until) else None

    def release_thread(self, thread_id: str, held_until: int) -> None:
        if release(self._conn, thread_id, held_until):
            wake_thread(self._conn, thread_id)
            self._tell(self._hub.queue_changed)

    def set_thread_ttl(self, thread_id: str, ttl: ThreadTTL) -> None:
        self._conn.execute(
            "UPDATE threads SET ttl_minutes = ?, ttl_strategy = ?, pruned_at = NULL, updated_at = ?"
            " WHERE thread_id = ?",
            (ttl.ttl, ttl.strategy, self.now, thread_id),
        )

    def prune_thread(self, thread_id: str) -> None:
        prune(self._conn, thread_id, self.now)

    def thread_storage(self, thread_id: str) -> ThreadStorage:
        return storage(self._conn, thread_id)

    def append_thread_event(self, thread_id: str, event: Event) -> None:
        append(self._conn, thread_id, event, self._hub, self._tell)


_HOLD = """
UPDATE threads SET held_until = :until WHERE thread_id = :thread AND gone_at IS NULL
AND (held_until IS NULL OR held_until <= :now)
"""


def hold(conn: Connection, thread_id: str, now: int, until: int) -> bool:
    """Prevent claims of the thread's runs. False if the thread is already held."""
    return conn.execute(_HOLD, {"until": until, "thread": thread_id, "now": now}).rowcount > 0


def release(conn: Connection, thread_id: str, held_until: int) -> bool:
    """End this hold, unless another has replaced it."""
    sql = "UPDATE threads SET held_until = NULL WHERE thread_id = ? AND held_until = ?"
    return conn.execute(sql, (thread_id, held_until)).rowcount > 0


def release_all(conn: Connection) -> None:
    """End all holds, when no process can be alive that owns one."""
    held = conn.execute("UPDATE threads SET held_until = NULL WHERE held_until IS NOT NULL RETURNING thread_id")
    for (thread_id,) in held.fetchall():
        wake_thread(conn, thread_id)


_EXPIRED = """
SELECT thread_id, ttl_strategy FROM threads
WHERE expires_at <= :now AND status <> 'busy' AND gone_at IS NULL AND (held_until IS NULL OR held_until <= :now)
ORDER BY expires_at LIMIT :limit /*pg: FOR UPDATE SKIP LOCKED */
"""


def expired(conn: Connection, now: int, limit: int) -> list[tuple[str, str]]:
    """``(thread_id, strategy)`` of the threads that have not changed for the duration of their ttl."""
    return conn.execute(_EXPIRED, {"now": now, "limit": limit}).fetchall()


def prune(conn: Connection, thread_id: str, now: int) -> None:
    """Remove all but the latest checkpoints. The thread expires again only after a change."""
    checkpoint_rows.keep_latest(conn, thread_id)
    conn.execute("UPDATE threads SET pruned_at = ? WHERE thread_id = ?", (now, thread_id))


# Events without a run are stored under an id that no run has.
_OWN = "thread:"
_NUMBER = "UPDATE threads SET event_seq = event_seq + 1 WHERE thread_id = ? RETURNING event_seq"
_APPEND = """
INSERT INTO event_chunks (run_id, first_seq, last_seq, thread_id, thread_seq, attempt, events)
VALUES (:owner, :seq, :seq, :thread, :seq, 0, :events)
"""
_READ = """
SELECT thread_seq - (last_seq - first_seq), events FROM event_chunks
WHERE thread_id = ? AND thread_seq > ? ORDER BY thread_seq LIMIT ?
"""
_READ_CHUNKS = 64
_READ_BYTES = 4 * 1024 * 1024
_WITH_RUN_SEQ = """
SELECT thread_seq - last_seq, first_seq, events FROM event_chunks
WHERE thread_id = :thread AND first_seq <= :seq AND last_seq >= :seq
"""


def append(conn: Connection, thread_id: str, event: Event, hub: Hub, tell: Tell) -> None:
    """Append an event without a run, and notify the thread's readers once it is durable."""
    row = conn.execute(_NUMBER, (thread_id,)).fetchone()
    if row is None:
        return
    parameters = {"owner": _OWN + thread_id, "seq": row[0], "thread": thread_id, "events": chunks.encode([event])}
    conn.execute(_APPEND, parameters)
    tell(lambda: hub.published_in_thread(thread_id, Chunk(row[0], (event,))))


def read(conn: Connection, thread_id: str, after: int, limit: int = _READ_CHUNKS) -> Sequence[Chunk]:
    """The chunks, numbered in the thread, with events after ``after``. Removed events leave a gap."""
    history: list[Chunk] = []
    size = 0
    for first, blob in conn.execute(_READ, (thread_id, after, limit)):
        history.append(chunks.decode(first, blob))
        size += len(blob)
        if size > _READ_BYTES:
            break
    return history


def last_seq(conn: Connection, thread_id: str) -> int:
    row = conn.execute("SELECT event_seq FROM threads WHERE thread_id = ?", (thread_id,)).fetchone()
    return row[0] if row else 0


def locate(conn: Connection, thread_id: str, ms: int, seq: int) -> int:
    """The thread's number of the event ``<ms>-<seq>``, where ``seq`` counts in the thread or in one of its runs.

    An event that does not exist is treated as one of the thread's own.
    """
    found = [at for at in read(conn, thread_id, seq - 1, limit=1) if at.first <= seq]
    if not found or found[0].events[seq - found[0].first].ms != ms:
        for before, first, blob in conn.execute(_WITH_RUN_SEQ, {"thread": thread_id, "seq": seq}):
            if chunks.decode(first, blob).events[seq - first].ms == ms:
                return before + seq
    return min(seq, last_seq(conn, thread_id))


_BLOBS = """
SELECT channel, count(*), sum(length(value)) FROM checkpoint_blobs WHERE thread_id = ? GROUP BY channel
"""
_CHECKPOINTS = """
SELECT count(*), coalesce(sum(length(checkpoint) + length(metadata) + coalesce(length(refs), 0)), 0)
FROM checkpoints WHERE thread_id = ?
"""
_WRITES = "SELECT count(*), coalesce(sum(length(writes)), 0) FROM checkpoint_writes WHERE thread_id = ?"


def storage(conn: Connection, thread_id: str) -> ThreadStorage:
    """The storage used by the thread's checkpoints. A value shared by several checkpoints counts once."""
    channels: dict[str, ChannelUsage] = {}
    for channel, versions, size in conn.execute(_BLOBS, (thread_id,)):
        channels[channel] = ChannelUsage(versions=versions, bytes=size)
    small = conn.execute("SELECT small FROM checkpoints WHERE thread_id = ?", (thread_id,))
    for channel, (_, value) in _distinct(blob for (blob,) in small):
        usage = channels.setdefault(channel, ChannelUsage(versions=0, bytes=0))
        usage.versions += 1
        usage.bytes += len(value)
    checkpoints = Usage(*conn.execute(_CHECKPOINTS, (thread_id,)).fetchone())
    writes = Usage(*conn.execute(_WRITES, (thread_id,)).fetchone())
    values = ChannelsUsage(
        count=sum(usage.versions for usage in channels.values()),
        bytes=sum(usage.bytes for usage in channels.values()),
        by_channel=dict(sorted(channels.items())),
    )
    return ThreadStorage(
        thread_id=thread_id,
        total_bytes=checkpoints.bytes + values.bytes + writes.bytes,
        checkpoints=checkpoints,
        channel_values=values,
        pending_writes=writes,
    )


def _distinct(blobs: Iterable[bytes]) -> Iterable[tuple[str, Typed]]:
    return dict.fromkeys(item for blob in blobs for item in _small_decoder.decode(blob).items())
