"""The rows of the store: writing, finding and filtering items. Plain functions; times are in unix microseconds."""

from __future__ import annotations

import json
import math
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from operator import mul
from typing import Any, TypeVar, cast

import orjson
from langgraph.store.base import GetOp, Item, ListNamespacesOp, MatchCondition, PutOp, SearchOp
from msgspec import Struct

from treadle.backends.engine.connection import Connection

T = TypeVar("T")
Job = Callable[[Connection], T]
Vectors = Mapping[str, bytes]
"""Packed embeddings by path."""

_PAGE = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = 60_000_000
_LONGEST = 1_000_000_000


class Found(Struct):
    """An item that was read. ``score`` is its similarity to the query, if there was one."""

    position: int
    item: Item
    expires: bool
    score: float | None = None


_PUT = """
INSERT INTO store_items (namespace, key, created_at, updated_at, ttl_minutes, expires_at, value)
VALUES (:namespace, :key, :now, :now, :ttl, :expires, :value)
ON CONFLICT (namespace, key) DO UPDATE SET
    created_at = CASE WHEN store_items.expires_at <= :now THEN :now ELSE store_items.created_at END,
    updated_at = :now, ttl_minutes = :ttl, expires_at = :expires, value = :value
RETURNING position
"""
_DELETE = "DELETE FROM store_items WHERE namespace = ? AND key = ?"
_PUT_VECTOR = "INSERT INTO store_vectors (position, path, vector) VALUES (?, ?, ?)"
_REFRESH = """
UPDATE store_items SET expires_at = :now + CAST(ttl_minutes * 60000000 AS BIGINT)
WHERE position = :position AND expires_at > :now
"""


class Put(Struct, frozen=True):
    """An item to store, or to remove if ``value`` is None."""

    namespace: str
    key: str
    value: bytes | None
    ttl: float | None
    vectors: Vectors


def pack(op: PutOp, vectors: Vectors) -> Put:
    """Serialise and check the item, so that its value may change afterwards."""
    if op.ttl is not None and not 0 < op.ttl <= _LONGEST:
        raise ValueError(
            f"ttl is {op.ttl}; allowed: more than 0 and up to {_LONGEST:_} minutes, or None to keep the item"
        )
    value = None if op.value is None else _dump(op)
    return Put(encode_namespace(op.namespace), op.key, value, op.ttl, vectors)


def put(conn: Connection, item: Put, now: int) -> None:
    """Store the item with its vectors, or remove it."""
    if item.value is None:
        conn.execute(_DELETE, (item.namespace, item.key))
        return
    parameters = {
        "namespace": item.namespace,
        "key": item.key,
        "now": now,
        "ttl": item.ttl,
        "expires": None if item.ttl is None else now + int(item.ttl * _MINUTE),
        "value": item.value,
    }
    ((position,),) = conn.execute(_PUT, parameters).fetchall()
    conn.execute("DELETE FROM store_vectors WHERE position = ?", (position,))
    for path, vector in item.vectors.items():
        conn.execute(_PUT_VECTOR, (position, path, vector))


def refresh(conn: Connection, positions: Iterable[int], now: int) -> None:
    """Postpone the expiry of items that were read."""
    for position in positions:
        conn.execute(_REFRESH, {"position": position, "now": now})


def sweep(conn: Connection, now: int) -> int:
    """Remove expired items. Returns their number."""
    return conn.execute("DELETE FROM store_items WHERE expires_at <= ?", (now,)).rowcount


