"""``treadle serve``, and the flags that settings add to commands."""

from __future__ import annotations

import errno
import functools
import inspect
import os
import socket
import sys
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from treadle.cli import app, report
from treadle.cli.server_process import READY
from treadle.settings import Settings, flags, table

T = TypeVar("T")

Config = Annotated[Path, typer.Option("--config", "-c", help="The project's langgraph.json.")]
IN_USE = "choose another with --port, or 0 for a free one"


def takes(*names: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Give a command a flag for each of these settings; the command receives them as ``settings``."""

    def decorate(command: Callable[..., T]) -> Callable[..., T]:
        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "settings"]

        @functools.wraps(command)
        def call(**arguments: Any) -> T:
            overrides = {name: arguments.pop(name) for name in names}
            return command(settings=Settings.load(**overrides), **arguments)

        parameters = [*own, *_flags(names)]
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {p.name: p.annotation for p in parameters}
        return call

    return decorate


takes_settings = takes(*flags())


def _flags(names: Collection[str]) -> list[inspect.Parameter]:
    hints = get_type_hints(Settings)
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                hints[name] | None,
                typer.Option(help=_help(help, env, default), show_default=False, rich_help_panel="Settings"),
            ],
        )
        for name, env, default, help in table()
        if name in names
    ]


def _help(help: str, env: str, default: Any) -> str:
    return f"{help} ({env}; default {'none' if default == '' else default})"


def to_arguments(settings: Settings) -> list[str]:
    """The flags that pass these settings to another process, except for secrets."""
    shown = [f for f in fields(settings) if not f.metadata.get("secret")]
    return [_argument(f.name.replace("_", "-"), getattr(settings, f.name)) for f in shown]


def to_environment(settings: Settings) -> dict[str, str]:
    """The secrets, which ``to_arguments`` omits because any user of the machine can read a process's flags."""
    secrets = [f.name for f in fields(settings) if f.metadata.get("secret")]
    return {f"TREADLE_{name.upper()}": getattr(settings, name) for name in secrets}


def _argument(flag: str, value: Any) -> str:
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag}={value}"


@app.command()
@takes_settings
def serve(settings: Settings, config: Config = Path("langgraph.json")) -> None:
    """Serve the project's graphs. Prints one line once it accepts requests; logs go to stderr."""
    from treadle import runtime

    stdout = redirect_stdout()
    try:
        with reporting_bind_errors(settings.host, settings.port):
            code = runtime.serve(settings, config, ready=lambda url: announce(f"{READY}{url}", stdout))
    except runtime.DataDirInUse as error:
        report.fail(str(error), hint=error.hint, code=3)
    raise typer.Exit(code)


@contextmanager
def reporting_bind_errors(host: str, port: int) -> Generator[None]:
    """Report an address that cannot be bound, with a hint."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            report.fail(f"cannot listen on {host}:{port}: {error.strerror or error}")
        report.fail(port_in_use(host, port))


def redirect_stdout() -> int:
    """Redirect stdout to stderr and return a descriptor of the original stdout.

    A program that starts a server reads one line from its stdout and nothing after it. If graphs printed to that pipe,
    it would fill up and block the server.
    """
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    return stdout


def announce(line: str, stdout: int) -> None:
    """Write the ready line and close the descriptor."""
    with os.fdopen(stdout, "w") as stream:
        print(line, file=stream)


def port_in_use(host: str, port: int) -> str:
    return f"port {port} on {host} is in use; {IN_USE}"


def port_is_free(settings: Settings) -> bool:
    """Whether a server could listen on the configured address now."""
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        with socket.create_server((settings.host, settings.port), family=family):
            return True
    except OSError as error:
        return error.errno != errno.EADDRINUSE
