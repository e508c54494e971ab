"""One round: every figure on fresh servers, what is compared close together."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from benchmarks import langgraph_dev
from benchmarks.server import Serving, serving, settle
from treadle.bench.take import TAKES, MeasureFailed, Take, Taken, Taker, Target

ROOT = Path(__file__).parents[1]
BARE_SECONDS = 120.0
HALVES = 2
OTHER_SECONDS = 3.0
"""How long a rate of the other server is taken: it looks for work once a second."""

ON_FRESH = ("idle_streams",)
"""On servers that did nothing before: memory that was freed would be taken again."""

NOT_OF_OTHERS = ("late_run",)
"""At a run a second the other server would take a quarter of an hour; the row compares treadle with itself."""


@dataclass(frozen=True)
class Group:
    """Figures that are compared: they are taken in turn. ``bare`` are measures of ``benchmarks.bare``."""

    takes: tuple[str, ...]
    bare: tuple[str, ...] = ()
    in_flight: int = 16


_RUNS = ("threaded_stream", "stateless_stream", "threaded_wait", "stateless_wait")
GROUPS = (
    Group(("first_event",), ("first_event",)),
    Group(tuple(f"{name}_16" for name in _RUNS), ("chain_with_saver", "chain_alone")),
    Group(tuple(f"{name}_64" for name in _RUNS), ("chain_with_saver",), in_flight=64),
    Group(("custom_one",), ("custom_one",)),
    Group(("custom_many",), ("custom_many",)),
    Group(("messages",), ("messages",)),
    Group(("long_values",), ("long_values",)),
    Group(("late_run",)),
    Group(("readers",)),
    Group(("idle_streams",)),
)


@dataclass
class Bench:
    """``other`` starts the other server, if there is one; ``told`` hears what is being measured, and what failed.
    ``taken`` are all measures of treadle, with what they took of the processor."""

    seconds: float
    told: Callable[[str], None]
    only: Sequence[str] = ()
    other: Callable[[Path], AbstractContextManager[Serving]] | None = None
    taken: list[Taken] = field(default_factory=list[Taken])

    def wants(self, name: str) -> bool:
        return not self.only or any(text in name for text in self.only)

    def round(self, directory: Path, *, first: bool) -> Iterator[tuple[str, float]]:
        """Every figure, by name. What is heavy is taken of the other server in the first round only."""
        with self._servers(directory) as (ours, other):
            yield from self._rested("treadle", ours)
            if other:
                yield from self._rested("other", other)
            for group in GROUPS:
                if any(map(self.wants, group.takes)) and not set(group.takes) & set(ON_FRESH):
                    yield from self._group(group, directory, ours, other, first)
            yield from self._peaks(ours, other)
        if any(map(self.wants, ON_FRESH)):
            fresh = directory / "fresh"
            fresh.mkdir()
            with self._servers(fresh) as (ours, other):
                settle()
                yield from self._group(GROUPS[-1], fresh, ours, other, first)

    @contextmanager
    def _servers(self, directory: Path) -> Generator[tuple[Serving, Serving | None]]:
        with ExitStack() as stack:
            ours = stack.enter_context(serving(directory))
            yield ours, stack.enter_context(self.other(directory)) if self.other else None

    def _rested(self, name: str, server: Serving) -> Iterator[tuple[str, float]]:
        settle()
        yield f"{name}.startup", server.started_seconds
        yield f"{name}.idle_memory", server.resident_mib()

    def _peaks(self, ours: Serving, other: Serving | None) -> Iterator[tuple[str, float]]:
        for name, server in (("treadle", ours), ("other", other)):
            if server and not self.only and (peak := server.peak_mib()):
                yield f"{name}.peak_memory", peak

    def _group(
        self, group: Group, directory: Path, ours: Serving, other: Serving | None, first: bool
    ) -> Iterator[tuple[str, float]]:
        """In order and then in reverse, the other server in the middle: what else the machine does in the meantime,
        growing or waning, hits all of them alike. Each figure is the mean of its halves."""
        takes = [take for take in TAKES if take.name in group.takes and self.wants(take.name)]
        heavy = any(take.heavy for take in takes)
        there = [*self._bare(group, directory), *self._ours(takes, ours, 1 if heavy else HALVES)]
        between = list(self._other(takes, other)) if other and (first or not heavy) else []
        back = [] if heavy else [*self._ours(takes[::-1], ours, HALVES), *self._bare(group, directory)]
        yield from between
        for name in dict.fromkeys(name for name, _ in there):
            values = [value for other_name, value in (*there, *back) if other_name == name]
            yield name, sum(values) / len(values)

    def _bare(self, group: Group, directory: Path) -> Iterator[tuple[str, float]]:
        for measure in group.bare:
            suffix = f"_{group.in_flight}" if measure.startswith("chain_") else ""
            self.told(f"bare: {measure}{suffix}")
            yield (
                f"bare.{measure}{suffix}",
                bare((measure,), directory, self.seconds / HALVES, group.in_flight)[measure],
            )

    def _ours(self, takes: Sequence[Take], server: Serving, parts: int) -> Iterator[tuple[str, float]]:
        taker = Taker(self.seconds / parts)
        for take in takes:
            self.told(f"treadle: {take.name}")
            self.taken.append(taker(Target(server.url, server.pid), take))
            yield from ((f"treadle.{name}", value) for name, value in self.taken[-1].figures.items())

    def _other(self, takes: Sequence[Take], server: Serving) -> Iterator[tuple[str, float]]:
        """What fails on the other server is told, and is not in the table."""
        taker = Taker(OTHER_SECONDS)
        for take in takes:
            if take.name in NOT_OF_OTHERS:
                continue
            self.told(f"{langgraph_dev.NAME}: {take.name}")
            try:
                taken = taker(Target(server.url, server.pid), take)
            except MeasureFailed as failed:
                self.told(f"{langgraph_dev.NAME}: {failed}")
            else:
                yield from ((f"other.{name}", value) for name, value in taken.figures.items())


def bare(measures: Sequence[str], directory: Path, seconds: float, in_flight: int = 16) -> dict[str, float]:
    """What ``benchmarks.bare`` finds, in a process of its own, by measure."""
    options = [f"--directory={directory}", f"--seconds={seconds}", f"--in-flight={in_flight}"]
    command = [sys.executable, "-m", "benchmarks.bare", *measures, *options]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, timeout=BARE_SECONDS, check=True)
    return json.loads(done.stdout)


LISTS = {"list_runs": "runs of a thread", "search_threads": "threads"}
"""Rows, and what ``benchmarks.lists`` calls their figures."""


def list_figures(directory: Path) -> Iterator[tuple[str, float]]:
    """Lists of a small and of a large database, once: the large one takes a minute to make."""
    if find_spec("benchmarks.lists") is None:
        return
    lists = import_module("benchmarks.lists")
    small, large = (lists.measure(directory / str(runs), threads, runs) for threads, runs in lists.SIZES)
    for row, name in LISTS.items():
        if name not in large:
            continue
        yield f"treadle.{row}", large[name]
        yield f"treadle.{row}_slowdown", large[name] / small[name]
    for name in large:
        yield f"lists.{name}", large[name]
        yield f"lists.{name}, slowdown", large[name] / small[name]
