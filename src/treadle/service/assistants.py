"""The rules of assistants: a graph with a configuration, in versions."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec

from treadle.errors import BadRequestError, ConflictError, NotFoundError
from treadle.ids import system_id
from treadle.model import (
    JSON,
    Assistant,
    AssistantCreate,
    AssistantPatch,
    AssistantSearch,
    AssistantVersion,
    AssistantVersions,
    RunConfig,
)
from treadle.ports.clock import Clock
from treadle.ports.queries import AssistantQuery, ThreadQuery
from treadle.ports.records import Records, Transaction
from treadle.service.graphs import GraphCalls, invalid_assistant, require
from treadle.service.paging import limit_of, offset_of
from treadle.times import from_microseconds

UNTITLED = "Untitled"

_BOTH = (
    "Cannot specify both configurable and context: they mirror each other."
    " Give context alone, or config.configurable alone."
)


def mirrored(config: RunConfig | None, context: JSON | None) -> tuple[JSON, JSON]:
    """The ``(config, context)`` of one request, each containing the other's keys (docs/http.md).

    Raises BadRequestError if both are given.
    """
    plain = plain_config(config)
    configurable = plain.get("configurable") or {}
    if configurable and context:
        raise BadRequestError(_BOTH, field="context")
    shared: JSON = context or configurable
    return (plain | {"configurable": shared} if shared else plain), dict(shared)


def plain_config(config: RunConfig | None) -> JSON:
    """The keys that the client set."""
    return {} if config is None else {k: v for k, v in msgspec.structs.asdict(config).items() if v is not None}


class Assistants:
    """Assistants stored in ``records``; ``graphs`` lists and describes the graphs."""

    def __init__(self, records: Records, graphs: GraphCalls, clock: Clock) -> None:
        self._records = records
        self._graphs = graphs
        self._clock = clock

    async def ensure_system_assistants(self) -> None:
        """Create one assistant per graph, named like the graph, if missing. Later changes to it are kept."""
        await self._records.transact(self._ensure)

    def _ensure(self, tx: Transaction) -> None:
        for place, graph_id in enumerate(self._graphs.ids):
            if tx.assistant(system_id(graph_id)) is None:
                # One microsecond apart, so that listings keep the order of the configuration.
                tx.put_assistant(_system(graph_id, tx.now + place))

    # finding

    def identify(self, reference: str) -> str:
        """The id for a UUID or a graph's name. Raises UnprocessableError, which lists the graphs."""
        if reference in self._graphs.ids:
            return system_id(reference)
        try:
            return str(uuid.UUID(reference))
        except ValueError:
            raise invalid_assistant(self._graphs, reference) from None

    def known_id(self, reference: str) -> str:
        """The id for a graph's name; any other text unchanged."""
        return system_id(reference) if reference in self._graphs.ids else reference

    def is_own(self, assistant_id: str) -> bool:
        """Whether it is the default assistant of a graph of this server."""
        return any(system_id(graph_id) == assistant_id for graph_id in self._graphs.ids)

    def resolve(self, tx: Transaction, reference: str) -> Assistant:
        """The assistant of a run, by id or graph name. This server has its graph.

        Raises UnprocessableError for an unknown name, NotFoundError for an unknown id or a graph that no longer exists.
        """
        assistant = tx.assistant(self.identify(reference))
        if assistant is None:
            raise NotFoundError("Thread or assistant not found.")
        require(self._graphs, assistant.graph_id)
        return assistant

    async def get(self, reference: str) -> Assistant:
        assistant_id = self.identify(reference)
        return await self._records.read(lambda tx: _existing(tx, assistant_id))

    async def search(self, request: AssistantSearch) -> tuple[list[Assistant], int]:
        """The requested page, and the total number of matches."""
        query = self._query(request)
        return await self._records.read(lambda tx: (tx.search_assistants(query), tx.count_assistants(query)))

    async def count(self, request: AssistantSearch) -> int:
        query = self._query(request)
        return await self._records.read(lambda tx: tx.count_assistants(query))

    def _query(self, request: AssistantSearch) -> AssistantQuery:
        if request.graph_id is not None:
            require(self._graphs, request.graph_id)
        return AssistantQuery(
            graph_id=request.graph_id,
            name=request.name,
            metadata=request.metadata,
            sort_by=request.sort_by or "created_at",
            ascending=request.sort_order == "asc",
            limit=limit_of(request.limit, 10),
            offset=offset_of(request.offset),
        )

    # changing

    async def create(self, request: AssistantCreate, assistant_id: str | None = None) -> Assistant:
        """Create an assistant. For an existing id, raise ConflictError, or return it if ``if_exists`` is
        ``do_nothing``."""
        graph_id = require(self._graphs, request.graph_id)
        config, context = mirrored(request.config, request.context)
        new_id = assistant_id or str(uuid.uuid4())

        def work(tx: Transaction) -> Assistant:
            if old := tx.assistant(new_id):
                return _kept(old, request)
            created = from_microseconds(tx.now)
            new = Assistant(
                assistant_id=new_id,
                graph_id=graph_id,
                config=config,
                context=context,
                metadata=request.metadata or {},
                name=request.name or UNTITLED,
                created_at=created,
                updated_at=created,
                version=1,
                description=request.description,
            )
            tx.put_assistant(new)
            return new

        return await self._records.transact(work)

    async def patch(self, reference: str, request: AssistantPatch) -> Assistant:
        """Create a new version: metadata is merged, other given fields are replaced."""
        assistant_id = self.identify(reference)
        if request.graph_id is not None:
            require(self._graphs, request.graph_id)

        def work(tx: Transaction) -> Assistant:
            tx.lock_assistant(assistant_id)
            current = _existing(tx, assistant_id)
            version = max(v.version for v in [current, *tx.assistant_versions(assistant_id)]) + 1
            new = msgspec.structs.replace(
                _patched(current, request), version=version, updated_at=from_microseconds(tx.now)
            )
            tx.put_assistant(new)
            return new

        return await self._records.transact(work)

    async def delete(self, reference: str, *, delete_threads: bool = False) -> None:
        """Delete an assistant with its versions, and optionally the threads that ran it. A default assistant cannot be
        deleted."""
        assistant_id = self.identify(reference)

        def work(tx: Transaction) -> None:
            current = _existing(tx, assistant_id)
            if assistant_id == system_id(current.graph_id) and current.graph_id in self._graphs.ids:
                raise ConflictError(
                    f"Assistant {assistant_id} is the default assistant of graph {current.graph_id!r} and cannot be"
                    " deleted; remove the graph from the configuration instead"
                )
            tx.delete_assistant(assistant_id)
            if delete_threads:
                _delete_threads(tx, assistant_id)

        await self._records.transact(work)

    # versions

    async def versions(self, reference: str, request: AssistantVersions) -> list[AssistantVersion]:
        """Newest first."""
        assistant_id = self.identify(reference)
        limit, offset = limit_of(request.limit, 10), offset_of(request.offset)

        def work(tx: Transaction) -> list[Assistant]:
            _existing(tx, assistant_id)
            return tx.assistant_versions(assistant_id)

        found = [v for v in await self._records.read(work) if contains(v.metadata, request.metadata or {})]
        return [_version(assistant) for assistant in found[offset : offset + limit]]

    async def set_latest(self, reference: str, version: int) -> Assistant:
        """Restore a version, including its context."""
        assistant_id = self.identify(reference)

        def work(tx: Transaction) -> Assistant:
            tx.lock_assistant(assistant_id)
            current = _existing(tx, assistant_id)
            for old in tx.assistant_versions(assistant_id):
                if old.version == version:
                    new = msgspec.structs.replace(
                        old, created_at=current.created_at, updated_at=from_microseconds(tx.now)
                    )
                    tx.put_assistant(new)
                    return new
            raise NotFoundError(f"Version {version} not found for assistant {assistant_id}")

        return await self._records.transact(work)

    # describing

    async def drawing(self, reference: str, *, xray: int | bool) -> JSON:
        graph_id, config = await self._graph(reference)
        return await self._graphs.drawing(graph_id, config, xray=xray)

    async def schemas(self, reference: str) -> JSON:
        graph_id, config = await self._graph(reference)
        return await self._graphs.schemas(graph_id, config)

    async def subgraphs(self, reference: str, *, namespace: str | None, recurse: bool) -> JSON:
        graph_id, config = await self._graph(reference)
        return await self._graphs.subgraphs(graph_id, config, namespace=namespace, recurse=recurse)

    async def _graph(self, reference: str) -> tuple[str, JSON]:
        assistant = await self.get(reference)
        return require(self._graphs, assistant.graph_id), assistant.config


