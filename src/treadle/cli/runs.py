"""``treadle runs``: list the runs of a server; show, follow, cancel or retry one."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from treadle.cli import app, report
from treadle.cli.connect import connected
from treadle.cli.live_view import LiveView
from treadle.model import RUN_STATUSES
from treadle.run_search import FoundRun

if TYPE_CHECKING:
    from treadle.client import Client

URL = Annotated[str, typer.Option(envvar="TREADLE_URL", help="URL of the server.")]
RunID = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or a unique prefix of it.")]
ThreadID = Annotated[str | None, typer.Option("--thread", "-t", help="Only search this thread's runs.")]

LOCAL = "http://127.0.0.1:2024"
WIDTH = 140
RUNS = 1000  # number of runs, newest first, that are searched for an id prefix
COLORS = {"success": "green", "error": "red", "timeout": "red", "interrupted": "yellow", "running": "cyan"}

runs = typer.Typer(help="List, show, follow, cancel and retry runs.", no_args_is_help=True)
app.add_typer(runs, name="runs")


@runs.command()
def ls(
    thread: Annotated[str | None, typer.Option("--thread", "-t", help="Only this thread's runs.")] = None,
    status: Annotated[list[str] | None, typer.Option(help=f"Only this status: {', '.join(RUN_STATUSES)}.")] = None,
    assistant: Annotated[str | None, typer.Option(help="Only this assistant's runs; an id or a graph's name.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only runs with this tag.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Maximum number of runs.")] = 20,
    url: URL = LOCAL,
) -> None:
    """List runs of all threads, newest first."""
    for unknown in set(status or ()) - set(RUN_STATUSES):
        report.fail(f"--status {unknown}: unknown status", hint=f"one of {', '.join(RUN_STATUSES)}", code=2)
    with connected(url) as client:
        newest = _newest(client, limit, status=status or None, assistant_id=assistant, thread_id=thread, tags=tag)
    # Never truncate ids, which users copy; a narrow terminal wraps the lines instead.
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    console.print(_table(newest) if newest else "no runs")


@runs.command()
def show(run: RunID, thread: ThreadID = None, url: URL = LOCAL) -> None:
    """Print one run as JSON, with all its fields."""
    with connected(url) as client:
        match = _find(client, run, thread)
        page = client.runs.search(ids=[match.run_id], select=FoundRun.__struct_fields__)
    Console(highlight=False).print_json(msgspec.json.encode(page.items[0] if page.items else match).decode())


@runs.command()
def cancel(
    run: RunID,
    thread: ThreadID = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="Remove the run and its checkpoints.")] = False,
    wait: Annotated[bool, typer.Option(help="Return once the run has ended.")] = True,
    url: URL = LOCAL,
) -> None:
    """Cancel a run. Its checkpoints are kept unless --rollback is given."""
    with connected(url) as client:
        match = _find(client, run, thread)
        client.runs.cancel(match.thread_id, match.run_id, wait=wait, action="rollback" if rollback else "interrupt")
    Console(highlight=False).print(f"{'rolled back' if rollback else 'cancelled'} {match.run_id}")


@runs.command()
def retry(run: RunID, thread: ThreadID = None, url: URL = LOCAL) -> None:
    """Retry a failed run from its last checkpoint."""
    with connected(url) as client:
        match = _find(client, run, thread)
        new = client.runs.retry(match.thread_id, match.run_id)
    Console(highlight=False).print(f"retried as {new.run_id}")


@runs.command()
def tail(
    run: RunID,
    thread: ThreadID = None,
    after: Annotated[str | None, typer.Option(help="Only events after this event id.")] = None,
    url: URL = LOCAL,
) -> None:
    """Follow a run from its first event to its end. Ctrl-C does not stop the run."""
    view = LiveView(Console(highlight=False))
    with connected(url) as client:
        match = _find(client, run, thread)
        for event in client.runs.join_stream(match.thread_id, match.run_id, last_event_id=after):
            view.show(event)


def _newest(client: Client, limit: int, **filters: Any) -> list[FoundRun]:
    """Up to ``limit`` runs, newest first. A page of a search by tags may be short without being the last."""
    page = client.runs.search(limit=limit, **filters)
    matches = page.items
    while page.next is not None and len(matches) < limit:
        page = client.runs.search(limit=limit - len(matches), after=page.next, **filters)
        matches += page.items
    return matches


def _find(client: Client, run: str, thread: str | None) -> FoundRun:
    exact = {"ids": [run]} if len(run) == 36 else {}
    matches = [each for each in _newest(client, RUNS, thread_id=thread, **exact) if each.run_id.startswith(run)]
    if not matches:
        where = f"on thread {thread}" if thread else f"among the last {RUNS} runs"
        report.fail(f"no run {run} {where}", hint="list runs with `treadle runs ls`, or name the --thread")
    if len(matches) > 1:
        report.fail(f"{len(matches)} run ids start with {run}: use a longer prefix")
    return matches[0]


def _table(newest: list[FoundRun]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("run", "status", "created", "duration", "attempts", "graph", "thread"):
        table.add_column(name, no_wrap=True)
    for run in newest:
        status = Text(run.status, style=COLORS.get(run.status, ""))
        created, attempts = local_time(run.created_at), str(run.attempt)
        table.add_row(run.run_id, status, created, _duration(run), attempts, run.graph_id, run.thread_id)
    return table


def local_time(moment: datetime) -> str:
    return moment.astimezone().strftime("%m-%d %H:%M:%S")


def _duration(run: FoundRun) -> str:
    return "" if run.duration_seconds is None else f"{run.duration_seconds:.1f} s"
