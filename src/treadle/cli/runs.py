"""``treadle runs``: list the runs of a server; show, follow, cancel or retry one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from treadle.cli import app
from treadle.cli.connect import connected
from treadle.cli.listing import FULL_ID, LOCAL, SEARCHED, URL, check_choices, local_time, only_match, print_table
from treadle.cli.live_view import LiveView
from treadle.model import RUN_STATUSES
from treadle.run_search import FoundRun

if TYPE_CHECKING:
    from treadle.client import Client

RunID = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or a unique prefix of it.")]
ThreadID = Annotated[str | None, typer.Option("--thread", "-t", help="Only search this thread's runs.")]

COLUMNS = ("run", "status", "created", "duration", "attempts", "graph", "thread")
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
    check_choices("--status", status or (), RUN_STATUSES, "status")
    with connected(url) as client:
        newest = _newest(client, limit, status=status or None, assistant_id=assistant, thread_id=thread, tags=tag)
    print_table(COLUMNS, [_row(run) for run in newest], empty="no runs")


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
    exact = {"ids": [run]} if len(run) == FULL_ID else {}
    candidates = {each.run_id: each for each in _newest(client, SEARCHED, thread_id=thread, **exact)}
    where = f"on thread {thread}" if thread else f"among the last {SEARCHED} runs"
    hint = "list runs with `treadle runs ls`, or name the --thread"
    return candidates[only_match("run", run, candidates, where=where, hint=hint)]


def _row(run: FoundRun) -> tuple[str | Text, ...]:
    status = Text(run.status, style=COLORS.get(run.status, ""))
    duration = "" if run.duration_seconds is None else f"{run.duration_seconds:.1f} s"
    created = local_time(run.created_at)
    return run.run_id, status, created, duration, str(run.attempt), run.graph_id, run.thread_id
