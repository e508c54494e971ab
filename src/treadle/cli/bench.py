"""``treadle bench``: how fast is a server of this API?"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from treadle.cli import app, report

if TYPE_CHECKING:
    from treadle.bench.take import Take, Taken, Target

Only = Annotated[list[str] | None, typer.Option(help="Only measures with this in their names; may be repeated.")]
Pid = Annotated[int | None, typer.Option(help="The server's process, if it is on this machine: its memory is told.")]
Json = Annotated[Path | None, typer.Option("--json", help="Also write every figure to this file.")]
Project = Annotated[Path | None, typer.Option(help="Write the graphs to this directory, to be served, and exit.")]


@app.command()
def bench(
    url: Annotated[str | None, typer.Argument(help="A server of this API, treadle or another.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each rate is taken.")] = 3.0,
    rounds: Annotated[int, typer.Option(min=1, help="Figures are the medians of so many rounds.")] = 1,
    only: Only = None,
    pid: Pid = None,
    json: Json = None,
    project: Project = None,
) -> None:
    """Measure a server that serves the graphs of the benchmark. It is left with many threads: one to throw away."""
    from treadle.bench.check import write_project
    from treadle.bench.take import TAKES

    if project:
        typer.echo(f"serve {write_project(project)}, then: treadle bench URL")
        return
    if url is None:
        report.fail("which server? Give its URL", hint=_how_to_serve(), code=2)
    takes = [take for take in TAKES if not only or any(text in take.name for text in only)]
    if not takes:
        report.fail(f"--only: no measure is called so; there are {', '.join(take.name for take in TAKES)}", code=2)
    console = Console(highlight=False)
    target = _target(url, pid)
    taken = [_taken(console, target, take, seconds) for _ in range(rounds) for take in takes]
    console.print(_table(url, taken))
    if json:
        _write(json, url, taken)


def _how_to_serve() -> str:
    from treadle.bench.check import PROJECT

    return (
        f"`treadle serve --config {PROJECT / 'langgraph.json'}` serves the graphs of the benchmark;\n"
        "`treadle bench --project DIR` writes them to a directory from which any other server can serve them"
    )


def _target(url: str, pid: int | None) -> Target:
    from treadle.bench.check import NotServed, checked
    from treadle.bench.server import Unexpected

    try:
        return checked(url, pid)
    except NotServed as error:
        report.fail(f"{url}: {error}", hint=_how_to_serve())
    except (Unexpected, OSError) as error:
        report.fail(f"no server of this API answers at {url}: {error or type(error).__name__}", hint=_how_to_serve())


def _taken(console: Console, target: Target, take: Take, seconds: float) -> Taken:
    from treadle.bench.take import MeasureFailed, Taker

    with console.status(take.name):
        try:
            return Taker(seconds)(target, take)
        except MeasureFailed as error:
            report.fail(f"{target.url}: {error}")


def medians(taken: Sequence[Taken]) -> dict[str, float]:
    """Each figure over all rounds."""
    from treadle.bench.pace import median

    every: dict[str, list[float]] = {}
    for each in taken:
        for name, value in each.figures.items():
            every.setdefault(name, []).append(value)
    return {name: median(values) for name, values in every.items()}


def _table(url: str, taken: Sequence[Taken]) -> Table:
    """With how much of a core the load generator took: near all of one, it would be itself what is measured."""
    caption = "load, server: how much of a core the load generator and the server took"
    from treadle.bench.rows import ROWS, shown

    table = Table(title=url, caption=caption, box=box.SIMPLE)
    for heading in ("what", "", "unit", "load", "server"):
        words = heading in ("what", "unit")
        table.add_column(heading, justify="left" if words else "right", no_wrap=heading != "what")
    figures, of = medians(taken), {each.name: each for each in taken}
    for row in ROWS:
        if row.figure in figures:
            cores = (_share(of[row.figure].load), _share(of[row.figure].served)) if row.figure in of else ()
            table.add_row(row.title, shown(figures[row.figure]), row.unit, *cores)
    return table


def _share(cores: float | None) -> str:
    return "" if cores is None else f"{cores:.0%}"


def _write(path: Path, url: str, taken: Sequence[Taken]) -> None:
    content: dict[str, Any] = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "url": url,
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "figures": medians(taken),
        "taken": [each._asdict() for each in taken],
    }
    path.write_text(json.dumps(content, indent=2) + "\n")
