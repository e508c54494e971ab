"""Imports the graphs that a langgraph.json names, and opens them for use."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from treadle.errors import ConfigError
from treadle.graph.factory import Factory, compiled
from treadle.graph.graphs import Graphs, LoadedGraph
from treadle.project.config import GraphSpec, ProjectConfig, load_config

__all__ = ["GraphImportError", "Graphs", "LoadedGraph", "ProjectConfig", "load_config", "load_graphs"]

_LOADED_AT = "__treadle_mtime_ns__"
"""Set on the modules imported here: a later load sees by it that the file has changed."""


class GraphImportError(ConfigError):
    """Importing a graph failed in the user's own code. ``traceback`` is theirs, without the frames of the loader."""

    def __init__(self, detail: str, *, file: str, key: str, traceback: str) -> None:
        super().__init__(detail, file=file, key=key)
        self.traceback = traceback


def load_graphs(config: ProjectConfig) -> Graphs:
    """Imports every graph of ``config``; files that changed since an earlier load are read again.

    Puts the local dependencies on ``sys.path`` and fills in the environment. Raises ConfigError, and GraphImportError
    where the user's own code fails.
    """
    for path in reversed(config.paths):
        if str(path) not in sys.path:
            sys.path.insert(0, str(path))
    for name, value in config.env.items():
        os.environ.setdefault(name, value)
    importlib.invalidate_caches()
    return Graphs({name: _load(spec, config) for name, spec in config.graphs.items()}, config.limits)


def _load(spec: GraphSpec, config: ProjectConfig) -> LoadedGraph:
    module = import_module(config, f"graphs.{spec.graph_id}", file=spec.file, module=spec.place)
    name = f"{spec.place}:{spec.attribute}"
    try:
        found = getattr(module, spec.attribute)
    except AttributeError:
        detail = f"{spec.place} has no {spec.attribute!r}; {_offer(module)}"
        raise ConfigError(detail, file=str(config.file), key=f"graphs.{spec.graph_id}") from None
    try:
        if callable(found) and not isinstance(found, (Pregel, StateGraph, type)):
            return LoadedGraph(spec.graph_id, spec.description, factory=Factory(name, found))
        return LoadedGraph(spec.graph_id, spec.description, static=compiled(name, found))
    except ConfigError as error:
        key = f"graphs.{spec.graph_id}"
        raise ConfigError(error.detail, file=str(config.file), key=key, hint=error.hint) from error.__cause__


def _offer(module: ModuleType) -> str:
    """What of a module could have been meant: its graphs, else the functions it defines, else nothing."""
    public = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    graphs = [name for name, value in public.items() if isinstance(value, (Pregel, StateGraph))]
    own = [name for name, value in public.items() if getattr(value, "__module__", None) == module.__name__]
    names = sorted(graphs or own)
    return f"it has {', '.join(names)}" if names else "it has no graph and no function"


def import_module(config: ProjectConfig, key: str, *, file: Path | None, module: str) -> ModuleType:
    """Imports what ``key`` of the configuration names: a file, or else a module. Raises GraphImportError."""
    try:
        return _import_file(file, config.file.parent) if file is not None else importlib.import_module(module)
    except (Exception, SystemExit) as error:  # the user's code runs here, and may raise anything
        last = traceback.format_exception_only(error)[-1].strip()
        raise GraphImportError(
            f"importing {file or module} failed: {last}",
            file=str(config.file),
            key=key,
            traceback=_own_traceback(error),
        ) from error


def _import_file(file: Path, base: Path) -> ModuleType:
    """Imports a file under the name that its own package would import it by, so that relative imports work and saved
    objects find their class again; under a name of its own where that name leads elsewhere."""
    name, root = _module_name(file, base)
    if str(root) not in sys.path:
        sys.path.append(str(root))
    _forget_if_changed(name, file)
    module = importlib.import_module(name) if _finds(name, file) else _import_apart(file, base)
    setattr(module, _LOADED_AT, file.stat().st_mtime_ns)
    return module


def _module_name(file: Path, base: Path) -> tuple[str, Path]:
    """``(dotted name, directory that has to be on sys.path)``: from the root of its package, or else from ``base``."""
    root = file.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    if root == file.parent and file.is_relative_to(base):
        root = base
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts), root


def _finds(name: str, file: Path) -> bool:
    """Whether importing ``name`` gives ``file``; the parents of ``name`` are imported to know."""
    if not all(part.isidentifier() for part in name.split(".")):
        return False
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            return False
        raise
    except ValueError:  # a module without a spec, such as __main__
        return False
    return found is not None and found.origin is not None and Path(found.origin).resolve() == file


def _import_apart(file: Path, base: Path) -> ModuleType:
    relative = file.relative_to(base) if file.is_relative_to(base) else file
    name = "treadle_graph_" + re.sub(r"\W", "_", str(relative.with_suffix("")))
    _forget_if_changed(name, file)
    if name in sys.modules:
        return sys.modules[name]
    found = importlib.util.spec_from_file_location(name, file)
    assert found is not None
    assert found.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(found)
    try:
        found.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _forget_if_changed(name: str, file: Path) -> None:
    loaded_at = getattr(sys.modules.get(name), _LOADED_AT, None)
    if loaded_at is not None and loaded_at != file.stat().st_mtime_ns:
        del sys.modules[name]


def _own_traceback(error: BaseException) -> str:
    """The traceback of ``error`` from where the user's code begins."""
    report = traceback.TracebackException.from_exception(error)
    chain: Sequence[traceback.TracebackException | None] = [report]
    while chain:
        for each in (each for each in chain if each is not None):
            each.stack = traceback.StackSummary.from_list(
                [frame for frame in each.stack if not _is_ours(frame.filename)]
            )
        chain = [link for each in chain if each is not None for link in (each.__cause__, each.__context__)]
    return "".join(report.format())


def _is_ours(filename: str) -> bool:
    return filename == __file__ or filename == importlib.__file__ or filename.startswith("<frozen importlib")


def named(project: ProjectConfig, key: str, text: Any, shape: str) -> tuple[str, Any]:
    """``(place, object)`` of a ``./file.py:name`` or ``module:name``. Raises ConfigError, GraphImportError."""
    place, colon, attribute = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    if not colon or not place or not attribute.isidentifier():
        raise ConfigError(f"{text!r} does not name an object", file=str(project.file), key=key, hint=shape)
    file = None
    if "/" in place or place.endswith(".py"):
        file = (project.file.parent / place).resolve()
        if not file.is_file():
            raise ConfigError(f"there is no file {file}", file=str(project.file), key=key)
    module = import_module(project, key, file=file, module=place)
    if not hasattr(module, attribute):
        raise ConfigError(f"{file or place} has no {attribute!r}", file=str(project.file), key=key, hint=shape)
    return f"{file or place}:{attribute}", getattr(module, attribute)
