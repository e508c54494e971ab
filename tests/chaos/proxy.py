"""A TCP proxy that cuts connections, lets them go half-open, refuses new ones and delays what passes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

_BYTES = 64 * 1024


class Link:
    """One connection through the proxy. ``lossy`` once bytes were dropped: it can never be repaired."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.ends = (near, far)
        self.lossy = False

    def cut(self) -> None:
        """A reset on both sides."""
        for end in self.ends:
            sock = end.get_extra_info("socket")
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.transport.abort()


class Proxy:
    """Listens on a port of its own for the server on ``target``. Lives on one event loop."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.seen = 0
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._swallow = self._refuse = False
        self._delay = 0.0

    async def start(self) -> Proxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Resets every open connection; new ones pass."""
        for link in tuple(self._links):
            link.cut()

    def half_open(self) -> None:
        """From now on connections stay open, are still accepted, and nothing arrives."""
        self._swallow = True

    def refuse(self) -> None:
        """Cuts what is open, and whatever comes."""
        self._refuse = True
        self.cut()

    def delay(self, seconds: float) -> None:
        """Of everything that passes, in each direction."""
        self._delay = seconds

    def heal(self) -> None:
        """All passes again; connections that lost bytes are cut, as the peer of a lost route would reset them."""
        self._swallow = self._refuse = False
        self._delay = 0.0
        for link in tuple(self._links):
            if link.lossy:
                link.cut()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._join(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen += 1
        if self._refuse:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, far_writer)
        self._links.add(link)
        try:
            await asyncio.gather(self._pump(link, reader, far_writer), self._pump(link, far_reader, writer))
        finally:
            self._links.discard(link)
            for end in link.ends:
                end.transport.abort()

    async def _pump(self, link: Link, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(_BYTES):
                if self._delay:
                    await asyncio.sleep(self._delay)
                if self._swallow or link.lossy:
                    link.lossy = True
                    continue
                sink.write(data)
                await sink.drain()
            if sink.can_write_eof() and not link.lossy:
                sink.write_eof()
        except OSError:
            link.cut()
