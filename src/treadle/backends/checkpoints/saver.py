"""LangGraph's checkpointer on treadle's engine: group commit, writes fenced by a lease, each value stored once."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    PendingWrite,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from treadle.backends.checkpoints import rows
from treadle.backends.checkpoints.messages import MessageSerializer
from treadle.backends.checkpoints.rows import (
    Typed,
    copy_thread_checkpoints,
    delete_loose_writes,
    delete_runs_checkpoints,
    delete_thread_checkpoints,
    has_checkpoints,
)
from treadle.backends.checkpoints.write_buffer import WriteBuffer
from treadle.backends.engine.connection import Connection
from treadle.backends.engine.jobs import Engine
from treadle.ports.backend import RunSaver
from treadle.ports.queue import Lease

__all__ = [
    "SqlCheckpointer",
    "copy_thread_checkpoints",
    "delete_loose_writes",
    "delete_runs_checkpoints",
    "delete_thread_checkpoints",
    "has_checkpoints",
]

T = TypeVar("T")

_SMALL = 512  # bytes up to which a value is stored in the checkpoint's own row
_LARGEST = 1_000_000_000  # SQLite's limit of bytes per value
_PAGE = 32
_NAMESPACES_KNOWN = 256


class _Address(NamedTuple):
    """The checkpoint that a config names. ``checkpoint_id`` None means the latest."""

    thread_id: str
    checkpoint_ns: str
    checkpoint_id: str | None

    @property
    def namespace(self) -> tuple[str, str]:
        return self.thread_id, self.checkpoint_ns


class _Known(NamedTuple):
    """The storage of one version of a channel; ``small`` is None if it is in checkpoint_blobs."""

    version: Any
    small: Typed | None


class SqlCheckpointer(RunSaver):
    """Checkpoints in the engine's database.

    With a ``lease``, every write raises LeaseLost unless the attempt still owns its run, and is marked with the run.
    Without one, the run is the ``run_id`` of the config or metadata, if any.

    ``eager`` savers do not wait for the commit: puts are queued in order and return at once, reads include them, and
    ``settled`` (or the next call) raises their errors. Values are serialised before a put returns.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        lease: Lease | None = None,
        eager: bool = False,
        serde: SerializerProtocol | None = None,
    ) -> None:
        super().__init__(serde=serde)
        self._engine = engine
        self._lease = lease
        self._eager = eager
        # Shared by the shallow copies that LangGraph makes of a saver (with_allowlist).
        self._buffer = WriteBuffer(engine, lease)
        # The values of the last checkpoint of each namespace. Kept only under a lease, because otherwise others could
        # write to or delete from the thread in the meantime.
        self._known: dict[tuple[str, str], dict[str, _Known]] = {}
        self._messages = MessageSerializer(self.serde)

    async def settled(self) -> None:
        """Wait until all writes so far are durable. Raises the first error of those that were not awaited."""
        await self._buffer.settled()

    def get_next_version(self, current: str | None, channel: None) -> str:
        """An increasing number, and a random part that distinguishes the versions of forks. Ordered as text."""
        number, _, _ = str(current or "0").partition(".")
        return f"{int(number) + 1:0{max(len(number), 10)}d}.{random.getrandbits(48):012x}"

    # writing

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        row = self._pack(config, checkpoint, metadata, new_versions)
        self._save((row.thread_id, row.checkpoint_ns), lambda conn: rows.put(conn, row))
        return _config(row.thread_id, row.checkpoint_ns, row.checkpoint_id)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        row = self._pack(config, checkpoint, metadata, new_versions)
        await self._asave((row.thread_id, row.checkpoint_ns), lambda conn: rows.put(conn, row))
        return _config(row.thread_id, row.checkpoint_ns, row.checkpoint_id)

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        if writes:
            row = self._pack_writes(config, writes, task_id, task_path)
            self._save((row.thread_id, row.checkpoint_ns), lambda conn: rows.put_writes(conn, row))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        if writes:
            row = self._pack_writes(config, writes, task_id, task_path)
            await self._asave((row.thread_id, row.checkpoint_ns), lambda conn: rows.put_writes(conn, row))

    # reading

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        address = _address(config)
        self._buffer.settle(address.namespace)
        return self._engine.snapshot(lambda conn: self._point(conn, address))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        address = _address(config)
        await self._buffer.settled(address.namespace)
        return await self._engine.lookup(lambda conn: self._point(conn, address))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Newest first. ``filter`` matches metadata by equality of each key; ``before`` is exclusive."""
        self._buffer.settle()
        remaining = limit
        found = self._engine.snapshot(lambda conn: _find(conn, config, before, None if filter else limit))
        for positions in rows.batched(found, _page_size(filter, limit)):
            page = self._engine.snapshot(partial(self._page, positions=positions, filter=filter, limit=remaining))
            yield from page
            remaining = None if remaining is None else remaining - len(page)
            if remaining is not None and remaining <= 0:
                return

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """``list``, with reads off the loop."""
        await self._buffer.settled()
        remaining = limit
        found = await self._engine.read(lambda conn: _find(conn, config, before, None if filter else limit))
        for positions in rows.batched(found, _page_size(filter, limit)):
            page = await self._engine.read(partial(self._page, positions=positions, filter=filter, limit=remaining))
            for item in page:
                yield item
            remaining = None if remaining is None else remaining - len(page)
            if remaining is not None and remaining <= 0:
                return

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        if not channels:
            return {}
        address = _address(config)
        self._buffer.settle(address.namespace)
        return self._engine.snapshot(lambda conn: self._history(conn, address, channels))

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        if not channels:
            return {}
        address = _address(config)
        await self._buffer.settled(address.namespace)
        return await self._engine.read(lambda conn: self._history(conn, address, channels))

    # removing and copying

    def delete_thread(self, thread_id: str) -> None:
        self._remove(lambda conn: delete_thread_checkpoints(conn, str(thread_id)))

    async def adelete_thread(self, thread_id: str) -> None:
        await self._aremove(lambda conn: delete_thread_checkpoints(conn, str(thread_id)))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        self._remove(lambda conn: rows.delete_runs(conn, [str(run_id) for run_id in run_ids]))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        await self._aremove(lambda conn: rows.delete_runs(conn, [str(run_id) for run_id in run_ids]))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        self._remove(lambda conn: copy_thread_checkpoints(conn, str(source_thread_id), str(target_thread_id)))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        await self._aremove(lambda conn: copy_thread_checkpoints(conn, str(source_thread_id), str(target_thread_id)))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        self._remove(_pruning(thread_ids, strategy))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        await self._aremove(_pruning(thread_ids, strategy))

    # inside: queued writes

    def _save(self, key: tuple[str, str], work: Callable[[Connection], None]) -> None:
        if self._eager:
            self._buffer.post(key, work)
        else:
            self._commit(work)

    async def _asave(self, key: tuple[str, str], work: Callable[[Connection], None]) -> None:
        if self._eager:
            self._buffer.post(key, work)
        else:
            await self._acommit(work)

    @property
    def _key(self) -> str | None:
        """Writes of a run wait for a database that is unavailable; others fail."""
        return self._lease and self._lease.thread_id

    def _commit(self, work: Callable[[Connection], None]) -> None:
        self._engine.submit(self._buffer.fenced(work), key=self._key).result()

    async def _acommit(self, work: Callable[[Connection], None]) -> None:
        await self._engine.write(self._buffer.fenced(work), key=self._key)

    def _remove(self, work: Callable[[Connection], None]) -> None:
        self._known.clear()
        self._commit(work)

    async def _aremove(self, work: Callable[[Connection], None]) -> None:
        self._known.clear()
        await self._acommit(work)

    # inside: packing

    def _pack(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> rows.PutRow:
        address = _address(config)
        bare = cast("dict[str, Any]", {**checkpoint})
        values = bare.pop("channel_values")
        merged = get_serializable_checkpoint_metadata(config, metadata)
        stored, fresh, late = self._pack_values(address, checkpoint, values, new_versions)
        return rows.PutRow(
            thread_id=address.thread_id,
            checkpoint_ns=address.checkpoint_ns,
            checkpoint_id=checkpoint["id"],
            parent_checkpoint_id=address.checkpoint_id,
            run_id=self._run_id(merged),
            metadata=rows.dump_metadata(merged),
            checkpoint=self.serde.dumps_typed(bare),
            small={channel: one.small for channel, one in stored.items() if one.small is not None},
            refs={channel: str(one.version) for channel, one in stored.items() if one.small is None},
            fresh=fresh,
            known=late,
        )

    def _pack_values(
        self, address: _Address, checkpoint: Checkpoint, values: Mapping[str, Any], new: ChannelVersions
    ) -> tuple[dict[str, _Known], dict[str, Typed], dict[str, Typed]]:
        """The storage of each value, the large values that ``put`` declares new, and the large values of unknown
        storage."""
        known, stored = self._known.get(address.namespace, {}), dict[str, _Known]()
        fresh, late = dict[str, Typed](), dict[str, Typed]()
        for channel, version in checkpoint["channel_versions"].items():
            if channel not in new and (before := known.get(channel)) and before.version == version:
                stored[channel] = before
            elif channel in values:
                typed = _fitting(channel, self._typed(values[channel]))
                small = len(typed[1]) <= _SMALL or "\0" in channel  # SQLite's JSON functions end a string at NUL
                stored[channel] = _Known(version, typed if small else None)
                if not small:
                    (fresh if channel in new else late)[channel] = typed
        if self._lease is not None:
            self._remember(address, stored)
        return stored, fresh, late

    def _typed(self, value: Any) -> Typed:
        return self._messages.dumps(value) or self.serde.dumps_typed(value)

    def _pack_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> rows.WritesRow:
        address = _address(config)
        if address.checkpoint_id is None:
            raise ValueError("config.configurable.checkpoint_id is missing: writes belong to one checkpoint")
        return rows.WritesRow(
            thread_id=address.thread_id,
            checkpoint_ns=address.checkpoint_ns,
            checkpoint_id=address.checkpoint_id,
            run_id=self._run_id(config.get("metadata"), config.get("configurable")),
            task_id=task_id,
            task_path=task_path,
            writes=[
                (WRITES_IDX_MAP.get(channel, index), channel, *_fitting(channel, self.serde.dumps_typed(value)))
                for index, (channel, value) in enumerate(writes)
            ],
        )

    def _run_id(self, *sources: Mapping[str, Any] | None) -> str:
        if self._lease is not None:
            return self._lease.run_id
        return next((str(source["run_id"]) for source in sources if source and source.get("run_id")), "")

    def _remember(self, address: _Address, stored: dict[str, _Known]) -> None:
        if len(self._known) >= _NAMESPACES_KNOWN:
            self._known.clear()
        self._known[address.namespace] = stored

    # inside: unpacking

    def _point(self, conn: Connection, address: _Address) -> CheckpointTuple | None:
        stored = rows.read(conn, *address)
        if stored is None:
            return None
        found = self._tuple(stored, rows.load_metadata(stored.metadata))
        if self._lease is not None:
            self._remember_stored(address, stored, found)
        return found

    def _remember_stored(self, address: _Address, stored: rows.Stored, found: CheckpointTuple) -> None:
        versions = found.checkpoint["channel_versions"]
        small = {channel: _Known(versions[channel], typed) for channel, typed in stored.small.items()}
        large = {channel: _Known(versions[channel], None) for channel in stored.refs}
        self._remember(address, small | large)

    def _tuple(self, stored: rows.Stored, metadata: dict[str, Any]) -> CheckpointTuple:
        key, parent = (stored.thread_id, stored.checkpoint_ns), stored.parent_checkpoint_id
        values = stored.small | stored.blobs
        bare: dict[str, Any] = self.serde.loads_typed(stored.checkpoint)
        loaded = {channel: self.serde.loads_typed(typed) for channel, typed in values.items()}
        return CheckpointTuple(
            config=_config(*key, stored.checkpoint_id),
            checkpoint=cast("Checkpoint", bare | {"channel_values": loaded}),
            metadata=cast("CheckpointMetadata", metadata),
            parent_config=_config(*key, parent) if parent else None,
            pending_writes=[self._pending(*write) for write in stored.writes()],
        )

    def _pending(self, task_id: str, write: rows.Write) -> PendingWrite:
        _, channel, type, value = write
        return task_id, channel, self.serde.loads_typed((type, value))

    def _page(
        self, conn: Connection, positions: Sequence[int], filter: dict[str, Any] | None, limit: int | None
    ) -> Sequence[CheckpointTuple]:
        """The checkpoints that match ``filter``, at most ``limit``."""
        found: list[CheckpointTuple] = []
        for stored in rows.read_page(conn, positions):
            if limit is not None and len(found) >= limit:
                break
            metadata = rows.load_metadata(stored.metadata)
            if all(metadata.get(key) == value for key, value in (filter or {}).items()):
                found.append(self._tuple(stored, metadata))
        return found

    def _history(self, conn: Connection, address: _Address, channels: Sequence[str]) -> dict[str, DeltaChannelHistory]:
        found = rows.ancestry(conn, *address, channels)
        history: dict[str, DeltaChannelHistory] = {}
        for channel in channels:
            history[channel] = {"writes": [self._pending(*write) for write in found.writes[channel]]}
            if channel in found.seeds:
                history[channel]["seed"] = self.serde.loads_typed(found.seeds[channel])
        return history


def _find(
    conn: Connection, config: RunnableConfig | None, before: RunnableConfig | None, limit: int | None
) -> Sequence[int]:
    place = (config or {}).get("configurable", {})
    return rows.positions(
        conn,
        thread_id=_text(place.get("thread_id")),
        checkpoint_ns=place.get("checkpoint_ns"),
        checkpoint_id=_text(place.get("checkpoint_id")),
        before=_text((before or {}).get("configurable", {}).get("checkpoint_id")),
        limit=limit,
    )


def _page_size(filter: dict[str, Any] | None, limit: int | None) -> int:
    return _PAGE if filter or limit is None else max(1, min(limit, _PAGE))


def _pruning(thread_ids: Sequence[str], strategy: str) -> Callable[[Connection], None]:
    ways = {"keep_latest": rows.keep_latest, "delete": delete_thread_checkpoints}
    if strategy not in ways:
        raise ValueError(f"strategy is {strategy!r}; allowed: {', '.join(ways)}")

    def prune(conn: Connection) -> None:
        for thread_id in thread_ids:
            ways[strategy](conn, str(thread_id))

    return prune


def _address(config: RunnableConfig) -> _Address:
    place = config.get("configurable", {})
    if place.get("thread_id") is None:
        raise ValueError("config.configurable.thread_id is missing: a checkpoint belongs to a thread")
    checkpoint_id = place.get("checkpoint_id")
    return _Address(
        str(place["thread_id"]), place.get("checkpoint_ns") or "", str(checkpoint_id) if checkpoint_id else None
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _config(thread_id: str, checkpoint_ns: str, checkpoint_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": checkpoint_ns, "checkpoint_id": checkpoint_id}}


def _fitting(channel: str, typed: Typed) -> Typed:
    if len(typed[1]) > _LARGEST:
        raise ValueError(
            f"the value of channel {channel!r} takes {len(typed[1])} bytes; at most {_LARGEST} can be stored"
        )
    return typed
