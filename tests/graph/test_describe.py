from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.func import entrypoint
from langgraph.graph import START, StateGraph

from support.graphs import golden
from treadle.graph.describe import drawing, schemas, subgraphs

RECORDED = json.loads((Path(__file__).parent / "described.json").read_text())


@pytest.mark.parametrize("case", RECORDED["graph"], ids=lambda case: f"{case['graph']}-{case['xray']}")
def test_drawings_are_as_recorded(case: dict[str, Any]) -> None:
    assert drawing(getattr(golden, case["graph"]), xray=case["xray"]) == case["body"]


@pytest.mark.parametrize("graph_id", sorted(RECORDED["schemas"]))
def test_schemas_are_as_recorded_and_there_where_none_was(graph_id: str) -> None:
    got, recorded = schemas(getattr(golden, graph_id), graph_id), RECORDED["schemas"][graph_id]
    assert {key: got[key] for key in recorded if recorded[key] is not None} == {
        key: value for key, value in recorded.items() if value is not None
    }
    assert got["input_schema"] is not None
    assert set(got) == set(recorded)


@pytest.mark.parametrize(
    ("namespace", "recurse", "found"),
    [
        (None, False, ["sub"]),
        (None, True, ["sub", "sub|deep"]),
        ("sub", False, ["sub"]),
        ("sub|deep", False, ["sub|deep"]),
        ("nope", True, []),
    ],
)
def test_sub_graphs_are_found_by_namespace(namespace: str | None, recurse: bool, found: list[str]) -> None:
    got = subgraphs(golden.nested, namespace=namespace, recurse=recurse)
    assert list(got) == found
    for each in got.values():
        assert each["state_schema"] == RECORDED["subgraph"]["state_schema"]
        assert set(each) == set(RECORDED["subgraph"])


def test_conditional_edges_are_drawn_as_such() -> None:
    builder = StateGraph(TypedDict("S", {"n": int})).add_node("a", lambda state: {}).add_node("b", lambda state: {})
    builder.add_edge(START, "a").add_conditional_edges("a", lambda state: "b", {"go": "b"})
    edges = drawing(builder.compile())["edges"]
    assert {"source": "a", "target": "b", "data": "go", "conditional": True} in edges


def test_what_has_no_schema_is_none() -> None:
    class Opaque: ...

    @entrypoint()
    def work(given: Opaque) -> Opaque:
        return given

    got = schemas(work, "w")
    assert (got["input_schema"], got["context_schema"], got["config_schema"]) == (got["state_schema"], None, {})
    assert json.dumps(got)
