"""Random writes and deletes against LangGraph's InMemorySaver; runs taken back against what was there before them."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from langgraph.checkpoint.base import CheckpointTuple, empty_checkpoint
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT, RESUME, SCHEDULED

from backends.leases import begin, tables
from support import shapes
from treadle.backends.checkpoints.saver import SqlCheckpointer, delete_runs_checkpoints
from treadle.ports.queue import Lease

THREADS, NAMESPACES, CHANNELS = ("t1", "t2"), ("", "sub:1"), ("a", "b", "c")
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 9),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.lists(st.integers(0, 9), max_size=3),
    st.integers(500, 900).map(lambda size: "x" * size),
)
metadata = st.fixed_dictionaries({"step": st.integers(0, 3), "source": st.sampled_from(["loop", "input"])})
write_lists = st.lists(
    st.tuples(st.sampled_from([*CHANNELS, INTERRUPT, RESUME, ERROR, SCHEDULED]), values), min_size=1, max_size=3
)


def plain(found: CheckpointTuple | None) -> Any:
    return None if found is None else (*found[:4], found.pending_writes or [])


class Savers(RuleBasedStateMachine):
    """Every rule is done to both; what can be read of both is the same at every step."""

    configs: Bundle[Any] = Bundle("configs")

    @initialize(leased=st.booleans(), eager=st.booleans())
    def open(self, leased: bool, eager: bool) -> None:
        self.stack = ExitStack()
        self.engine = self.stack.enter_context(shapes.fresh_engine())
        self.lease: Lease | None = begin(self.engine, "r0", "t1") if leased else None
        self.saver = SqlCheckpointer(self.engine, lease=self.lease, eager=eager)
        self.model = InMemorySaver()
        self.count = 0

    def teardown(self) -> None:
        self.stack.close()

    @rule(target=configs, thread=st.sampled_from(THREADS), ns=st.sampled_from(NAMESPACES), data=st.data())
    def root(self, thread: str, ns: str, data: st.DataObject) -> Any:
        return self.put({"configurable": {"thread_id": thread, "checkpoint_ns": ns}}, data)

    @rule(target=configs, parent=configs, data=st.data())
    def child(self, parent: Any, data: st.DataObject) -> Any:
        return self.put(parent, data)

    def put(self, config: Any, data: st.DataObject) -> Any:
        """A child takes over its parent's values, and changes, empties or adds some."""
        self.count += 1
        before = self.model.get_tuple(config) if "checkpoint_id" in config["configurable"] else None
        state = dict(before.checkpoint["channel_values"]) if before else {}
        versions: dict[str, Any] = dict(before.checkpoint["channel_versions"]) if before else {}
        changed = data.draw(st.dictionaries(st.sampled_from(CHANNELS), st.one_of(values, st.just(...))))
        new = {channel: f"{self.count:06d}.{channel}" for channel in changed}
        state = {channel: value for channel, value in {**state, **changed}.items() if value is not ...}
        made = {
            **empty_checkpoint(),
            "id": f"{self.count:06d}",
            "channel_values": state,
            "channel_versions": versions | new,
        }
        about = data.draw(metadata)
        returned = [saver.put(config, {**made}, about, new) for saver in (self.saver, self.model)]  # type: ignore[typeddict-item]
        assert returned[0] == returned[1]
        return returned[0]

    @rule(config=configs, task=st.sampled_from(["k1", "k2"]), path=st.sampled_from(["", "~p"]), writes=write_lists)
    def write(self, config: Any, task: str, path: str, writes: list[tuple[str, Any]]) -> None:
        for saver in (self.saver, self.model):
            saver.put_writes(config, writes, task, path)

    @rule(thread=st.sampled_from(THREADS))
    def delete_thread(self, thread: str) -> None:
        for saver in (self.saver, self.model):
            saver.delete_thread(thread)

    @rule(config=consumes(configs))
    def forget(self, config: Any) -> None:
        """Only so that hypothesis goes on from other places."""

    @rule(config=configs)
    def history(self, config: Any) -> None:
        found = [
            saver.get_delta_channel_history(config=config, channels=CHANNELS) for saver in (self.saver, self.model)
        ]
        assert found[0] == found[1]

    @rule(config=configs)
    def point(self, config: Any) -> None:
        assert plain(self.saver.get_tuple(config)) == plain(self.model.get_tuple(config))

    @rule(config=configs, about=metadata, limit=st.integers(0, 3))
    def filtered(self, config: Any, about: Any, limit: int) -> None:
        place = config["configurable"]
        base: Any = {"configurable": {"thread_id": place["thread_id"], "checkpoint_ns": place["checkpoint_ns"]}}
        how: Any = {"filter": about, "before": config, "limit": limit}
        found = [[plain(one) for one in saver.list(base, **how)] for saver in (self.saver, self.model)]
        assert found[0] == found[1]

    @invariant()
    def same(self) -> None:
        for thread in THREADS:
            for ns in NAMESPACES:
                base: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": ns}}
                assert plain(self.saver.get_tuple(base)) == plain(self.model.get_tuple(base))
                found = [[plain(one) for one in saver.list(base)] for saver in (self.saver, self.model)]
                assert found[0] == found[1]


