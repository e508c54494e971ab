"""``treadle bench``: measure how fast a server of this API is, and print a table."""

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
    from treadle.bench.cases import Case, Endpoint, Measurement

Only = Annotated[list[str] | None, typer.Option(help="Only measures with this in their names; may be repeated.")]
Pid = Annotated[int | None, typer.Option(help="The server's process on this machine; adds its memory and CPU time.")]
Json = Annotated[Path | None, typer.Option("--json", help="Also write every figure to this JSON file.")]
Project = Annotated[
    Path | None, typer.Option(help="Write the graphs to this directory, for a server to serve, and exit.")
]


@app.command()
def bench(
    url: Annotated[str | None, typer.Argument(help="A server of this API, treadle or another.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Duration of each measurement of a rate.")] = 3.0,
    rounds: Annotated[int, typer.Option(min=1, help="Print the medians of this many rounds.")] = 1,
    only: Only = None,
    pid: Pid = None,
    json: Json = None,
    project: Project = None,
) -> None:
    """Measure a server that serves the benchmark's graphs. Many threads remain on it, so use a disposable server."""
    from treadle.bench.cases import CASES
    from treadle.bench.check import write_project

    if project:
        typer.echo(f"serve {write_project(project)}, then: treadle bench URL")
        return
    if url is None:
        report.fail("which server? Give its URL", hint=_how_to_serve(), code=2)
    cases = [case for case in CASES if not only or any(text in case.name for text in only)]
    if not cases:
        report.fail(f"--only matches no measure; choose from {', '.join(case.name for case in CASES)}", code=2)
    console = Console(highlight=False)
    endpoint = _endpoint(url, pid)
    measurements = [_measure(console, endpoint, case, seconds) for _ in range(rounds) for case in cases]
    console.print(_table(url, measurements))
    if json:
        _write(json, url, measurements)


def _how_to_serve() -> str:
    from treadle.bench.check import PROJECT

    return (
        f"`treadle serve --config {PROJECT / 'langgraph.json'}` serves the benchmark's graphs;\n"
        "`treadle bench --project DIR` writes them to a directory from which any other server can serve them"
    )


def _endpoint(url: str, pid: int | None) -> Endpoint:
    from treadle.bench.check import GraphsMissing, check_server
    from treadle.bench.server import BadResponse

    try:
        return check_server(url, pid)
    except GraphsMissing as error:
        report.fail(f"{url}: {error}", hint=_how_to_serve())
    except (BadResponse, OSError) as error:
        report.fail(f"no server of this API answers at {url}: {error or type(error).__name__}", hint=_how_to_serve())


def _measure(console: Console, endpoint: Endpoint, case: Case, seconds: float) -> Measurement:
    from treadle.bench.cases import LoadGenerator, MeasureFailed

    with console.status(case.name):
        try:
            return LoadGenerator(seconds)(endpoint, case)
        except MeasureFailed as error:
            report.fail(f"{endpoint.url}: {error}")


def medians(measurements: Sequence[Measurement]) -> dict[str, float]:
    """Return the median of each figure over all rounds."""
    from treadle.bench.pace import median

    values: dict[str, list[float]] = {}
    for each in measurements:
        for name, value in each.figures.items():
            values.setdefault(name, []).append(value)
    return {name: median(numbers) for name, numbers in values.items()}


def _table(url: str, measurements: Sequence[Measurement]) -> Table:
    """Return the table. If the load generator used nearly a whole core, it limited the figures itself."""
    caption = "load, server: the share of a core that the load generator and the server used"
    from treadle.bench.rows import ROWS, format_figure

    table = Table(title=url, caption=caption, box=box.SIMPLE)
    for heading in ("measure", "", "unit", "load", "server"):
        words = heading in ("measure", "unit")
        table.add_column(heading, justify="left" if words else "right", no_wrap=heading != "measure")
    figures, of = medians(measurements), {each.name: each for each in measurements}
    for row in ROWS:
        if row.figure in figures:
            cores = (_share(of[row.figure].load), _share(of[row.figure].server)) if row.figure in of else ()
            table.add_row(row.title, format_figure(figures[row.figure]), row.unit, *cores)
    return table


def _share(cores: float | None) -> str:
    return "" if cores is None else f"{cores:.0%}"


def _write(path: Path, url: str, measurements: Sequence[Measurement]) -> None:
    content: dict[str, Any] = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "url": url,
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "figures": medians(measurements),
        "taken": [each._asdict() for each in measurements],
    }
    path.write_text(json.dumps(content, indent=2) + "\n")
