"""A nightly import, some of which goes wrong."""

from __future__ import annotations

import asyncio
import operator
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph


class Intake(TypedDict, total=False):
    file: str
    broken: bool
    seconds: float
    rows: int
    log: Annotated[list[str], operator.add]


async def fetch(state: Intake) -> dict[str, Any]:
    await asyncio.sleep(state.get("seconds", 0.1))
    return {"rows": 12_480, "log": [f"fetched {state.get('file', '')}"]}


async def validate(state: Intake) -> dict[str, Any]:
    if state.get("broken"):
        raise ValueError("row 8,112: 'price' is '12,5O', which is no number")
    return {"log": ["validated"]}


async def load(state: Intake) -> dict[str, Any]:
    await asyncio.sleep(state.get("seconds", 0.1))
    return {"log": ["loaded"]}


_intake = StateGraph(Intake)
_intake.add_sequence([fetch, validate, load])
_intake.add_edge(START, "fetch")
_intake.add_edge("load", END)
intake = _intake.compile()
