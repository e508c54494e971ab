"""The graphs of the examples, which need no model key and no network.

- ``analyst`` describes a list of numbers: a subgraph computes, and a scripted model streams the result word by word.
- ``reporter`` writes a short report on a task.
- ``slow`` counts, one step every ``seconds``.
- ``flaky`` fails until the attempt in the run's tags reaches ``succeeds_at``.
"""

from __future__ import annotations

import asyncio
import statistics
from typing import Annotated, Any, TypedDict

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages


class Analysis(TypedDict, total=False):
    message: str
    data: list[float]
    messages: Annotated[list[AnyMessage], add_messages]
    progress: int
    mean: float
    spread: float


async def say(text: str) -> AIMessage:
    """Return the message of a scripted chat model, which streams it word by word."""
    model = GenericFakeChatModel(messages=iter([AIMessage(text)]))
    return await model.ainvoke(text)


async def clean(state: Analysis) -> Analysis:
    write = get_stream_writer()
    write({"type": "progress", "component": "clean", "payload": {"percent": 25}})
    numbers = state.get("data") or [1.0, 2.0, 3.0, 4.0, 5.0]
    if len(numbers) < 10:
        write({"type": "warning", "component": "clean", "payload": {"reason": f"only {len(numbers)} numbers"}})
    return {"data": numbers, "progress": 25}


async def mean(state: Analysis) -> Analysis:
    return {"mean": statistics.fmean(state.get("data", []))}


async def spread(state: Analysis) -> Analysis:
    value = statistics.pstdev(state.get("data", []))
    get_stream_writer()(
        {"type": "metric", "component": "sums", "payload": {"name": "spread", "value": round(value, 3)}}
    )
    return {"spread": value, "progress": 75}


async def report(state: Analysis) -> Analysis:
    text = f"The mean is {state.get('mean', 0):.2f} and the spread is {state.get('spread', 0):.2f}."
    return {"messages": [await say(text)], "progress": 100}


sums = StateGraph(Analysis)
sums.add_node(mean)
sums.add_node(spread)
sums.add_edge(START, "mean")
sums.add_edge("mean", "spread")
sums.add_edge("spread", END)

analysis = StateGraph(Analysis)
analysis.add_node(clean)
analysis.add_node("sums", sums.compile())
analysis.add_node(report)
analysis.add_edge(START, "clean")
analysis.add_edge("clean", "sums")
analysis.add_edge("sums", "report")
analysis.add_edge("report", END)
analyst = analysis.compile()


class Report(TypedDict, total=False):
    task: str
    report: str


async def write_report(state: Report) -> Report:
    return {"report": (await say(f"Report on {state.get('task', 'nothing')}: all well.")).text}


reports = StateGraph(Report)
reports.add_node(write_report)
reports.add_edge(START, "write_report")
reports.add_edge("write_report", END)
reporter = reports.compile()


class Count(TypedDict, total=False):
    steps: int
    seconds: float
    count: int


async def step(state: Count) -> Count:
    await asyncio.sleep(state.get("seconds", 0.2))
    return {"count": state.get("count", 0) + 1}


def more(state: Count) -> str:
    return "step" if state.get("count", 0) < state.get("steps", 5) else END


counting = StateGraph(Count)
counting.add_node(step)
counting.add_edge(START, "step")
counting.add_conditional_edges("step", more, ["step", END])
slow = counting.compile()


class Attempt(TypedDict, total=False):
    message: str
    succeeds_at: int
    answer: str


async def fragile(state: Attempt, config: RunnableConfig) -> dict[str, Any]:
    tags = [tag for tag in config.get("tags") or [] if tag.startswith("attempt_")]
    attempt = int(tags[0].removeprefix("attempt_")) if tags else 1
    if attempt < state.get("succeeds_at", 1):
        raise ConnectionError(f"attempt {attempt}: the service did not answer")
    return {"answer": f"done at attempt {attempt}"}


attempts = StateGraph(Attempt)
attempts.add_node(fragile)
attempts.add_edge(START, "fragile")
attempts.add_edge("fragile", END)
flaky = attempts.compile()
