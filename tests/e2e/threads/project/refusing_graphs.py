"""Graphs that refuse what is written to them, each in its way."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt


def added(left: list[Any], right: Any) -> list[Any]:
    if not isinstance(right, list):
        raise TypeError(f"not a list: {right!r}")
    return [*left, *right]


class State(TypedDict, total=False):
    log: Annotated[list[Any], added]
    one: str


def _side_by_side(**nodes: Any) -> Any:
    builder = StateGraph(State)
    for name, node in nodes.items():
        builder.add_node(name, node)
        builder.add_edge(START, name)
    return builder.compile()


def ask(state: State) -> State:
    return {"log": [interrupt("what?")]}


def number(state: State) -> Any:
    return {"log": 7}


chat = StateGraph(MessagesState).add_node("say", lambda state: {"messages": ["x"]}).add_edge(START, "say").compile()
asking = _side_by_side(ask=ask)
numbering = _side_by_side(number=number)
clashing = _side_by_side(a=lambda state: {"one": "a"}, b=lambda state: {"one": "b"})
asking_beside = _side_by_side(number=number, ask=ask)
parent = _side_by_side(inner=asking_beside)
