"""``python -m chaos``: rounds on one backend or all, one table, exit code 1 for any violation."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chaos.deployment import BACKENDS
from chaos.suite import Report, Round, run

SHOWN = 20
"""Violations printed in full."""


def main() -> int:
    arguments = _arguments()
    console = Console(width=max(110, Console().width))
    reports = [_one(arguments, backend, console) for backend in _backends(arguments.backend)]
    console.print(_table(reports))
    console.print(_faults(reports))
    for report in reports:
        _tell(console, report)
    return 1 if any(report.violations for report in reports) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--backend", choices=[*BACKENDS, "all"], default="sqlite")
    parser.add_argument("--runs", type=int, default=1000, help="runs that clients ask for")
    parser.add_argument("--seed", type=int, help="repeats the load and the schedule of faults; random unless given")
    parser.add_argument("--minutes", type=float, help="end the load after so long, however many runs there were")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--gap", type=float, default=0.7, help="mean pause between faults, in seconds")
    parser.add_argument("--rate", type=float, default=5.0, help="runs asked for in a second")
    parser.add_argument("--fault", action="append", default=[], help="only faults of this kind; may be repeated")
    parser.add_argument("--keep", action="store_true", help="keep the directory with logs and data")
    return parser.parse_args()


def _backends(asked: str) -> tuple[str, ...]:
    return BACKENDS if asked == "all" else (asked,)


def _one(arguments: argparse.Namespace, backend: str, console: Console) -> Report:
    seed = secrets.randbelow(10**6) if arguments.seed is None else arguments.seed
    asked = Round(
        backend,  # type: ignore[arg-type]
        arguments.runs,
        seed,
        clients=arguments.clients,
        gap=arguments.gap,
        rate=arguments.rate,
        minutes=arguments.minutes,
        kinds=tuple(arguments.fault),
    )
    root = Path(tempfile.mkdtemp(prefix="treadle-chaos-"))
    console.print(f"[dim]{backend}: {asked.runs} runs, seed {seed}, in {root}")
    report = asyncio.run(run(asked, root / "round"))
    if arguments.keep or report.violations:
        console.print(f"[dim]{backend}: logs are in {root}")
    else:
        shutil.rmtree(root, ignore_errors=True)
    return report


def _table(reports: list[Report]) -> Table:
    table = Table(title="runs under faults")
    table.add_column("")
    for report in reports:
        table.add_column(report.round.backend, justify="right")
    for name in _row(reports[0]):
        table.add_row(name, *(_row(report)[name] for report in reports))
    return table


def _row(report: Report) -> dict[str, str]:
    statuses = {name: report.statuses[name] for name in ("success", "error", "interrupted", "gone")}
    counts: dict[str, object] = {
        "seed": report.round.seed,
        "runs asked for": report.asked,
        "runs acknowledged": report.acknowledged,
        **{f"  {name}": count for name, count in statuses.items()},
        "attempts": report.attempts,
        "events": report.events,
        "connections of readers": report.connections,
        "faults": report.faults.total(),
        "seconds": round(report.seconds),
    }
    color = "red" if report.violations else "green"
    return {name: str(count) for name, count in counts.items()} | {"violations": f"[{color}]{len(report.violations)}"}


def _faults(reports: list[Report]) -> Table:
    table = Table(title="faults and answers")
    table.add_column("kind")
    for report in reports:
        table.add_column(report.round.backend, justify="right")
    for kind in sorted({kind for report in reports for kind in report.faults}):
        table.add_row(kind, *(str(report.faults[kind] or "") for report in reports))
    table.add_section()
    for answer in sorted({answer for report in reports for answer in report.answers}):
        table.add_row(f"answer {answer}", *(str(report.answers[answer] or "") for report in reports))
    return table


def _tell(console: Console, report: Report) -> None:
    for note in report.notes:
        console.print(f"[yellow]{report.round.backend}: {note}")
    for number, violation in enumerate(report.violations[:SHOWN], start=1):
        console.print(f"[red]{report.round.backend} violation {number}:[/red] ", end="")
        console.print(violation, markup=False, highlight=False)
    if more := len(report.violations) - SHOWN:
        console.print(f"… and {more} more" if more > 0 else "", end="\n" if more > 0 else "")


if __name__ == "__main__":
    sys.exit(main())
