"""The checkpointer by itself: fencing, eager writes, exact rollback, odd input, a crash."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph.checkpoint.base import Checkpoint, CheckpointTuple, empty_checkpoint
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.serde.types import INTERRUPT, RESUME

from backends.leases import begin, tables, take_over
from support import shapes
from treadle.backends.checkpoints.saver import (
    SqlCheckpointer,
    copy_thread_checkpoints,
    delete_loose_writes,
    delete_runs_checkpoints,
    delete_thread_checkpoints,
    has_checkpoints,
)
from treadle.backends.engine.jobs import Engine
from treadle.backends.engine.postgres import PostgresEngine
from treadle.errors import LeaseLost, UnprocessableError

LARGE = "x" * 2000


def at(thread_id: Any = "t", checkpoint_id: str | None = None, ns: str = "") -> dict[str, Any]:
    place = {"thread_id": thread_id, "checkpoint_ns": ns}
    return {"configurable": place | ({"checkpoint_id": checkpoint_id} if checkpoint_id else {})}


def checkpoint(values: dict[str, Any], versions: dict[str, Any] | None = None) -> Checkpoint:
    return {
        **empty_checkpoint(),
        "id": str(uuid6()),
        "channel_values": values,
        "channel_versions": versions if versions is not None else dict.fromkeys(values, "1"),
    }


def put(saver: SqlCheckpointer, values: dict[str, Any], config: Any = None, **metadata: Any) -> Any:
    made = checkpoint(values)
    return saver.put(config or at(), made, {"source": "loop", "step": 1, **metadata}, made["channel_versions"])


def got(saver: SqlCheckpointer, config: Any = None) -> CheckpointTuple:
    found = saver.get_tuple(config or at())
    assert found is not None
    return found


# fencing


def test_an_attempt_that_lost_its_run_writes_nothing(engine: Engine) -> None:
    lease = begin(engine, "r1")
    old = SqlCheckpointer(engine, lease=lease)
    config = put(old, {"a": 1})
    new = SqlCheckpointer(engine, lease=take_over(engine, lease))
    before = tables(engine)
    attempts = (
        lambda: put(old, {"a": LARGE}),
        lambda: old.put_writes(config, [("a", 2)], "task"),
        lambda: old.delete_thread("t"),
        lambda: old.delete_for_runs(["r1"]),
        lambda: old.copy_thread("t", "u"),
        lambda: old.prune(["t"], strategy="delete"),
    )
    for attempt in attempts:
        with pytest.raises(LeaseLost, match="attempt 1 of run r1"):
            attempt()
    assert tables(engine) == before
    put(new, {"a": 3})
    assert got(new).checkpoint["channel_values"] == {"a": 3}


def test_an_ended_run_writes_nothing(engine: Engine) -> None:
    saver = SqlCheckpointer(engine, lease=begin(engine, "r1"))
    begin(engine, "r2")
    with pytest.raises(LeaseLost):
        put(saver, {"a": 1})


async def test_an_eager_saver_tells_of_a_lost_lease_in_settled_and_from_then_on(engine: Engine) -> None:
    lease = begin(engine, "r1")
    saver = SqlCheckpointer(engine, lease=lease, eager=True)
    take_over(engine, lease)
    before = tables(engine)
    made = checkpoint({"a": LARGE})
    config = await saver.aput(at(), made, {}, made["channel_versions"])
    with pytest.raises(LeaseLost):
        await saver.settled()
    with pytest.raises(LeaseLost):
        await saver.aput_writes(config, [("a", 1)], "task")
    with pytest.raises(LeaseLost):
        await saver.aget_tuple(at())
    assert tables(engine) == before


# eager writes


async def test_an_eager_saver_sees_its_own_writes_and_keeps_their_order(engine: Engine) -> None:
    saver = SqlCheckpointer(engine, lease=begin(engine, "r1"), eager=True)
    config: Any = at()
    for step in range(50):
        made = checkpoint({"step": step, "large": LARGE + str(step)})
        config = await saver.aput(config, made, {"step": step}, made["channel_versions"])
        await saver.aput_writes(config, [("step", step)], f"task-{step}")
    found = await saver.aget_tuple(at())
    assert found is not None
    assert found.metadata["step"] == 49
    assert found.pending_writes == [("task-49", "step", 49)]
    assert [one.metadata["step"] async for one in saver.alist(at())] == list(range(49, -1, -1))
    await saver.settled()
    assert len(tables(engine)["checkpoints"]) == 50


async def test_an_eager_put_does_not_wait_for_the_writer(engine: Engine) -> None:
    saver = SqlCheckpointer(engine, lease=begin(engine, "r1"), eager=True)
    release = threading.Event()
    blocked = engine.submit(lambda _: release.wait(10))
    made = checkpoint({"a": [1]})
    config = await saver.aput(at(), made, {}, made["channel_versions"])
    made["channel_values"]["a"].append(2)
    await saver.aput_writes(config, [("a", 3)], "task")
    assert not blocked.done()
    release.set()
    found = await asyncio.wait_for(saver.aget_tuple(config), 10)
    assert found is not None
    assert found.checkpoint["channel_values"] == {"a": [1]}
    assert found.pending_writes == [("task", "a", 3)]


GONE = (sqlite3.OperationalError, psycopg.errors.UndefinedTable)


async def test_a_failed_write_stops_what_was_queued_behind_it(engine: Engine) -> None:
    saver = SqlCheckpointer(engine, lease=begin(engine, "r1"), eager=True)
    engine.submit(lambda conn: conn.execute("ALTER TABLE checkpoints RENAME TO gone")).result(10)
    made = checkpoint({"a": 1})
    await saver.aput(at(), made, {}, made["channel_versions"])
    with pytest.raises(GONE, match="checkpoints"):
        await saver.settled()
    engine.submit(lambda conn: conn.execute("ALTER TABLE gone RENAME TO checkpoints")).result(10)
    with pytest.raises(GONE):
        await saver.aput(at(), made, {}, made["channel_versions"])
    assert tables(engine)["checkpoints"] == []


async def test_a_reader_that_is_cancelled_does_not_disturb_the_others(engine: Engine) -> None:
    saver = SqlCheckpointer(engine, lease=begin(engine, "r1"), eager=True)
    release = threading.Event()
    engine.submit(lambda _: release.wait(10))
    made = checkpoint({"a": 1})
    await saver.aput(at(), made, {}, made["channel_versions"])
    first, second = (asyncio.create_task(saver.aget_tuple(at())) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    release.set()
    assert (await asyncio.wait_for(second, 10)) is not None
    assert first.cancelled()


# values


def test_a_value_is_stored_once_per_version_and_small_ones_in_the_row(engine: Engine) -> None:
    saver = SqlCheckpointer(engine, lease=begin(engine, "r1"))
    config: Any = at()
    for step in range(5):
        made = checkpoint({"big": LARGE, "n": step}, {"big": "1", "n": str(step)})
        config = saver.put(config, made, {"step": step}, {"n": str(step)} if step else {"big": "1", "n": "0"})
    stored = tables(engine)
    assert len(stored["checkpoint_blobs"]) == 1
    assert [one.checkpoint["channel_values"] for one in saver.list(at())] == [
        {"big": LARGE, "n": step} for step in (4, 3, 2, 1, 0)
    ]


def test_a_saver_that_did_not_see_the_version_stored_stores_it(engine: Engine) -> None:
    made = checkpoint({"big": LARGE, "n": 1})
    SqlCheckpointer(engine).put(at(), made, {}, {})
    assert got(SqlCheckpointer(engine)).checkpoint["channel_values"] == {"big": LARGE, "n": 1}


def test_after_a_delete_an_unchanged_value_is_stored_again(engine: Engine) -> None:
    saver = SqlCheckpointer(engine, lease=begin(engine, "r1"))
    put(saver, {"big": LARGE})
    saver.delete_thread("t")
    assert tables(engine)["checkpoint_blobs"] == []
    saver.put(at(), checkpoint({"big": LARGE}), {}, {})
    assert got(saver).checkpoint["channel_values"] == {"big": LARGE}


ODD = ["", "a\0b", 'quo"te', "back\\slash", "é\n", "$[0]", "{}", "'"]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("value", [None, "n\0ul", "", LARGE, LARGE + "\0", b"\0" * 600, bytearray(b"x"), {"\0": [1]}])
def test_odd_names_and_values_come_back(engine: Engine, name: str, value: Any) -> None:
    saver = SqlCheckpointer(engine)
    if "\0" in name and isinstance(engine, PostgresEngine):
        with pytest.raises(UnprocessableError, match="cannot store"):
            put(saver, {name: value}, at(f"t{name}", ns=name))
        return
    config = put(saver, {name: value}, at(f"t{name}", ns=name))
    saver.put_writes(config, [(name, value)], f"task{name}", f"path{name}")
    found = got(saver, at(f"t{name}", ns=name))
    assert found.checkpoint["channel_values"] == {name: value}
    assert found.pending_writes == [(f"task{name}", name, value)]


def test_a_value_of_many_megabytes_comes_back(engine: Engine) -> None:
    saver = SqlCheckpointer(engine)
    value = os.urandom(20_000_000)
    saver.put_writes(put(saver, {"a": value}), [("a", value)], "task")
    found = got(saver)
    assert found.checkpoint["channel_values"]["a"] == value
    assert found.pending_writes == [("task", "a", value)]


def test_a_thread_id_need_not_be_text(engine: Engine) -> None:
    saver = SqlCheckpointer(engine)
    assert put(saver, {"a": 1}, at(7))["configurable"]["thread_id"] == "7"
    assert got(saver, at(7)).checkpoint == got(saver, at("7")).checkpoint
    assert len(list(saver.list(at(7)))) == 1
    saver.delete_thread(7)  # type: ignore[arg-type]
    assert saver.get_tuple(at(7)) is None


def test_metadata_may_hold_anything(engine: Engine) -> None:
    saver = SqlCheckpointer(engine)
    put(saver, {}, odd=object, big=1 << 80, text="n\0ul", nested={"n\0ul": ["\0"]}, surrogate="\ud800")
    metadata: Any = got(saver).metadata
    assert metadata["big"] == 1 << 80
    assert metadata["text"] == "nul"
    assert metadata["nested"] == {"n\0ul": ["\0"]}
    assert metadata["surrogate"] == "\ud800"
    saver.copy_thread("t", "u")
    assert got(saver, at("u")).metadata == metadata


def test_what_is_missing_is_named(engine: Engine) -> None:
    saver = SqlCheckpointer(engine)
    with pytest.raises(ValueError, match="thread_id"):
        saver.get_tuple({"configurable": {}})
    with pytest.raises(ValueError, match="checkpoint_id"):
        saver.put_writes(at(), [("a", 1)], "task")
    with pytest.raises(ValueError, match=r"'newest'; allowed: keep_latest, delete"):
        saver.prune(["t"], strategy="newest")


def test_versions_grow_as_text_and_differ_between_forks(engine: Engine) -> None:
    saver = SqlCheckpointer(engine)
    version, seen = saver.get_next_version(None, None), set[str]()
    for _ in range(200):
        fork = saver.get_next_version(version, None)
        following = saver.get_next_version(version, None)
        assert version < following
        assert fork != following
        seen |= {fork, version}
        version = following
    assert len(seen) == 400
    foreign = "00000000000000000000000000000009.0.1234"
    assert foreign < saver.get_next_version(foreign, None)


async def test_a_clone_with_an_allowlist_shares_the_queue_of_writes(engine: Engine) -> None:
    lease = begin(engine, "r1")
    saver = SqlCheckpointer(engine, lease=lease, eager=True)
    clone: Any = saver.with_allowlist([("some.module", "Class")])
    made = checkpoint({"a": 1})
    await clone.aput(at(), made, {}, made["channel_versions"])
    assert (await saver.aget_tuple(at())) is not None
    take_over(engine, lease)
    await clone.aput(at(), made, {}, made["channel_versions"])
    with pytest.raises(LeaseLost):
        await saver.settled()


# lists


def test_a_list_longer_than_a_page_is_whole_and_in_order(engine: Engine) -> None:
    saver = SqlCheckpointer(engine)
    ids = [put(saver, {"n": n}, step=n, even=n % 2 == 0)["configurable"]["checkpoint_id"] for n in range(150)]

    def listed(**how: Any) -> list[str]:
        return [one.config["configurable"]["checkpoint_id"] for one in saver.list(at(), **how)]

    assert listed() == ids[::-1]
    assert listed(limit=40) == ids[::-1][:40]
    assert listed(limit=0) == []
    assert listed(filter={"even": True}, limit=50) == [one for one in ids[::-1] if one in ids[::2]][:50]
    assert listed(before=at(checkpoint_id=ids[10])) == ids[:10][::-1]
    assert [one.config["configurable"]["checkpoint_id"] for one in saver.list(None, filter={"step": 3})] == [ids[3]]


# runs


def test_rollback_restores_exactly_what_was_there(engine: Engine) -> None:
    """Two runs after another answer two interrupts that wait on the checkpoint of a first one."""
    first = SqlCheckpointer(engine, lease=begin(engine, "r1"))
    config = put(first, {"a": LARGE, "n": 1})
    first.put_writes(config, [(INTERRUPT, "ask 1")], "t1", "p1")
    first.put_writes(config, [("n", 5)], "t2", "p2")
    states, writes = [tables(engine)], [got(first).pending_writes]
    for number in (2, 3):
        saver = SqlCheckpointer(engine, lease=begin(engine, f"r{number}"))
        saver.put_writes(config, [(RESUME, [f"answer {number}"])], "t1", "p1")
        saver.put_writes(config, [(INTERRUPT, f"ask {number}")], "t1", "p1")
        saver.put_writes(config, [("n", 6), ("m", 7)], "t2", "p2")
        made = checkpoint({"a": LARGE + "!", "n": 2}, {"a": f"2.{number}", "n": f"2.{number}"})
        child = saver.put(at(ns=f"sub:{number}"), made, {}, made["channel_versions"])
        saver.put_writes(child, [("x", number)], "t3")
        states.append(tables(engine))
        writes.append(got(saver, config).pending_writes)
    assert writes[0] == [("t1", INTERRUPT, "ask 1"), ("t2", "n", 5)]
    for number in (2, 3):
        expected = [
            ("t1", RESUME, [f"answer {number}"]),
            ("t1", INTERRUPT, f"ask {number}"),
            ("t2", "n", 5),
            ("t2", "m", 7),
        ]
        assert writes[number - 1] == expected
    reader = SqlCheckpointer(engine)
    for number in (3, 2):
        assert has(engine, f"r{number}")
        engine.submit(lambda conn, run=f"r{number}": delete_runs_checkpoints(conn, "t", run)).result(10)
        assert not has(engine, f"r{number}")
        assert tables(engine) == states[number - 2]
        assert got(reader, config).pending_writes == writes[number - 2]


def has(engine: Engine, run_id: str) -> bool:
    return engine.submit(lambda conn: has_checkpoints(conn, "t", run_id)).result(10)


def test_removing_a_run_in_the_middle_keeps_the_values_that_later_runs_hold(engine: Engine) -> None:
    config: Any = at()
    versions: dict[str, Any] = {}
    for run_id, channel in (("r1", "a"), ("r2", "b"), ("r3", "c")):
        saver = SqlCheckpointer(engine, lease=begin(engine, run_id))
        versions = versions | {channel: run_id}
        made = checkpoint({name: LARGE + name for name in versions}, versions)
        config = saver.put(config, made, {}, {channel: run_id})
        saver.put_writes(config, [("x", run_id)], "task")
    reader = SqlCheckpointer(engine)
    reader.delete_for_runs(["r1", "r2"])
    assert [one.checkpoint["channel_values"] for one in reader.list(at())] == [{n: LARGE + n for n in "abc"}]
    assert got(reader).pending_writes == [("task", "x", "r3")]
    reader.delete_for_runs(["r3"])
    # No checkpoint uses the values of the removed runs now; they are deleted with the thread.
    assert tables(engine)["checkpoints"] == tables(engine)["checkpoint_writes"] == []
    reader.delete_thread("t")
    assert not any(tables(engine).values())


def test_a_run_is_removed_from_its_thread_alone(engine: Engine) -> None:
    saver = SqlCheckpointer(engine)
    for thread_id in ("t", "u"):
        config = put(saver, {"a": LARGE}, at(thread_id), run_id="r1")
        saver.put_writes(config, [("a", 1)], "task")
    engine.submit(lambda conn: delete_runs_checkpoints(conn, "t", "r1")).result(10)
    assert saver.get_tuple(at("t")) is None
    assert got(saver, at("u")).checkpoint["channel_values"] == {"a": LARGE}
    saver.delete_for_runs(["r1"])
    assert not any(tables(engine).values())


def test_loose_writes_are_those_of_the_run_alone(engine: Engine) -> None:
    config = put(SqlCheckpointer(engine, lease=begin(engine, "r1")), {"a": 1})
    SqlCheckpointer(engine).put_writes(config, [("a", 0)], "t0")
    before = tables(engine)
    saver = SqlCheckpointer(engine, lease=begin(engine, "r2"))
    saver.put_writes(config, [(RESUME, 1)], "t1")
    assert not has(engine, "r2")
    engine.submit(lambda conn: delete_loose_writes(conn, "t", "r2")).result(10)
    assert tables(engine) == before


def test_a_run_that_puts_an_earlier_checkpoint_again_does_not_take_it_over(engine: Engine) -> None:
    """What durability "exit" does when a resumed run stops where it began: as its own parent, too."""
    first = SqlCheckpointer(engine, lease=begin(engine, "r1"))
    parent = put(first, {"a": 1})
    made = checkpoint({"a": LARGE}, {"a": "2"})
    config = first.put(parent, made, {"step": 1}, {"a": "2"})
    first.put(config, made, {"step": 2}, {"a": "2"})
    assert got(first).parent_config == parent
    before = tables(engine)
    second = SqlCheckpointer(engine, lease=begin(engine, "r2"))
    second.put(config, made, {"step": 3}, {})
    assert tables(engine) == before
    engine.submit(lambda conn: delete_runs_checkpoints(conn, "t", "r2")).result(10)
    assert tables(engine) == before


async def test_runs_on_many_threads_at_once_do_not_mix(engine: Engine) -> None:
    async def one(thread_id: str) -> None:
        saver = SqlCheckpointer(engine, lease=begin(engine, f"run-{thread_id}", thread_id), eager=True)
        config: Any = at(thread_id)
        for step in range(20):
            made = checkpoint({"a": f"{thread_id}-{step}", "b": LARGE + thread_id})
            config = await saver.aput(config, made, {"step": step}, made["channel_versions"])
            await saver.aput_writes(config, [("a", step)], "task")
            await asyncio.sleep(0)
        await saver.settled()

    names = [f"t{number}" for number in range(16)]
    await asyncio.gather(*map(one, names))
    reader = SqlCheckpointer(engine)
    for name in names:
        found = [item async for item in reader.alist(at(name))]
        assert [item.checkpoint["channel_values"]["a"] for item in found] == [
            f"{name}-{step}" for step in range(19, -1, -1)
        ]
    await reader.adelete_for_runs([f"run-{name}" for name in names[:8]])
    assert {item.config["configurable"]["thread_id"] async for item in reader.alist(None)} == set(names[8:])


# threads


def test_a_copy_is_whole_and_belongs_to_no_run(engine: Engine) -> None:
    saver = SqlCheckpointer(engine, lease=begin(engine, "r1"))
    config = put(saver, {"a": LARGE, "n": 1}, thread_id="t")
    saver.put_writes(config, [("n", 2), (INTERRUPT, 3)], "task", "path")
    child = put(saver, {"b": LARGE}, at(ns="sub:1"))
    for _ in range(2):  # a second copy changes nothing
        engine.submit(lambda conn: copy_thread_checkpoints(conn, "t", "u")).result(10)
    assert [len(rows) for rows in tables(engine).values()] == [4, 4, 2]
    engine.submit(lambda conn: delete_runs_checkpoints(conn, "t", "r1")).result(10)
    SqlCheckpointer(engine).delete_for_runs(["r1"])
    copied = got(saver, at("u"))
    assert copied.config["configurable"]["checkpoint_id"] == config["configurable"]["checkpoint_id"]
    assert copied.checkpoint["channel_values"] == {"a": LARGE, "n": 1}
    assert copied.pending_writes == [("task", INTERRUPT, 3), ("task", "n", 2)]
    assert copied.metadata["thread_id"] == "u"  # type: ignore[typeddict-item]
    assert got(saver, at("u", child["configurable"]["checkpoint_id"], "sub:1")).checkpoint["channel_values"] == {
        "b": LARGE
    }
    engine.submit(lambda conn: delete_thread_checkpoints(conn, "u")).result(10)
    assert not any(tables(engine).values())


# a crash

_CHILD = """
import itertools, sys
from pathlib import Path
from backends.checkpoints.test_saver import LARGE, at, checkpoint
from treadle.backends.checkpoints.saver import SqlCheckpointer
from treadle.backends.clock import SystemClock
from treadle.backends.engine.postgres import PostgresEngine
from treadle.backends.engine.sqlite import SqliteEngine

