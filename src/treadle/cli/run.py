"""``treadle run``: stream one run to the terminal, on a temporary server or the one at ``--url``."""

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
from treadle.cli.listing import check_choices
from treadle.cli.live_view import LiveView
from treadle.cli.serve import Config
from treadle.cli.server_process import EMBEDDED, ServerDied, ServerProcess
from treadle.errors import TreadleError
from treadle.model import JSON, STREAM_MODES, StreamMode

if TYPE_CHECKING:
    from treadle.client import RunCreated

MODES: tuple[StreamMode, ...] = ("messages-tuple", "updates", "custom")


class RunResult(msgspec.Struct):
    """The result of a streamed run."""

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
    resume: Annotated[str | None, typer.Option(help="JSON that answers the thread's interrupt.")] = None,
    thread: Annotated[str | None, typer.Option(help="The thread to run on; created if it does not exist.")] = None,
    mode: Annotated[list[str] | None, typer.Option(help=f"Stream modes, repeated: {', '.join(STREAM_MODES)}.")] = None,
    config: Config = Path("langgraph.json"),
    data: Annotated[Path | None, typer.Option(help="Data directory; a temporary one by default.")] = None,
    url: Annotated[str | None, typer.Option(envvar="TREADLE_URL", help="A running server to use.")] = None,
) -> None:
    """Run a graph once and stream it to the terminal. Exits with 1 if the run fails."""
    modes = _modes(mode or [])
    payload = _request(input, message, resume)
    thread_id = thread or str(uuid4())
    console = Console(highlight=False)
    with _server(url, config, data) as server:
        result = _stream(console, server.url, thread_id, graph, {**payload, "stream_mode": modes})
        if result.interrupts:
            server.keep = True
            _print_interrupts(console, result.interrupts, [graph, "--thread", thread_id, *server.arguments])
    raise typer.Exit(0 if result.status == "success" else 1)


class Server(msgspec.Struct):
    """The server of the run, and the arguments to find it again. ``keep`` preserves a temporary data directory."""

    url: str
    arguments: list[str]
    keep: bool = False


@contextmanager
def _server(url: str | None, config: Path, data: Path | None) -> Generator[Server]:
    if url:
        yield Server(url, ["--url", url])
        return
    directory = data or Path(tempfile.mkdtemp(prefix="treadle-"))
    server = Server("", ["--config", str(config), "--data", str(directory)])
    flags = [f"--config={config}", f"--data={directory}", *EMBEDDED, "--port=0", "--log-level=warning"]
    process = ServerProcess(flags)
    try:
        server.url = process.start()
        yield server
    except ServerDied as error:
        # The server has already reported its error on the shared stderr.
        sys.exit(process.exit_code() or report.fail(error.detail))
    finally:
        process.stop()
        if data is None and not server.keep:
            shutil.rmtree(directory, ignore_errors=True)


def _stream(console: Console, url: str, thread_id: str, graph: str, request: JSON) -> RunResult:
    view, result = LiveView(console), RunResult()

    def created(run: RunCreated) -> None:
        result.run_id = run.run_id

    with connected(url) as client:
        try:
            for event in client.runs.stream(
                thread_id, graph, if_not_exists="create", on_run_created=created, **request
            ):
                _update(result, event)
                view.show(event)
        except KeyboardInterrupt:
            _cancel(client, thread_id, result.run_id)
        finally:
            view.flow.end()
    return result


def _update(result: RunResult, event: Any) -> None:
    from treadle.client.events import EndEvent, UpdatesEvent, ValuesEvent

    match event:
        case ValuesEvent(interrupts=interrupts) | UpdatesEvent(interrupts=interrupts) if interrupts:
            known = {json.dumps(item, sort_keys=True, default=str) for item in result.interrupts}
            new = [i for i in interrupts if json.dumps(i, sort_keys=True, default=str) not in known]
            result.interrupts += new
        case EndEvent(status=status):
            result.status = status
        case _:
            pass


def _cancel(client: Any, thread_id: str, run_id: str) -> NoReturn:
    """Ctrl-C cancels the run itself, not only its display."""
    if run_id:
        with suppress(TreadleError):
            client.runs.cancel(thread_id, run_id, wait=True)
    report.fail("cancelled", code=130)


def _print_interrupts(console: Console, interrupts: list[JSON], arguments: list[str]) -> None:
    console.print("\n[bold yellow]the thread needs input:[/]")
    for interrupt in interrupts:
        console.print_json(data=interrupt.get("value"), default=str)
    console.print("answer with:")
    console.print(f"  treadle run {shlex.join(arguments)} --resume JSON", markup=False, soft_wrap=True)
    if len(interrupts) > 1:
        ids = ", ".join(f'"{interrupt.get("id")}": …' for interrupt in interrupts)
        console.print(f"  where JSON holds an answer per interrupt id: {{{ids}}}", markup=False, soft_wrap=True)


def _request(input: str | None, message: str | None, resume: str | None) -> JSON:
    if sum(option is not None for option in (input, message, resume)) > 1:
        report.fail("--input, --message and --resume cannot be combined", code=2)
    if resume is not None:
        return {"command": {"resume": _json("--resume", resume)}}
    if message is not None:
        return {"input": {"messages": [{"role": "user", "content": message}]}}
    return {"input": None if input is None else _json("--input", _text(input))}


def _text(value: str) -> str:
    if value == "-":
        return sys.stdin.read()
    if not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text()
    except (OSError, UnicodeDecodeError) as error:
        report.fail(f"--input: cannot read {value[1:]}: {getattr(error, 'strerror', None) or error}", code=2)


def _json(flag: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        report.fail(f"{flag} is not JSON: {error}", hint="quote it for your shell, or use @FILE", code=2)


def _modes(requested: list[str]) -> list[StreamMode]:
    check_choices("--mode", requested, STREAM_MODES, "stream mode")
    return [mode for mode in STREAM_MODES if mode in requested] or list(MODES)
