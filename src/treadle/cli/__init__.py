"""The ``treadle`` program: one module per command; errors are reported in a line or two, without a traceback."""

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


def _version(requested: bool) -> None:
    if requested:
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
"""Each command is a module of this package, which adds itself to the app when it is imported."""


def complete(command: str | None = None) -> typer.Typer:
    """The app with ``command`` only, or with all commands: importing a single command keeps startup fast."""
    for name in COMMANDS if command not in COMMANDS else (command,):
        import_module(f"treadle.cli.{name}")
    return app


def main() -> None:
    """The entry point: run a command and report its error, if any."""
    with report.errors():
        complete(sys.argv[1] if len(sys.argv) > 1 else None)()


__all__ = ["COMMANDS", "app", "complete", "main"]
