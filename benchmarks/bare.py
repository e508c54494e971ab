"""What LangGraph does without a server: ``python -m benchmarks.bare MEASURE --seconds S`` prints one number.

On the same event loop as the server has (uvloop), with the graphs, counts and number in flight of ``benchmarks.load``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import uuid
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from benchmarks import graphs
from benchmarks.load import BURSTS, EVENTS, EVENTS_OF_MANY, IN_FLIGHT, MANY, TOKENS
from benchmarks.pace import Window, burst, rate

Measure = Callable[[Path, Window], Coroutine[Any, Any, float]]


async def _drain(graph: Any, input: Any, mode: str, chunks: int, config: Any = None) -> int:
    """Runs a graph to its end; the number of its chunks, which must be ``chunks``."""
    count = 0
    async for _ in graph.astream(input, config, stream_mode=mode):
        count += 1
    assert count == chunks, f"{count} chunks instead of {chunks}"
    return count


async def chain_with_saver(directory: Path, window: Window) -> float:
    """Runs per second at 16 in flight with the stock AsyncSqliteSaver on a file, each on a fresh thread."""
    async with AsyncSqliteSaver.from_conn_string(str(directory / "bare.sqlite3")) as saver:
        chain = graphs.chain.copy(update={"checkpointer": saver})

        async def one() -> int:
            config = {"configurable": {"thread_id": str(uuid.uuid4())}}
            await _drain(chain, {"n": []}, "values", 4, config)
            return 1

        return await rate([one] * IN_FLIGHT, window)


async def chain_alone(directory: Path, window: Window) -> float:
    """Runs per second without any checkpointer: what LangGraph itself allows."""

    async def one() -> int:
        await _drain(graphs.chain, {"n": []}, "values", 4)
        return 1

    return await rate([one] * IN_FLIGHT, window)


async def custom_one(directory: Path, window: Window) -> float:
    return await burst([partial(_drain, graphs.custom, {"events": EVENTS}, "custom", EVENTS)], BURSTS)


async def custom_many(directory: Path, window: Window) -> float:
    return await burst(
        [partial(_drain, graphs.custom, {"events": EVENTS_OF_MANY}, "custom", EVENTS_OF_MANY)] * MANY, BURSTS
    )


async def messages(directory: Path, window: Window) -> float:
    asked = {"messages": [{"role": "user", "content": "go"}]}
    return await burst([partial(_drain, graphs.chat, asked, "messages", TOKENS)], BURSTS)


MEASURES: dict[str, Measure] = {
    each.__name__: each for each in (chain_with_saver, chain_alone, custom_one, custom_many, messages)
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    window = Window(warm_up=min(1.0, given.seconds / 2), seconds=given.seconds)
    with tempfile.TemporaryDirectory(dir=given.directory) as directory:
        print(json.dumps(uvloop.run(MEASURES[given.measure](Path(directory), window))))


if __name__ == "__main__":
    main()
