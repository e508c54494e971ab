"""LangGraph's store on treadle's engine: items by namespace and key, filters, expiry, semantic search."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar, cast

from langchain_core.embeddings import Embeddings
from langgraph.store.base import (
    BaseStore,
    GetOp,
    IndexConfig,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
    ensure_embeddings,
    get_text_at_path,
    validate_op_namespace,
)

from treadle.backends.engine.connection import Connection
from treadle.backends.engine.jobs import Engine
from treadle.backends.store import rows
from treadle.backends.store.rows import Vectors

T = TypeVar("T")
Key = tuple[tuple[str, ...], str]
Read = GetOp | SearchOp | ListNamespacesOp


class SqlStore(BaseStore):
    """Items in the engine's database. Values are JSON objects.

    ``index`` (``dims``, ``embed``, ``fields``) enables semantic search, as for LangGraph's InMemoryStore; without it,
    queries are ignored. ``ttl`` sets the defaults of expiry. Expired items are not found, and ``sweep`` removes them. A
    batch reads first and then writes, in one transaction each; of several puts of one key, the last counts.
    """

    supports_ttl = True

    def __init__(self, engine: Engine, *, index: IndexConfig | None = None, ttl: TTLConfig | None = None) -> None:
        self._engine = engine
        self._index = _Index(index) if index else None
        self.ttl_config = ttl

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        batch = list(ops)
        reads, puts = _split(batch)
        results: dict[int, Result] = {}
        refresh: set[int] = set()
        if reads:
            queries = self._index.embed_queries(_queries(reads)) if self._index else {}
            results, refresh = self._engine.snapshot(partial(self._read, reads=reads, queries=queries))
        vectors = self._index.embed_values(puts) if self._index and puts else {}
        if puts or refresh:
            self._engine.submit(partial(self._write, items=_pack(puts, vectors), refresh=refresh)).result()
        return [results.get(number) for number in range(len(batch))]

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        batch = list(ops)
        reads, puts = _split(batch)
        results: dict[int, Result] = {}
        refresh: set[int] = set()
        if reads:
            queries = await self._index.aembed_queries(_queries(reads)) if self._index else {}
            results, refresh = await self._aread(partial(self._read, reads=reads, queries=queries), reads)
        vectors = await self._index.aembed_values(puts) if self._index and puts else {}
        if puts or refresh:
            await self._engine.write(partial(self._write, items=_pack(puts, vectors), refresh=refresh))
        return [results.get(number) for number in range(len(batch))]

    def sweep(self) -> int:
        """Remove expired items. Returns their number."""
        return self._engine.submit(self._sweep).result()

    async def asweep(self) -> int:
        """``sweep``, awaited."""
        return await self._engine.write(self._sweep)

    # inside

    def _sweep(self, conn: Connection) -> int:
        return rows.sweep(conn, self._engine.clock.now())

    async def _aread(self, work: rows.Job[T], reads: Mapping[int, Read]) -> T:
        if len(reads) <= 4 and all(isinstance(op, GetOp) for op in reads.values()):
            return await self._engine.lookup(work)
        return await self._engine.read(work)

    def _read(
        self, conn: Connection, reads: Mapping[int, Read], queries: Mapping[str, bytes]
    ) -> tuple[dict[int, Result], set[int]]:
        """The results by number, and the positions of the items whose expiry must be postponed."""
        now = self._engine.clock.now()
        results: dict[int, Result] = {}
        refresh: set[int] = set()
        for number, op in reads.items():
            if isinstance(op, ListNamespacesOp):
                results[number] = cast("Result", rows.namespaces(conn, op, now))
                continue
            if isinstance(op, GetOp):
                found = rows.get(conn, op, now)
                results[number] = found[0].item if found else None
            else:
                found = rows.search(conn, op, now, query=queries.get(op.query or ""))
                results[number] = cast("Result", [_scored(one) for one in found])
            refresh.update(one.position for one in found if op.refresh_ttl and one.expires)
        return results, refresh

    def _write(self, conn: Connection, items: Iterable[rows.Put], refresh: Iterable[int]) -> None:
        now = self._engine.clock.now()
        rows.refresh(conn, refresh, now)
        for item in items:
            rows.put(conn, item, now)


class _Index:
    """The fields of a value to embed, and the embedding function."""

    def __init__(self, config: IndexConfig) -> None:
        self._dims = config.get("dims")
        self._embeddings: Embeddings = ensure_embeddings(config.get("embed"))
        self._fields = list(config.get("fields") or ["$"])

    def embed_queries(self, queries: Sequence[str]) -> dict[str, bytes]:
        return {query: self._pack(self._embeddings.embed_query(query)) for query in queries}

    async def aembed_queries(self, queries: Sequence[str]) -> dict[str, bytes]:
        embedded = await asyncio.gather(*(self._embeddings.aembed_query(query) for query in queries))
        return {query: self._pack(vector) for query, vector in zip(queries, embedded, strict=True)}

    def embed_values(self, puts: Mapping[Key, PutOp]) -> dict[Key, Vectors]:
        texts = self._texts(puts)
        distinct = _distinct(texts)
        return self._place(texts, distinct, self._embeddings.embed_documents(distinct) if distinct else [])

    async def aembed_values(self, puts: Mapping[Key, PutOp]) -> dict[Key, Vectors]:
        texts = self._texts(puts)
        distinct = _distinct(texts)
        return self._place(texts, distinct, await self._embeddings.aembed_documents(distinct) if distinct else [])

    def _texts(self, puts: Mapping[Key, PutOp]) -> dict[Key, dict[str, str]]:
        """The texts to embed of each item, by path."""
        texts: dict[Key, dict[str, str]] = {}
        for key, op in puts.items():
            if op.value is None or op.index is False:
                continue
            by_path = texts.setdefault(key, {})
            for path in self._fields if op.index is None else op.index:
                for number, text in enumerate(get_text_at_path(op.value, path)):
                    by_path[f"{path}.{number}"] = text
        return texts

    def _place(
        self, texts: Mapping[Key, Mapping[str, str]], distinct: Sequence[str], embedded: Sequence[Sequence[float]]
    ) -> dict[Key, Vectors]:
        packed = {text: self._pack(vector) for text, vector in zip(distinct, embedded, strict=True)}
        return {key: {path: packed[text] for path, text in by_path.items()} for key, by_path in texts.items()}

    def _pack(self, vector: Sequence[float]) -> bytes:
        if self._dims and len(vector) != self._dims:
            raise ValueError(f"index.dims is {self._dims}, but index.embed returns vectors of {len(vector)}")
        return rows.pack_vector(vector)


def _split(batch: Sequence[Op]) -> tuple[dict[int, Read], dict[Key, PutOp]]:
    """The reads by number, and the last put of each key."""
    reads: dict[int, Read] = {}
    puts: dict[Key, PutOp] = {}
    for number, op in enumerate(batch):
        validate_op_namespace(op)
        if isinstance(op, PutOp):
            puts[op.namespace, op.key] = op
        else:
            reads[number] = op
    return reads, puts


def _pack(puts: Mapping[Key, PutOp], vectors: Mapping[Key, Vectors]) -> list[rows.Put]:
    return [rows.pack(op, vectors.get(key, {})) for key, op in puts.items()]


def _queries(reads: Mapping[int, Read]) -> list[str]:
    return sorted({op.query for op in reads.values() if isinstance(op, SearchOp) and op.query})


def _distinct(texts: Mapping[Key, Mapping[str, str]]) -> list[str]:
    return list(dict.fromkeys(text for by_path in texts.values() for text in by_path.values()))


def _scored(found: rows.Found) -> SearchItem:
    item: Item = found.item
    return SearchItem(item.namespace, item.key, item.value, item.created_at, item.updated_at, found.score)
