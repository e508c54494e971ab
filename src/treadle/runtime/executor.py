"""The part of a process that executes runs: a worker and its lease keeper."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import socket
from importlib.metadata import version

import structlog

from treadle.graph.graphs import Graphs
from treadle.loops import GraphThread, SameLoop, blocked_on
from treadle.ports.backend import Backend
from treadle.ports.clock import Clock
from treadle.ports.queue import Limits, WorkerInfo
from treadle.settings import Settings
from treadle.worker.execute import Resources
from treadle.worker.lease import LeaseKeeper
from treadle.worker.loop import Worker, hand_back

logger = structlog.get_logger("treadle")

_STOP_SECONDS = 5.0


def worker_id() -> str:
    """``HOST-PID-RANDOM``: names the process and is never reused."""
    host = re.sub(r"[^\w.-]", "-", socket.gethostname())
    return f"{host[:64]}-{os.getpid()}-{secrets.token_hex(4)}"


def _info(settings: Settings, clock: Clock) -> WorkerInfo:
    return WorkerInfo(
        host=socket.gethostname(),
        pid=os.getpid(),
        version=version("treadle"),
        concurrency=settings.concurrency,
        started_at=clock.now(),
    )


class Executor:
    """The worker on the graphs' event loop, and its lease keeper. The owner starts and stops the loop.

    ``stuck`` is true if user code did not yield while the worker drained.
    """

    def __init__(
        self, backend: Backend, graphs: Graphs, limits: Limits, settings: Settings, loop: GraphThread | SameLoop
    ) -> None:
        self._backend = backend
        self._settings = settings
        self._loop = loop
        self._resources = Resources(
            queue=backend.queue,
            log=backend.log,
            checkpoints=backend.checkpoints,
            graphs=graphs,
            limits=limits,
            clock=backend.clock,
            settings=settings,
        )
        self.worker = Worker(worker_id(), self._resources, backend.wakeup, _info(settings, backend.clock))
        self._life: asyncio.Future[None] | None = None
        self._keeper: LeaseKeeper | None = None
        self.stuck = False

    async def start(self) -> None:
        loop = self._loop
        await self._backend.queue.renew(self.worker.worker_id, self._settings.lease_seconds, self.worker.info)
        self._life = asyncio.ensure_future(loop.submit(self.worker.run()))
        self._keeper = LeaseKeeper(
            self.worker, self._resources, graph_loop=loop.loop, blocked_on=lambda: blocked_on(loop.thread_id)
        )
        self._keeper.start()

    async def drain(self) -> None:
        """Stop claiming, wait for running runs, and hand the rest back."""
        self.worker.stop_claiming()
        if self._life is None:
            return
        patience = self._settings.drain_seconds + self._settings.cancel_seconds + 1.0
        drained = asyncio.ensure_future(self._loop.submit(self.worker.drain(self._settings.drain_seconds)))
        await asyncio.wait([drained], timeout=patience)
        if self.worker.active():
            self.stuck = True
            await self._give_up()

    async def _give_up(self) -> None:
        left = self.worker.active()
        logger.warning("handing back runs whose code does not yield", runs=len(left))
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await hand_back(self._resources, left)
        except Exception as error:  # the database cannot be reached: the lease expires, and the process must end
            logger.error("runs could not be handed back; their lease will expire", error=repr(error))

    async def stop(self) -> None:
        self.worker.stop_claiming()
        if self._life is not None and not self.stuck:
            await asyncio.wait([self._life], timeout=_STOP_SECONDS)
        if self._keeper is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._keeper.stop)
