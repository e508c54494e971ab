"""A cluster as a queueing model: workers that write and tell, one PostgreSQL, one Redis; see ``simulate``."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

SLOTS = 16
BUSY = 0.75
RUN_SECONDS = 30.0
TOKENS_PER_SECOND = 20.0
CHECKPOINTS = 5
EVENT_BYTES = 220
POLL_SECONDS = 1.0
RENEW_SECONDS = 5.0
GROUP = 256
Then = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Seconds of the server's processor, and bytes of WAL, of one operation."""

    transaction: float
    work: dict[str, float]  # above that of the transaction around it
    wal: dict[str, int]
    empty_claim: float
    claimed_run: float
    read: float
    notify: float
    notify_listener: float
    publish: float
    publish_subscriber: float
    receive: float
    flush: float
    connection_mib: float

    @classmethod
    def of(cls, measured: dict[str, Any]) -> Costs:
        operations = {name: cost["cpu_us"] / 1e6 for name, cost in measured["operations"].items()}
        empty = operations["empty"]
        names = ("insert_run", "append_1", "checkpoint", "renew", "finish")
        batch = next(found["cpu_us_per_run"] for found in measured["claim"] if found["claimers"] == 1) / 1e6
        return cls(
            transaction=empty,
            work={name: max(0.0, operations[name] - empty) for name in names},
            wal={name: measured["operations"][name]["wal_bytes"] for name in names},
            empty_claim=measured["blocked"][0]["cpu_us"] / 1e6,
            claimed_run=batch,
            read=operations["read_1"],
            **_line(measured["notify"], "listeners", "notify", "notify_listener"),
            **_line(measured["publish"], "subscribers", "publish", "publish_subscriber"),
            receive=measured["receive_us"] / 1e6,
            flush=measured["flush_ms"] / 1e3,
            connection_mib=measured["connection_kib"]["used"] / 1024,
        )


def _line(points: Sequence[dict[str, float]], by: str, base: str, slope: str) -> dict[str, float]:
    """Least squares through what was measured one at a time."""
    found = [(p[by], p["cpu_us"] / 1e6) for p in points if p.get("notifiers", 1) == 1]
    mean_x, mean_y = (sum(values) / len(found) for values in zip(*found, strict=True))
    steep = sum((x - mean_x) * (y - mean_y) for x, y in found) / sum((x - mean_x) ** 2 for x, _ in found)
    return {base: max(found[0][1], mean_y - steep * mean_x), slope: steep}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One cluster. What is switched on beyond ``redis`` is design for later, not what treadle does today."""

    workers: int
    redis: bool = False
    cores: int = 16
    window: float = 0.0  # how long an append waits for more tokens of its run
    woken: int | None = None  # how many workers a new run wakes; None: all
    sharded: bool = False  # an API process hears only of runs it has readers of
    databases: int = 1  # threads are spread over so many
    databases_of_worker: int | None = None  # None: a worker serves all of them

    @property
    def apis(self) -> int:
        return max(2, self.workers // 10)

    @property
    def tokens_together(self) -> float:
        """How many tokens of a run its window gathers."""
        return 1.0 + TOKENS_PER_SECOND * self.window

    @property
    def connections(self) -> int:
        """To each database: workers have two writers, two readers and a speaker and a listener of hints; APIs more."""
        hints = 0 if self.redis else 2
        of_workers = self.workers * (self.databases_of_worker or self.databases) / self.databases
        return round(of_workers * (4 + hints) + self.apis * (6 + hints))


class Clock:
    """The future, in order."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Then]] = []
        self._count = 0

    def after(self, seconds: float, then: Then) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, then))

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, then = heapq.heappop(self._events)
            then()


class Servers:
    """``count`` servers with one queue: the cores of a machine, or the one thread of Redis."""

    def __init__(self, clock: Clock, count: int) -> None:
        self._clock = clock
        self._count = count
        self._busy = 0
        self._waiting: deque[tuple[float, Then]] = deque()
        self.used = 0.0

    def do(self, seconds: float, then: Then) -> None:
        self._waiting.append((seconds, then))
        self._next()

    def _next(self) -> None:
        while self._waiting and self._busy < self._count:
            seconds, then = self._waiting.popleft()
            self._busy += 1
            self.used += seconds
            self._clock.after(seconds, lambda then=then: self._done(then))

    def _done(self, then: Then) -> None:
        self._busy -= 1
        then()
        self._next()