class Runs(RuleBasedStateMachine):
    """Runs come one after the other; taking the last one back leaves the rows as they were when it began."""

    configs: Bundle[Any] = Bundle("configs")

    @initialize(target=configs)
    def open(self) -> Any:
        self.stack = ExitStack()
        self.engine = self.stack.enter_context(shapes.fresh_engine())
        self.runs: list[tuple[str, Any]] = []
        self.numbers = count()
        self.made = 0
        self.begin()
        return multiple(*self.put({"configurable": {"thread_id": "t", "checkpoint_ns": ""}}, {"a": "x" * 600}))

    def teardown(self) -> None:
        self.stack.close()

    @rule()
    def begin(self) -> None:
        run_id = f"r{next(self.numbers)}"
        before = tables(self.engine)
        self.saver = SqlCheckpointer(self.engine, lease=begin(self.engine, run_id))
        self.runs.append((run_id, before))

    @rule(
        target=configs,
        config=configs,
        ns=st.sampled_from(NAMESPACES),
        state=st.dictionaries(st.sampled_from(CHANNELS), values),
    )
    def step(self, config: Any, ns: str, state: dict[str, Any]) -> Any:
        return multiple(*self.put({"configurable": config["configurable"] | {"checkpoint_ns": ns}}, state))

    def put(self, config: Any, state: dict[str, Any]) -> list[Any]:
        self.made += 1
        versions: Any = dict.fromkeys(state, f"{self.made:06d}")
        made: Any = {
            **empty_checkpoint(), "id": f"{self.made:06d}", "channel_values": state, "channel_versions": versions
        }  # fmt: skip
        return [self.saver.put(config, made, {}, versions)]

    @rule(config=configs, task=st.sampled_from(["k1", "k2"]), writes=write_lists)
    def write(self, config: Any, task: str, writes: list[tuple[str, Any]]) -> None:
        self.saver.put_writes(config, writes, task)

    @rule()
    def take_back(self) -> None:
        if len(self.runs) > 1:
            run_id, before = self.runs.pop()
            self.engine.submit(lambda conn: delete_runs_checkpoints(conn, "t", run_id)).result(10)
            assert tables(self.engine) == before
            self.begin()


def test_a_saver_is_as_the_one_in_memory(shape: shapes.Shape) -> None:
    shapes.walk(Savers, max_examples=25, stateful_step_count=25)


def test_runs_are_taken_back_without_a_trace(shape: shapes.Shape) -> None:
    shapes.walk(Runs, max_examples=25, stateful_step_count=25)
