"""Measure one round: every figure on freshly started servers, with compared figures measured close together."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import langgraph_dev
from benchmarks.server import MeasuredServer, settle, start_server
from treadle.bench.cases import CASES, Case, Endpoint, LoadGenerator, MeasureFailed, Measurement

ROOT = Path(__file__).parents[1]
BARE_SECONDS = 120.0
HALVES = 2
OTHER_SECONDS = 3.0
"""Duration of each measurement of the other server's rates: it polls for work once a second."""

FRESH_SERVERS = ("idle_streams",)
"""Cases that need servers without earlier work: memory that was freed before would be reused."""

NOT_OF_OTHERS = ("late_run",)
"""At one run a second the other server would take a quarter of an hour; the row compares treadle with itself."""


@dataclass(frozen=True)
class Group:
    """Cases that are compared with each other, and measured in turn. ``bare`` names measures of ``benchmarks.bare``."""

    cases: tuple[str, ...]
    bare: tuple[str, ...] = ()
    in_flight: int = 16


_RUNS = ("threaded_stream", "stateless_stream", "threaded_wait", "stateless_wait")
GROUPS = (
    Group(("first_event",), ("first_event",)),
    Group(tuple(f"{name}_16" for name in _RUNS), ("chain_with_saver", "chain_alone")),
    Group(tuple(f"{name}_64" for name in _RUNS), ("chain_with_saver",), in_flight=64),
    *(Group((name,), (name,)) for name in ("custom_one", "custom_many", "messages", "long_values")),
    *(Group((name,)) for name in ("late_run", "readers", "idle_streams")),
)


@dataclass
class Bench:
    """Measures rounds. ``other`` starts the other server, if there is one. ``log`` receives the name of each
    measurement before it begins, and failures of the other server. ``measurements`` collects those of treadle."""

    seconds: float
    log: Callable[[str], None]
    only: Sequence[str] = ()
    other: Callable[[Path], AbstractContextManager[MeasuredServer]] | None = None
    measurements: list[Measurement] = field(default_factory=list[Measurement])

    def wants(self, name: str) -> bool:
        return not self.only or any(text in name for text in self.only)

    def round(self, directory: Path, *, first: bool) -> Iterator[tuple[str, float]]:
        """Yield every figure with its name. Heavy cases of the other server are measured in the first round only."""
        with self._servers(directory / "main") as (ours, other):
            yield from self._startup("treadle", ours)
            if other:
                yield from self._startup("other", other)
            for group in GROUPS:
                if any(map(self.wants, group.cases)) and not set(group.cases) & set(FRESH_SERVERS):
                    yield from self._group(group, directory, ours, other, first)
            yield from self._peaks(ours, other)
        if any(map(self.wants, FRESH_SERVERS)):
            with self._servers(directory / "fresh") as (ours, other):
                settle()
                yield from self._group(GROUPS[-1], directory, ours, other, first)

    @contextmanager
    def _servers(self, directory: Path) -> Generator[tuple[MeasuredServer, MeasuredServer | None]]:
        directory.mkdir()
        with ExitStack() as stack:
            ours = stack.enter_context(start_server(directory))
            yield ours, stack.enter_context(self.other(directory)) if self.other else None

    def _startup(self, name: str, server: MeasuredServer) -> Iterator[tuple[str, float]]:
        settle()
        yield f"{name}.startup", server.started_seconds
        yield f"{name}.idle_memory", server.resident_mib()

    def _peaks(self, ours: MeasuredServer, other: MeasuredServer | None) -> Iterator[tuple[str, float]]:
        for name, server in (("treadle", ours), ("other", other)):
            if server and not self.only and (peak := server.peak_mib()):
                yield f"{name}.peak_memory", peak

    def _group(
        self, group: Group, directory: Path, ours: MeasuredServer, other: MeasuredServer | None, first: bool
    ) -> Iterator[tuple[str, float]]:
        """Measure in order, then the other server, then in reverse order; each figure is the mean of its halves.

        Load from elsewhere on the machine, whether it grows or shrinks meanwhile, then affects all sides alike.
        """
        cases = [case for case in CASES if case.name in group.cases and self.wants(case.name)]
        heavy = any(case.heavy for case in cases)
        there = [*self._bare(group, directory), *self._ours(cases, ours, 1 if heavy else HALVES)]
        between = list(self._other(cases, other)) if other and (first or not heavy) else []
        back = [] if heavy else [*self._ours(cases[::-1], ours, HALVES), *self._bare(group, directory)]
        yield from between
        for name in dict.fromkeys(name for name, _ in there):
            values = [value for other_name, value in (*there, *back) if other_name == name]
            yield name, sum(values) / len(values)

    def _bare(self, group: Group, directory: Path) -> Iterator[tuple[str, float]]:
        for measure in group.bare:
            name = f"{measure}_{group.in_flight}" if measure.startswith("chain_") else measure
            self.log(f"bare: {name}")
            figures = bare((measure,), directory, self.seconds / HALVES, group.in_flight)
            yield f"bare.{name}", figures[measure]

    def _ours(self, cases: Sequence[Case], server: MeasuredServer, parts: int) -> Iterator[tuple[str, float]]:
        generate_load = LoadGenerator(self.seconds / parts)
        for case in cases:
            self.log(f"treadle: {case.name}")
            self.measurements.append(generate_load(Endpoint(server.url, server.pid), case))
            yield from ((f"treadle.{name}", value) for name, value in self.measurements[-1].figures.items())

    def _other(self, cases: Sequence[Case], server: MeasuredServer) -> Iterator[tuple[str, float]]:
        """Measure the other server. A case that fails there is logged, and has no figure in the table."""
        generate_load = LoadGenerator(OTHER_SECONDS)
        for case in cases:
            if case.name in NOT_OF_OTHERS:
                continue
            self.log(f"{langgraph_dev.NAME}: {case.name}")
            try:
                measurement = generate_load(Endpoint(server.url, server.pid), case)
            except MeasureFailed as failed:
                self.log(f"{langgraph_dev.NAME}: {failed}")
            else:
                yield from ((f"other.{name}", value) for name, value in measurement.figures.items())


def bare(measures: Sequence[str], directory: Path, seconds: float, in_flight: int = 16) -> dict[str, float]:
    """Run ``benchmarks.bare`` in its own process, and return its figures by measure."""
    options = [f"--directory={directory}", f"--seconds={seconds}", f"--in-flight={in_flight}"]
    command = [sys.executable, "-m", "benchmarks.bare", *measures, *options]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, timeout=BARE_SECONDS, check=True)
    return json.loads(done.stdout)