_, path, url = sys.argv
engine = PostgresEngine(url) if url else SqliteEngine(Path(path), clock=SystemClock())
engine.start()
saver, config = SqlCheckpointer(engine), at()
for number in itertools.count():
    made = checkpoint({"n": number, "large": LARGE + str(number)}, {"n": str(number), "large": str(number)})
    config = saver.put(config, made, {"step": number}, made["channel_versions"])
    saver.put_writes(config, [("n", number)], "task")
    print(number, config["configurable"]["checkpoint_id"], flush=True)
"""


def test_what_was_acknowledged_outlives_a_sigkill(shape: shapes.Shape, tmp_path: Path) -> None:
    settings = shapes.settings(tmp_path)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(settings.database), settings.database_url],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert child.stdout is not None
    acknowledged = [child.stdout.readline().split() for _ in range(200)]
    child.send_signal(signal.SIGKILL)
    acknowledged += [line.split() for line in child.stdout if line.endswith("\n")]
    child.stdout.close()
    assert child.wait(10) == -signal.SIGKILL
    with shapes.engine_on(tmp_path) as engine:
        found = {one.metadata["step"]: one for one in SqlCheckpointer(engine).list(at())}
    for number, checkpoint_id in acknowledged:
        one = found[int(number)]
        assert one.config["configurable"]["checkpoint_id"] == checkpoint_id
        assert one.checkpoint["channel_values"] == {"n": int(number), "large": LARGE + number}
        assert one.pending_writes == [("task", "n", int(number))]
    assert len(acknowledged) >= 200
