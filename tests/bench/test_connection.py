"""The load generator's connection: whatever pieces an answer comes in, its body and its marks are what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.bench.connection import Answer, Connection

MARK = b"event: custom"
EVENT = MARK + b'\r\ndata: {"i":%d}\r\n\r\n'


def answered(pieces: Sequence[bytes], use: Callable[[Connection], Awaitable[Answer]]) -> Answer:
    """What ``use`` gets from a server that sends these pieces and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()
        await writer.wait_closed()

    async def main() -> Answer:
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
def test_a_stream_is_counted_in_whatever_pieces_it_comes(events: int, chunk: int, piece: int):
    body = b"event: metadata\r\ndata: {}\r\n\r\n" + b"".join(EVENT % number for number in range(events))
    sent = chunked(body, chunk)
    connection = Connection()
    answer = Answer(MARK, True, 0.0)
    connection._answer = answer
    for at in range(0, len(sent), piece):
        connection.data_received(sent[at : at + piece])
    assert (answer.status, bytes(answer.body), answer.marks) == (200, body, events)
    assert body.endswith(answer.last)
    assert answer.marked_at >= answer.first_at > 0


def test_a_body_of_known_length():
    sent = b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}'
    answer = answered([sent], lambda connection: connection.get("/"))
    assert (answer.status, bytes(answer.body)) == (200, b'{"a":1}')


def test_an_answer_without_a_body():
    answer = answered([b"HTTP/1.1 204 No Content\r\n\r\n"], lambda connection: connection.get("/"))
    assert (answer.status, bytes(answer.body)) == (204, b"")


def test_a_body_that_ends_with_the_connection():
    sent = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    answer = answered([sent, EVENT % 1, EVENT % 2], lambda connection: connection.get("/", mark=MARK))
    assert (answer.marks, bytes(answer.body)) == (2, EVENT % 1 + EVENT % 2)


def test_a_body_need_not_be_kept():
    sent = chunked(EVENT % 1 + EVENT % 2, 30)
    answer = answered([sent], lambda connection: connection.get("/", mark=MARK, keep=False))
    assert (answer.marks, bytes(answer.body)) == (2, b"")


def test_an_answer_that_breaks_off_is_an_error():
    whole = chunked(EVENT % 1, 30)
    with pytest.raises(ConnectionError):
        answered([whole[:-5]], lambda connection: connection.get("/", mark=MARK))


def test_one_connection_serves_one_request_after_another():
    """Keep-alive, as a client would: a second request finds nothing of the first."""

    async def twice(connection: Connection) -> Answer:
        first = await connection.get("/", mark=MARK)
        assert first.marks == 1
        connection.begin("GET /again", mark=MARK)
        connection.data_received(chunked(EVENT % 1 + EVENT % 2, 9))
        assert connection._done is not None
        return await connection._done

    assert answered([chunked(EVENT % 1, 30)], twice).marks == 2
