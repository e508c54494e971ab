"""The rules of the store's API. Graphs use the same store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

from langgraph.store.base import NOT_PROVIDED, BaseStore, Item, SearchItem

from treadle.errors import BadRequestError, UnprocessableError
from treadle.model import JSON
from treadle.ports.backend import GraphLoop
from treadle.service.paging import limit_of, offset_of

T = TypeVar("T")

OPERATORS = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte")
RESERVED = "langgraph"
LONGEST_TTL = 1_000_000_000
"""Minutes."""


class Store:
    """Items by namespace and key. ``indexed`` means that there is an embedding function, which is user code and runs on
    the graphs' event loop, never on the caller's."""

    def __init__(self, store: BaseStore, loop: GraphLoop, *, indexed: bool) -> None:
        self._store = store
        self._loop = loop
        self._indexed = indexed

    async def put(
        self,
        namespace: Sequence[str],
        key: str,
        value: JSON,
        *,
        index: bool | list[str] | None = None,
        ttl: float | None = None,
    ) -> None:
        """Create or replace an item. Raises UnprocessableError, BadRequestError."""
        labels = _namespace(namespace)
        if ttl is not None and not 0 < ttl <= LONGEST_TTL:
            raise UnprocessableError(f"ttl: must be more than 0 and up to {LONGEST_TTL} minutes", field="ttl")
        fields = None if index is True else index
        kept = NOT_PROVIDED if ttl is None else ttl

        async def work() -> None:
            await self._store.aput(labels, key, value, cast("Any", fields), ttl=kept)

        await self._run(work, embeds=fields is not False)

    async def get(self, namespace: Sequence[str], key: str, *, refresh_ttl: bool | None = None) -> Item | None:
        return await self._store.aget(_labels("namespace", namespace), key, refresh_ttl=refresh_ttl)

    async def delete(self, namespace: Sequence[str], key: str) -> None:
        """Remove the item if it exists."""
        await self._store.adelete(_namespace(namespace), key)

    async def search(
        self,
        prefix: Sequence[str],
        *,
        filter: JSON | None = None,
        query: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        refresh_ttl: bool | None = None,
    ) -> list[SearchItem]:
        """Items under the prefix: by similarity if there is a query and an index, otherwise oldest first."""
        labels = _labels("namespace_prefix", prefix, wild=True)
        for name, wanted in (filter or {}).items():
            _check_filter(wanted, f"filter.{name}")
        most, skipped = limit_of(limit, 10, least=0), offset_of(offset)
        if most == 0:
            return []

        async def work() -> list[SearchItem]:
            return await self._store.asearch(
                labels, query=query, filter=filter, limit=most, offset=skipped, refresh_ttl=refresh_ttl
            )

        return await self._run(work, embeds=bool(query))

    async def namespaces(
        self,
        *,
        prefix: Sequence[str] | None = None,
        suffix: Sequence[str] | None = None,
        max_depth: int | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[tuple[str, ...]]:
        """The namespaces that have items; ``*`` in prefix and suffix matches any label."""
        if max_depth is not None and max_depth < 1:
            raise UnprocessableError(f"max_depth: must be at least 1, is {max_depth}", field="max_depth")
        most, skipped = limit_of(limit, 100, least=0), offset_of(offset)
        if most == 0:
            return []
        return await self._store.alist_namespaces(
            prefix=_labels("prefix", prefix or (), wild=True) or None,
            suffix=_labels("suffix", suffix or (), wild=True) or None,
            max_depth=max_depth,
            limit=most,
            offset=skipped,
        )

    async def _run(self, work: Callable[[], Awaitable[T]], *, embeds: bool) -> T:
        return await (self._loop.submit(work()) if embeds and self._indexed else work())


def _namespace(given: Sequence[str]) -> tuple[str, ...]:
    """The namespace of a write. Raises BadRequestError if it is empty or LangGraph's own."""
    if not given:
        raise BadRequestError("Namespace cannot be empty.", field="namespace")
    if given[0] == RESERVED:
        raise BadRequestError(f'Root label for namespace cannot be "{RESERVED}".', field="namespace")
    return _labels("namespace", given)


def _labels(field: str, given: Sequence[str], *, wild: bool = False) -> tuple[str, ...]:
    for label in given:
        if not label or "." in label or "\0" in label:
            text = f"{field}: namespace label {label[:80]!r} must be a non-empty string without periods and NULs"
            raise UnprocessableError(text, field=field)
    return tuple(given)


def _check_filter(wanted: Any, path: str) -> None:
    """Reject unknown operators, and operators mixed with fields."""
    if isinstance(wanted, list):
        for number, item in enumerate(cast("list[Any]", wanted)):
            _check_filter(item, f"{path}.{number}")
    if not isinstance(wanted, dict):
        return
    fields = cast("JSON", wanted)
    compares = any(key.startswith("$") for key in fields)
    for key, value in fields.items():
        if not compares:
            _check_filter(value, f"{path}.{key}")
        elif key not in OPERATORS:
            text = f"{path}: {key[:80]!r} is no operator; allowed: {', '.join(OPERATORS)}"
            raise UnprocessableError(text, field=path, allowed=list(OPERATORS))
