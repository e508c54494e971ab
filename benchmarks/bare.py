"""Measure LangGraph without a server: ``python -m benchmarks.bare MEASURE… --directory DIR`` prints figures as JSON.

The event loop is that of the server (uvloop); the graphs, counts and runs in flight are those of ``treadle.bench``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import uvloop
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from treadle.bench import graphs
from treadle.bench.pace import Span, burst, median, rate
from treadle.bench.plan import Plan
from treadle.bench.threads import conversation

Measure = Callable[[Path, Plan], Coroutine[Any, Any, float]]


@asynccontextmanager
async def _with_saver(graph: Any, directory: Path) -> AsyncGenerator[Any]:
    """Yield the graph with LangGraph's own AsyncSqliteSaver on a file."""
    async with AsyncSqliteSaver.from_conn_string(str(directory / "bare.sqlite3")) as saver:
        yield graph.copy(update={"checkpointer": saver})


def _thread() -> dict[str, Any]:
    return {"configurable": {"thread_id": str(uuid.uuid4())}}


async def _drain(graph: Any, input: Any, mode: str, chunks: int, config: Any = None) -> int:
    """Run a graph to its end and return the number of its chunks. Fail unless it is ``chunks``."""
    count = 0
    async for _ in graph.astream(input, config, stream_mode=mode):
        count += 1
    assert count == chunks, f"{count} chunks instead of {chunks}"
    return count


async def chain_with_saver(directory: Path, plan: Plan) -> float:
    """Return runs per second with AsyncSqliteSaver, each run on a new thread."""
    async with _with_saver(graphs.chain, directory) as chain:
        return await _runs_per_second(chain, plan)


async def chain_alone(directory: Path, plan: Plan) -> float:
    """Return runs per second without a checkpointer, which is the upper bound that LangGraph sets."""
    return await _runs_per_second(graphs.chain, plan)


async def _runs_per_second(chain: Any, plan: Plan) -> float:
    async def one() -> int:
        await _drain(chain, {"n": []}, "values", 4, _thread())
        return 1

    return await rate([one] * plan.in_flight, plan.seconds, plan.warm_up)


async def first_event(directory: Path, plan: Plan) -> float:
    """Return the median milliseconds to the first state with AsyncSqliteSaver, one run after another."""
    async with _with_saver(graphs.chain, directory) as chain:
        times = [await _first(chain) for _ in range(plan.sequential)]
    return median(times[plan.sequential // 6 :])


async def _first(chain: Any) -> float:
    begin = perf_counter()
    stream = cast("AsyncGenerator[Any]", chain.astream({"n": []}, _thread(), stream_mode="values"))
    async with aclosing(stream):
        await anext(stream)
        waited = (perf_counter() - begin) * 1000
        async for _ in stream:
            pass
    return waited


async def custom_one(directory: Path, plan: Plan) -> float:
    return await _events_per_second(graphs.custom, {"events": plan.events}, "custom", plan.events, 1, plan)


async def custom_many(directory: Path, plan: Plan) -> float:
    events = plan.events_of_many
    return await _events_per_second(graphs.custom, {"events": events}, "custom", events, plan.many, plan)


async def messages(directory: Path, plan: Plan) -> float:
    input = {"messages": [{"role": "user", "content": "go"}], "tokens": plan.tokens}
    return await _events_per_second(graphs.chat, input, "messages", plan.tokens, 1, plan)


async def _events_per_second(graph: Any, input: Any, mode: str, events: int, runs: int, plan: Plan) -> float:
    async def span() -> Span:
        begin = perf_counter()
        return Span(await _drain(graph, input, mode, events), begin, perf_counter())

    return await burst([span] * runs, plan.bursts, plan.seconds)


async def long_values(directory: Path, plan: Plan) -> float:
    """Return the median milliseconds of a run of some steps on a thread with many messages, with AsyncSqliteSaver."""
    async with _with_saver(graphs.conversation, directory) as graph:
        until = perf_counter() + plan.warm_up + plan.seconds
        taken: list[float] = []
        while len(taken) < 3 or perf_counter() < until:
            taken.append(await _long(graph, plan))
    return median(taken[1:])


async def _long(graph: Any, plan: Plan) -> float:
    config = _thread()
    await graph.ainvoke({"messages": conversation(plan.messages), "steps": 0}, config)
    begin = perf_counter()
    await _drain(graph, {"messages": [], "steps": plan.steps}, "values", plan.steps + 1, config)
    return (perf_counter() - begin) * 1000


MEASURES: dict[str, Measure] = {
    each.__name__: each
    for each in (chain_with_saver, chain_alone, first_event, custom_one, custom_many, messages, long_values)
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("measures", choices=MEASURES, nargs="+")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--in-flight", type=int, default=16)
    options = parser.parse_args()
    plan = Plan(seconds=options.seconds, in_flight=options.in_flight)
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        print(json.dumps({name: uvloop.run(MEASURES[name](Path(directory), plan)) for name in options.measures}))


if __name__ == "__main__":
    main()