class Log:
    """The WAL: one flush at a time, for all who wait when it begins."""

    def __init__(self, clock: Clock, flush: float) -> None:
        self._clock = clock
        self._flush = flush
        self._waiting: list[Then] = []
        self._flushing = False
        self.bytes = 0
        self.used = 0.0

    def commit(self, size: int, then: Then) -> None:
        self.bytes += size
        self._waiting.append(then)
        if not self._flushing:
            self._begin()

    def _begin(self) -> None:
        group, self._waiting = self._waiting, []
        self._flushing = bool(group)
        if group:
            self.used += self._flush
            self._clock.after(self._flush, lambda: self._end(group))

    def _end(self, group: list[Then]) -> None:
        for then in group:
            then()
        self._begin()


@dataclass
class Tally:
    claimed: int = 0
    finished: int = 0
    transactions: int = 0
    claims: int = 0
    hints: int = 0
    appends: int = 0
    delays: list[float] = field(default_factory=list[float])
    claim_delays: list[float] = field(default_factory=list[float])


class Cluster:
    """One database of the cluster with the share of workers and load that falls to it."""

    def __init__(self, shape: Shape, costs: Costs, seed: int) -> None:
        self.shape, self.costs = shape, costs
        self.random = random.Random(seed)
        self.clock = Clock()
        self.postgres = Servers(self.clock, shape.cores)
        self.log = Log(self.clock, costs.flush)
        self.redis = Servers(self.clock, 1)
        self.tally = Tally()
        self.pending: deque[float] = deque()
        share = (shape.databases_of_worker or shape.databases) / shape.databases
        self.load = 1.0 / (shape.databases_of_worker or shape.databases)
        self.workers = [Worker(self) for _ in range(max(1, round(shape.workers * share)))]
        self._arrivals = self.load * len(self.workers) * SLOTS * BUSY / RUN_SECONDS
        self.apis = [Sender(self) for _ in range(shape.apis)]

    def simulate(self, seconds: float) -> Tally:
        """Warms up for a fifth of the time, and counts from then on."""
        for worker in self.workers:
            worker.begin()
        self._arrive()
        self.clock.run(seconds / 5)
        self.tally = Tally()
        self.postgres.used = self.redis.used = self.log.used = 0.0
        self.log.bytes = 0
        self.clock.run(seconds / 5 + seconds)
        return self.tally

    def _arrive(self) -> None:
        self.clock.after(self.random.expovariate(self._arrivals), self._arrive)
        self.transact(self._cost({"insert_run": 1}), self._size({"insert_run": 1}), self._inserted)

    def _inserted(self) -> None:
        self.pending.append(self.clock.now)
        self.random.choice(self.apis).tell(changed=True, events=0, since=None)

    def wake(self) -> None:
        """A hint that something may be claimable reaches the workers."""
        count = self.shape.woken
        for worker in (
            self.workers if count is None else self.random.sample(self.workers, min(count, len(self.workers)))
        ):
            worker.want_claim()

    def transact(self, cpu: float, size: int, then: Then) -> None:
        self.tally.transactions += 1
        if size:
            self.postgres.do(cpu, lambda: self.log.commit(size, then))
        else:
            self.postgres.do(cpu, then)

    def _cost(self, jobs: dict[str, int]) -> float:
        return self.costs.transaction + sum(self.costs.work[name] * count for name, count in jobs.items())

    def _size(self, jobs: dict[str, int]) -> int:
        return sum(self.costs.wal[name] * count for name, count in jobs.items())


