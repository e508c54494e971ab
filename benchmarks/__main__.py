"""``python -m benchmarks``: measures, prints one table, writes benchmarks/results/<timestamp>.json."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.rows import GROUPS, Result, Round, results
from benchmarks.server import Serving, serving, settle
from treadle.cli.process import ServerDied

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parents[1]
PACKAGES = ("langgraph", "langgraph-checkpoint", "langgraph-checkpoint-sqlite", "uvicorn", "uvloop")
MEASURE_SECONDS = 180.0

console = Console(width=None if sys.stdout.isatty() else 110)


def main() -> int:
    given = _arguments()
    RESULTS.mkdir(exist_ok=True)
    rounds: list[dict[str, float]] = []
    load_before = os.getloadavg()[0]
    for number in range(given.rounds):
        console.print(f"[dim]round {number + 1} of {given.rounds}")
        # On the disk of the checkout: a temporary directory may be in memory, where a commit costs nothing.
        with tempfile.TemporaryDirectory(dir=RESULTS, prefix="run-") as directory:
            rounds.append(dict(measure(Path(directory), given.seconds, given.only)))
    found = results(rounds)
    console.print(table(found))
    path = write(found, rounds, load_before)
    console.print(f"[dim]{path.relative_to(ROOT)}; load of the machine before: {load_before:.1f}")
    return 1 if given.check and any(result.met is False for result in found) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="each figure is the median of them (default 3)")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each rate is taken in a round (default 4)")
    parser.add_argument("--only", help="only groups of figures with this text in a name, such as custom")
    parser.add_argument("--check", action="store_true", help="exit code 1 if a target is missed")
    return parser.parse_args()


def measure(directory: Path, seconds: float, only: str | None) -> Iterator[tuple[str, float]]:
    """One round: every figure on a fresh server.

    The figures of a group are taken in order and then in reverse, so that what else the machine does in the meantime,
    growing or waning, hits all of them alike; each is the mean of its two halves.
    """
    with serving(directory) as server:
        settle()
        yield "startup", server.started_seconds
        yield "idle_memory", server.resident_mib()
        for group in GROUPS:
            if only is None or any(only in name for name in group):
                halves = [(name, _figure(name, directory, server, seconds / 2)) for name in (*group, *reversed(group))]
                yield from ((name, sum(value for other, value in halves if other == name) / 2) for name in group)


def _figure(name: str, directory: Path, server: Serving, seconds: float) -> float:
    console.print(f"[dim]  {name}")
    if name.startswith("bare."):
        return _child("benchmarks.bare", name.removeprefix("bare."), f"--directory={directory}", f"--seconds={seconds}")
    return _child("treadle.bench.load", server.url, name, f"--seconds={seconds}")


def _child(module: str, *arguments: str) -> float:
    """The number that a process of its own prints."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, timeout=MEASURE_SECONDS, check=True)
    found = json.loads(done.stdout)
    return found if isinstance(found, float) else found["figures"][arguments[1]]


def table(found: Sequence[Result]) -> Table:
    shown = Table(title="treadle against bare LangGraph", box=box.SIMPLE)
    for heading in ("", "unit", "treadle", "bare", "ratio", "target", ""):
        shown.add_column(heading, justify="left" if heading in ("", "unit") else "right", no_wrap=True)
    for result in found:
        row = result.row
        bare = "" if result.bare is None else _number(result.bare)
        ratio = "" if result.ratio is None else f"{result.ratio:.2f}"
        met = {None: "", True: "[green]met", False: "[red]missed"}[result.met]
        shown.add_row(row.title, row.unit, _number(result.value), bare, ratio, _target(result), met)
    return shown


def _target(result: Result) -> str:
    row = result.row
    if row.least_ratio is not None:
        return f"≥ {row.least_ratio:g}"
    return "" if row.most is None else f"≤ {row.most:g} {row.unit}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def write(found: Sequence[Result], rounds: Sequence[Round], load_before: float) -> Path:
    """Everything that was measured, and on what."""
    report: dict[str, Any] = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "load_before": load_before},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "rows": [{**_described(result), "met": result.met} for result in found],
        "rounds": rounds,
    }
    path = RESULTS / time.strftime("%Y%m%d-%H%M%S.json")
    path.write_text(json.dumps(report, indent=2))
    return path


def _described(result: Result) -> dict[str, Any]:
    row = {**result.row._asdict(), "treadle": result.value, "ratio": result.ratio, "ratios": result.ratios}
    return {**row, "bare": result.bare, "bare_measure": result.row.bare}


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ServerDied as died:
        sys.exit(f"{died}\n{died.log}")
