"""A research desk: plans, sends two researchers out, writes, has a person look at it, publishes."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NotRequired

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.runtime import Runtime
from langgraph.types import interrupt
from pydantic import BaseModel, Field
from talking import Speaker
from typing_extensions import TypedDict


class Source(BaseModel):
    """Where to look first."""

    url: str = Field(min_length=1, description="Where it is.")
    weight: float = Field(1.0, ge=0, le=1, description="How much to believe it.")


class Asked(BaseModel):
    """What a briefing is asked for."""

    topic: str = Field(min_length=1, description="What the briefing is about.")
    audience: Literal["executives", "engineers", "everyone"] = Field("engineers", description="Who reads it.")
    max_words: int = Field(400, ge=50, le=2000, description="How long it may get.")
    sources: list[Source] = Field(default_factory=list, description="Where to look first; anywhere if empty.")
    deadline: str | None = Field(None, description="A date, or none.")
    publish: bool = Field(True, description="Whether it goes out when somebody approved it.")


class State(TypedDict):
    topic: str
    audience: NotRequired[str]
    publish: NotRequired[bool]
    pace: NotRequired[float]
    plan: NotRequired[list[str]]
    notes: Annotated[list[str], operator.add]
    messages: Annotated[list[AnyMessage], add_messages]
    verdict: NotRequired[str]


class Setup(BaseModel):
    """How the desk works."""

    model: Literal["scripted-large", "scripted-small"] = Field("scripted-large", description="Which model writes.")
    temperature: float = Field(0.3, ge=0, le=2)


QUESTIONS = ("Who used looms first?", "What did the treadle change?", "What came after it?")
FOUND = {
    "search": "14 articles on horizontal looms, 3 of them primary",
    "read": "Treadles free both hands: a weaver sets the shed by foot",
    "judge": "Good enough to write from",
}


def write_turn(messages: Sequence[BaseMessage]) -> AIMessage:
    return AIMessage(
        "## The treadle loom\n\n"
        "Before the treadle, a weaver lifted threads **by hand** and put the shuttle down to do so. "
        "With pedals the feet choose the pattern, and both hands stay with the shuttle.\n\n"
        "- Cloth was woven about *three times* as fast\n"
        "- Patterns became a sequence of steps: a program for the feet\n"
        "- What was left to automate was the choice of steps, which Jacquard’s cards did\n"
    )


writer = Speaker(turn=write_turn, token_seconds=0.12)


async def work(state: State, seconds: float) -> None:
    await asyncio.sleep(seconds * state.get("pace", 1.0))


async def plan(state: State, runtime: Runtime[Setup]) -> dict[str, Any]:
    await work(state, 0.6)
    return {"plan": list(QUESTIONS), "messages": [HumanMessage(f"A briefing on {state['topic']}, please.")]}


def looking(name: str, seconds: float) -> Any:
    async def node(state: State) -> dict[str, Any]:
        await work(state, seconds)
        return {"notes": [FOUND[name]]}

    return node


def enough(state: State) -> Literal["search", "__end__"]:
    return "__end__" if len(state.get("notes", [])) >= 2 else "search"


_research = StateGraph(State)
_research.add_node("search", looking("search", 0.9))
_research.add_node("read", looking("read", 1.3))
_research.add_node("judge", looking("judge", 0.4))
_research.add_edge(START, "search")
_research.add_edge("search", "read")
_research.add_edge("read", "judge")
_research.add_conditional_edges("judge", enough, {"search": "search", "__end__": END})
research = _research.compile()


async def figures(state: State) -> dict[str, Any]:
    await work(state, 1.9)
    return {"notes": ["Output of a workshop by year, 1180 to 1420"]}


async def write(state: State) -> dict[str, Any]:
    return {"messages": [await writer.ainvoke(state["messages"])]}


async def check_facts(state: State) -> dict[str, Any]:
    await work(state, 0.8)
    return {"notes": ["12 claims, 12 with a source"]}


async def review(state: State) -> dict[str, Any]:
    answer = interrupt(
        {
            "question": "Publish this briefing?",
            "options": ["publish", "revise", "drop"],
            "topic": state["topic"],
            "claims": {"checked": 12, "open": 0},
        }
    )
    return {"verdict": str(answer)}


def verdict(state: State) -> Literal["publish", "write", "__end__"]:
    said = state.get("verdict", "")
    return "publish" if "publish" in said else "write" if "revise" in said else "__end__"


async def publish(state: State) -> dict[str, Any]:
    await work(state, 0.3)
    return {"notes": ["published"]}


_briefing = StateGraph(State, input_schema=Asked, context_schema=Setup)
_briefing.add_node("plan", plan)
_briefing.add_node("research", research)
_briefing.add_node("figures", figures)
_briefing.add_node("write", write)
_briefing.add_node("check_facts", check_facts)
_briefing.add_node("review", review)
_briefing.add_node("publish", publish)
_briefing.add_edge(START, "plan")
_briefing.add_edge("plan", "research")
_briefing.add_edge("plan", "figures")
_briefing.add_edge(["research", "figures"], "write")
_briefing.add_edge("write", "check_facts")
_briefing.add_edge("check_facts", "review")
_briefing.add_conditional_edges("review", verdict, {"publish": "publish", "write": "write", "__end__": END})
_briefing.add_edge("publish", END)
briefing = _briefing.compile()