class Sender:
    """Tells of what has been committed: one message in flight, into which goes all that waits."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._changed = False
        self._events = 0
        self._since: list[float] = []
        self._sending = False

    def tell(self, *, changed: bool, events: int, since: list[float] | None) -> None:
        self._changed |= changed
        self._events += events
        self._since += since or []
        if not self._sending and (self._changed or self._events):
            self._send()

    def _send(self) -> None:
        changed, events, since = self._changed, self._events, self._since
        self._changed, self._events, self._since = False, 0, []
        self._sending = True
        cluster, costs, shape = self._cluster, self._cluster.costs, self._cluster.shape
        cluster.tally.hints += 1
        hearing = (1 if shape.sharded else shape.apis) if events else 0
        if shape.redis:
            hearing += (shape.woken or len(cluster.workers)) if changed else 0
            # 500 bytes were measured; what is carried beyond them costs in proportion.
            size = max(1.0, events * EVENT_BYTES / 500)
            cluster.redis.do(
                costs.publish + costs.publish_subscriber * hearing * size, lambda: self._sent(changed, since)
            )
        else:
            # Every session that listens is woken, whatever it listens to; the APIs then read the log.
            listening = len(cluster.workers) + shape.apis
            cpu = costs.notify + costs.notify_listener * listening + costs.read * (events > 0)
            cluster.postgres.do(cpu, lambda: self._sent(changed, since))

    def _sent(self, changed: bool, since: list[float]) -> None:
        self._sending = False
        now = self._cluster.clock.now
        self._cluster.tally.delays += [now - at for at in since]
        if changed:
            self._cluster.wake()
        self.tell(changed=False, events=0, since=None)


class Worker:
    """A process: its runs, one transaction in flight, one hint in flight."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._clock = cluster.clock
        self._sender = Sender(cluster)
        self._active = 0
        self._jobs: dict[str, int] = {}
        self._since: list[float] = []
        self._runs: set[int] = set()
        self._wants_claim = False
        self._committing = False

    def begin(self) -> None:
        """With runs under way, as if it had been there for long."""
        draw, load = self._cluster.random, self._cluster.load
        for _ in range(round(SLOTS * BUSY * load)):
            self._start(draw.uniform(0.0, RUN_SECONDS))
        self._tokens()
        self._every(POLL_SECONDS, self.want_claim)
        self._every(RENEW_SECONDS, lambda: self._add("renew"))

    def want_claim(self) -> None:
        if not self._wants_claim and self._active < SLOTS * self._cluster.load:
            self._wants_claim = True
            self._write()

    def _every(self, seconds: float, then: Then) -> None:
        def turn() -> None:
            then()
            self._clock.after(seconds, turn)

        self._clock.after(self._cluster.random.uniform(0.0, seconds), turn)

    def _start(self, seconds: float) -> None:
        self._active += 1
        self._clock.after(seconds, lambda: self._add("finish"))
        for step in range(1, CHECKPOINTS + 1):
            self._clock.after(seconds * step / CHECKPOINTS, lambda: self._add("checkpoint"))

    def _tokens(self) -> None:
        """One token of one run, or those of its window, and so on. Those of a run that wait together are one append."""
        if self._active:
            run = self._cluster.random.randrange(self._active)
            at = self._clock.now
            if self._cluster.shape.window:
                self._clock.after(self._cluster.shape.window, lambda: self._token(run, at))
            else:
                self._token(run, at)
        rate = max(1, self._active) * TOKENS_PER_SECOND / self._cluster.shape.tokens_together
        self._clock.after(self._cluster.random.expovariate(rate), self._tokens)

    def _token(self, run: int, at: float) -> None:
        self._since.append(at)
        if run not in self._runs:
            self._runs.add(run)
            self._add("append_1")

    def _add(self, job: str) -> None:
        self._jobs[job] = self._jobs.get(job, 0) + 1
        self._write()

    def _write(self) -> None:
        if self._committing or not (self._jobs or self._wants_claim):
            return
        cluster, costs = self._cluster, self._cluster.costs
        jobs, since, claims = self._jobs, self._since, self._wants_claim
        self._jobs, self._since, self._runs, self._wants_claim = {}, [], set(), False
        self._committing = True
        cpu = costs.transaction if jobs else 0.0
        cpu += sum(costs.work[name] * count for name, count in jobs.items())
        size = sum(costs.wal[name] * count for name, count in jobs.items())
        taken = self._take() if claims else 0
        if claims:
            cluster.tally.claims += 1
            cpu += costs.claimed_run * taken if taken else costs.empty_claim
            size += 1_500 * taken
        cluster.transact(cpu, size, lambda: self._committed(jobs, since, taken))

    def _take(self) -> int:
        cluster = self._cluster
        room = max(1, round(SLOTS * cluster.load)) - self._active
        taken = max(0, min(room, len(cluster.pending)))
        for _ in range(taken):
            cluster.tally.claim_delays.append(self._clock.now - cluster.pending.popleft())
        return taken

    def _committed(self, jobs: dict[str, int], since: list[float], taken: int) -> None:
        self._committing = False
        tally, finished = self._cluster.tally, jobs.get("finish", 0)
        tally.finished += finished
        tally.claimed += taken
        tally.appends += jobs.get("append_1", 0)
        self._active -= finished
        for _ in range(taken):
            self._start(RUN_SECONDS * self._cluster.random.uniform(0.8, 1.2))
        self._sender.tell(changed=finished > 0, events=len(since) + taken + finished, since=since)
        if finished:
            self.want_claim()
        self._write()
