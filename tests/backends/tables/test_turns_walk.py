"""Walks a queue with limits at random: none is ever exceeded, and whatever could run is claimed when there is room."""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from support import shapes
from support.queue_driver import SECOND, Clock, Queueing
from treadle.ports.queue import Lease, Limits

ENDINGS = ("finish", "finish", "finish", "roll back", "release")
picks = st.integers(0, 1000)
rooms = st.sampled_from([0, 1, 2, 8])
kinds = st.tuples(
    st.sampled_from(["a", "b", "free"]),
    st.sampled_from([None, "k", "l"]),
    st.integers(-1, 1),
    st.sampled_from([0, 0, 0, 3]),
)
"""Graph, key, priority and delay."""
HOLD_SECONDS = 5


@dataclass
class ModelRun:
    name: str
    thread: str
    graph: str
    key: str | None
    available_at: int
    running: bool = False
    started: bool = False


class Walk(RuleBasedStateMachine):
    @initialize(a=st.integers(1, 2), b=st.integers(1, 3), key=st.integers(1, 2))
    def open(self, a: int, b: int, key: int) -> None:
        self.limits = Limits(graphs={"a": a, "b": b}, key=key)
        self.clock = Clock()
        self.stack = ExitStack()
        self.stack.enter_context(shapes.databases_of_a_test())
        data = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="walk-")))
        processes = 1 if shapes.embedded() else 2
        engines = [self.stack.enter_context(shapes.engine_on(data, self.clock)) for _ in range(processes)]
        self.processes = [Queueing(engine, self.clock) for engine in engines]
        for process in self.processes[1:]:
            process.share(self.processes[0])
        self.turn = 0
        self.runs: list[ModelRun] = []
        self.held: dict[str, int] = {}

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()

    @property
    def process(self) -> Queueing:
        """Each step is done by the next process."""
        self.turn += 1
        return self.processes[self.turn % len(self.processes)]

    @property
    def leases(self) -> dict[str, Lease]:
        return self.processes[0].leases

    def running(self) -> list[ModelRun]:
        return [run for run in self.runs if run.running]

    def pending(self) -> list[ModelRun]:
        return [run for run in self.runs if not run.running]

    # the steps: after each of them there is room for some runs

    @rule(wanted=st.lists(kinds, min_size=1, max_size=6), thread=st.one_of(st.none(), picks), room=rooms)
    def create(self, wanted: list[tuple[str, str | None, int, int]], thread: int | None, room: int) -> None:
        """On one thread that there is, or each on its own."""
        chosen = self.runs[thread % len(self.runs)].thread if thread is not None and self.runs else None
        for graph, key, priority, delay in wanted:
            process = self.process
            name = str(self.turn)
            made = process.create(name, thread=chosen, graph=graph, key=key, priority=priority, delay=delay)
            self.runs.append(ModelRun(name, made, graph, key, self.clock.us + delay * SECOND))
        self.claim(room)

    @precondition(lambda self: self.running())
    @rule(chosen=st.lists(st.tuples(picks, st.sampled_from(ENDINGS)), min_size=1, max_size=3), room=rooms)
    def leave(self, chosen: list[tuple[int, str]], room: int) -> None:
        for pick, how in chosen:
            if running := self.running():
                self._leave(running[pick % len(running)], how)
        self.claim(room)

    def _leave(self, run: ModelRun, how: str) -> None:
        if how == "release":
            self.process.release(run.name)
            run.running = False
        else:
            self.process.finish(run.name, rollback=how == "roll back")
            self.runs.remove(run)

    @precondition(lambda self: self.pending())
    @rule(
        pick=picks,
        how=st.sampled_from(["cancel", "cancel", "delete thread", "hold", "hold", "lose", "wait"]),
        room=rooms,
    )
    def upset(self, pick: int, how: str, room: int) -> None:
        run = self.pending()[pick % len(self.pending())]
        if how == "cancel":
            self.process.cancel(run.name)
            self.runs.remove(run)
        elif how == "delete thread":
            self._delete_thread(run.thread)
        elif how == "hold":
            self._hold(run.thread)
        elif how == "lose":
            self._lose()
        else:
            self.clock.forward(1 + pick % 4)
        self.claim(room)

    def _lose(self) -> None:
        """All workers are gone at once: none of them has ever renewed its lease."""
        process = self.process
        process.do(process.queue.rescue(max_attempts=1000))
        self.leases.clear()
        for run in self.running():
            run.running = False

    def _delete_thread(self, thread: str) -> None:
        assert self.process.transact(lambda tx: tx.delete_thread(thread))
        for run in [run for run in self.runs if run.thread == thread]:
            self.leases.pop(run.name, None)
            self.runs.remove(run)
        self.held.pop(thread, None)

    def _hold(self, thread: str) -> None:
        """Or lets go, where it is held."""
        if self.held.get(thread, 0) > self.clock.us:
            until = self.held.pop(thread)
            self.process.transact(lambda tx: tx.release_thread(thread, until))
        elif until := self.process.transact(lambda tx: tx.hold_thread(thread, HOLD_SECONDS)):
            self.held[thread] = until

    def claim(self, room: int) -> None:
        names = self.process.claim(room, self.limits) if room else []
        assert len(set(names)) == len(names) <= room
        for name in names:
            run = next(run for run in self.runs if run.name == name)
            assert self._comes_first(run), "another of its thread was first"
            assert run.available_at <= self.clock.us
            assert self.held.get(run.thread, 0) <= self.clock.us
            run.running = run.started = True
        if len(names) < room:
            assert [run.name for run in self.pending() if self._could_run(run)] == []

    # what always holds

    @invariant()
    def no_limit_is_exceeded(self) -> None:
        found = self.processes[0].rows("SELECT graph_id, concurrency_key, thread_id FROM runs WHERE status = 'running'")
        graphs = Counter(graph for graph, _, _ in found)
        assert all(graphs[graph] <= most for graph, most in self.limits.graphs.items())
        assert all(count <= self.limits.key for count in Counter(key for _, key, _ in found if key).values())
        assert len({thread for _, _, thread in found}) == len(found) == len(self.running())

    # the model

    def _could_run(self, run: ModelRun) -> bool:
        others = [other for other in self.runs if other.thread == run.thread and other is not run]
        running = self.running()
        return (
            run.available_at <= self.clock.us
            and self.held.get(run.thread, 0) <= self.clock.us
            and not any(other.running for other in others)
            and self._comes_first(run)
            and sum(each.graph == run.graph for each in running) < self.limits.graphs.get(run.graph, 1000)
            and (run.key is None or sum(each.key == run.key for each in running) < self.limits.key)
        )

    def _comes_first(self, run: ModelRun) -> bool:
        """Of its thread's due runs that wait: one that has started goes on first, then the oldest."""
        waiting = [other for other in self.pending() if other.thread == run.thread]
        if run.started:
            return True
        if any(other.started for other in waiting):
            return False
        before = waiting[: waiting.index(run)]
        return not any(other.available_at <= self.clock.us for other in before)


def test_no_limit_is_exceeded_and_nothing_that_could_run_is_left(shape: shapes.Shape) -> None:
    unhealthy = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    examples = 100 if shapes.embedded() else 60
    shapes.walk(Walk, max_examples=examples, stateful_step_count=30, suppress_health_check=unhealthy)
