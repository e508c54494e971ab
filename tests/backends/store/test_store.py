"""The store by itself, from a graph, and against LangGraph's InMemoryStore on random operations."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, TypedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore

from support import shapes
from treadle.backends.engine.jobs import Engine
from treadle.backends.store.store import SqlStore

MINUTE = 60_000_000


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.microseconds = 1_700_000_000_000_000

    def now(self) -> int:
        return self.microseconds

    def monotonic(self) -> float:
        return self.microseconds / 1e6


def rows(engine: Engine, table: str) -> int:
    return engine.submit(lambda conn: conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0]).result(10)


# items


def test_items_are_put_read_replaced_and_removed(engine: Engine) -> None:
    store = SqlStore(engine)
    store.put(("users", "u1"), "k", {"a": 1, "nested": {"ü\0": [1, None, 2.5, "x"]}})
    item = store.get(("users", "u1"), "k")
    assert item is not None
    assert (item.namespace, item.key) == (("users", "u1"), "k")
    assert item.value == {"a": 1, "nested": {"ü\0": [1, None, 2.5, "x"]}}
    assert item.created_at == item.updated_at
    assert item.created_at.tzinfo is not None
    store.put(("users", "u1"), "k", {"b": 2})
    again = store.get(("users", "u1"), "k")
    assert again is not None
    assert again.value == {"b": 2}
    assert again.created_at == item.created_at < again.updated_at
    store.delete(("users", "u1"), "k")
    store.delete(("users", "u1"), "k")
    assert store.get(("users", "u1"), "k") is None
    assert store.list_namespaces() == []


async def test_a_batch_reads_what_was_there_before_it_and_the_last_put_counts(engine: Engine) -> None:
    store = SqlStore(engine)
    put = [PutOp(("n",), "k", {"v": number}) for number in range(3)]
    assert await store.abatch([put[0], GetOp(("n",), "k"), *put[1:]]) == [None] * 4
    found: Any = await store.abatch(
        [GetOp(("n",), "k"), SearchOp(("n",)), ListNamespacesOp(), PutOp(("n",), "k", None)]
    )
    assert found[0].value == {"v": 2}
    assert [item.value for item in found[1]] == [{"v": 2}]
    assert found[2:] == [[("n",)], None]
    assert await store.aget(("n",), "k") is None
    assert await store.abatch([]) == []


def test_searches_come_in_order_of_creation_by_pages(engine: Engine) -> None:
    store = SqlStore(engine)
    store.batch([PutOp((f"n{number % 3}",), f"k{number:03d}", {"n": number}) for number in range(600)])
    store.put(("n0",), "k000", {"n": 0, "changed": True})
    found = store.search((), limit=1000)
    assert [item.value["n"] for item in found] == list(range(600))
    assert [item.value["n"] for item in store.search(("n1",), limit=3, offset=150)] == [451, 454, 457]
    assert [item.value["n"] for item in store.search((), filter={"n": {"$gte": 590}}, limit=4, offset=2)] == [
        592,
        593,
        594,
        595,
    ]
    assert store.search((), limit=0) == []
    with pytest.raises(ValueError, match="limit is -1"):
        store.search((), limit=-1)


def test_a_prefix_is_a_prefix_of_labels_not_of_text(engine: Engine) -> None:
    store = SqlStore(engine)
    names: list[tuple[str, ...]] = [("a",), ("a", "b"), ("ab",), ('a"', "b"), ("a,b",), ("a-",), ("é",), ("%", "_")]
    for name in names:
        store.put(name, "k", {"name": list(name)})
    for prefix in names:
        found = {item.namespace for item in store.search(prefix)}
        assert found == {name for name in names if name[: len(prefix)] == prefix}
        assert set(store.list_namespaces(prefix=prefix)) == found


COMPARED = [
    ({"n": 1}, ["int"]),
    ({"n": None}, ["text", "deep", "list", "date"]),
    ({"n": {"$eq": 1}}, ["int"]),
    ({"n": {"$ne": 1}}, ["float", "text", "deep", "list", "date"]),
    ({"n": {"$gt": 1}}, ["float"]),
    ({"n": {"$gte": 1, "$lt": 2}}, ["int"]),
    ({"n": {"$lte": "2.5"}}, ["int", "float"]),
    ({"at": {"$gt": "2024-01-31"}}, ["date"]),
    ({"d": {"x": 1}}, ["deep"]),
    ({"d": {"x": {"$gt": 0}}}, ["deep"]),
    ({"l": [1, 2]}, ["list"]),
    ({"l": [1]}, []),
    ({"l": {"$gt": 0}}, []),
    ({"t": "x", "missing": None}, ["text"]),
]


@pytest.mark.parametrize(("filter", "keys"), COMPARED)
def test_filters(engine: Engine, filter: Any, keys: list[str]) -> None:
    store = SqlStore(engine)
    items: dict[str, Any] = {
        "int": {"n": 1},
        "float": {"n": 2.5},
        "text": {"t": "x"},
        "deep": {"d": {"x": 1, "y": 2}},
        "list": {"l": [1, 2]},
        "date": {"at": "2024-02-01"},
    }
    for key, value in items.items():
        store.put(("n",), key, value)
    assert [item.key for item in store.search(("n",), filter=filter)] == keys


def test_bad_input_is_named(engine: Engine) -> None:
    store = SqlStore(engine)
    store.put(("n",), "k", {"a": 1})
    with pytest.raises(ValueError, match=r"'\$near' is unknown; allowed: \$eq, \$ne, \$gt"):
        store.search(("n",), filter={"a": {"$near": 1}})
    with pytest.raises(InvalidNamespaceError, match="periods"):
        store.batch([GetOp(("a.b",), "k")])
    with pytest.raises(TypeError, match=r"'k' in \('n',\) is not JSON"):
        store.put(("n",), "k", {"a": object()})
    for ttl in (0, -1, 1e12, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=f"ttl is {ttl}; allowed"):
            store.put(("n",), "k", {"a": 1}, ttl=ttl)
    with pytest.raises(ValueError, match="match_type is 'infix'"):
        store.batch([ListNamespacesOp((MatchCondition("infix", ("n",)),))])  # type: ignore[arg-type]
    assert store.search(("n",))[0].value == {"a": 1}


def test_numbers_beyond_64_bits_and_moments_are_kept_as_json_can(engine: Engine) -> None:
    store = SqlStore(engine)
    store.put(("n",), "k", {"big": 1 << 80, "at": 1})
    store.put(("n",), "moment", {"at": datetime(2024, 1, 1)})
    assert [item.value for item in store.search(("n",))] == [{"big": 1 << 80, "at": 1}, {"at": "2024-01-01T00:00:00"}]


# expiry


def test_an_item_expires_unless_it_is_read(shape: shapes.Shape) -> None:
    clock = Clock()
    with shapes.fresh_engine(clock) as engine:
        store = SqlStore(engine)
        for key in ("read", "searched", "left", "peeked"):
            store.put(("n", key), key, {"a": 1}, ttl=10)
        store.put(("n", "stays"), "stays", {"a": 1})
        clock.microseconds += 6 * MINUTE
        assert store.get(("n", "read"), "read") is not None
        assert store.get(("n", "peeked"), "peeked", refresh_ttl=False) is not None
        assert len(store.search(("n", "searched"))) == 1
        clock.microseconds += 6 * MINUTE
        assert [item.key for item in store.search((), refresh_ttl=False)] == ["read", "searched", "stays"]
        assert store.get(("n", "left"), "left") is None
        assert store.list_namespaces() == [("n", "read"), ("n", "searched"), ("n", "stays")]
        assert rows(engine, "store_items") == 5
        assert store.sweep() == 2
        assert rows(engine, "store_items") == 3
        clock.microseconds += 11 * MINUTE
        assert asyncio.run(store.asweep()) == 2
        assert [item.key for item in store.search(())] == ["stays"]


def test_defaults_of_expiry_and_an_expired_item_put_anew_is_new(shape: shapes.Shape) -> None:
    clock = Clock()
    with shapes.fresh_engine(clock) as engine:
        store = SqlStore(engine, ttl={"default_ttl": 1, "refresh_on_read": False})
        store.put(("n",), "k", {"a": 1})
        store.put(("n",), "stays", {"a": 1}, ttl=None)
        clock.microseconds += MINUTE // 2
        assert store.get(("n",), "k") is not None
        clock.microseconds += MINUTE // 2
        assert store.get(("n",), "k") is None
        store.put(("n",), "k", {"a": 2})
        item = store.get(("n",), "k")
        assert item is not None
        assert item.created_at == item.updated_at
        clock.microseconds += MINUTE
        assert [item.key for item in store.search(("n",))] == ["stays"]


# semantic search

WORDS = ("cat", "dog", "car")


def embed(texts: list[str]) -> list[list[float]]:
    return [[float(text.count(word)) for word in WORDS] for text in texts]


def test_a_query_finds_the_most_similar_items_first(engine: Engine) -> None:
    config: Any = {"dims": 3, "embed": embed, "fields": ["text", "more[*]"]}
    store, model = SqlStore(engine, index=config), InMemoryStore(index=config)
    for one in (store, model):
        one.put(("n",), "cats", {"text": "cat cat dog"})
        one.put(("n",), "dogs", {"text": "dog", "more": ["car", "dog dog cat"]})
        one.put(("n",), "cars", {"text": "car", "kind": "machine"})
        one.put(("n",), "hidden", {"text": "cat"}, index=False)
        one.put(("n",), "other", {"text": "car", "title": "cat"}, index=["title"])
    for how in (
        {"query": "cat"},
        {"query": "car", "limit": 2, "offset": 1},
        {"query": "dog", "filter": {"kind": "machine"}},
    ):
        found = [[(item.key, item.score) for item in one.search(("n",), **how)] for one in (store, model)]
        assert [key for key, _ in found[0]] == [key for key, _ in found[1]]
        assert [score for _, score in found[0]] == [score and pytest.approx(score) for _, score in found[1]]
    assert [item.key for item in store.search(("n",))] == ["cats", "dogs", "cars", "hidden", "other"]
    store.put(("n",), "cars", {"text": "dog"})
    store.delete(("n",), "dogs")
    assert rows(engine, "store_vectors") == 3
    assert store.search(("n",), query="dog", limit=1)[0].key == "cars"


async def test_an_async_embedding_and_one_of_the_wrong_size(engine: Engine) -> None:
    async def aembed(texts: list[str]) -> list[list[float]]:
        return embed(texts)

    store = SqlStore(engine, index={"dims": 3, "embed": aembed})
    await store.aput(("n",), "k", {"text": "dog"})
    await store.aput(("n",), "l", {"text": "nothing"})
    found = await store.asearch(("n",), query="dog")
    assert [(item.key, item.score) for item in found] == [("k", pytest.approx(1.0)), ("l", 0.0)]
    wrong = SqlStore(engine, index={"dims": 4, "embed": aembed})
    with pytest.raises(ValueError, match=r"index.dims is 4, but index.embed returns vectors of 3"):
        await wrong.aput(("n",), "k", {"text": "cat"})
    assert (await store.asearch(("n",), query="dog"))[0].value == {"text": "dog"}


# from a graph


class Visits(TypedDict):
    count: int


async def test_nodes_of_concurrent_runs_use_the_store(engine: Engine) -> None:
    async def visit(state: Visits, runtime: Runtime[None]) -> Visits:
        assert runtime.store is not None
        mine = await runtime.store.aget(("visits",), str(state["count"]))
        assert mine is None
        await runtime.store.aput(("visits",), str(state["count"]), {"n": state["count"]})
        return {"count": len(await runtime.store.asearch(("visits",), limit=100))}

    def sync(state: Visits, runtime: Runtime[None]) -> Visits:
        assert runtime.store is not None
        runtime.store.put(("sync",), str(state["count"]), {"n": state["count"]})
        return {"count": len(runtime.store.search(("sync",), limit=100))}

    store = SqlStore(engine)
    builder = StateGraph(Visits)
    builder.add_node("visit", visit)
    builder.add_node("sync", sync)
    builder.add_edge(START, "visit")
    builder.add_edge("visit", "sync")
    graph = builder.compile(store=store)
    await asyncio.gather(*(graph.ainvoke({"count": number}) for number in range(20)))
    found = await store.asearch(("visits",), limit=100)
    assert sorted(item.value["n"] for item in found) == list(range(20))
    assert await store.alist_namespaces() == [("sync",), ("visits",)]


# against the model

labels = st.sampled_from(["a", "b", "ab"])
namespaces = st.lists(labels, min_size=1, max_size=3).map(tuple)
patterns = st.lists(st.one_of(labels, st.just("*")), max_size=3).map(tuple)
keys = st.sampled_from(["k1", "k2", "k3"])
scalars = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["x", "y"]))
contents = st.dictionaries(
    st.sampled_from(["p", "q"]),
    st.one_of(scalars, st.lists(scalars, max_size=2), st.fixed_dictionaries({"r": scalars})),
)
filters = st.one_of(
    st.none(), contents, st.fixed_dictionaries({"p": st.fixed_dictionaries({"$ne": scalars})}),
    st.fixed_dictionaries({"q": st.fixed_dictionaries({"$eq": scalars})}),
)  # fmt: skip
conditions = st.builds(MatchCondition, st.sampled_from(["prefix", "suffix"]), patterns)
reads = st.one_of(
    st.builds(GetOp, namespaces, keys),
    st.builds(
        SearchOp, st.lists(labels, max_size=2).map(tuple), filter=filters, query=st.sampled_from([None, "x"]),
        limit=st.just(1000), offset=st.just(0),
    ),
    st.builds(
        ListNamespacesOp, st.lists(conditions, max_size=2).map(tuple),
        st.one_of(st.none(), st.integers(1, 3)), st.integers(0, 20), st.integers(0, 3),
    ),
)  # fmt: skip
puts = st.builds(PutOp, namespaces, keys, st.one_of(st.none(), contents), index=st.none(), ttl=st.none())


def plain(op: Any, result: Any) -> Any:
    if isinstance(op, SearchOp):
        return sorted((item.namespace, item.key, repr(item.value)) for item in result)
    return result and (result if isinstance(op, ListNamespacesOp) else (result.namespace, result.key, result.value))


def test_any_operations_give_what_the_store_in_memory_gives(shape: shapes.Shape) -> None:
    with shapes.fresh_engine() as engine:

        @settings(max_examples=50, deadline=None)
        @given(st.lists(st.lists(st.one_of(reads, puts), max_size=5), max_size=6))
        def agree(batches: list[list[Any]]) -> None:
            engine.submit(lambda conn: conn.execute("DELETE FROM store_items")).result(10)
            store, model = SqlStore(engine), InMemoryStore()
            for number, batch in enumerate(batches):
                found = asyncio.run(store.abatch(batch)) if number % 2 else store.batch(batch)
                for at, expected in _in_memory(model, batch).items():
                    assert plain(batch[at], found[at]) == plain(batch[at], expected)

        agree()


def _in_memory(model: InMemoryStore, batch: list[Any]) -> dict[int, Any]:
    """The results of the model, which keeps listing namespaces that are empty or were only looked into."""
    for namespace in [name for name, items in model._data.items() if not items]:
        del model._data[namespace]
    gets_last = sorted(range(len(batch)), key=lambda at: isinstance(batch[at], GetOp))
    return dict(zip(gets_last, model.batch([batch[at] for at in gets_last]), strict=True))
