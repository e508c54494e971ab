"""The rows of the table: which two measurements a row compares, and what it must reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from treadle.bench.pace import median

Round = Mapping[str, float]
"""The figures of one round by name; ``bare.*`` are without a server."""


class Row(NamedTuple):
    """``measure`` and ``bare`` are names of figures. ``least_ratio`` is what treadle / bare must reach in the median,
    ``most`` what the figure itself may be."""

    title: str
    unit: str
    measure: str
    bare: str | None = None
    least_ratio: float | None = None
    most: float | None = None


class Result(NamedTuple):
    """A row over all rounds: medians; the ratio is the median of the ratios within each round."""

    row: Row
    value: float
    bare: float | None
    ratio: float | None
    ratios: Sequence[float]

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None if there is none."""
        if self.row.least_ratio is not None:
            return self.ratio is not None and self.ratio >= self.row.least_ratio
        return None if self.row.most is None else self.value <= self.row.most


ROWS = (
    Row("threaded stream, 16 at once", "runs/s", "threaded_stream", "bare.chain_with_saver", least_ratio=0.8),
    Row("first event, sequential", "ms", "first_event", most=5.0),
    Row("custom events, one run", "events/s", "custom_one", "bare.custom_one", least_ratio=0.35),
    Row("custom events, 20 runs", "events/s", "custom_many", "bare.custom_many"),
    Row("messages-tuple events, one run", "events/s", "messages", "bare.messages"),
    Row("stateless stream, 16 at once", "runs/s", "stateless_stream", "bare.chain_with_saver"),
    Row("threaded wait, 16 at once", "runs/s", "threaded_wait", "bare.chain_with_saver"),
    Row("stateless wait, 16 at once", "runs/s", "stateless_wait", "bare.chain_with_saver"),
    Row("the same, bare without saver", "runs/s", "threaded_stream", "bare.chain_alone"),
    Row("start-up to the first /ok", "s", "startup"),
    Row("memory when idle", "MiB", "idle_memory"),
)


GROUPS = (
    (
        "bare.chain_with_saver",
        "threaded_stream",
        "bare.chain_alone",
        "stateless_stream",
        "threaded_wait",
        "stateless_wait",
    ),
    ("first_event",),
    ("bare.custom_one", "custom_one"),
    ("bare.custom_many", "custom_many"),
    ("bare.messages", "messages"),
)
"""Figures that are compared, measured in turn."""


def results(rounds: Sequence[Round]) -> list[Result]:
    """One result for each row that every round has figures for."""
    return [_result(row, rounds) for row in ROWS if all(_figures(row) <= figures.keys() for figures in rounds)]


def _figures(row: Row) -> set[str]:
    return {row.measure} if row.bare is None else {row.measure, row.bare}


def _result(row: Row, rounds: Sequence[Round]) -> Result:
    value = median([figures[row.measure] for figures in rounds])
    if row.bare is None:
        return Result(row, value, None, None, ())
    bare = row.bare
    ratios = [figures[row.measure] / figures[bare] for figures in rounds]
    return Result(row, value, median([figures[bare] for figures in rounds]), median(ratios), ratios)
