"""The rows of the table: the figures that each row compares, and the target that it must reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from treadle.bench import rows as served
from treadle.bench.pace import median

Round = Mapping[str, float]
"""The figures of one round by name: ``treadle.*``, ``bare.*`` without a server, ``other.*`` of the other server."""


class Target(NamedTuple):
    """``is_met`` returns None if the figure to compare with was not measured."""

    text: str
    is_met: Callable[[Result], bool | None]


@dataclass(frozen=True)
class Row:
    """``bare`` is the figure of bare LangGraph to compare with, if there is one."""

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
    """The medians of a row over all rounds. ``to_bare`` and ``to_other`` are ratios: how many times better treadle is.
    ``over`` is treadle's figure minus that of bare LangGraph. All three are the medians of the values of each round."""

    row: Row
    value: float
    bare: float | None
    other: float | None
    to_bare: float | None
    to_other: float | None
    over: float | None

    def verdicts(self) -> list[tuple[str, bool | None]]:
        """Return each target, and whether it is met."""
        return [(target.text, target.is_met(self)) for target in self.row.targets]


def to_bare(least: float, name: str = "bare") -> Target:
    return Target(f"≥ {least:g} × {name}", lambda result: _at_least(result.to_bare, least))


def to_other(least: float) -> Target:
    return Target(f"≥ {least:g} × langgraph dev", lambda result: _at_least(result.to_other, least))


def over_bare(most: float) -> Target:
    return Target(f"≤ {most:g} ms over bare", lambda result: None if result.over is None else result.over <= most)


def at_most(value: float, unit: str) -> Target:
    return Target(f"≤ {value:g} {unit}", lambda result: result.value <= value)


def at_least(value: float, unit: str) -> Target:
    return Target(f"≥ {value:,g} {unit}", lambda result: result.value >= value)


def _at_least(ratio: float | None, least: float) -> bool | None:
    return None if ratio is None else ratio >= least


_BETTER = Target("better than langgraph dev", lambda result: _at_least(result.to_other, 1.0))
_RUNS = ("threaded_stream", "stateless_stream", "threaded_wait", "stateless_wait")
_COMPARED: Mapping[str, tuple[str | None, tuple[Target, ...]]] = {
    "first_event": ("bare.first_event", (over_bare(4), to_other(100))),
    **{f"{run}_{count}": (f"bare.chain_with_saver_{count}", ()) for run in _RUNS for count in (16, 64)},
    "threaded_stream_16": ("bare.chain_with_saver_16", (to_bare(1.2), to_other(5))),
    "stateless_wait_16": ("bare.chain_with_saver_16", (to_bare(1.5),)),
    "custom_one": ("bare.custom_one", (to_bare(0.5), to_other(15))),
    "custom_many": ("bare.custom_many", (to_bare(0.5), to_other(15))),
    "messages": ("bare.messages", (to_bare(0.5), to_other(5))),
    "long_values": ("bare.long_values", (to_other(5),)),
    "long_values_stream": ("bare.long_values", ()),
    "late_run_slowdown": (None, (at_most(1.3, "×"),)),
    "readers": (None, (at_least(100_000, "events/s"),)),
    "readers_slowdown": (None, (at_most(1.5, "×"),)),
    "idle_streams": (None, (at_least(5_000, "held"),)),
    "idle_stream_kib": (None, (at_most(40, "KiB"),)),
}

_WITHOUT_SAVER = served.Row("threaded_stream_16", "threaded streams, 16: bare without saver", "runs/s")
"""The upper bound that LangGraph sets: nothing is stored."""

_NOT_SERVED = (
    Row(served.Row("list_runs", "runs of a thread, of 1,000,000 runs", "ms", less=True)),
    Row(served.Row("list_runs_slowdown", "… to those of 1,000", "×", less=True), targets=(at_most(1.5, "×"),)),
    Row(served.Row("search_threads", "search threads, of 100,000", "ms", less=True)),
    Row(served.Row("search_threads_slowdown", "… to 100", "×", less=True), targets=(at_most(1.5, "×"),)),
    Row(served.Row("startup", "start-up to the first answer", "s", less=True), targets=(_BETTER,)),
    Row(served.Row("idle_memory", "memory when idle", "MiB", less=True), targets=(_BETTER,)),
    Row(served.Row("peak_memory", "most memory in all of the above", "MiB", less=True)),
)
"""Rows that the load generator does not measure."""


def _rows() -> tuple[Row, ...]:
    compared = [Row(row, *_COMPARED.get(row.figure, (None, ()))) for row in served.ROWS]
    first = [row.of.figure for row in compared].index("threaded_stream_64")
    return (*compared[:first], Row(_WITHOUT_SAVER, "bare.chain_alone_16"), *compared[first:], *_NOT_SERVED)


ROWS = _rows()


def compare(rounds: Sequence[Round], rows: Iterable[Row] = ROWS) -> list[Result]:
    """Return one result for each row that was measured in at least one round."""
    return [_result(row, rounds) for row in rows if any(row.ours in figures for figures in rounds)]


def _result(row: Row, rounds: Sequence[Round]) -> Result:
    return Result(
        row,
        value=_median(rounds, lambda figures: figures[row.ours]) or 0.0,
        bare=_median(rounds, lambda figures: figures[row.bare or ""]),
        other=_median(rounds, lambda figures: figures[row.other]),
        to_bare=_median(rounds, lambda figures: row.of.ratio(figures[row.ours], figures[row.bare or ""])),
        to_other=_median(rounds, lambda figures: row.of.ratio(figures[row.ours], figures[row.other])),
        over=_median(rounds, lambda figures: figures[row.ours] - figures[row.bare or ""]),
    )


def _median(rounds: Sequence[Round], value: Callable[[Round], float]) -> float | None:
    """Return the median over the rounds that have all figures which ``value`` needs, or None if there is none."""
    values: list[float] = []
    for figures in rounds:
        with suppress(KeyError):
            values.append(value(figures))
    return median(values) if values else None
