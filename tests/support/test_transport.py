"""The in-process transport behaves as a connection does: chunk by chunk, and it tells when the client has gone."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from support.transport import StreamingTransport

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}


def client(app: object) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=StreamingTransport(app, closing=2.0), base_url="http://test")  # type: ignore[arg-type]


def bounded(work: object) -> None:
    async def main() -> None:
        async with asyncio.timeout(10):
            await work()  # type: ignore[operator]

    asyncio.run(main())


def test_a_chunk_arrives_before_the_next_one_is_sent() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send(START)
            await send({"type": "http.response.body", "body": b"one", "more_body": True})
            await go.wait()
            await send({"type": "http.response.body", "body": b"two", "more_body": False})

        async with client(app) as http, http.stream("GET", "/") as response:
            chunks = response.aiter_raw()
            assert await anext(chunks) == b"one"
            go.set()
            assert [chunk async for chunk in chunks] == [b"two"]

    bounded(main)


def test_closing_an_endless_response_disconnects_the_application() -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send(START)
            watching = asyncio.create_task(_disconnected(receive))
            while not watching.done():
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                await asyncio.sleep(0)
            ended.set()

        async with client(app) as http, http.stream("GET", "/") as response:
            assert await anext(response.aiter_raw()) == b"x"
        assert ended.is_set()

    async def _disconnected(receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    bounded(main)


def test_an_application_that_ignores_the_disconnect_is_reported() -> None:
    async def main() -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send(START)
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await asyncio.Event().wait()

        transport = StreamingTransport(app, closing=0.05)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            with pytest.raises(TimeoutError, match="after its client had gone"):
                async with http.stream("GET", "/") as response:
                    await anext(response.aiter_raw())

    bounded(main)


def test_bodies_paths_and_queries_go_in_and_whole_answers_come_out() -> None:
    async def main() -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            body = b""
            while (message := await receive()).get("more_body"):
                body += message["body"]
            await send(START)
            parts = b" ".join([scope["method"].encode(), scope["raw_path"], scope["query_string"], body])
            await send({"type": "http.response.body", "body": parts})

        async with client(app) as http:
            response = await http.post("/a%2Fb?x=1&x=2", content=b"hello")
        assert (response.status_code, response.text) == (200, "POST /a%2Fb x=1&x=2 hello")

    bounded(main)


def test_what_the_application_raises_reaches_the_client() -> None:
    async def main() -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            raise ValueError("boom")

        async with client(app) as http:
            with pytest.raises(ValueError, match="boom"):
                await http.get("/")

    bounded(main)
