"""Which pending run is next: priorities, the order on a thread, and slots of graphs and keys."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from support import shapes
from support.queue_driver import Clock, Queueing
from treadle.ports.queue import Limits, Outcome

_RUNNING = """
SELECT (SELECT count(*) FROM runs WHERE status = 'running' AND graph_id = 'slow'),
    coalesce((SELECT max(many) FROM (
        SELECT count(*) AS many FROM runs WHERE status = 'running' AND concurrency_key IS NOT NULL
        GROUP BY concurrency_key) AS keys), 0)
"""
TWO_OF_SLOW = Limits(graphs={"slow": 2})


def test_runs_start_in_the_order_in_which_they_became_due(queueing: Queueing) -> None:
    queueing.create("late", delay=2)
    queueing.create("first")
    queueing.create("soon", delay=1)
    assert queueing.claim() == ["first"]
    queueing.clock.forward(3)
    assert queueing.claim() == ["soon", "late"]


def test_higher_priorities_come_first(queueing: Queueing) -> None:
    for name, priority in (("low", -5), ("normal", 0), ("high", 7), ("also high", 7)):
        queueing.create(name, priority=priority)
    assert queueing.claim(3) == ["high", "also high", "normal"]
    assert queueing.claim(3) == ["low"]


def test_a_delayed_run_of_high_priority_keeps_nobody_waiting(queueing: Queueing) -> None:
    queueing.create("urgent", priority=9, delay=60)
    queueing.create("normal")
    assert queueing.claim(1) == ["normal"]
    queueing.clock.forward(61)
    queueing.create("other")
    assert queueing.claim(1) == ["urgent"]


def test_on_one_thread_the_order_of_creation_rules_whatever_the_priority(queueing: Queueing) -> None:
    thread = queueing.create("first", priority=-1)
    queueing.create("second", thread=thread, priority=9)
    queueing.create("elsewhere")
    assert queueing.claim() == ["elsewhere", "first"]
    assert queueing.claim() == []
    queueing.finish("first")
    assert queueing.claim() == ["second"]


def test_a_run_behind_its_thread_starts_when_those_before_it_are_gone(queueing: Queueing) -> None:
    thread = queueing.create("first")
    for name in ("second", "third", "fourth", "fifth"):
        queueing.create(name, thread=thread)
    assert queueing.claim() == ["first"]
    assert queueing.blocked_by("second") == "thread"
    queueing.cancel("third")
    queueing.finish("first", rollback=True)
    assert queueing.claim() == ["second"]
    queueing.release("second")
    assert queueing.claim() == ["second"]
    assert queueing.claim() == []
    queueing.finish("second", status="error")
    assert queueing.claim() == ["fourth"]


def test_an_older_run_that_comes_due_goes_before_those_that_wait(queueing: Queueing) -> None:
    thread = queueing.create("delayed", delay=10)
    queueing.create("running", thread=thread)
    queueing.create("waiting", thread=thread)
    assert queueing.claim() == ["running"]
    queueing.clock.forward(20)
    assert queueing.claim() == []
    queueing.finish("running")
    assert queueing.claim() == ["delayed"]
    queueing.finish("delayed")
    assert queueing.claim() == ["waiting"]


def test_what_comes_due_does_not_run_between_two_attempts_of_another(queueing: Queueing) -> None:
    thread = queueing.create("delayed", delay=10)
    queueing.create("running", thread=thread)
    assert queueing.claim() == ["running"]
    queueing.clock.forward(20)
    queueing.release("running")
    assert queueing.claim() == ["running"]
    queueing.finish("running")
    assert queueing.claim() == ["delayed"]


def test_a_clock_that_goes_back_lets_no_later_run_overtake(queueing: Queueing) -> None:
    thread = queueing.create("first")
    queueing.clock.forward(-20)
    queueing.create("second", thread=thread)
    assert queueing.claim() == ["first"]
    queueing.finish("first")
    assert queueing.claim() == ["second"]


def test_a_held_thread_waits_until_the_hold_ends_or_is_over(queueing: Queueing) -> None:
    thread = queueing.create("one")
    held = queueing.transact(lambda tx: tx.hold_thread(thread, 30))
    assert held
    assert queueing.claim() == []
    queueing.transact(lambda tx: tx.release_thread(thread, held))
    assert queueing.claim() == ["one"]
    queueing.finish("one")
    queueing.create("two", thread=thread)
    assert queueing.transact(lambda tx: tx.hold_thread(thread, 30))
    assert queueing.claim() == []
    queueing.clock.forward(31)
    assert queueing.claim() == ["two"]


def test_a_graph_runs_no_more_than_its_limit(queueing: Queueing) -> None:
    for name in ("a", "b", "c", "d"):
        queueing.create(name, graph="slow")
    queueing.create("other")
    assert queueing.claim(10, TWO_OF_SLOW) == ["a", "b", "other"]
    assert queueing.claim(10, TWO_OF_SLOW) == []
    assert queueing.blocked_by("c") == "graph:slow"
    queueing.finish("b")
    assert queueing.claim(10, TWO_OF_SLOW) == ["c"]


def test_a_key_runs_no_more_than_its_limit_over_all_graphs(queueing: Queueing) -> None:
    limits = Limits(key=2)
    for name, graph in (("a", "g"), ("b", "h"), ("c", "g"), ("d", "h")):
        queueing.create(name, graph=graph, key="ann")
    queueing.create("bob's", key="bob")
    assert queueing.claim(10, limits) == ["a", "b", "bob's"]
    assert queueing.blocked_by("d") == "key:ann"
    queueing.finish("a")
    assert queueing.claim(10, limits) == ["c"]


def test_the_best_of_those_that_wait_gets_the_slot(queueing: Queueing) -> None:
    queueing.create("running", key="k")
    assert queueing.claim() == ["running"]
    for name, priority in (("low", -1), ("normal", 0), ("high", 1)):
        queueing.create(name, key="k", priority=priority)
    assert queueing.claim() == []
    for expected in ("high", "normal", "low"):
        queueing.finish(*queueing.leases)
        assert queueing.claim() == [expected]


@pytest.mark.parametrize("how", ["success", "error", "rollback", "release", "rescue", "thread", "exhausted"])
def test_a_slot_is_free_however_its_run_leaves_it(queueing: Queueing, how: str) -> None:
    limits = Limits(graphs={"g": 1})
    thread = queueing.create("holder", key="k")
    queueing.create("of the graph", key="other")
    queueing.create("of the key", graph="free", key="k")
    assert queueing.claim(10, limits) == ["holder"]
    assert queueing.claim(10, limits) == []
    freed = {"of the graph", "of the key"}
    if how in ("success", "error"):
        queueing.finish("holder", status="success" if how == "success" else "error")
    elif how == "rollback":
        queueing.finish("holder", rollback=True)
    elif how == "release":
        queueing.release("holder")
        freed = {"holder"}
    elif how == "thread":
        queueing.transact(lambda tx: tx.delete_thread(thread))
    else:
        queueing.do(queueing.queue.rescue(max_attempts=1 if how == "exhausted" else 3))
        freed = {"holder"} if how == "rescue" else freed
    assert set(queueing.claim(10, limits)) == freed


def test_a_slot_that_a_cancelled_run_was_to_get_goes_to_the_next(queueing: Queueing) -> None:
    for name in ("a", "b", "c"):
        queueing.create(name, key="k")
    assert queueing.claim() == ["a"]
    queueing.finish("a")
    queueing.cancel("b")
    assert queueing.claim() == ["c"]


def test_a_slot_does_not_wait_for_a_run_that_waits_behind_its_thread(queueing: Queueing) -> None:
    limits = Limits(graphs={"g": 1})
    queueing.create("holder", graph="free", key="k")
    thread = queueing.create("long", graph="free")
    assert queueing.claim(10, limits) == ["holder", "long"]
    queueing.create("blocked", key="k", delay=1)
    queueing.create("later", key="k", delay=2)
    queueing.create("behind", graph="free", key="k", thread=thread)
    queueing.clock.forward(3)
    assert queueing.claim(10, limits) == []
    queueing.finish("holder")
    assert queueing.claim(10, limits) == ["blocked"]
    queueing.finish("blocked")
    assert queueing.claim(10, limits) == ["later"]


def test_where_a_graph_and_a_key_are_full_whoever_may_run_does(queueing: Queueing) -> None:
    limits = Limits(graphs={"g": 1, "h": 1}, key=1)
    queueing.create("g of ann", graph="g", key="ann")
    queueing.create("h of bob", graph="h", key="bob")
    assert len(queueing.claim(10, limits)) == 2
    for graph in ("g", "h"):
        for key in ("ann", "bob", "cyd"):
            queueing.create(f"{graph} {key}", graph=graph, key=key)
    assert queueing.claim(10, limits) == []
    queueing.finish("g of ann")
    assert queueing.claim(10, limits) == ["g ann"]
    queueing.finish("h of bob")
    assert queueing.claim(10, limits) == ["h bob"]
    queueing.finish("g ann")
    assert queueing.claim(10, limits) == ["g cyd"]
    queueing.finish("h bob")
    assert queueing.claim(10, limits) == ["h ann"]


def test_thousands_that_cannot_run_keep_nobody_waiting_and_are_looked_at_once(queueing: Queueing) -> None:
    limits = Limits(graphs={"slow": 1})
    queueing.create("slow one", graph="slow")
    assert queueing.claim(10, limits) == ["slow one"]
    queueing.create_many(600, graph="slow", key="k")
    queueing.create_many(600, key="k", priority=5)
    queueing.create("behind them")
    assert queueing.claim(10, limits) == ["601", "behind them"]
    assert queueing.rows("SELECT count(*) FROM runs WHERE status = 'pending' AND blocked_by IS NULL") == [(0,)]
    queueing.create("next")
    assert queueing.claim(10, limits) == ["next"]
    queueing.finish("slow one")
    assert queueing.claim(10, limits) == []
    queueing.finish("601")
    assert len(queueing.claim(10, limits)) == 1


def test_limits_that_are_others_after_a_restart_count_at_once(queueing: Queueing) -> None:
    for name in ("a", "b", "c", "d"):
        queueing.create(name, graph="slow")
    assert queueing.claim(10, Limits(graphs={"slow": 1})) == ["a"]
    again = Queueing(queueing.engine, queueing.clock)
    assert len(again.do(again.queue.claim("w", 10, TWO_OF_SLOW)).claims) == 1
    another = Queueing(queueing.engine, queueing.clock)
    assert len(another.do(another.queue.claim("w", 10)).claims) == 2


def test_what_was_forgotten_is_found_by_the_sweep(queueing: Queueing) -> None:
    queueing.create("forgotten", key="k")
    queueing.create("also", thread=str(uuid4()))
    set_aside = "UPDATE runs SET blocked_by = ? WHERE run_id = ?"
    queueing.engine.submit(lambda conn: conn.execute(set_aside, ("thread", queueing.id("also")))).result(10)
    assert queueing.claim() == ["forgotten"]
    queueing.finish("forgotten")
    assert queueing.claim() == []
    queueing.do(queueing.queue.sweep(stateless_before=0, keys_before=0))
    assert queueing.claim() == ["also"]


def test_many_that_claim_at_once_exceed_no_limit_and_leave_nothing(queueing: Queueing, tmp_path: Path) -> None:
    limits = Limits(graphs={"slow": 3}, key=2)
    if shapes.embedded():
        others = [queueing]
    else:
        others = [Queueing(shapes.open_engine(tmp_path / "data", Clock()), queueing.clock) for _ in range(3)]
    for number in range(40):
        queueing.create(
            str(number), graph="slow" if number % 2 else "fast", key=f"k{number % 5}" if number % 3 else None
        )
    done: list[str] = []

    async def work(each: Queueing, worker: str) -> None:
        while len(done) < 40:
            claimed = await each.queue.claim(worker, 4, limits)
            slow, busiest = await each.engine.read(lambda conn: conn.execute(_RUNNING).fetchone())
            assert slow <= 3
            assert busiest <= 2
            for claim in claimed.claims:
                await each.queue.finish(claim.lease, Outcome(status="success"), ())
                done.append(claim.lease.run_id)
            await asyncio.sleep(0)

    async def main() -> None:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for number, each in enumerate(others * 2):
                group.create_task(work(each, f"w{number}"))

    asyncio.run(main())
    assert len(set(done)) == len(done) == 40
    for each in others:
        if each is not queueing:
            each.engine.close()