def contains(outer: Any, inner: Any) -> bool:
    """Whether JSON ``outer`` contains all of ``inner``: objects key by key, anything else by equality."""
    if isinstance(outer, dict) and isinstance(inner, dict):
        return all(key in outer and contains(outer[key], value) for key, value in inner.items())
    return outer == inner and isinstance(outer, bool) == isinstance(inner, bool)


def _system(graph_id: str, now: int) -> Assistant:
    return Assistant(
        assistant_id=system_id(graph_id),
        graph_id=graph_id,
        config={},
        context={},
        metadata={"created_by": "system"},
        name=graph_id,
        created_at=from_microseconds(now),
        updated_at=from_microseconds(now),
        version=1,
    )


def _existing(tx: Transaction, assistant_id: str) -> Assistant:
    assistant = tx.assistant(assistant_id)
    if assistant is None:
        raise NotFoundError(f"Assistant {assistant_id} not found")
    return assistant


def _kept(old: Assistant, request: AssistantCreate) -> Assistant:
    if request.if_exists != "do_nothing":
        raise ConflictError(f"Assistant {old.assistant_id} already exists")
    return old


def _patched(current: Assistant, request: AssistantPatch) -> Assistant:
    if request.graph_id not in (None, current.graph_id) and current.assistant_id == system_id(current.graph_id):
        raise ConflictError(f"The default assistant of graph {current.graph_id!r} cannot be given another graph")
    config, context = _reconfigured(current, request)
    return msgspec.structs.replace(
        current,
        graph_id=request.graph_id or current.graph_id,
        config=config,
        context=context,
        metadata=current.metadata | (request.metadata or {}),
        name=current.name if request.name is None else request.name,
        description=current.description if request.description is None else request.description,
    )


def _reconfigured(current: Assistant, request: AssistantPatch) -> tuple[JSON, JSON]:
    """A new config keeps the context unless it sets a configurable; a new context keeps tags and limits."""
    if request.config is None and request.context is None:
        return current.config, current.context
    config, context = mirrored(request.config, request.context)
    if request.config is None:
        kept = {key: value for key, value in current.config.items() if key != "configurable"}
        return kept | config, context
    if request.config.configurable is None and request.context is None and current.context:
        return config | {"configurable": current.context}, current.context
    return config, context


def _delete_threads(tx: Transaction, assistant_id: str) -> None:
    query = ThreadQuery(metadata={"assistant_id": assistant_id}, limit=500)
    while found := tx.search_threads(query):
        for thread in found:
            tx.delete_thread(thread.thread_id)


def _version(assistant: Assistant) -> AssistantVersion:
    fields = msgspec.structs.asdict(assistant)
    return AssistantVersion(**{name: fields[name] for name in AssistantVersion.__struct_fields__})
