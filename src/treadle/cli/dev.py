"""``treadle dev``: serve, and restart whenever the project changes."""

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
from treadle.cli.serve import Config, port_in_use, port_is_free, takes_settings, to_arguments, to_environment
from treadle.cli.server_process import ServerProcess, free_port
from treadle.settings import Settings

TICK_MS = 200
CANNOT_START_HERE = 3  # exit code of `serve` if another server uses the data: editing a file cannot fix that


class ProjectFilter(DefaultFilter):
    """Accept Python files, langgraph.json and the environment file; ignore files written by tools and the server."""

    def __init__(self, config: Path, data: Path) -> None:
        super().__init__(ignore_paths=[data.resolve()])
        self._watched = {config.resolve(), *_env_files(config)}

    def __call__(self, change: Change, path: str) -> bool:
        relevant = path.endswith(".py") or Path(path) in self._watched
        return relevant and super().__call__(change, path)


@app.command()
@takes_settings
def dev(settings: Settings, config: Config = Path("langgraph.json")) -> None:
    """Serve, and restart the server when a .py file, langgraph.json or .env changes."""
    settings = replace(settings, port=settings.port or free_port(settings.host))
    if not port_is_free(settings):
        report.fail(port_in_use(settings.host, settings.port))
    os.environ.update(to_environment(settings))
    server = ServerProcess([f"--config={config}", *to_arguments(settings)])
    raise typer.Exit(Reloader(server, config, settings).run())


class Reloader:
    """Restart one server process whenever a file changes."""

    def __init__(self, server: ServerProcess, config: Path, settings: Settings) -> None:
        self._server = server
        self._config = config
        self._data = settings.data
        self._stop_seconds = settings.drain_seconds + settings.cancel_seconds + 10
        self._console = Console(stderr=True, highlight=False)
        self._stopped = threading.Event()
        self._announced = False

    def run(self) -> int:
        """Run until SIGINT or SIGTERM. Returns the exit code."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._stopped.set())
        try:
            return self._watch()
        finally:
            self._server.stop(self._stop_seconds)

    def _watch(self) -> int:
        # Watch before the first start, so that a change during the start is not missed.
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
            self._announce()
            if self._server.exit_code() == CANNOT_START_HERE:
                return 1
        return 0

    def _restart(self, changed: Iterable[str]) -> None:
        if self._server.spawned:
            self._console.print(f"[cyan]changed:[/] {', '.join(_short(changed))}; restarting")
            self._server.stop(self._stop_seconds)
        self._server.spawn()
        self._announced = False

    def _announce(self) -> None:
        """Print once where the server listens, or that it failed to start."""
        if self._announced:
            return
        if url := self._server.ready(0):
            print(f"treadle is ready at {url}", flush=True)
            self._announced = True
        elif (code := self._server.exit_code()) is not None:
            self._console.print(f"[yellow]the server stopped (exit code {code}); waiting for a change[/]")
            self._announced = True


def _roots(config: Path) -> Sequence[Path]:
    """The project's directory and its local dependencies."""
    home = config.resolve().parent
    local = [home / name for name in _read(config).get("dependencies") or () if str(name).startswith(".")]
    return sorted({home, *(path.resolve() for path in local if path.exists())})


def _env_files(config: Path) -> set[Path]:
    home = config.resolve().parent
    env = _read(config).get("env")
    return {home / ".env", *([(home / env).resolve()] if isinstance(env, str) else [])}


def _read(config: Path) -> dict[str, Any]:
    """The configuration, or {} if it cannot be read; the server reports the error."""
    with suppress(OSError, ValueError):
        content = json.loads(config.read_text())
        return cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    return {}


def _short(paths: Iterable[str]) -> list[str]:
    return sorted(os.path.relpath(path) for path in paths)
