"""The load generator, a process of its own: ``python -m benchmarks.load URL MEASURE --seconds S`` prints one number.

It imports nothing of treadle or LangGraph. An answer that is not what a whole run looks like ends it with an error.
"""

from __future__ import annotations

import argparse
import json
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import uvloop

from benchmarks.connection import Answer, Connection
from benchmarks.pace import Window, Work, burst, median, rate

IN_FLIGHT = 16
SEQUENTIAL = 60
BURSTS = 5
EVENTS = 20_000
EVENTS_OF_MANY = 2_000
MANY = 20
TOKENS = 4_000

Open = Callable[[], Awaitable[Connection]]
Measure = Callable[[Open, Window], Coroutine[Any, Any, float]]

CHAIN = {"assistant_id": "chain", "input": {"n": []}}


class Unexpected(Exception):
    """The server answered something else than a whole run."""


def threaded(kind: str, body: dict[str, Any]) -> tuple[str, bytes]:
    """The request of a run on a fresh thread, which is made in the same call."""
    return f"/threads/{uuid.uuid4()}/runs/{kind}", json.dumps({**body, "if_not_exists": "create"}).encode()


def stateless(kind: str, body: dict[str, Any]) -> tuple[str, bytes]:
    return f"/runs/{kind}", json.dumps(body).encode()


async def whole(connection: Connection, request: tuple[str, bytes], events: int | None) -> Answer:
    """The answer to ``request``, with that many events, or with the result of the chain if ``events`` is None."""
    answer = await connection.post(*request)
    complete = answer.body.strip() == b'{"n":[0,1,2]}' if events is None else answer.events == events
    if answer.status != 200 or not complete or b"event: error" in answer.body:
        text = f"status {answer.status}, {answer.events} events (wanted {events}): {answer.body[:500]!r}"
        raise Unexpected(text)
    return answer


async def _runs(open: Open, window: Window, *, request: Callable[[], tuple[str, bytes]], events: int | None) -> float:
    """Runs per second at 16 in flight, each on a thread of its own, each answer read to its end."""

    async def one(connection: Connection) -> int:
        await whole(connection, request(), events)
        return 1

    return await rate(_each([await open() for _ in range(IN_FLIGHT)], one), window)


def _each(connections: list[Connection], one: Callable[[Connection], Awaitable[int]]) -> list[Work]:
    return [partial(one, connection) for connection in connections]


async def threaded_stream(open: Open, window: Window) -> float:
    body = {**CHAIN, "stream_mode": ["values"]}
    return await _runs(open, window, request=lambda: threaded("stream", body), events=5)


async def stateless_stream(open: Open, window: Window) -> float:
    body = {**CHAIN, "stream_mode": ["values"]}
    return await _runs(open, window, request=lambda: stateless("stream", body), events=5)


async def threaded_wait(open: Open, window: Window) -> float:
    return await _runs(open, window, request=lambda: threaded("wait", CHAIN), events=None)


async def stateless_wait(open: Open, window: Window) -> float:
    return await _runs(open, window, request=lambda: stateless("wait", CHAIN), events=None)


async def first_event(open: Open, window: Window) -> float:
    """Milliseconds from the request's start to the first bytes of its stream, one run after another, the median."""
    connection = await open()
    body = {**CHAIN, "stream_mode": ["values"]}
    answers = [await whole(connection, threaded("stream", body), 5) for _ in range(SEQUENTIAL)]
    return median([(answer.first_at - answer.sent_at) * 1000 for answer in answers[10:]])


async def custom_one(open: Open, window: Window) -> float:
    """Custom events per second of one run."""
    return await _events(
        open, 1, {"assistant_id": "custom", "input": {"events": EVENTS}, "stream_mode": ["custom"]}, EVENTS
    )


async def custom_many(open: Open, window: Window) -> float:
    """Custom events per second of twenty runs together."""
    body = {"assistant_id": "custom", "input": {"events": EVENTS_OF_MANY}, "stream_mode": ["custom"]}
    return await _events(open, MANY, body, EVENTS_OF_MANY)


async def messages(open: Open, window: Window) -> float:
    """``messages-tuple`` events per second of one run."""
    asked = {"messages": [{"role": "user", "content": "go"}]}
    return await _events(open, 1, {"assistant_id": "chat", "input": asked, "stream_mode": ["messages-tuple"]}, TOKENS)


async def _events(open: Open, runs: int, body: dict[str, Any], events: int) -> float:
    async def one(connection: Connection) -> int:
        await whole(connection, threaded("stream", body), events + 1)  # and the metadata event
        return events

    return await burst(_each([await open() for _ in range(runs)], one), BURSTS)


MEASURES: dict[str, Measure] = {
    each.__name__: each
    for each in (
        threaded_stream,
        stateless_stream,
        threaded_wait,
        stateless_wait,
        first_event,
        custom_one,
        custom_many,
        messages,
    )
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    where = urlsplit(given.url)

    async def open() -> Connection:
        return await Connection.open(where.hostname or "127.0.0.1", where.port or 80)

    window = Window(warm_up=min(1.0, given.seconds / 2), seconds=given.seconds)
    print(json.dumps(uvloop.run(MEASURES[given.measure](open, window))))


if __name__ == "__main__":
    main()
