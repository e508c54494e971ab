"""Read and check a langgraph.json. Every mistake raises a ConfigError with the file, the key and the allowed values."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, cast

from dotenv import dotenv_values

from treadle.errors import ConfigError
from treadle.model import JSON
from treadle.ports.queue import Limits
from treadle.project.decode import decode, kind
from treadle.project.references import Reference, parse_reference
from treadle.project.schema import GRAPH_SHAPE, KEYS, GraphEntry, ProjectFile

_EXAMPLE = 'a minimal one is {"dependencies": ["."], "graphs": {"agent": "./agent.py:graph"}}'


@dataclass(frozen=True)
class GraphSpec:
    reference: Reference
    description: str | None


@dataclass(frozen=True)
class ProjectConfig:
    """A checked langgraph.json.

    ``paths`` go on ``sys.path``; ``env`` sets environment variables that are not set yet; ``limits`` bounds how many
    runs may be active at once; ``warnings`` are sentences for the user."""

    file: Path
    content: ProjectFile
    graphs: dict[str, GraphSpec]
    paths: list[Path]
    env: dict[str, str]
    limits: Limits
    warnings: list[str]

    def error(self, key: str, detail: str, hint: str | None = None) -> ConfigError:
        return ConfigError(detail, file=str(self.file), key=key, hint=hint)

    def reference(self, key: str, text: str, shape: str) -> Reference:
        """Parse the reference ``text`` under ``key``. Raises ConfigError."""
        return parse_reference(text, config_file=self.file, key=key, shape=shape)


def load_config(path: Path) -> ProjectConfig:
    """Read a langgraph.json, or the one in a directory, without importing anything. Raises ConfigError."""
    file = (path / "langgraph.json" if path.is_dir() else path).absolute()
    return _Reader(file).read()


class _Reader:
    def __init__(self, file: Path) -> None:
        self.file = file
        self.base = file.parent
        self.warnings: list[str] = []

    def read(self) -> ProjectConfig:
        raw = self._raw()
        for key in sorted(raw.keys() - KEYS):
            self.warnings.append(f"{self.file.name}: {key}: not a known key, ignored")
        content = decode(_without_empty(raw), self.file)
        paths = self._paths(content.dependencies)
        graphs = {name: self._graph(name, entry) for name, entry in content.graphs.items()}
        env, limits = self._env(content), self._limits(content)
        return ProjectConfig(self.file, content, graphs, paths, env, limits, self.warnings)

    def _error(self, key: str | None, detail: str, hint: str | None = None) -> ConfigError:
        return ConfigError(detail, file=str(self.file), key=key, hint=hint)

    def _raw(self) -> JSON:
        try:
            raw = json.loads(self.file.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            raise self._error(None, "there is no such file", _EXAMPLE) from None
        except OSError as error:
            raise self._error(None, f"cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise self._error(None, f"is not UTF-8 text: {error.reason} at byte {error.start}") from None
        except json.JSONDecodeError as error:
            raise self._error(None, f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
        if not isinstance(raw, dict):
            raise self._error(None, f"must hold an object, got {kind(raw)}", _EXAMPLE)
        return cast("JSON", raw)

    def _graph(self, name: str, entry: str | GraphEntry) -> GraphSpec:
        text, description = (entry, None) if isinstance(entry, str) else (entry.path, entry.description)
        reference = parse_reference(text, config_file=self.file, key=f"graphs.{name}", shape=GRAPH_SHAPE)
        return GraphSpec(reference, description)

    def _limits(self, content: ProjectFile) -> Limits:
        limits = content.treadle.graphs
        for name in limits.keys() - content.graphs.keys():
            raise self._error(f"treadle.graphs.{name}", "is not a graph", f"one of {', '.join(content.graphs)}")
        graphs = {name: limit.concurrency for name, limit in limits.items()}
        return Limits(graphs=graphs, key=content.treadle.keys.concurrency)

    def _paths(self, dependencies: list[str]) -> list[Path]:
        paths: list[Path] = []
        for index, dependency in enumerate(dependencies):
            if dependency.startswith((".", "/")):
                paths.extend(self._local(index, dependency))
            else:
                self._check_installed(dependency)
        return paths

    def _local(self, index: int, dependency: str) -> list[Path]:
        """Return the directories that installing a local dependency would make importable."""
        directory = Path(self.base, dependency).resolve()
        if not directory.is_dir():
            raise self._error(f"dependencies.{index}", f"there is no directory {directory}")
        is_project = any((directory / name).is_file() for name in ("pyproject.toml", "setup.py", "setup.cfg"))
        src = directory / "src"
        return [directory, src] if is_project and src.is_dir() else [directory]

    def _check_installed(self, requirement: str) -> None:
        name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
        try:
            distribution(name.group() if name else requirement)
        except (PackageNotFoundError, ValueError):
            self.warnings.append(f"{self.file.name}: dependencies: {requirement} is not installed in this environment")

    def _env(self, content: ProjectFile) -> dict[str, str]:
        env = {} if content.env is None else content.env
        if isinstance(env, str):
            return self._env_file(env)
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in env.items()}

    def _env_file(self, path: str) -> dict[str, str]:
        file = Path(self.base, path).resolve()
        if not file.is_file():
            raise self._error("env", f"there is no file {file}", "create it, or remove the key")
        return {name: value for name, value in dotenv_values(file).items() if value is not None}


def _without_empty(raw: JSON) -> JSON:
    """Leave out an empty ``auth`` or ``store.index``, which switches nothing on."""
    content = {key: value for key, value in raw.items() if key != "auth" or value != {}}
    store: Any = raw.get("store")
    if isinstance(store, dict) and cast("JSON", store).get("index") == {}:
        content["store"] = {**cast("JSON", store), "index": None}
    return content
