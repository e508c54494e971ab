"""The rows of the table: which figures a row compares, and what it must reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from treadle.bench import rows as served
from treadle.bench.pace import median

Round = Mapping[str, float]
"""The figures of one round by name: ``treadle.*``, ``bare.*`` without a server, ``other.*`` of the other server."""


class Target(NamedTuple):
    """``met`` says whether a result reaches it; None if what it compares with was not measured."""

    text: str
    met: Callable[[Result], bool | None]


@dataclass(frozen=True)
class Row:
    """``bare`` is the figure of bare LangGraph that this one is compared with."""

    of: served.Row
    bare: str | None = None
    targets: tuple[Target, ...] = ()

    @property
    def ours(self) -> str:
        return f"treadle.{self.of.figure}"

    @property
    def other(self) -> str:
        return f"other.{self.of.figure}"


class Result(NamedTuple):
    """A row over all rounds: medians. A ratio, the median of those within each round, says how many times better
    treadle is; ``over`` how much more its figure is than bare LangGraph's."""

    row: Row
    value: float
    bare: float | None
    other: float | None
    to_bare: float | None
    to_other: float | None
    over: float | None

    def verdicts(self) -> list[tuple[str, bool | None]]:
        """Each target, and whether it is met."""
        return [(target.text, target.met(self)) for target in self.row.targets]


def to_bare(least: float) -> Target:
    return Target(f"≥ {least:g} × bare", lambda result: _least(result.to_bare, least))


def to_other(least: float) -> Target:
    return Target(f"≥ {least:g} × langgraph dev", lambda result: _least(result.to_other, least))


def better_than_other() -> Target:
    return Target("better than langgraph dev", lambda result: _least(result.to_other, 1.0))


def over_bare(most: float) -> Target:
    return Target(f"≤ {most:g} ms over bare", lambda result: None if result.over is None else result.over <= most)


def most(value: float, unit: str) -> Target:
    return Target(f"≤ {value:g} {unit}", lambda result: result.value <= value)


def least(value: float, unit: str) -> Target:
    return Target(f"≥ {value:,g} {unit}", lambda result: result.value >= value)


def _least(ratio: float | None, wanted: float) -> bool | None:
    return None if ratio is None else ratio >= wanted


_SAVER = "bare.chain_with_saver"
_COMPARED: Mapping[str, tuple[str | None, tuple[Target, ...]]] = {
    "first_event": ("bare.first_event", (over_bare(4), to_other(100))),
    "threaded_stream_16": (f"{_SAVER}_16", (to_bare(1.2), to_other(5))),
    "threaded_stream_64": (f"{_SAVER}_64", ()),
    "stateless_stream_16": (f"{_SAVER}_16", ()),
    "stateless_stream_64": (f"{_SAVER}_64", ()),
    "threaded_wait_16": (f"{_SAVER}_16", ()),
    "threaded_wait_64": (f"{_SAVER}_64", ()),
    "stateless_wait_16": (f"{_SAVER}_16", (to_bare(1.5),)),
    "stateless_wait_64": (f"{_SAVER}_64", ()),
    "custom_one": ("bare.custom_one", (to_bare(0.5), to_other(15))),
    "custom_many": ("bare.custom_many", (to_bare(0.5), to_other(15))),
    "messages": ("bare.messages", (to_bare(0.5), to_other(5))),
    "long_values": ("bare.long_values", (to_other(5),)),
    "long_values_stream": ("bare.long_values", ()),
    "late_run_slowdown": (None, (most(1.3, "×"),)),
    "readers": (None, (least(100_000, "events/s"),)),
    "readers_slowdown": (None, (most(1.5, "×"),)),
    "idle_streams": (None, (least(5_000, "held"),)),
    "idle_stream_kib": (None, (most(40, "KiB"),)),
}

ALONE = served.Row("threaded_stream_16", "threaded streams, 16: bare without saver", "runs/s")
"""What LangGraph itself allows, where nothing is kept."""

_BESIDE = (
    Row(served.Row("list_runs", "runs of a thread, of 1,000,000 runs", "ms", less=True)),
    Row(served.Row("list_runs_slowdown", "… to those of 1,000", "×", less=True), targets=(most(1.5, "×"),)),
    Row(served.Row("search_threads", "search threads, of 100,000", "ms", less=True)),
    Row(served.Row("search_threads_slowdown", "… to 100", "×", less=True), targets=(most(1.5, "×"),)),
    Row(served.Row("startup", "start-up to the first answer", "s", less=True), targets=(better_than_other(),)),
    Row(served.Row("idle_memory", "memory when idle", "MiB", less=True), targets=(better_than_other(),)),
    Row(served.Row("peak_memory", "most memory in all of the above", "MiB", less=True)),
)


def _rows() -> tuple[Row, ...]:
    compared = [Row(row, *_COMPARED.get(row.figure, (None, ()))) for row in served.ROWS]
    first = [row.of.figure for row in compared].index("threaded_stream_64")
    return (*compared[:first], Row(ALONE, "bare.chain_alone_16"), *compared[first:], *_BESIDE)


ROWS = _rows()


def results(rounds: Sequence[Round]) -> list[Result]:
    """One result for each row that any round has a figure for."""
    return [_result(row, rounds) for row in ROWS if any(row.ours in figures for figures in rounds)]


def _result(row: Row, rounds: Sequence[Round]) -> Result:
    bare = _median(rounds, row.bare) if row.bare else None
    return Result(
        row,
        value=_median(rounds, row.ours) or 0.0,
        bare=bare,
        other=_median(rounds, row.other),
        to_bare=_paired(rounds, row.ours, row.bare, row.of.ratio) if row.bare else None,
        to_other=_paired(rounds, row.ours, row.other, row.of.ratio),
        over=_paired(rounds, row.ours, row.bare, lambda ours, other: ours - other) if row.bare else None,
    )


def _median(rounds: Sequence[Round], name: str) -> float | None:
    found = [figures[name] for figures in rounds if name in figures]
    return median(found) if found else None


def _paired(rounds: Sequence[Round], ours: str, other: str, compare: Callable[[float, float], float]) -> float | None:
    """The median over the rounds that have both."""
    found = [compare(figures[ours], figures[other]) for figures in rounds if ours in figures and other in figures]
    return median(found) if found else None
