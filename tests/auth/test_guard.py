"""The guard between the rules and the records, and what a filter means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.serving_users import Users, ok
from treadle.auth.filters import equalities, permits, validate_filter
from treadle.auth.guard import GuardedRecords, GuardedTransaction
from treadle.auth.scope import Scope, request_scope, unrestricted
from treadle.backends import open_sqlite
from treadle.backends.clock import SystemClock
from treadle.graph.user import User
from treadle.ports.queries import AssistantQuery, CronQuery, ThreadQuery
from treadle.ports.records import Transaction


def verbs(cls: type) -> set[str]:
    return {name for name in vars(cls) if not name.startswith("_")}


def test_every_verb_of_a_transaction_has_a_rule():
    assert verbs(GuardedTransaction) == verbs(Transaction)


def test_a_verb_without_a_rule_is_denied():
    unguarded: Any = type("WithNewVerb", (), {"now": 0, "new_verb": lambda self: "secret"})()
    guarded: Any = GuardedTransaction(unguarded, Scope(User(identity="ann"), {"threads": []}))
    with pytest.raises(AttributeError):
        guarded.new_verb()


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Any]:
    backend = open_sqlite(tmp_path / "t.sqlite3", clock=SystemClock())
    yield backend.records
    backend.close()


@pytest.fixture
def guarded(records: Any) -> Any:
    return GuardedRecords(records)


async def test_records_are_not_to_be_had_without_saying_for_whom(records: Any, guarded: Any):
    with pytest.raises(RuntimeError):
        await guarded.read(lambda tx: tx.thread("x"))
    assert await unrestricted(lambda: guarded.read(lambda tx: tx.thread("x")))() is None
    with pytest.raises(RuntimeError):
        await guarded.transact(lambda tx: tx.thread("x"))


async def test_of_a_resource_that_no_rule_was_asked_about_nothing_is_there(records: Any, guarded: Any):
    await records.transact(lambda tx: tx.insert_thread("t", metadata={"owner": "ann"}))
    with request_scope(Scope(User(identity="ann"), {})):
        assert await guarded.read(lambda tx: tx.thread("t")) is None
        assert await guarded.read(lambda tx: tx.search_threads(ThreadQuery())) == []
        assert await guarded.read(lambda tx: tx.count_threads(ThreadQuery())) == 0
        assert await guarded.read(lambda tx: tx.search_assistants(AssistantQuery())) == []
        assert await guarded.read(lambda tx: tx.search_crons(CronQuery())) == []
    with request_scope(Scope(User(identity="ann"), {"threads": []})):
        assert await guarded.read(lambda tx: tx.count_threads(ThreadQuery())) == 1


async def test_a_request_without_a_user_in_it_sees_nothing_of_an_earlier_one(users: Users):
    thread = ok(await users.ann.post("/threads", json={}))
    assert (await users.anonymous.get(f"/threads/{thread['thread_id']}")).status_code == 401
    with pytest.raises(RuntimeError):
        await users.runtime.services.threads.get(thread["thread_id"])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=2),
    max_leaves=6,
)
metadata = st.dictionaries(st.sampled_from("xyz"), json_values, max_size=3)


@given(metadata)
def test_metadata_passes_the_filter_that_spells_it_out(known):
    assert permits([{key: {"$eq": value} for key, value in known.items()}], known)
    assert equalities({key: {"$eq": value} for key, value in known.items()}) == known
    lists = {key: value for key, value in known.items() if isinstance(value, list)}
    assert permits([{key: {"$contains": value} for key, value in lists.items()}], known)


@given(metadata, st.sampled_from("xyz"), st.text("ab", max_size=2))
def test_metadata_without_the_key_or_with_another_value_does_not_pass(known, key, value):
    assert permits([{key: value}], known) == (key in known and known[key] == value)
    assert not permits([{"missing": value}], known)


@pytest.mark.parametrize("wrong", ["x", 1, [], {1: "x"}, {"a": {}}, {"a": {"$ne": 1}}, {"a": {"$eq": 1, "b": 2}}, None])
def test_what_is_no_filter_is_refused(wrong):
    with pytest.raises(ValueError, match="filter"):
        validate_filter(wrong)


@pytest.mark.parametrize(("have", "wanted"), [(True, 1), (1, True), (0, False), ("1", 1), (None, "")])
def test_values_of_other_types_are_other_values(have, wanted):
    assert not permits([{"a": wanted}], {"a": have})
    assert not permits([{"a": {"$contains": wanted}}], {"a": [have]})
