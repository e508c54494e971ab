"""Present the results: a table for the terminal, one in Markdown, and JSON with every figure."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.table import Table

from benchmarks.comparison import Result, Round
from treadle.bench.cases import Measurement
from treadle.bench.rows import format_figure

PACKAGES = ("treadle", "langgraph", "langgraph-checkpoint", "langgraph-checkpoint-sqlite", "uvicorn", "uvloop")
_MARKS = {True: ": met", False: ": **missed**", None: ""}
_STYLES = {True: "[green]{} met[/]", False: "[bold red]{} missed[/]", None: "[dim]{}[/]"}


class Shares(NamedTuple):
    """The share of a core that each process used: 1.0 is one whole core."""

    load: float
    server: float


def headings(other: str | None, ours: str = "treadle", bare: str = "bare") -> tuple[str, ...]:
    """Return the headings of the table. ``other`` is the name of the other server, if one was measured."""
    return ("", "unit", ours, bare, "×", *((other, "×") if other else ()), "target")


def table(results: Sequence[Result], title: str, columns: Sequence[str]) -> Table:
    """Return the table for the terminal, with the columns that ``headings`` returned."""
    printed = Table(title=title, box=box.SIMPLE)
    for heading in columns:
        # In a narrow terminal, wrap words but never figures.
        words = heading in ("", "target")
        printed.add_column(heading, justify="left" if words or heading == "unit" else "right", no_wrap=not words)
    for result in results:
        targets = ", ".join(_STYLES[met].format(text) for text, met in result.verdicts())
        printed.add_row(*_cells(result)[: len(columns) - 1], targets)
    return printed


def markdown(results: Sequence[Result], columns: Sequence[str]) -> str:
    """Return the same table as Markdown."""
    lines = [columns, ["---" if name in ("", "unit", "target") else "---:" for name in columns]]
    for result in results:
        targets = ", ".join(f"{text}{_MARKS[met]}" for text, met in result.verdicts())
        lines.append((*_cells(result)[: len(columns) - 1], targets))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(result: Result) -> tuple[str, ...]:
    words = (result.row.of.title, result.row.of.unit, format_figure(result.value))
    return (*words, *_compared(result.bare, result.to_bare), *_compared(result.other, result.to_other))


def _compared(value: float | None, ratio: float | None) -> tuple[str, str]:
    times = "" if ratio is None else f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2f}"
    return "" if value is None else format_figure(value), times


def origin(document: Mapping[str, Any]) -> list[str]:
    """Return the circumstances of a result in a few words each: rounds, machine, versions, date."""
    on, versions = document["machine"], document["versions"]
    rounds = len(document["rounds"])
    return [
        "one round" if rounds == 1 else f"medians of {rounds} rounds",
        f"{on['cores']} cores",
        on["processor"],
        f"Python {versions['python']}",
        f"langgraph {versions['langgraph']}",
        *(f"{name} {version}" for name, version in document.get("other_versions", {}).items() if "api" in name),
        str(document["at"])[:10],
    ]


def document(
    results: Sequence[Result],
    rounds: Sequence[Round],
    measurements: Sequence[Measurement],
    load_before: float,
    **extra: Any,
) -> dict[str, Any]:
    """Return every figure with the machine, the versions and the command. ``extra`` is added as it is."""
    other = extra.get("other")
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": f"make bench{' AGAINST=langgraph-dev' if other else ''}",
        "table": markdown(results, headings(other)),
        "machine": {**machine(), "load_before": load_before},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        **extra,
        "rows": [_described(result) for result in results],
        "processors": {name: shares._asdict() for name, shares in cpu_shares(measurements)},
        "rounds": rounds,
    }


def exit_code(results: Sequence[Result], check: bool) -> int:
    """Return 1 if a target was missed and ``check`` is set, else 0."""
    return int(check and any(met is False for result in results for _, met in result.verdicts()))


def machine() -> dict[str, Any]:
    """Return the cores, the processor, the memory and the system of this machine."""
    model = re.search(r"^model name\s*: (.*)$", _text("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB$", _text("/proc/meminfo"), re.MULTILINE)
    return {
        "cores": os.cpu_count(),
        "processor": model[1] if model else platform.processor(),
        "memory_gib": round(int(memory[1]) / 1024**2) if memory else None,
        "system": f"{platform.system()} {platform.machine()}",
    }


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _described(result: Result) -> dict[str, Any]:
    return {
        "figure": result.row.of.figure,
        "title": result.row.of.title,
        "unit": result.row.of.unit,
        "treadle": result.value,
        "bare": result.bare,
        "bare_figure": result.row.bare,
        "other": result.other,
        "times_bare": result.to_bare,
        "times_other": result.to_other,
        "targets": [{"target": text, "met": met} for text, met in result.verdicts()],
    }


def cpu_shares(measurements: Sequence[Measurement]) -> Iterator[tuple[str, Shares]]:
    """Yield, for each case, the share of a core used by the load generator and by the server."""
    by_case: dict[str, list[Measurement]] = {}
    for each in measurements:
        by_case.setdefault(each.name, []).append(each)
    for name, some in by_case.items():
        seconds = sum(each.seconds for each in some)
        server = sum(each.server_cpu_seconds or 0.0 for each in some)
        yield name, Shares(sum(each.load_cpu_seconds for each in some) / seconds, server / seconds)


def busiest(measurements: Sequence[Measurement]) -> str:
    """Return one line about the case in which the load generator used the most CPU time."""
    shares = sorted(cpu_shares(measurements), key=lambda item: item[1].load)
    if not shares:
        return ""
    name, share = shares[-1]
    return f"the load generator took at most {share.load:.0%} of a core ({name}; the server {share.server:.0%})"
