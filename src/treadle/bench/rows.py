"""The rows of the table: the title and the unit of each figure, and whether less of it is better."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """``figure`` is the name of the figure in the result of its measure."""

    figure: str
    title: str
    unit: str
    less: bool = False
    """Whether less is better, as for a time or for memory."""

    def ratio(self, value: float, other: float) -> float:
        """Return how many times better ``value`` is than ``other``."""
        return other / value if self.less else value / other


ROWS = (
    Row("first_event", "first event, one run after another", "ms", less=True),
    Row("threaded_stream_16", "threaded streams, 16 in flight", "runs/s"),
    Row("threaded_stream_64", "… 64 in flight", "runs/s"),
    Row("stateless_stream_16", "stateless streams, 16 in flight", "runs/s"),
    Row("stateless_stream_64", "… 64 in flight", "runs/s"),
    Row("threaded_wait_16", "threaded waits, 16 in flight", "runs/s"),
    Row("threaded_wait_64", "… 64 in flight", "runs/s"),
    Row("stateless_wait_16", "stateless waits, 16 in flight", "runs/s"),
    Row("stateless_wait_64", "… 64 in flight", "runs/s"),
    Row("custom_one", "custom events, one run", "events/s"),
    Row("custom_many", "custom events, 20 runs", "events/s"),
    Row("messages", "messages-tuple events, one run", "events/s"),
    Row("long_values", "values, 10 steps on 1,000 messages", "ms", less=True),
    Row("long_values_stream", "… from the run's first event on", "ms", less=True),
    Row("late_run", "a run on a thread that had 500", "ms", less=True),
    Row("late_run_slowdown", "… to one on a new thread", "×", less=True),
    Row("readers", "one run, 500 readers: delivered", "events/s"),
    Row("readers_slowdown", "… how much longer the run takes", "×", less=True),
    Row("idle_streams", "idle streams held, of 5,000", "streams"),
    Row("idle_stream_kib", "… memory of each", "KiB", less=True),
)


def format_figure(value: float) -> str:
    """Return a figure with three digits, or with all digits before the decimal point if there are more."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