def _dump(op: PutOp) -> bytes:
    try:
        return orjson.dumps(op.value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError as error:  # integers beyond 64 bits and lone surrogates, which the json module accepts
        try:
            return json.dumps(op.value).encode()
        except (TypeError, ValueError):
            raise TypeError(f"the value of {op.key!r} in {op.namespace} is not JSON: {error}") from error


_COLUMNS = "position, namespace, key, created_at, updated_at, expires_at, value"
_LIVE = "(expires_at IS NULL OR expires_at > :now)"
_GET = f"SELECT {_COLUMNS} FROM store_items WHERE namespace = :namespace AND key = :key AND {_LIVE}"
_POSITIONS = "SELECT position FROM store_items WHERE namespace >= ? AND namespace < ? ORDER BY position"
_ALL_POSITIONS = "SELECT position FROM store_items ORDER BY position"
_AMONG = "position IN (SELECT CAST(value AS BIGINT) FROM json_each({}))"
_AT = f"SELECT {_COLUMNS} FROM store_items WHERE {_AMONG.format(':positions')} AND {_LIVE}"
_VECTORS = f"SELECT position, vector FROM store_vectors WHERE {_AMONG.format('?')}"


def get(conn: Connection, op: GetOp, now: int) -> list[Found]:
    """The item, if it exists."""
    parameters = {"namespace": encode_namespace(op.namespace), "key": op.key, "now": now}
    return [_found(row) for row in conn.execute(_GET, parameters)]


def search(conn: Connection, op: SearchOp, now: int, *, query: bytes | None) -> list[Found]:
    """The items under the prefix that match the filter.

    In order of creation. With a query vector, the most similar ones come first and those without a vector last.
    """
    if op.limit < 0 or op.offset < 0:
        raise ValueError(f"limit is {op.limit} and offset is {op.offset}; neither may be below 0")
    matching = _pages(conn, op, now)
    if query is None:
        found = (one for page in matching for one in page)
        return list(islice(found, op.offset, op.offset + op.limit))
    scored: list[Found] = []
    rest: list[Found] = []
    for page in matching:
        scores = _scores(conn, page, query)
        for one in page:
            one.score = scores.get(one.position)
            (rest if one.score is None else scored).append(one)
    scored.sort(key=lambda one: one.score or 0.0, reverse=True)
    kept = scored[op.offset : op.offset + op.limit]
    return kept + rest[: op.limit - len(kept)]


def _pages(conn: Connection, op: SearchOp, now: int) -> Iterator[list[Found]]:
    bounds = _range(op.namespace_prefix)
    cursor = conn.execute(_POSITIONS, bounds) if bounds else conn.execute(_ALL_POSITIONS)
    while positions := [position for (position,) in cursor.fetchmany(_PAGE)]:
        rows = conn.execute(_AT, {"positions": json.dumps(positions), "now": now}).fetchall()
        yield [one for one in map(_found, sorted(rows)) if matches(one.item.value, op.filter)]


def _found(row: tuple[Any, ...]) -> Found:
    position, namespace, key, created_at, updated_at, expires_at, value = row
    item = Item(
        value=_load(value),
        key=key,
        namespace=decode_namespace(namespace),
        created_at=_moment(created_at),
        updated_at=_moment(updated_at),
    )
    return Found(position, item, expires_at is not None)


def _load(value: bytes) -> dict[str, Any]:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:  # written by the json module in _dump
        return json.loads(value)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


# Skips from one namespace to the next in the index, regardless of the number of items in each.
_NAMESPACES = """
WITH RECURSIVE names (namespace) AS (
    SELECT min(namespace) FROM store_items WHERE namespace >= :low AND namespace < :high
    UNION ALL
    SELECT (SELECT min(namespace) FROM store_items i WHERE i.namespace > names.namespace AND i.namespace < :high)
    FROM names WHERE names.namespace IS NOT NULL
)
SELECT namespace FROM names WHERE namespace IS NOT NULL
AND EXISTS (
    SELECT 1 FROM store_items i WHERE i.namespace = names.namespace AND (expires_at IS NULL OR expires_at > :now))
"""
_EVERY = ("", "\U0010ffff")


def namespaces(conn: Connection, op: ListNamespacesOp, now: int) -> list[tuple[str, ...]]:
    """The namespaces that have items and match all conditions, cut to ``max_depth``, unique and sorted."""
    conditions = op.match_conditions or ()
    low, high = next(filter(None, map(_plain_range, conditions)), _EVERY)
    rows = conn.execute(_NAMESPACES, {"low": low, "high": high, "now": now})
    stored = (decode_namespace(text) for (text,) in rows)
    fitting = (one for one in stored if all(_fits(condition, one) for condition in conditions))
    return sorted({one[: op.max_depth] for one in fitting})[op.offset : op.offset + op.limit]


def encode_namespace(namespace: Sequence[str]) -> str:
    return "".join(f"{json.dumps(label, ensure_ascii=False)}," for label in namespace)


def decode_namespace(text: str) -> tuple[str, ...]:
    return tuple(json.loads(f"[{text[:-1]}]"))


def _range(prefix: Sequence[str]) -> tuple[str, str] | None:
    """The range (from, to) of the namespaces with this prefix, or None for all. '-' is the character after ','."""
    low = encode_namespace(prefix)
    return (low, f"{low[:-1]}-") if low else None


def _plain_range(condition: MatchCondition) -> tuple[str, str] | None:
    plain = condition.match_type == "prefix" and "*" not in condition.path
    return _range(condition.path) if plain else None


def _fits(condition: MatchCondition, namespace: tuple[str, ...]) -> bool:
    size = len(condition.path)
    if condition.match_type not in ("prefix", "suffix"):
        raise ValueError(f"match_type is {condition.match_type!r}; allowed: prefix, suffix")
    part = namespace[:size] if condition.match_type == "prefix" else namespace[len(namespace) - size :]
    return len(namespace) >= size and all(want in ("*", have) for want, have in zip(condition.path, part, strict=True))


def matches(value: Mapping[str, Any], filter: Mapping[str, Any] | None) -> bool:
    """Whether each key of the filter matches: by equality (objects: of the given keys), or by ``{"$gt": 3}``."""
    return all(_equals(value.get(key), wanted) for key, wanted in (filter or {}).items())


def _equals(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        part = cast("dict[str, Any]", wanted)
        if any(str(key).startswith("$") for key in part):
            return all(_compare(value, operator, operand) for operator, operand in part.items())
        return isinstance(value, dict) and matches(cast("dict[str, Any]", value), part)
    if isinstance(wanted, list | tuple):
        items = cast("Sequence[Any]", wanted)
        return (
            isinstance(value, list)
            and len(have := cast("list[Any]", value)) == len(items)
            and all(map(_equals, have, items))
        )
    return value == wanted


_ORDERINGS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": lambda value, operand: value > operand,
    "$gte": lambda value, operand: value >= operand,
    "$lt": lambda value, operand: value < operand,
    "$lte": lambda value, operand: value <= operand,
}


def _compare(value: Any, operator: str, operand: Any) -> bool:
    if operator == "$eq":
        return value == operand
    if operator == "$ne":
        return value != operand
    if operator not in _ORDERINGS:
        raise ValueError(f"filter operator {operator!r} is unknown; allowed: $eq, $ne, {', '.join(_ORDERINGS)}")
    numbers = _number(value), _number(operand)
    if None not in numbers:
        return _ORDERINGS[operator](*numbers)
    # Texts (dates) are compared as texts. A value that cannot be ordered relative to the operand does not match.
    return isinstance(value, str) and isinstance(operand, str) and _ORDERINGS[operator](value, operand)


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def pack_vector(vector: Sequence[float]) -> bytes:
    """The vector normalised to length 1 (or 0) as little-endian float32, so that the similarity is a dot product."""
    length = math.sqrt(sum(map(mul, vector, vector))) or 1.0
    return _little(array("f", [number / length for number in vector])).tobytes()


def _scores(conn: Connection, page: Sequence[Found], query: bytes) -> dict[int, float]:
    """The best cosine similarity of each item that has vectors."""
    wanted = _unpack(query)
    scores: dict[int, float] = {}
    for position, packed in conn.execute(_VECTORS, (json.dumps([one.position for one in page]),)):
        score = sum(map(mul, wanted, _unpack(packed)))
        scores[position] = max(score, scores.get(position, -1.0))
    return scores


def _unpack(packed: bytes) -> array[float]:
    vector: array[float] = array("f")
    vector.frombytes(packed)
    return _little(vector)


def _little(vector: array[float]) -> array[float]:
    if sys.byteorder == "big":
        vector.byteswap()
    return vector
