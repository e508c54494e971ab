"""A graph that stores its input, and returns the contents of the store."""

from __future__ import annotations

from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.store.base import BaseStore


class State(TypedDict, total=False):
    keep: str
    ask: str
    found: list[Any]
    huge: bool


async def work(state: State, *, store: BaseStore) -> State:
    if state.get("keep"):
        await store.aput(
            ("memories", "u"),
            "own",
            {"text": state["keep"], "huge": 2**80} if state.get("huge") else {"text": state["keep"]},
        )
    found = await store.asearch(("memories",), query=state.get("ask") or None)
    return {"found": [[item.key, item.score] for item in found]}


builder = StateGraph(State)
builder.add_node("work", work)
builder.add_edge(START, "work")
builder.add_edge("work", END)
graph = builder.compile()
