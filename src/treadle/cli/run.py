"""``treadle run``: one run, live on the terminal, on a server of its own or on the one that ``--url`` names."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn
from uuid import uuid4

import msgspec
import typer
from rich.console import Console

from treadle.cli import app, report
from treadle.cli.connect import connected
from treadle.cli.live import LiveView
from treadle.cli.process import EMBEDDED, ServerDied, ServerProcess
from treadle.cli.serve import Config
from treadle.errors import TreadleError
from treadle.model import JSON, STREAM_MODES, StreamMode

if TYPE_CHECKING:
    from treadle.client import RunCreated

MODES: tuple[StreamMode, ...] = ("messages-tuple", "updates", "custom")


class Ending(msgspec.Struct):
    """What is left of a run's stream when it is over."""

    run_id: str = ""
    status: str = ""
    interrupts: list[JSON] = []


@app.command()
def run(
    graph: Annotated[str, typer.Argument(help="The graph's name in langgraph.json, or an assistant's id.")],
    input: Annotated[str | None, typer.Option("--input", "-i", help="JSON, @FILE, or - for stdin.")] = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help='Short for --input \'{"messages": [{"role": "user", …}]}\'.')
    ] = None,
    resume: Annotated[str | None, typer.Option(help="JSON that answers the interrupt the thread waits at.")] = None,
    thread: Annotated[str | None, typer.Option(help="The thread to run on; made if it is not there.")] = None,
    mode: Annotated[list[str] | None, typer.Option(help=f"Stream modes, repeated: {', '.join(STREAM_MODES)}.")] = None,
    config: Config = Path("langgraph.json"),
    data: Annotated[Path | None, typer.Option(help="Data directory; without it a temporary one.")] = None,
    url: Annotated[str | None, typer.Option(envvar="TREADLE_URL", help="A running server to use.")] = None,
) -> None:
    """Run a graph once and stream it to the terminal. Exits with 1 if the run fails."""
    modes = _modes(mode or [])
    payload = _request(input, message, resume)
    thread_id = thread or str(uuid4())
    console = Console(highlight=False)
    with _server(url, config, data) as place:
        ending = _stream(console, place.url, thread_id, graph, {**payload, "stream_mode": modes})
        if ending.interrupts:
            place.keep = True
            _tell_interrupts(console, ending.interrupts, [graph, "--thread", thread_id, *place.arguments])
    raise typer.Exit(0 if ending.status == "success" else 1)


class Place(msgspec.Struct):
    """Where the run takes place, and the arguments that find it again. ``keep`` spares a temporary directory."""

    url: str
    arguments: list[str]
    keep: bool = False


@contextmanager
def _server(url: str | None, config: Path, data: Path | None) -> Generator[Place]:
    if url:
        yield Place(url, ["--url", url])
        return
    directory = data or Path(tempfile.mkdtemp(prefix="treadle-"))
    place = Place("", ["--config", str(config), "--data", str(directory)])
    where = [f"--config={config}", f"--data={directory}", *EMBEDDED]
    server = ServerProcess([*where, "--port=0", "--log-level=warning"])
    try:
        place.url = server.start()
        yield place
    except ServerDied as error:
        # What was wrong stands on stderr already: the server's own last words.
        sys.exit(server.exit_code() or report.fail(error.detail))
    finally:
        server.stop()
        if data is None and not place.keep:
            shutil.rmtree(directory, ignore_errors=True)


def _stream(console: Console, url: str, thread_id: str, graph: str, request: JSON) -> Ending:
    view, ending = LiveView(console), Ending()

    def created(run: RunCreated) -> None:
        ending.run_id = run.run_id

    with connected(url) as client:
        try:
            for event in client.runs.stream(
                thread_id, graph, if_not_exists="create", on_run_created=created, **request
            ):
                _note(event, ending)
                view.show(event)
        except KeyboardInterrupt:
            _cancel(client, thread_id, ending.run_id)
        finally:
            view.flow.end()
    return ending


def _note(event: Any, ending: Ending) -> None:
    from treadle.client.events import EndEvent, UpdatesEvent, ValuesEvent

    match event:
        case ValuesEvent(interrupts=waiting) | UpdatesEvent(interrupts=waiting) if waiting:
            known = {json.dumps(item, sort_keys=True, default=str) for item in ending.interrupts}
            ending.interrupts += [i for i in waiting if json.dumps(i, sort_keys=True, default=str) not in known]
        case EndEvent(status=status):
            ending.status = status
        case _:
            pass


def _cancel(client: Any, thread_id: str, run_id: str) -> NoReturn:
    """Ctrl-C stops the run, not only its display."""
    if run_id:
        with suppress(TreadleError):
            client.runs.cancel(thread_id, run_id, wait=True)
    report.fail("cancelled", code=130)


def _tell_interrupts(console: Console, interrupts: list[JSON], arguments: list[str]) -> None:
    console.print("\n[bold yellow]the run waits for an answer:[/]")
    for interrupt in interrupts:
        console.print_json(data=interrupt.get("value"), default=str)
    console.print("answer it with:")
    console.print(f"  treadle run {shlex.join(arguments)} --resume JSON", markup=False, soft_wrap=True)
    if len(interrupts) > 1:
        ids = ", ".join(f'"{interrupt.get("id")}": …' for interrupt in interrupts)
        console.print(f"  where JSON answers each by its id: {{{ids}}}", markup=False, soft_wrap=True)


def _request(input: str | None, message: str | None, resume: str | None) -> JSON:
    if sum(given is not None for given in (input, message, resume)) > 1:
        report.fail("--input, --message and --resume exclude each other", code=2)
    if resume is not None:
        return {"command": {"resume": _json("--resume", resume)}}
    if message is not None:
        return {"input": {"messages": [{"role": "user", "content": message}]}}
    return {"input": None if input is None else _json("--input", _text(input))}


def _text(given: str) -> str:
    if given == "-":
        return sys.stdin.read()
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text()
    except (OSError, UnicodeDecodeError) as error:
        report.fail(f"--input: cannot read {given[1:]}: {getattr(error, 'strerror', None) or error}", code=2)


def _json(flag: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        report.fail(f"{flag} is not JSON: {error}", hint="quote it for your shell, or use @FILE", code=2)


def _modes(given: list[str]) -> list[StreamMode]:
    for mode in given:
        if mode not in STREAM_MODES:
            report.fail(
                f"--mode {mode}: there is no such stream mode", hint=f"one of {', '.join(STREAM_MODES)}", code=2
            )
    return [mode for mode in STREAM_MODES if mode in given] or list(MODES)
