"""The table of threads: their records, state, holds, lifetimes and storage."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.msgpack import Decoder

from treadle.backends.checkpoints import rows as checkpoint_rows
from treadle.backends.checkpoints.rows import Typed
from treadle.backends.tables import rows, writes
from treadle.backends.tables.turns import wake_thread
from treadle.backends.tables.tx import Tx
from treadle.model import JSON, Event, Thread, ThreadStatus, ThreadTTL
from treadle.ports.statistics import ChannelsUsage, ChannelUsage, ThreadStorage, Usage

_SELECT = f"SELECT {rows.THREAD}, o.body FROM threads t LEFT JOIN outputs o USING (output_id)"
_SELECT_HEAD = f"SELECT {rows.THREAD}, NULL FROM threads t"
_HOLD = """
UPDATE threads SET held_until = ?1 WHERE thread_id = ?2 AND gone_at IS NULL
AND (held_until IS NULL OR held_until <= ?3)
"""
_EXPIRED = """
SELECT thread_id, ttl_strategy FROM threads
WHERE expires_at <= ?1 AND status <> 'busy' AND gone_at IS NULL AND (held_until IS NULL OR held_until <= ?1)
ORDER BY expires_at LIMIT ?2 /*pg: FOR UPDATE SKIP LOCKED */
"""
_BLOBS = """
SELECT channel, count(*), sum(length(value)) FROM checkpoint_blobs WHERE thread_id = ? GROUP BY channel
"""
_CHECKPOINTS = """
SELECT count(*), coalesce(sum(length(checkpoint) + length(metadata) + coalesce(length(refs), 0)), 0)
FROM checkpoints WHERE thread_id = ?
"""
_WRITES = "SELECT count(*), coalesce(sum(length(writes)), 0) FROM checkpoint_writes WHERE thread_id = ?"

_small_decoder = Decoder(dict[str, Typed])


class ThreadVerbs(Tx):
    def thread(self, thread_id: str, *, values: bool = True) -> Thread | None:
        self.conn.lock_thread(thread_id)
        select = _SELECT if values else _SELECT_HEAD
        row = self.one(f"{select} WHERE t.thread_id = ? AND coalesce(t.gone_at, 0) = 0", thread_id)
        return rows.thread(row) if row else None

    def thread_metadata(self, thread_id: str) -> JSON | None:
        row = self.one("SELECT metadata FROM threads WHERE thread_id = ?", thread_id)
        return rows.load(row[0]) if row else None

    def insert_thread(self, thread_id: str, *, metadata: JSON, ttl: ThreadTTL | None = None) -> None:
        lifetime = (ttl.ttl, ttl.strategy) if ttl else (None, None)
        self.execute(
            "INSERT INTO threads (thread_id, created_at, updated_at, state_updated_at, metadata, ttl_minutes,"
            " ttl_strategy) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (thread_id, self.now, self.now, self.now, rows.dump(metadata), *lifetime),
        )

    def merge_thread(self, thread_id: str, *, metadata: JSON) -> None:
        existing = self.thread_metadata(thread_id)
        if existing is not None:
            self.execute(
                "UPDATE threads SET metadata = ?, updated_at = ? WHERE thread_id = ?",
                (rows.dump(existing | metadata), self.now, thread_id),
            )

    def record_thread_state(
        self, thread_id: str, *, status: ThreadStatus, output: bytes | None, interrupts: JSON, error: JSON | None
    ) -> None:
        row = self.one("SELECT output_id FROM threads WHERE thread_id = ?", thread_id)
        writes.settle_thread(
            self,
            thread_id,
            status=status,
            output_id=None if output is None else writes.insert_output(self, output),
            interrupts=interrupts,
            error=error,
            old_output=row[0] if row else None,
        )
        wake_thread(self, thread_id)
        self.execute("UPDATE threads SET held_until = NULL WHERE thread_id = ?", (thread_id,))
        self.after_commit(self.hub.queue_changed)

    def hold_thread(self, thread_id: str, seconds: float) -> int | None:
        until = self.now + int(seconds * 1e6)
        return until if self.execute(_HOLD, (until, thread_id, self.now)).rowcount > 0 else None

    def release_thread(self, thread_id: str, held_until: int) -> None:
        sql = "UPDATE threads SET held_until = NULL WHERE thread_id = ? AND held_until = ?"
        if self.execute(sql, (thread_id, held_until)).rowcount > 0:
            wake_thread(self, thread_id)
            self.after_commit(self.hub.queue_changed)

    def set_thread_ttl(self, thread_id: str, ttl: ThreadTTL) -> None:
        self.execute(
            "UPDATE threads SET ttl_minutes = ?, ttl_strategy = ?, pruned_at = NULL, updated_at = ?"
            " WHERE thread_id = ?",
            (ttl.ttl, ttl.strategy, self.now, thread_id),
        )

    def prune_thread(self, thread_id: str) -> None:
        prune(self, thread_id)

    def append_thread_event(self, thread_id: str, event: Event) -> None:
        writes.append_thread_event(self, thread_id, event)

    def delete_thread(self, thread_id: str) -> bool:
        if self.one("SELECT 1 FROM threads WHERE thread_id = ?", thread_id) is None:
            return False
        writes.delete_thread(self, thread_id)
        return True

    def copy_thread(self, source: str, target: str) -> None:
        self.execute(
            "INSERT INTO threads (thread_id, created_at, updated_at, state_updated_at, status, resting, settled,"
            " output_id, metadata, config, error, interrupts, ttl_minutes, ttl_strategy) SELECT ?, ?, ?,"
            " state_updated_at, resting, resting, settled, output_id, metadata, config, error, interrupts,"
            " ttl_minutes, ttl_strategy FROM threads WHERE thread_id = ?",
            (target, self.now, self.now, source),
        )
        checkpoint_rows.copy_thread_checkpoints(self.conn, source, target)

    def thread_storage(self, thread_id: str) -> ThreadStorage:
        channels = self._channels(thread_id)
        checkpoints = Usage(*self.one(_CHECKPOINTS, thread_id))
        pending = Usage(*self.one(_WRITES, thread_id))
        values = ChannelsUsage(
            count=sum(usage.versions for usage in channels.values()),
            bytes=sum(usage.bytes for usage in channels.values()),
            by_channel=dict(sorted(channels.items())),
        )
        return ThreadStorage(
            thread_id=thread_id,
            total_bytes=checkpoints.bytes + values.bytes + pending.bytes,
            checkpoints=checkpoints,
            channel_values=values,
            pending_writes=pending,
        )

    def _channels(self, thread_id: str) -> dict[str, ChannelUsage]:
        """The values of each channel. One that several checkpoints share counts once."""
        channels: dict[str, ChannelUsage] = {}
        for channel, versions, size in self.execute(_BLOBS, (thread_id,)):
            channels[channel] = ChannelUsage(versions=versions, bytes=size)
        small = self.execute("SELECT small FROM checkpoints WHERE thread_id = ?", (thread_id,))
        for channel, (_, value) in _distinct(blob for (blob,) in small):
            usage = channels.setdefault(channel, ChannelUsage(versions=0, bytes=0))
            usage.versions += 1
            usage.bytes += len(value)
        return channels


def _distinct(blobs: Iterable[bytes]) -> Iterable[tuple[str, Typed]]:
    return dict.fromkeys(item for blob in blobs for item in _small_decoder.decode(blob).items())


def prune(tx: Tx, thread_id: str) -> None:
    """Remove all but the latest checkpoints; the thread can expire again once it has changed."""
    checkpoint_rows.keep_latest(tx.conn, thread_id)
    tx.execute("UPDATE threads SET pruned_at = ? WHERE thread_id = ?", (tx.now, thread_id))


def expire(tx: Tx, limit: int) -> int:
    """Delete or prune idle threads that have not changed for as long as their ttl; return their number."""
    expired = tx.all(_EXPIRED, tx.now, limit)
    for thread_id, strategy in expired:
        if strategy == "delete":
            writes.delete_thread(tx, thread_id)
        else:
            prune(tx, thread_id)
    return len(expired)


def release_all_holds(tx: Tx) -> None:
    """End every hold: for the start of an embedded server, when no holder can be alive."""
    for (thread_id,) in tx.all("UPDATE threads SET held_until = NULL WHERE held_until IS NOT NULL RETURNING thread_id"):
        wake_thread(tx, thread_id)
