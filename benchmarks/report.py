"""What was found: a table for the terminal, one for Markdown, and JSON with every figure."""

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

from benchmarks.rows import Result, Round
from treadle.bench.rows import shown
from treadle.bench.take import Taken

PACKAGES = ("treadle", "langgraph", "langgraph-checkpoint", "langgraph-checkpoint-sqlite", "uvicorn", "uvloop")


class Shares(NamedTuple):
    """How much of a core each took: 1.0 is all of one."""

    load: float
    server: float


def table(found: Sequence[Result], other: str | None) -> Table:
    """``other`` is the name of the other server, if one was measured."""
    compared = f" and {other}" if other else ""
    printed = Table(title=f"treadle against bare LangGraph{compared}", box=box.SIMPLE)
    for heading in _headings(other):
        # A narrow terminal wraps the words, never a figure.
        words = heading in ("", "target")
        printed.add_column(heading, justify="left" if words or heading == "unit" else "right", no_wrap=not words)
    for result in found:
        targets = ", ".join(_STYLES[met].format(text) for text, met in result.verdicts())
        printed.add_row(*_cells(result, other), targets)
    return printed


def markdown(found: Sequence[Result], other: str | None) -> str:
    """The same for a page."""
    headings = _headings(other)
    lines = [" | ".join(headings), " | ".join("---" if name in ("", "unit", "target") else "---:" for name in headings)]
    for result in found:
        targets = ", ".join(f"{text}{_MARKS[met]}" for text, met in result.verdicts())
        lines.append(" | ".join((*_cells(result, other), targets)))
    return "".join(f"| {line} |\n" for line in lines)


_MARKS = {True: ": met", False: ": **missed**", None: ""}
_STYLES = {True: "[green]{} met[/]", False: "[bold red]{} missed[/]", None: "[dim]{}[/]"}


def _headings(other: str | None) -> tuple[str, ...]:
    return ("", "unit", "treadle", "bare", "×", *((other, "×") if other else ()), "target")


def _cells(result: Result, other: str | None) -> tuple[str, ...]:
    cells = (result.row.of.title, result.row.of.unit, shown(result.value), _figure(result.bare), _times(result.to_bare))
    return (*cells, _figure(result.other), _times(result.to_other)) if other else cells


def _figure(value: float | None) -> str:
    return "" if value is None else shown(value)


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2f}"


def made_on(document: Mapping[str, Any]) -> list[str]:
    """What a document says of how it came about."""
    machine, versions = document["machine"], document["versions"]
    rounds = len(document["rounds"])
    return [
        "one round" if rounds == 1 else f"medians of {rounds} rounds",
        f"{machine['cores']} cores",
        machine["processor"],
        f"Python {versions['python']}",
        f"langgraph {versions['langgraph']}",
        *(f"{name} {version}" for name, version in document.get("other_versions", {}).items() if "api" in name),
        str(document["at"])[:10],
    ]


def document(
    found: Sequence[Result], rounds: Sequence[Round], taken: Sequence[Taken], load_before: float, **beside: Any
) -> dict[str, Any]:
    """Everything that was measured, on what, and by which command."""
    other = beside.get("other")
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": f"make bench{' AGAINST=langgraph-dev' if other else ''}",
        "table": markdown(found, other),
        "machine": {**_machine(), "load_before": load_before},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        **beside,
        "rows": [_described(result) for result in found],
        "processors": {name: shares._asdict() for name, shares in processors(taken)},
        "rounds": rounds,
    }


def _machine() -> dict[str, Any]:
    found = re.search(r"^model name\s*: (.*)$", _text("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB$", _text("/proc/meminfo"), re.MULTILINE)
    return {
        "cores": os.cpu_count(),
        "processor": found[1] if found else platform.processor(),
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


def processors(taken: Sequence[Taken]) -> Iterator[tuple[str, Shares]]:
    """For each measure, how much of a core the load generator took, and how much the server."""
    every: dict[str, list[Taken]] = {}
    for each in taken:
        every.setdefault(each.name, []).append(each)
    for name, some in every.items():
        seconds = sum(each.seconds for each in some)
        server = sum(each.server_cpu_seconds or 0.0 for each in some)
        yield name, Shares(sum(each.load_cpu_seconds for each in some) / seconds, server / seconds)


def busiest(taken: Sequence[Taken]) -> str:
    """One line about the load generator: where it comes nearest to being what is measured."""
    shares: Mapping[str, Shares] = dict(processors(taken))
    if not shares:
        return ""
    name = max(shares, key=lambda each: shares[each].load)
    share = shares[name]
    return f"the load generator took at most {share.load:.0%} of a core ({name}; the server {share.server:.0%})"
