"""The ``treadle`` program. Each command is one module; errors are told in a line or two, never by our traceback."""

from __future__ import annotations

import sys
from importlib import import_module, metadata
from typing import Annotated

import typer

from treadle.cli import report

app = typer.Typer(
    name="treadle",
    help="Run and stream LangGraph graphs, durably.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"treadle {metadata.version('treadle')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Run and stream LangGraph graphs, durably."""


COMMANDS = ("bench", "demo", "dev", "doctor", "migrate", "run", "runs", "serve", "webhooks", "worker")
"""Each is a module here, which adds itself to the app when it is imported."""


def complete(wanted: str | None = None) -> typer.Typer:
    """The app with the command ``wanted``, or with all: what a server starts with need not be all that there is."""
    for name in COMMANDS if wanted not in COMMANDS else (wanted,):
        import_module(f"treadle.cli.{name}")
    return app


def main() -> None:
    """The entry point: runs a command and tells its error, if any, in plain words."""
    with report.errors():
        complete(sys.argv[1] if len(sys.argv) > 1 else None)()


__all__ = ["COMMANDS", "app", "complete", "main"]
