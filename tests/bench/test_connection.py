"""The load generator's connection restores bodies and counts marks, however a response is split into pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.bench.connection import Connection, Response

MARK = b"event: custom"
EVENT = MARK + b'\r\ndata: {"i":%d}\r\n\r\n'


def respond(pieces: Sequence[bytes], use: Callable[[Connection], Awaitable[Response]]) -> Response:
    """Return the response that ``use`` receives from a server that sends these pieces and closes the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()
        await writer.wait_closed()

    async def main() -> Response:
        async with asyncio.timeout(10), await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
            host, port = listening.sockets[0].getsockname()
            connection = await Connection.open(host, port)
            try:
                return await use(connection)
            finally:
                await connection.aclose()

    return asyncio.run(main())


def chunked(body: bytes, size: int) -> bytes:
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


@given(events=st.integers(1, 6), chunk=st.integers(1, 60), piece=st.integers(1, 80))
def test_events_are_counted_however_a_stream_is_split(events: int, chunk: int, piece: int):
    body = b"event: metadata\r\ndata: {}\r\n\r\n" + b"".join(EVENT % number for number in range(events))
    sent = chunked(body, chunk)
    connection = Connection()
    response = Response(MARK, True, 0.0)
    connection._response = response
    for at in range(0, len(sent), piece):
        connection.data_received(sent[at : at + piece])
    assert (response.status, bytes(response.body), response.marks) == (200, body, events)
    assert body.endswith(response.last)
    assert response.marked_at >= response.first_at > 0


def test_a_body_of_known_length():
    sent = b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}'
    response = respond([sent], lambda connection: connection.get("/"))
    assert (response.status, bytes(response.body)) == (200, b'{"a":1}')


def test_a_response_without_a_body():
    response = respond([b"HTTP/1.1 204 No Content\r\n\r\n"], lambda connection: connection.get("/"))
    assert (response.status, bytes(response.body)) == (204, b"")


def test_a_body_that_ends_with_the_connection():
    sent = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    response = respond([sent, EVENT % 1, EVENT % 2], lambda connection: connection.get("/", mark=MARK))
    assert (response.marks, bytes(response.body)) == (2, EVENT % 1 + EVENT % 2)


def test_a_body_is_dropped_unless_it_is_kept():
    sent = chunked(EVENT % 1 + EVENT % 2, 30)
    response = respond([sent], lambda connection: connection.get("/", mark=MARK, keep=False))
    assert (response.marks, bytes(response.body)) == (2, b"")


def test_an_incomplete_response_is_an_error():
    whole = chunked(EVENT % 1, 30)
    with pytest.raises(ConnectionError):
        respond([whole[:-5]], lambda connection: connection.get("/", mark=MARK))


def test_one_connection_serves_one_request_after_another():
    """Keep-alive: the second response holds nothing of the first."""

    async def twice(connection: Connection) -> Response:
        first = await connection.get("/", mark=MARK)
        assert first.marks == 1
        connection.send("GET /again", mark=MARK)
        connection.data_received(chunked(EVENT % 1 + EVENT % 2, 9))
        assert connection._done is not None
        return await connection._done

    assert respond([chunked(EVENT % 1, 30)], twice).marks == 2
