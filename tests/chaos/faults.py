"""The faults: which, when and on whom follows from the seed; some wait for what a client was just told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from chaos.deployment import Deployment
from chaos.history import History
from chaos.points import NAMES
from chaos.programs import NotReady, Program
from chaos.proxy import Proxy

T = TypeVar("T")
Kinds = dict[str, Callable[[random.Random], Awaitable[None]]]

MOMENTS = ("ack", "first event", "end", "cancelled")
"""What a fault may wait for, so that it strikes right after a promise was made."""
LEASES = 1.5
"""A stopped process sleeps for so many leases: its runs are taken over meanwhile."""
STARTS = 10
PLANNED = 10_000
JUMPS = (-20.0, -5.0, 5.0, 20.0)


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
    """Injects the planned ones until ``stopping``, in two lanes beside each other: what befalls processes, and what
    befalls their connections, services, disks and clocks. Within a lane one comes after another."""

    def __init__(self, deployment: Deployment, history: History) -> None:
        self.deployment = deployment
        self.history = history
        self.stopping = asyncio.Event()
        self._lease = float(deployment.shape.settings["lease_seconds"])
        self._lock = asyncio.Lock()
        self._moments = {moment: asyncio.Event() for moment in MOMENTS}

    def told(self, moment: str) -> None:
        """The load says what just happened to a client."""
        if moment in self._moments:
            self._moments[moment].set()

    async def inject(self, seed: int, *, gap: float, only: Sequence[str] = ()) -> None:
        """Run both lanes until ``stopping``, then repair everything."""
        lanes = [
            {kind: fault for kind, fault in lane.items() if not only or kind in only}
            for lane in (self._of_processes(), self._of_others())
        ]
        locks = (self._lock, asyncio.Lock())
        await asyncio.gather(
            *(
                self._lane(kinds, lock, plan(seed + number, list(kinds), PLANNED, gap=gap))
                for number, (kinds, lock) in enumerate(zip(lanes, locks, strict=True))
                if kinds
            )
        )
        await self.mend()

    async def _lane(self, kinds: Kinds, lock: asyncio.Lock, planned: Sequence[Planned]) -> None:
        for each in planned:
            await self._pause(each.gap)
            if each.moment:
                await self._until_told(each.moment)
            if self.stopping.is_set():
                return
            async with lock:
                with self.history.fault(each.kind, each.moment):
                    await kinds[each.kind](random.Random(each.chance))

    async def mend(self) -> None:
        """Everything runs, and everything passes."""
        deployment = self.deployment
        for point in deployment.gates.glob("point.*"):
            point.unlink(missing_ok=True)
        for clock in deployment.gates.glob("clock*"):
            clock.unlink(missing_ok=True)
        for proxy in (*deployment.doors, *deployment.database_links, *deployment.redis_links):
            proxy.heal()
        async with self._lock:
            await self._revive_all()

    def _of_processes(self) -> Kinds:
        kinds: Kinds = {
            "kill an API process": partial(self._kill, self.deployment.apis),
            "stop an API process": partial(self._stop, self.deployment.apis),
            "restart an API process": partial(self._restart, self.deployment.apis),
            "kill at a named point": self._kill_at_point,
        }
        if self.deployment.shape.workers:
            kinds |= {
                "kill a worker": partial(self._kill, self.deployment.workers),
                "stop a worker": partial(self._stop, self.deployment.workers),
                "restart a worker": partial(self._restart, self.deployment.workers),
            }
        return kinds

    def _of_others(self) -> Kinds:
        kinds: Kinds = {"clock jump": self._jump, **self._of_links("HTTP", self.deployment.doors)}
        if self.deployment.shape.backend == "sqlite":
            return kinds | {"read-only disk": self._read_only, "disk full": self._disk_full}
        kinds |= self._of_links("PostgreSQL", self.deployment.database_links)
        kinds["restart PostgreSQL"] = partial(self._restart_postgres, "fast")
        kinds["crash PostgreSQL"] = partial(self._restart_postgres, "immediate")
        if self.deployment.redis is not None:
            kinds |= {**self._of_links("Redis", self.deployment.redis_links), "kill Redis": self._kill_redis}
        return kinds

    def _of_links(self, to: str, proxies: Sequence[Proxy]) -> Kinds:
        return {
            f"cut {to}": partial(self._cut, proxies),
            f"half-open {to}": partial(self._half_open, proxies),
            f"slow {to}": partial(self._slow, proxies),
        }

    # processes

    async def _kill(self, programs: Sequence[Program], chance: random.Random) -> None:
        program = chance.choice(programs)
        await asyncio.to_thread(program.kill)
        await self._pause(chance.choice((0.0, 0.3, self._lease * LEASES)))
        await self._revive(program)

    async def _stop(self, programs: Sequence[Program], chance: random.Random) -> None:
        program = chance.choice(programs)
        await self._revive(program)
        program.pause()
        await self._pause(chance.choice((0.3, self._lease * LEASES)))
        program.resume()

    async def _restart(self, programs: Sequence[Program], chance: random.Random) -> None:
        program = chance.choice(programs)
        await self._revive(program)
        if await asyncio.to_thread(program.terminate) is None:
            self.history.violate(f"{program.name} did not end within 30 s of SIGTERM\n{program.tail()}")
        await self._revive(program)

    async def _kill_at_point(self, chance: random.Random) -> None:
        """Arm a point: the next process that reaches it dies there and is restarted."""
        point = self.deployment.gates / f"point.{chance.choice(NAMES)}"
        point.touch()
        await self._while(point.exists, 4.0)
        point.unlink(missing_ok=True)
        await self._revive_all()

    async def _jump(self, chance: random.Random) -> None:
        """The clock of one process or of all jumps, and later back."""
        program = chance.choice(self.deployment.programs)
        name = chance.choice(("clock", f"clock.{program.pid}"))
        clock = self.deployment.gates / name
        clock.write_text(str(chance.choice(JUMPS)))
        await self._pause(chance.uniform(0.5, 4.0))
        clock.unlink(missing_ok=True)

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

    async def _cut(self, proxies: Sequence[Proxy], chance: random.Random) -> None:
        for proxy in _some(proxies, chance):
            proxy.cut()
            if chance.random() < 0.5:
                proxy.refuse()
        await self._pause(chance.uniform(0.1, 2.0))
        self._heal(proxies)

    async def _half_open(self, proxies: Sequence[Proxy], chance: random.Random) -> None:
        for proxy in _some(proxies, chance):
            proxy.half_open()
        await self._pause(chance.uniform(1.0, 8.0))
        self._heal(proxies)

    async def _slow(self, proxies: Sequence[Proxy], chance: random.Random) -> None:
        for proxy in _some(proxies, chance):
            proxy.delay(chance.uniform(0.01, 0.2))
        await self._pause(chance.uniform(0.5, 3.0))
        self._heal(proxies)

    def _heal(self, proxies: Sequence[Proxy]) -> None:
        for proxy in proxies:
            proxy.heal()

    # services and disks

    async def _restart_postgres(self, mode: str, chance: random.Random) -> None:
        postgres = self.deployment.postgres
        assert postgres is not None
        await asyncio.to_thread(postgres.stop, mode)  # type: ignore[arg-type]
        await self._pause(chance.choice((0.0, 1.0, self._lease * LEASES)))
        await asyncio.to_thread(postgres.start)

    async def _kill_redis(self, chance: random.Random) -> None:
        redis = self.deployment.redis
        assert redis is not None
        await asyncio.to_thread(redis.kill)
        await self._pause(chance.uniform(0.0, 4.0))
        await asyncio.to_thread(redis.start)

    async def _read_only(self, chance: random.Random) -> None:
        """No file of the server's can be written, as on a disk that the kernel has remounted."""
        program = self.deployment.apis[0]
        program.limit_files(0)
        await self._pause(chance.uniform(0.5, 4.0))
        program.unlimit_files()

    async def _disk_full(self, chance: random.Random) -> None:
        if self.deployment.disk is None:
            await self._growth_ends(chance)
            return
        filler = self.deployment.disk / "filler"
        await asyncio.to_thread(_fill, filler)
        await self._pause(chance.uniform(0.5, 4.0))
        filler.unlink(missing_ok=True)

    async def _growth_ends(self, chance: random.Random) -> None:
        """Where no small disk can be mounted, files may not grow instead."""
        program = self.deployment.apis[0]
        log = self.deployment.data / "treadle.sqlite3-wal"
        program.limit_files(log.stat().st_size if log.exists() else 0)
        await self._pause(chance.uniform(0.5, 4.0))
        program.unlimit_files()

    # waiting

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _until_told(self, moment: str, seconds: float = 3.0) -> None:
        self._moments[moment].clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._moments[moment].wait(), seconds)

    async def _while(self, holds: Callable[[], bool], seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while holds() and asyncio.get_running_loop().time() < deadline and not self.stopping.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def _some(things: Sequence[T], chance: random.Random) -> list[T]:
    """One of them or all."""
    return list(things) if chance.random() < 0.5 else [chance.choice(things)]


def _fill(file: Path) -> None:
    """Takes all the room there is."""
    with suppress(OSError), file.open("wb", buffering=0) as filler:
        while filler.write(bytes(65536)):
            pass
