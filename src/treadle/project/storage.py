"""What langgraph.json says of the store and of how long things are kept: its ``store`` and ``checkpointer``."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from langchain_core.embeddings import Embeddings
from langgraph.store.base import IndexConfig, TTLConfig, ensure_embeddings

from treadle.errors import ConfigError
from treadle.model import JSON, ThreadTTL
from treadle.project.config import ProjectConfig, kind
from treadle.project.load import import_module

_SWEEP_MINUTES = 5.0
_EMBED_SHAPE = '"provider:model", "./file.py:function" or "package.module:function"'
_STRATEGIES = ("delete", "keep_latest")


@dataclass(frozen=True)
class StorageConfig:
    """``index`` (semantic search) and ``store_ttl`` are the store's, ``thread_ttl`` is what threads get by default."""

    index: IndexConfig | None = None
    store_ttl: TTLConfig | None = None
    store_sweep_seconds: float = _SWEEP_MINUTES * 60
    thread_ttl: ThreadTTL | None = None
    thread_sweep_seconds: float = _SWEEP_MINUTES * 60


def storage_config(project: ProjectConfig) -> StorageConfig:
    """Checks both sections and imports the embedding function; for after ``load_graphs``, which prepares the imports.

    Raises ConfigError naming the key."""
    return _Reader(project).read()


class _Reader:
    def __init__(self, project: ProjectConfig) -> None:
        self._project = project
        self._file = str(project.file)

    def read(self) -> StorageConfig:
        store_ttl = self._object("store.ttl")
        thread_ttl = self._object("checkpointer.ttl")
        return StorageConfig(
            index=self._index(self._object("store.index")),
            store_ttl=self._store_ttl(store_ttl),
            store_sweep_seconds=60 * (self._minutes(store_ttl, "store.ttl.sweep_interval_minutes") or _SWEEP_MINUTES),
            thread_ttl=self._thread_ttl(thread_ttl),
            thread_sweep_seconds=60
            * (self._minutes(thread_ttl, "checkpointer.ttl.sweep_interval_minutes") or _SWEEP_MINUTES),
        )

    def _error(self, key: str, detail: str, hint: str | None = None) -> ConfigError:
        return ConfigError(detail, file=self._file, key=key, hint=hint)

    def _object(self, key: str) -> JSON:
        section, _, name = key.partition(".")
        given = self._project.raw.get(section, {}).get(name)
        if given is not None and not isinstance(given, dict):
            raise self._error(key, f"must be an object, is {kind(given)}")
        return cast("JSON", given or {})

    def _minutes(self, section: JSON, key: str) -> float | None:
        given = section.get(key.rpartition(".")[2])
        if given is None:
            return None
        if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < math.inf:
            raise self._error(key, f"must be a number of minutes above 0, is {given!r}")
        return float(given)

    def _store_ttl(self, given: JSON) -> TTLConfig | None:
        refresh = given.get("refresh_on_read", True)
        if not isinstance(refresh, bool):
            raise self._error("store.ttl.refresh_on_read", f"must be true or false, is {kind(refresh)}")
        default = self._minutes(given, "store.ttl.default_ttl")
        return TTLConfig(refresh_on_read=refresh, default_ttl=default) if given else None

    def _thread_ttl(self, given: JSON) -> ThreadTTL | None:
        strategy = given.get("strategy", "delete")
        if strategy not in _STRATEGIES:
            raise self._error("checkpointer.ttl.strategy", f"is {strategy!r}", f"one of {', '.join(_STRATEGIES)}")
        minutes = self._minutes(given, "checkpointer.ttl.default_ttl")
        return None if minutes is None else ThreadTTL(minutes, strategy)

    # the index

    def _index(self, given: JSON) -> IndexConfig | None:
        if not given:
            return None
        dims, fields = given.get("dims"), given.get("fields") or ["$"]
        if isinstance(dims, bool) or not isinstance(dims, int) or dims < 1:
            raise self._error("store.index.dims", "must be the size of the embeddings, an integer above 0")
        if not isinstance(fields, list) or not all(isinstance(field, str) for field in cast("list[Any]", fields)):
            raise self._error(
                "store.index.fields", "must be a list of paths", 'such as ["text", "meta.title"] or ["$"]'
            )
        return IndexConfig(dims=dims, embed=self._embeddings(given.get("embed")), fields=cast("list[str]", fields))

    def _embeddings(self, given: Any) -> Embeddings:
        key = "store.index.embed"
        if not isinstance(given, str) or ":" not in given:
            raise self._error(key, f"must say what embeds texts, is {given!r}", _EMBED_SHAPE)
        place, _, name = given.rpartition(":")
        is_code = "/" in place or place.endswith(".py") or ("." in place and name.isidentifier())
        found = self._imported(key, place, name) if is_code else given
        try:
            return ensure_embeddings(found)
        except Exception as error:  # a provider's own package checks its environment here, and may raise anything
            raise self._error(key, f"{given!r} cannot be used: {error}", _EMBED_SHAPE) from error

    def _imported(self, key: str, place: str, name: str) -> Embeddings | Callable[..., Any]:
        file = Path(self._project.file.parent, place).resolve() if "/" in place or place.endswith(".py") else None
        if file is not None and not file.is_file():
            raise self._error(key, f"there is no file {file}")
        module = import_module(self._project, key, file=file, module=place)
        found = getattr(module, name, None)
        if not isinstance(found, Embeddings) and not callable(found):
            raise self._error(key, f"{place} has no function {name!r}", _EMBED_SHAPE)
        return found
