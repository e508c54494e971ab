"""``treadle runs``: look at the runs of a server, follow one, stop one."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from treadle.cli import app, report
from treadle.cli.connect import connected
from treadle.cli.live import LiveView
from treadle.errors import NotFoundError
from treadle.model import RUN_STATUSES, Run

if TYPE_CHECKING:
    from treadle.client import Client

URL = Annotated[str, typer.Option(envvar="TREADLE_URL", help="The server.")]
RunID = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or the beginning of it.")]
ThreadID = Annotated[str | None, typer.Option("--thread", "-t", help="The run's thread; spares a search for it.")]

LOCAL = "http://127.0.0.1:2024"
WIDTH = 140
THREADS = 100  # how many threads, newest first, are searched
COLORS = {"success": "green", "error": "red", "timeout": "red", "interrupted": "yellow", "running": "cyan"}

runs = typer.Typer(help="Look at a server's runs, follow or cancel them.", no_args_is_help=True)
app.add_typer(runs, name="runs")


@runs.command()
def ls(
    thread: Annotated[str | None, typer.Option("--thread", "-t", help="Only this thread's runs.")] = None,
    status: Annotated[str | None, typer.Option(help=f"Only these: {', '.join(RUN_STATUSES)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
    url: URL = LOCAL,
) -> None:
    """List runs, newest first."""
    if status is not None and status not in RUN_STATUSES:
        report.fail(f"--status {status}: there is no such status", hint=f"one of {', '.join(RUN_STATUSES)}", code=2)
    with connected(url) as client:
        found = [run for thread_id in _threads(client, thread) for run in _of(client, thread_id, status, limit)]
    newest = sorted(found, key=lambda run: run.created_at, reverse=True)[:limit]
    # Ids are there to be copied: a narrow terminal wraps the lines, nothing is cut.
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    console.print(_table(newest) if newest else "no runs")


@runs.command()
def show(run: RunID, thread: ThreadID = None, url: URL = LOCAL) -> None:
    """Print one run as JSON, all of it."""
    with connected(url) as client:
        found = _find(client, run, thread)
    Console(highlight=False).print_json(msgspec.json.encode(found).decode())


@runs.command()
def cancel(
    run: RunID,
    thread: ThreadID = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="Remove the run and what it wrote.")] = False,
    wait: Annotated[bool, typer.Option(help="Return when it is over.")] = True,
    url: URL = LOCAL,
) -> None:
    """Stop a run. What it had checkpointed stays, unless --rollback is given."""
    with connected(url) as client:
        found = _find(client, run, thread)
        client.runs.cancel(found.thread_id, found.run_id, wait=wait, action="rollback" if rollback else "interrupt")
    Console(highlight=False).print(f"{'rolled back' if rollback else 'cancelled'} {found.run_id}")


@runs.command()
def tail(
    run: RunID,
    thread: ThreadID = None,
    after: Annotated[str | None, typer.Option(help="Only what comes after this event id.")] = None,
    url: URL = LOCAL,
) -> None:
    """Follow a run from its first event to its end. Ctrl-C leaves the run alone."""
    view = LiveView(Console(highlight=False))
    with connected(url) as client:
        found = _find(client, run, thread)
        for event in client.runs.join_stream(found.thread_id, found.run_id, last_event_id=after):
            view.show(event)


def _threads(client: Client, thread: str | None) -> list[str]:
    if thread:
        return [thread]
    return [found.thread_id for found in client.threads.search(limit=THREADS, sort_by="updated_at", sort_order="desc")]


def _of(client: Client, thread_id: str, status: str | None, limit: int) -> list[Run]:
    """A thread's runs; none if it was deleted in between."""
    try:
        return client.runs.list(thread_id, limit=limit, status=status)  # pyright: ignore[reportArgumentType]
    except NotFoundError:
        return []


def _find(client: Client, run: str, thread: str | None) -> Run:
    if thread and len(run) == 36:
        return client.runs.get(thread, run)
    found = [
        candidate
        for thread_id in _threads(client, thread)
        for candidate in _of(client, thread_id, None, 1000)
        if candidate.run_id.startswith(run)
    ]
    if not found:
        where = f"on thread {thread}" if thread else f"on the last {THREADS} threads"
        report.fail(f"no run {run} {where}", hint="`treadle runs ls` lists them; --thread says where to look")
    if len(found) > 1:
        report.fail(f"{run} is the beginning of {len(found)} runs' ids: give more of it")
    return found[0]


def _table(found: list[Run]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("run", "status", "created", "took", "graph", "thread"):
        table.add_column(name, no_wrap=True)
    for run in found:
        status = Text(run.status, style=COLORS.get(run.status, ""))
        graph = str(run.metadata.get("graph_id") or "")
        table.add_row(run.run_id, status, _when(run.created_at), _took(run), graph, run.thread_id)
    return table


def _when(moment: datetime) -> str:
    return moment.astimezone().strftime("%m-%d %H:%M:%S")


def _took(run: Run) -> str:
    ended = run.status not in ("pending", "running")
    return f"{(run.updated_at - run.created_at).total_seconds():.1f} s" if ended else ""
