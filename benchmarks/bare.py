"""What LangGraph does without a server: ``python -m benchmarks.bare MEASURE… --directory DIR`` prints figures.

On the same event loop as the server has (uvloop), with the graphs, counts and number in flight of ``treadle.bench``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import uvloop
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from treadle.bench import graphs
from treadle.bench.pace import Span, burst, median, rate
from treadle.bench.plan import Plan
from treadle.bench.threads import talk

Measure = Callable[[Path, Plan], Coroutine[Any, Any, float]]


@asynccontextmanager
async def _saving(graph: Any, directory: Path) -> AsyncGenerator[Any]:
    """The graph with the stock AsyncSqliteSaver on a file."""
    async with AsyncSqliteSaver.from_conn_string(str(directory / "bare.sqlite3")) as saver:
        yield graph.copy(update={"checkpointer": saver})


def _thread() -> dict[str, Any]:
    return {"configurable": {"thread_id": str(uuid.uuid4())}}


async def _drain(graph: Any, input: Any, mode: str, chunks: int, config: Any = None) -> int:
    """Runs a graph to its end; the number of its chunks, which must be ``chunks``."""
    count = 0
    async for _ in graph.astream(input, config, stream_mode=mode):
        count += 1
    assert count == chunks, f"{count} chunks instead of {chunks}"
    return count


async def chain_with_saver(directory: Path, plan: Plan) -> float:
    """Runs per second with the stock AsyncSqliteSaver, each on a fresh thread."""
    async with _saving(graphs.chain, directory) as chain:

        async def one() -> int:
            await _drain(chain, {"n": []}, "values", 4, _thread())
            return 1

        return await rate([one] * plan.in_flight, plan.seconds, plan.warm_up)


async def chain_alone(directory: Path, plan: Plan) -> float:
    """Runs per second without any checkpointer: what LangGraph itself allows."""

    async def one() -> int:
        await _drain(graphs.chain, {"n": []}, "values", 4)
        return 1

    return await rate([one] * plan.in_flight, plan.seconds, plan.warm_up)


async def first_event(directory: Path, plan: Plan) -> float:
    """Milliseconds to the first state, one run after another, with the stock AsyncSqliteSaver; the median."""
    async with _saving(graphs.chain, directory) as chain:
        waited = [await _first(chain) for _ in range(plan.sequential)]
    return median(waited[plan.sequential // 6 :])


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
    emit = partial(_drain, graphs.custom, {"events": plan.events}, "custom", plan.events)
    return await burst([partial(_span, emit)], plan.bursts, plan.seconds)


async def custom_many(directory: Path, plan: Plan) -> float:
    emit = partial(_drain, graphs.custom, {"events": plan.events_of_many}, "custom", plan.events_of_many)
    return await burst([partial(_span, emit)] * plan.many, plan.bursts, plan.seconds)


async def messages(directory: Path, plan: Plan) -> float:
    asked = {"messages": [{"role": "user", "content": "go"}], "tokens": plan.tokens}
    emit = partial(_drain, graphs.chat, asked, "messages", plan.tokens)
    return await burst([partial(_span, emit)], plan.bursts, plan.seconds)


async def _span(emit: Callable[[], Coroutine[Any, Any, int]]) -> Span:
    begin = perf_counter()
    return Span(await emit(), begin, perf_counter())


async def long_values(directory: Path, plan: Plan) -> float:
    """Milliseconds of a run of some steps on a thread that holds many messages, with the stock saver; the median."""
    async with _saving(graphs.conversation, directory) as conversation:
        until = perf_counter() + plan.warm_up + plan.seconds
        taken: list[float] = []
        while len(taken) < 3 or perf_counter() < until:
            taken.append(await _long(conversation, plan))
    return median(taken[1:])


async def _long(conversation: Any, plan: Plan) -> float:
    config = _thread()
    await conversation.ainvoke({"messages": talk(plan.messages), "steps": 0}, config)
    begin = perf_counter()
    await _drain(conversation, {"messages": [], "steps": plan.steps}, "values", plan.steps + 1, config)
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
    given = parser.parse_args()
    plan = Plan(seconds=given.seconds, in_flight=given.in_flight)
    with tempfile.TemporaryDirectory(dir=given.directory) as directory:
        print(json.dumps({name: uvloop.run(MEASURES[name](Path(directory), plan)) for name in given.measures}))


if __name__ == "__main__":
    main()
