"""Import and compile the graphs of a langgraph.json."""

from __future__ import annotations

import importlib
import os
import sys

from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from treadle.errors import ConfigError
from treadle.graph.factory import Factory, compiled
from treadle.graph.graphs import Graphs, LoadedGraph
from treadle.project.config import GraphSpec, ProjectConfig, load_config
from treadle.project.imports import GraphImportError, import_object

__all__ = ["GraphImportError", "Graphs", "LoadedGraph", "ProjectConfig", "load_config", "load_graphs"]


def load_graphs(config: ProjectConfig) -> Graphs:
    """Import every graph of ``config``. A file that changed since an earlier load is read again.

    Puts the local dependencies on ``sys.path`` and sets missing environment variables. Raises ConfigError, or
    GraphImportError if the user's own code fails.
    """
    for path in reversed(config.paths):
        if str(path) not in sys.path:
            sys.path.insert(0, str(path))
    for name, value in config.env.items():
        os.environ.setdefault(name, value)
    importlib.invalidate_caches()
    return {name: _load(name, spec) for name, spec in config.graphs.items()}


def _load(graph_id: str, spec: GraphSpec) -> LoadedGraph:
    graph, name = import_object(spec.reference), str(spec.reference)
    try:
        if callable(graph) and not isinstance(graph, (Pregel, StateGraph, type)):
            return LoadedGraph(graph_id, spec.description, factory=Factory(name, graph))
        return LoadedGraph(graph_id, spec.description, static=compiled(name, graph))
    except ConfigError as error:
        file, key = str(spec.reference.config_file), spec.reference.key
        raise ConfigError(error.detail, file=file, key=key, hint=error.hint) from error.__cause__
