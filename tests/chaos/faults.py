"""The faults: which, when and on whom follows from the seed; some wait for what a client was just told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from chaos.deployment import Deployment
from chaos.history import History
from chaos.points import NAMES
from chaos.programs import NotReady, Program
from chaos.proxy import Proxy

T = TypeVar("T")

MOMENTS = ("ack", "first event", "end", "cancelled")
"""What a fault may wait for, so that it strikes right after a promise was made."""
LEASES = 1.5
"""A stopped process sleeps for so many leases: its runs are taken over meanwhile."""
STARTS = 10


@dataclass(frozen=True)
class Planned:
    """``gap`` seconds after the last fault was over, then at the next ``moment`` if it names one."""

    kind: str
    gap: float
    moment: str
    chance: int
    """Seeds what else the fault has to choose."""


def plan(seed: int, kinds: Sequence[str], count: int, *, gap: float) -> list[Planned]:
    """Pure: the same seed gives the same schedule. Every kind comes before any comes again."""
    chance = random.Random(seed)
    order = [kind for _ in range(1 + count // len(kinds)) for kind in chance.sample(kinds, len(kinds))]
    return [
        Planned(
            kind,
            chance.uniform(0.2, 1.8) * gap,
            chance.choice((*MOMENTS, "", "", "", "")),
            chance.getrandbits(32),
        )
        for kind in order[:count]
    ]


class Faults:
    """Injects the planned ones, one after another, until ``stop``; then everything is mended."""

    def __init__(self, deployment: Deployment, history: History) -> None:
        self.deployment = deployment
        self.history = history
        self.stopping = asyncio.Event()
        self._chance = random.Random()
        self._lease = float(deployment.shape.settings["lease_seconds"])
        self._lock = asyncio.Lock()
        self._waiting: tuple[str, asyncio.Event] | None = None
        self._kinds = self._known()

    def kinds(self) -> list[str]:
        return list(self._kinds)

    def told(self, moment: str) -> None:
        """The load says what just happened to a client."""
        if self._waiting is not None and self._waiting[0] == moment:
            self._waiting[1].set()

    async def inject(self, planned: Sequence[Planned]) -> None:
        for each in planned:
            await self._pause(each.gap)
            if each.moment:
                await self._until_told(each.moment)
            if self.stopping.is_set():
                break
            self._chance = random.Random(each.chance)
            async with self._lock:
                with self.history.fault(each.kind, each.moment):
                    await self._kinds[each.kind]()
        await self.mend()

    async def mend(self) -> None:
        """Everything runs, and everything passes."""
        deployment = self.deployment
        for point in deployment.gates.glob("point.*"):
            point.unlink(missing_ok=True)
        for proxy in (*deployment.doors, *deployment.database_links, *deployment.redis_links):
            proxy.heal()
        async with self._lock:
            await self._revive_all()

    def _known(self) -> dict[str, Callable[[], Awaitable[None]]]:
        kinds: dict[str, Callable[[], Awaitable[None]]] = {
            "kill an API process": lambda: self._kill(self.deployment.apis),
            "stop an API process": lambda: self._stop(self.deployment.apis),
            "restart an API process": lambda: self._restart(self.deployment.apis),
            "kill at a named point": self._kill_at_point,
            "cut HTTP": lambda: self._cut(self.deployment.doors),
            "half-open HTTP": lambda: self._half_open(self.deployment.doors),
            "slow HTTP": lambda: self._slow(self.deployment.doors),
        }
        if self.deployment.shape.workers:
            kinds |= {
                "kill a worker": lambda: self._kill(self.deployment.workers),
                "stop a worker": lambda: self._stop(self.deployment.workers),
                "restart a worker": lambda: self._restart(self.deployment.workers),
            }
        if self.deployment.shape.backend == "sqlite":
            kinds["read-only disk"] = self._read_only
            kinds["disk full"] = self._disk_full
        else:
            kinds |= self._of_postgres()
        if self.deployment.redis is not None:
            kinds |= self._of_redis()
        return kinds

    def _of_postgres(self) -> dict[str, Callable[[], Awaitable[None]]]:
        return {
            "restart PostgreSQL": lambda: self._restart_postgres("fast"),
            "crash PostgreSQL": lambda: self._restart_postgres("immediate"),
            "cut PostgreSQL": lambda: self._cut(self.deployment.database_links),
            "half-open PostgreSQL": lambda: self._half_open(self.deployment.database_links),
            "slow PostgreSQL": lambda: self._slow(self.deployment.database_links),
        }

    def _of_redis(self) -> dict[str, Callable[[], Awaitable[None]]]:
        return {
            "kill Redis": self._kill_redis,
            "cut Redis": lambda: self._cut(self.deployment.redis_links),
            "half-open Redis": lambda: self._half_open(self.deployment.redis_links),
        }

    # processes

    async def _kill(self, programs: Sequence[Program]) -> None:
        program = self._one(programs)
        await asyncio.to_thread(program.kill)
        await self._pause(self._chance.choice((0.0, 0.3, self._lease * LEASES)))
        await self._revive(program)

    async def _stop(self, programs: Sequence[Program]) -> None:
        program = self._one(programs)
        await self._revive(program)
        program.pause()
        await self._pause(self._chance.choice((0.3, self._lease * LEASES)))
        program.resume()

    async def _restart(self, programs: Sequence[Program]) -> None:
        program = self._one(programs)
        await self._revive(program)
        if await asyncio.to_thread(program.terminate) is None:
            self.history.violate(f"{program.name} did not end within 30 s of SIGTERM\n{program.tail()}")
        await self._revive(program)

    async def _kill_at_point(self) -> None:
        """Arms a point; whoever comes by it dies there and is started again."""
        point = self.deployment.gates / f"point.{self._one(NAMES)}"
        point.touch()
        await self._while(point.exists, 4.0)
        point.unlink(missing_ok=True)
        await self._revive_all()

    async def _revive(self, program: Program) -> None:
        if program.paused:
            program.resume()
        for _ in range(STARTS):
            if program.running:
                return
            await asyncio.to_thread(program.close)
            try:
                await program.start()
            except NotReady:
                if program.running:
                    raise
                # One of the runs that it took up again killed it.
        if not program.running:
            raise NotReady(f"{program.name} does not come up\n{program.tail()}")

    async def _revive_all(self) -> None:
        for program in self.deployment.programs:
            await self._revive(program)

    async def watch(self) -> None:
        """Starts again what its own nodes have killed, as a supervisor would, until it is cancelled."""
        while True:
            for program in self.deployment.programs:
                if not program.running:
                    await self._supervise(program)
            await asyncio.sleep(0.1)

    async def _supervise(self, program: Program) -> None:
        async with self._lock:
            if not program.running:
                with self.history.fault("a node killed its process"):
                    await self._revive(program)

    # connections

    async def _cut(self, proxies: Sequence[Proxy]) -> None:
        for proxy in self._some(proxies):
            proxy.cut()
            if self._chance.random() < 0.5:
                proxy.refuse()
        await self._pause(self._chance.uniform(0.1, 2.0))
        self._heal(proxies)

    async def _half_open(self, proxies: Sequence[Proxy]) -> None:
        for proxy in self._some(proxies):
            proxy.half_open()
        await self._pause(self._chance.uniform(1.0, 8.0))
        self._heal(proxies)

    async def _slow(self, proxies: Sequence[Proxy]) -> None:
        for proxy in self._some(proxies):
            proxy.delay(self._chance.uniform(0.01, 0.2))
        await self._pause(self._chance.uniform(0.5, 3.0))
        self._heal(proxies)

    def _heal(self, proxies: Sequence[Proxy]) -> None:
        for proxy in proxies:
            proxy.heal()

    # services and disks

    async def _restart_postgres(self, mode: str) -> None:
        postgres = self.deployment.postgres
        assert postgres is not None
        await asyncio.to_thread(postgres.stop, mode)  # type: ignore[arg-type]
        await self._pause(self._chance.choice((0.0, 1.0, self._lease * LEASES)))
        await asyncio.to_thread(postgres.start)

    async def _kill_redis(self) -> None:
        redis = self.deployment.redis
        assert redis is not None
        await asyncio.to_thread(redis.kill)
        await self._pause(self._chance.uniform(0.0, 4.0))
        await asyncio.to_thread(redis.start)

    async def _read_only(self) -> None:
        """No file of the server's can be written, as on a disk that the kernel has remounted."""
        program = self.deployment.apis[0]
        await self._revive(program)
        program.limit_files(0)
        await self._pause(self._chance.uniform(0.5, 4.0))
        program.unlimit_files()

    async def _disk_full(self) -> None:
        if self.deployment.disk is None:
            await self._growth_ends()
            return
        filler = self.deployment.disk / "filler"
        await asyncio.to_thread(_fill, filler)
        await self._pause(self._chance.uniform(0.5, 4.0))
        filler.unlink(missing_ok=True)

    async def _growth_ends(self) -> None:
        """Where no small disk can be mounted, files may not grow instead."""
        program = self.deployment.apis[0]
        await self._revive(program)
        log = self.deployment.data / "treadle.sqlite3-wal"
        program.limit_files(log.stat().st_size if log.exists() else 0)
        await self._pause(self._chance.uniform(0.5, 4.0))
        program.unlimit_files()

    # waiting

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _until_told(self, moment: str, seconds: float = 3.0) -> None:
        event = asyncio.Event()
        self._waiting = (moment, event)
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            pass
        finally:
            self._waiting = None
        await asyncio.sleep(self._chance.choice((0.0, 0.0, 0.005, 0.03)))

    async def _while(self, holds: Callable[[], bool], seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while holds() and asyncio.get_running_loop().time() < deadline and not self.stopping.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    def _one(self, things: Sequence[T]) -> T:
        return self._chance.choice(list(things))

    def _some(self, things: Sequence[T]) -> list[T]:
        """One of them or all."""
        return list(things) if self._chance.random() < 0.5 else [self._one(things)]


def _fill(file: Path) -> None:
    """Takes all the room there is."""
    with suppress(OSError), file.open("wb", buffering=0) as filler:
        while filler.write(bytes(65536)):
            pass
