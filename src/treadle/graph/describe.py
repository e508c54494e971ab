"""Describe a graph for people and tools: its drawing, its JSON schemas, its subgraphs (docs/http.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langgraph.channels.base import BaseChannel
from pydantic import PydanticUserError, create_model
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError

from treadle.graph.internals import AnyGraph
from treadle.model import JSON

_UNDESCRIBABLE = (
    PydanticUserError,
    PydanticSchemaGenerationError,
    PydanticInvalidForJsonSchema,
    TypeError,
    ValueError,
    NameError,
)
"""Errors that pydantic and LangGraph raise for types without a JSON schema."""


def schemas(graph: AnyGraph, graph_id: str) -> JSON:
    """``graph_id`` and the input, output, state, config and context schemas; None for a type without a JSON schema."""
    return {"graph_id": graph_id, **_schemas(graph, graph_id)}


def subgraphs(graph: AnyGraph, *, namespace: str | None = None, recurse: bool = False) -> JSON:
    """``{namespace: schemas}`` of all subgraphs, or of the one at ``namespace`` (``sub|deep``) if it exists."""
    found = graph.get_subgraphs(namespace=namespace, recurse=recurse or "|" in (namespace or ""))
    return {path: _schemas(each, each.get_name()) for path, each in found}  # pyright: ignore[reportArgumentType]


def drawing(graph: AnyGraph, *, xray: int | bool = False) -> JSON:
    """``{"nodes": [{id, type, data}], "edges": [{source, target}]}``. ``xray`` expands subgraphs, to a depth or all."""
    drawn = graph.get_graph(xray=xray).to_json()
    for node in drawn["nodes"]:
        if isinstance(node.get("data"), dict):
            node["data"].pop("id", None)
    return drawn


def _schemas(graph: AnyGraph, name: str) -> JSON:
    context = _described(graph.get_context_jsonschema)
    state = _described(lambda: _state_schema(graph, name))
    return {
        "input_schema": _described(graph.get_input_jsonschema) or state,
        "output_schema": _described(graph.get_output_jsonschema) or state,
        "state_schema": state,
        "config_schema": context or {},
        "context_schema": context,
    }


def _state_schema(graph: AnyGraph, name: str) -> JSON:
    """Built from the channels, because the state class itself may have no schema."""
    channels = {key: channel for key, channel in graph.channels.items() if isinstance(channel, BaseChannel)}
    fields: dict[str, Any] = {
        key: (channels[key].UpdateType, None) for key in graph.stream_channels_list if key in channels
    }
    return create_model(graph.get_name("State", name=name), **fields).model_json_schema()


def _described(describe: Callable[[], JSON | None]) -> JSON | None:
    try:
        return describe()
    except _UNDESCRIBABLE:
        return None
