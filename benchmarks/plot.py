"""Draw a result: how many times better treadle is, as a bar chart in a PNG file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl

mpl.use("agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from benchmarks import report

# Always on a light background, so that the picture is readable on light and on dark pages.
GROUND, INK, FAINT, GRID = "#fbfaf7", "#22262b", "#6b7280", "#e3e0d8"
BARE, OTHER = "#3b6fb6", "#c2572b"
DRAWN = {
    "first_event": "first event of a run",
    "threaded_stream_16": "threaded streams, 16 in flight",
    "threaded_stream_64": "threaded streams, 64 in flight",
    "stateless_stream_16": "stateless streams, 16 in flight",
    "threaded_wait_16": "threaded waits, 16 in flight",
    "stateless_wait_16": "stateless waits, 16 in flight",
    "custom_one": "custom events/s, one run",
    "custom_many": "custom events/s, 20 runs",
    "messages": "messages-tuple events/s",
    "long_values": "values on a thread of 1,000 messages",
    "readers": "one run, 500 readers: events/s",
    "idle_stream_kib": "memory of an idle stream",
    "startup": "start-up to the first answer",
    "idle_memory": "memory when idle",
}
"""The rows that compare treadle with something else, with their labels."""

NOT_TO_BARE = ("first_event",)
"""Rows without a bar for bare LangGraph: without a network the first event is always earlier."""

_THICK = 0.36
_ROOM = 4.0


class Bar(NamedTuple):
    """How many times better treadle is than bare LangGraph and than the other server."""

    title: str
    bare: float | None
    other: float | None


def draw(document: Mapping[str, Any], picture: Path) -> None:
    """Write the picture of a result as a PNG."""
    bars = _bars(document["rows"])
    compared = any(bar.other for bar in bars)
    figure, axes = pyplot.subplots(figsize=(10, 1.9 + 0.46 * len(bars)), dpi=160, facecolor=GROUND)
    _ground(axes, bars)
    for place, bar in enumerate(bars):
        both = bar.bare is not None and bar.other is not None
        if bar.bare is not None:
            _bar(axes, place - (_THICK / 2 if both else 0), bar.bare, BARE)
        if bar.other is not None:
            _bar(axes, place + (_THICK / 2 if both else 0), bar.other, OTHER)
    _legend(axes, compared)
    figure.text(0.985, 0.012, " · ".join(report.origin(document)), ha="right", va="bottom", color=FAINT, fontsize=8)
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    figure.savefig(picture, facecolor=GROUND, metadata={"Software": None})
    pyplot.close(figure)


def _bars(rows: Sequence[Mapping[str, Any]]) -> list[Bar]:
    by_name = {row["figure"]: row for row in reversed(rows)}  # of two rows of one figure, the first
    bars = [
        Bar(title, None if name in NOT_TO_BARE else by_name[name]["times_bare"], by_name[name]["times_other"])
        for name, title in DRAWN.items()
        if name in by_name
    ]
    return [bar for bar in bars if bar.bare is not None or bar.other is not None]


def _ground(axes: Axes, bars: Sequence[Bar]) -> None:
    ratios = [ratio for bar in bars for ratio in (bar.bare, bar.other) if ratio]
    axes.set_facecolor(GROUND)
    axes.set_xscale("log")
    axes.set_xlim(min(0.1, *ratios) / 1.2, max(10.0, *ratios) * _ROOM)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_yticks(range(len(bars)), [bar.title for bar in bars], color=INK, fontsize=9.5)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}×")
    axes.minorticks_off()
    axes.tick_params(axis="x", colors=FAINT, labelsize=9, length=0)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", which="major", color=GRID, linewidth=1)
    axes.set_axisbelow(True)
    axes.axvline(1, color=INK, linewidth=1.2)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_title("How many times better treadle is", loc="left", color=INK, fontsize=13, fontweight="bold", pad=30)


def _bar(axes: Axes, place: float, ratio: float, color: str) -> None:
    axes.barh(place, ratio - 1, left=1, height=_THICK, color=color)
    text = f"{ratio:,.0f}×" if ratio >= 10 else f"{ratio:.2g}×"
    end = (max(ratio, 1.0), place)
    axes.annotate(text, end, (4, 0), textcoords="offset points", ha="left", va="center", color=INK, fontsize=8.5)


def _legend(axes: Axes, compared: bool) -> None:
    names = [("than bare LangGraph in process (runs: with its own SQLite saver)", BARE)]
    names += [("than langgraph dev", OTHER)] if compared else []
    handles = [Patch(color=color) for _, color in names]
    axes.legend(
        handles,
        [name for name, _ in names],
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=2,
        frameon=False,
        fontsize=9,
        labelcolor=INK,
        handlelength=1.0,
    )
