"""``treadle dev``: serve, and start anew whenever the project changes."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import typer
from rich.console import Console
from watchfiles import Change, DefaultFilter, watch

from treadle.cli import app, report
from treadle.cli.process import ServerProcess, free_port
from treadle.cli.serve import Config, as_arguments, as_environment, port_in_use, port_is_free, takes_settings
from treadle.settings import Settings

TICK_MS = 200
CANNOT_START_HERE = 3  # what `serve` exits with when no change of a file can help: another server has the data


class ProjectFilter(DefaultFilter):
    """Python files, the configuration and the environment file; not what tools and the server itself write."""

    def __init__(self, config: Path, data: Path) -> None:
        super().__init__(ignore_paths=[data.resolve()])
        self._named = {config.resolve(), *_env_files(config)}

    def __call__(self, change: Change, path: str) -> bool:
        wanted = path.endswith(".py") or Path(path) in self._named
        return wanted and super().__call__(change, path)


@app.command()
@takes_settings
def dev(settings: Settings, config: Config = Path("langgraph.json")) -> None:
    """Serve, and restart the server when a .py file, langgraph.json or .env changes."""
    settings = replace(settings, port=settings.port or free_port(settings.host))
    if not port_is_free(settings):
        report.fail(port_in_use(settings.host, settings.port))
    os.environ.update(as_environment(settings))
    server = ServerProcess([f"--config={config}", *as_arguments(settings)])
    raise typer.Exit(Reloader(server, config, settings).run())


class Reloader:
    """Keeps one server process running on the current files."""

    def __init__(self, server: ServerProcess, config: Path, settings: Settings) -> None:
        self._server = server
        self._config = config
        self._data = settings.data
        self._patience = settings.drain_seconds + settings.cancel_seconds + 10
        self._console = Console(stderr=True, highlight=False)
        self._stopped = threading.Event()
        self._told = False

    def run(self) -> int:
        """Until SIGINT or SIGTERM. Returns the exit code."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._stopped.set())
        try:
            return self._watch()
        finally:
            self._server.stop(self._patience)

    def _watch(self) -> int:
        # The watch exists before the first start, so a change made while the server starts is not missed.
        for changes in watch(
            *_roots(self._config),
            watch_filter=ProjectFilter(self._config, self._data),
            stop_event=self._stopped,
            rust_timeout=TICK_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
        ):
            if changes or not self._server.spawned:
                self._restart(path for _, path in changes)
            self._tell()
            if self._server.exit_code() == CANNOT_START_HERE:
                return 1
        return 0

    def _restart(self, changed: Iterable[str]) -> None:
        if self._server.spawned:
            self._console.print(f"[cyan]changed:[/] {', '.join(_short(changed))}; restarting")
            self._server.stop(self._patience)
        self._server.spawn()
        self._told = False

    def _tell(self) -> None:
        """Says once where the server listens, or that it could not start."""
        if self._told:
            return
        if url := self._server.ready(0):
            print(f"treadle is ready at {url}", flush=True)
            self._told = True
        elif (code := self._server.exit_code()) is not None:
            self._console.print(f"[yellow]the server stopped (exit code {code}); waiting for a change[/]")
            self._told = True


def _roots(config: Path) -> Sequence[Path]:
    """The project's directory and the local dependencies that its configuration names."""
    home = config.resolve().parent
    named = [home / name for name in _read(config).get("dependencies") or () if str(name).startswith(".")]
    return sorted({home, *(path.resolve() for path in named if path.exists())})


def _env_files(config: Path) -> set[Path]:
    home = config.resolve().parent
    env = _read(config).get("env")
    return {home / ".env", *([(home / env).resolve()] if isinstance(env, str) else [])}


def _read(config: Path) -> dict[str, Any]:
    """The configuration as far as it can be read; telling what is wrong with it is the server's part."""
    with suppress(OSError, ValueError):
        content = json.loads(config.read_text())
        return cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    return {}


def _short(paths: Iterable[str]) -> list[str]:
    return sorted(os.path.relpath(path) for path in paths)
