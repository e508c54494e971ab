"""``treadle runs``: look at the runs of a server, follow one, stop one, try one again."""

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
from treadle.cli.live import LiveView
from treadle.model import RUN_STATUSES
from treadle.run_search import FoundRun

if TYPE_CHECKING:
    from treadle.client import Client

URL = Annotated[str, typer.Option(envvar="TREADLE_URL", help="The server.")]
RunID = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or the beginning of it.")]
ThreadID = Annotated[str | None, typer.Option("--thread", "-t", help="Only among this thread's runs.")]

LOCAL = "http://127.0.0.1:2024"
WIDTH = 140
RUNS = 1000  # how many runs, newest first, are searched for the beginning of an id
COLORS = {"success": "green", "error": "red", "timeout": "red", "interrupted": "yellow", "running": "cyan"}

runs = typer.Typer(help="Look at a server's runs, follow, cancel or retry them.", no_args_is_help=True)
app.add_typer(runs, name="runs")


@runs.command()
def ls(
    thread: Annotated[str | None, typer.Option("--thread", "-t", help="Only this thread's runs.")] = None,
    status: Annotated[list[str] | None, typer.Option(help=f"Only these: {', '.join(RUN_STATUSES)}.")] = None,
    assistant: Annotated[str | None, typer.Option(help="Only this assistant's; its id, or a graph's name.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only those that have it.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
    url: URL = LOCAL,
) -> None:
    """List runs of all threads, newest first."""
    for unknown in set(status or ()) - set(RUN_STATUSES):
        report.fail(f"--status {unknown}: there is no such status", hint=f"one of {', '.join(RUN_STATUSES)}", code=2)
    with connected(url) as client:
        newest = _newest(client, limit, status=status or None, assistant_id=assistant, thread_id=thread, tags=tag)
    # Ids are there to be copied: a narrow terminal wraps the lines, nothing is cut.
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    console.print(_table(newest) if newest else "no runs")


@runs.command()
def show(run: RunID, thread: ThreadID = None, url: URL = LOCAL) -> None:
    """Print one run as JSON, all of it."""
    with connected(url) as client:
        found = _find(client, run, thread)
        page = client.runs.search(ids=[found.run_id], select=FoundRun.__struct_fields__)
    Console(highlight=False).print_json(msgspec.json.encode(page.items[0] if page.items else found).decode())


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
def retry(run: RunID, thread: ThreadID = None, url: URL = LOCAL) -> None:
    """Ask again what a run that did not succeed was asked, from where it came to."""
    with connected(url) as client:
        found = _find(client, run, thread)
        again = client.runs.retry(found.thread_id, found.run_id)
    Console(highlight=False).print(f"retried as {again.run_id}")


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


def _newest(client: Client, most: int, **filters: Any) -> list[FoundRun]:
    """So many runs, newest first. A page that is searched by tags may be short and yet not be the last."""
    page = client.runs.search(limit=most, **filters)
    found = page.items
    while page.next is not None and len(found) < most:
        page = client.runs.search(limit=most - len(found), after=page.next, **filters)
        found += page.items
    return found


def _find(client: Client, run: str, thread: str | None) -> FoundRun:
    exact = {"ids": [run]} if len(run) == 36 else {}
    found = [each for each in _newest(client, RUNS, thread_id=thread, **exact) if each.run_id.startswith(run)]
    if not found:
        where = f"on thread {thread}" if thread else f"among the last {RUNS} runs"
        report.fail(f"no run {run} {where}", hint="`treadle runs ls` lists them; --thread says where to look")
    if len(found) > 1:
        report.fail(f"{run} is the beginning of {len(found)} runs' ids: give more of it")
    return found[0]


def _table(found: list[FoundRun]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("run", "status", "created", "took", "attempts", "graph", "thread"):
        table.add_column(name, no_wrap=True)
    for run in found:
        status = Text(run.status, style=COLORS.get(run.status, ""))
        created, attempts = _when(run.created_at), str(run.attempt)
        table.add_row(run.run_id, status, created, _took(run), attempts, run.graph_id, run.thread_id)
    return table


def _when(moment: datetime) -> str:
    return moment.astimezone().strftime("%m-%d %H:%M:%S")


def _took(run: FoundRun) -> str:
    return "" if run.duration_seconds is None else f"{run.duration_seconds:.1f} s"
