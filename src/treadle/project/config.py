"""Reads ``langgraph.json`` as users have it. Every mistake is a ConfigError: the file, the key, what is allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, cast

from dotenv import dotenv_values

from treadle.errors import ConfigError
from treadle.model import JSON
from treadle.ports.queue import Limits

KEYS = frozenset(
    [
        "dependencies",
        "graphs",
        "env",
        "store",
        "auth",
        "http",
        "checkpointer",
        "webhooks",
        "ui",
        "ui_config",
        "encryption",
        "python_version",
        "node_version",
        "pip_config_file",
        "pip_installer",
        "dockerfile_lines",
        "base_image",
        "image_distro",
        "keep_pkg_tools",
        "api_version",
        "name",
        "source",
        "$schema",
        "treadle",
    ]
)
"""What a langgraph.json may hold. Those about building images say nothing to a server that runs in place."""

_OBJECTS = ("store", "auth", "http", "checkpointer", "webhooks", "treadle")
_JAVASCRIPT = (".js", ".ts", ".mjs", ".mts", ".cjs", ".cts", ".jsx", ".tsx")
_EXAMPLE = '{"dependencies": ["."], "graphs": {"agent": "./agent.py:graph"}}'
_LIMITS = '{"graphs": {"agent": {"concurrency": 4}}, "keys": {"concurrency": 2}}'
_GRAPH_SHAPE = '"./file.py:attribute", "package.module:attribute" or {"path": …, "description": …}'


@dataclass(frozen=True)
class GraphSpec:
    """Where a graph is: ``attribute`` of a ``file`` or of a ``module``, of which exactly one is set."""

    graph_id: str
    attribute: str
    file: Path | None
    module: str | None
    description: str | None

    @property
    def place(self) -> str:
        return str(self.file) if self.file is not None else str(self.module)


@dataclass(frozen=True)
class ProjectConfig:
    """A checked langgraph.json. ``paths`` go on ``sys.path``, ``env`` into the environment where that does not say
    otherwise; ``limits`` says how many runs may run at once; ``raw`` is the whole file; ``warnings`` are sentences
    for the user."""

    file: Path
    graphs: dict[str, GraphSpec]
    paths: list[Path]
    env: dict[str, str]
    limits: Limits
    raw: JSON
    warnings: list[str]


def load_config(path: Path) -> ProjectConfig:
    """Reads a langgraph.json, or the one in a directory. Imports nothing. Raises ConfigError."""
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
            self.warnings.append(f"{self.file.name}: {key}: not a key that is known here, ignored")
        for key in _OBJECTS:
            if key in raw and not isinstance(raw[key], dict):
                raise self._error(key, f"must be an object, is {kind(raw[key])}")
        paths = self._paths(raw.get("dependencies", ["."]))
        graphs, env = self._graphs(raw), self._env(raw.get("env"))
        limits = self._limits(raw.get("treadle", {}), graphs)
        return ProjectConfig(self.file, graphs, paths, env, limits, raw, self.warnings)

    def _error(self, key: str | None, detail: str, hint: str | None = None) -> ConfigError:
        return ConfigError(detail, file=str(self.file), key=key, hint=hint)

    def _raw(self) -> JSON:
        try:
            raw = json.loads(self.file.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            raise self._error(None, "there is no such file", f"a small one is {_EXAMPLE}") from None
        except OSError as error:
            raise self._error(None, f"cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise self._error(None, f"is not UTF-8 text: {error.reason} at byte {error.start}") from None
        except json.JSONDecodeError as error:
            raise self._error(None, f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
        if not isinstance(raw, dict):
            raise self._error(None, f"must hold an object, holds {kind(raw)}", f"a small one is {_EXAMPLE}")
        return cast("JSON", raw)

    def _graphs(self, raw: JSON) -> dict[str, GraphSpec]:
        if "graphs" not in raw:
            raise self._error("graphs", "is missing", f"an object of name: {_GRAPH_SHAPE}")
        graphs = raw["graphs"]
        if not isinstance(graphs, dict) or not graphs:
            detail = "is empty" if graphs == {} else f"must be an object, is {kind(graphs)}"
            raise self._error("graphs", detail, f"an object of name: {_GRAPH_SHAPE}")
        return {name: self._graph(name, given) for name, given in cast("JSON", graphs).items()}

    def _graph(self, name: str, given: Any) -> GraphSpec:
        key = f"graphs.{name}"
        described = cast("JSON", given) if isinstance(given, dict) else {"path": given}
        text, description = described.get("path"), described.get("description")
        if not isinstance(text, str):
            raise self._error(key, f"must say where the graph is, is {kind(given)}", _GRAPH_SHAPE)
        if description is not None and not isinstance(description, str):
            raise self._error(f"{key}.description", f"must be text, is {kind(description)}")
        place, colon, attribute = text.rpartition(":")
        if place.endswith(_JAVASCRIPT) or text.endswith(_JAVASCRIPT):
            raise self._error(key, f"{text!r} is a JavaScript graph; treadle runs Python graphs only", _GRAPH_SHAPE)
        if not colon or not place or not attribute.isidentifier():
            raise self._error(key, f"{text!r} does not name an attribute", _GRAPH_SHAPE)
        return self._spec(name, place, attribute, description)

    def _spec(self, name: str, place: str, attribute: str, description: str | None) -> GraphSpec:
        if "/" not in place and "\\" not in place and not place.endswith(".py"):
            if not all(part.isidentifier() for part in place.split(".")):
                raise self._error(f"graphs.{name}", f"{place!r} is neither a .py file nor a module", _GRAPH_SHAPE)
            return GraphSpec(name, attribute, None, place, description)
        file = Path(self.base, place).resolve()
        if not file.is_file():
            raise self._error(f"graphs.{name}", f"there is no file {file}")
        if file.suffix != ".py":
            raise self._error(f"graphs.{name}", f"{place!r} is not a Python file", _GRAPH_SHAPE)
        return GraphSpec(name, attribute, file, None, description)

    def _limits(self, given: JSON, graphs: Collection[str]) -> Limits:
        section = self._known("treadle", given, ("graphs", "keys"))
        named = self._known("treadle.graphs", section.get("graphs", {}), graphs)
        of_graphs = {name: self._concurrency(f"treadle.graphs.{name}", of) for name, of in named.items()}
        of_keys = self._concurrency("treadle.keys", section["keys"]) if "keys" in section else Limits().key
        return Limits(graphs=of_graphs, key=of_keys)

    def _concurrency(self, key: str, given: Any) -> int:
        found = self._known(key, given, ("concurrency",)).get("concurrency")
        if isinstance(found, bool) or not isinstance(found, int) or found < 1:
            raise self._error(f"{key}.concurrency", f"must be an integer above 0, is {found!r}", _LIMITS)
        return found

    def _known(self, key: str, given: Any, names: Collection[str]) -> JSON:
        """An object with no other names in it: a limit that was misspelled would limit nothing."""
        if not isinstance(given, dict):
            raise self._error(key, f"must be an object, is {kind(given)}", _LIMITS)
        for name in cast("JSON", given):
            if name not in names:
                raise self._error(f"{key}.{name}", "is not known here", f"one of {', '.join(names)}")
        return cast("JSON", given)

    def _paths(self, dependencies: Any) -> list[Path]:
        if not isinstance(dependencies, list):
            raise self._error("dependencies", f"must be a list, is {kind(dependencies)}", 'such as ["."]')
        paths: list[Path] = []
        for index, given in enumerate(cast("list[Any]", dependencies)):
            if not isinstance(given, str):
                raise self._error(f"dependencies.{index}", f"must be text, is {kind(given)}")
            if given.startswith((".", "/")):
                paths.extend(self._local(index, given))
            else:
                self._check_installed(given)
        return paths

    def _local(self, index: int, given: str) -> list[Path]:
        """A local dependency; in a project laid out with ``src``, what installing it would make importable."""
        directory = Path(self.base, given).resolve()
        if not directory.is_dir():
            raise self._error(f"dependencies.{index}", f"there is no directory {directory}")
        is_project = any((directory / name).is_file() for name in ("pyproject.toml", "setup.py", "setup.cfg"))
        src = directory / "src"
        return [directory, src] if is_project and src.is_dir() else [directory]

    def _check_installed(self, requirement: str) -> None:
        found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
        try:
            distribution(found.group() if found else requirement)
        except (PackageNotFoundError, ValueError):
            self.warnings.append(f"{self.file.name}: dependencies: {requirement} is not installed in this environment")

    def _env(self, env: Any) -> dict[str, str]:
        if env is None:
            return {}
        if isinstance(env, str):
            return self._env_file(env)
        if not isinstance(env, dict):
            raise self._error("env", f"must be the path of a .env file or an object, is {kind(env)}")
        for name, value in cast("JSON", env).items():
            if not isinstance(value, (str, int, float)):
                raise self._error(f"env.{name}", f"must be text, is {kind(value)}")
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in env.items()}

    def _env_file(self, given: str) -> dict[str, str]:
        file = Path(self.base, given).resolve()
        if not file.is_file():
            raise self._error("env", f"there is no file {file}", "create it, or remove the key")
        return {name: value for name, value in dotenv_values(file).items() if value is not None}


def kind(value: Any) -> str:
    """What a JSON value is, in words."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
