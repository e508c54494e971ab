"""Derive the settings of the store and of thread expiry from ``store`` and ``checkpointer`` of a langgraph.json."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from langchain_core.embeddings import Embeddings
from langgraph.store.base import IndexConfig, TTLConfig, ensure_embeddings

from treadle.model import ThreadTTL
from treadle.project.config import ProjectConfig
from treadle.project.imports import import_object
from treadle.project.references import is_path
from treadle.project.schema import CheckpointerTTL, StoreIndex, StoreTTL

_SWEEP_MINUTES = 5.0
_EMBED_SHAPE = '"provider:model", "./file.py:function" or "package.module:function"'


@dataclass(frozen=True)
class StorageConfig:
    """``index`` (semantic search) and ``store_ttl`` apply to the store; ``thread_ttl`` is the default for threads."""

    index: IndexConfig | None = None
    store_ttl: TTLConfig | None = None
    store_sweep_seconds: float = _SWEEP_MINUTES * 60
    thread_ttl: ThreadTTL | None = None
    thread_sweep_seconds: float = _SWEEP_MINUTES * 60


def storage_config(project: ProjectConfig) -> StorageConfig:
    """Derive the settings, and import the embedding function. Call it after ``load_graphs``, which prepares
    ``sys.path``. Raises ConfigError."""
    index = project.content.store.index
    store = project.content.store.ttl or StoreTTL()
    threads = project.content.checkpointer.ttl or CheckpointerTTL()
    return StorageConfig(
        index=None if index is None else _index(project, index),
        store_ttl=None if store == StoreTTL() else _store_ttl(store),
        store_sweep_seconds=60 * (store.sweep_interval_minutes or _SWEEP_MINUTES),
        thread_ttl=None if threads.default_ttl is None else ThreadTTL(threads.default_ttl, threads.strategy),
        thread_sweep_seconds=60 * (threads.sweep_interval_minutes or _SWEEP_MINUTES),
    )


def _store_ttl(ttl: StoreTTL) -> TTLConfig:
    return TTLConfig(refresh_on_read=ttl.refresh_on_read, default_ttl=ttl.default_ttl)


def _index(project: ProjectConfig, index: StoreIndex) -> IndexConfig:
    return IndexConfig(dims=index.dims, embed=_embeddings(project, index.embed), fields=index.fields or ["$"])


def _embeddings(project: ProjectConfig, text: str) -> Embeddings:
    key = "store.index.embed"
    place, colon, name = text.rpartition(":")
    if not colon:
        raise project.error(key, f"must name a model or a function, got {text!r}", _EMBED_SHAPE)
    # A model such as "openai:text-embedding-3-small" has no dot in its provider; a module has.
    is_code = is_path(place) or ("." in place and name.isidentifier())
    embed = _function(project, key, text) if is_code else text
    try:
        return ensure_embeddings(embed)
    except Exception as error:  # a provider's package checks its environment here, and may raise anything
        raise project.error(key, f"{text!r} cannot be used: {error}", _EMBED_SHAPE) from error


def _function(project: ProjectConfig, key: str, text: str) -> Embeddings | Callable[..., Any]:
    reference = project.reference(key, text, _EMBED_SHAPE)
    function = import_object(reference)
    if not isinstance(function, Embeddings) and not callable(function):
        raise reference.error(f"{reference} is not a function")
    return function
