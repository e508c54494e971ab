"""What 10, 100 and 1,000 workers ask of one PostgreSQL and one Redis: ``python -m benchmarks.simulate``.

A discrete-event simulation, seeded, over costs that were measured (costs.json, or ``--costs FILE``; ``--measure URL``
measures anew and prints them). Each worker executes agents: 30 seconds long, five checkpoints, 20 tokens a second, read
by one client. Its writer takes whatever waits into one transaction, as treadle's does, and has one in flight; the
sender of its hints too. PostgreSQL is a number of cores and one log that is flushed for all who wait at once.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.cluster import BUSY, RUN_SECONDS, SLOTS, Cluster, Costs, Shape

API_MESSAGES_SHARE = 0.5
"""How much of an API process may go into hearing of others' events before its own requests suffer."""


@dataclass(frozen=True, kw_only=True)
class Result:
    shape: Shape
    offered: float
    claimed: float
    tokens: float
    transactions: float
    claims: float
    hints: float
    wal_mb: float
    cores: float
    log_share: float
    redis_share: float
    api_share: float
    delay_ms: tuple[float, float]
    claim_ms: tuple[float, float]
    memory_gib: float

    @property
    def limits(self) -> list[str]:
        """What has no room left, the fullest first."""
        shares = {
            "PostgreSQL's cores": self.cores / self.shape.cores,
            "Redis' thread": self.redis_share,
            "API processes, hearing events": self.api_share / API_MESSAGES_SHARE,
            "connections": self.shape.connections / 1_000,
        }
        return [name for name, share in sorted(shares.items(), key=lambda item: -item[1]) if share >= 0.9]


def run(shape: Shape, costs: Costs, seconds: float, seed: int) -> Result:
    cluster = Cluster(shape, costs, seed)
    tally = cluster.simulate(seconds)
    hearing = 1 if shape.sharded else shape.apis
    # Each message of events reaches so many of the APIs; today a process takes them one after another.
    heard = tally.hints / seconds * shape.databases * hearing / shape.apis if shape.redis else 0.0
    return Result(
        shape=shape,
        offered=shape.workers * SLOTS * BUSY / RUN_SECONDS,
        claimed=tally.claimed / seconds * shape.databases,
        tokens=len(tally.delays) / seconds * shape.databases * shape.tokens_together,
        transactions=tally.transactions / seconds,
        claims=tally.claims / seconds,
        hints=tally.hints / seconds,
        wal_mb=cluster.log.bytes / seconds / 1e6,
        cores=cluster.postgres.used / seconds,
        log_share=cluster.log.used / seconds,
        redis_share=cluster.redis.used / seconds,
        api_share=heard * costs.receive,
        delay_ms=_spread(tally.delays),
        claim_ms=_spread(tally.claim_delays),
        memory_gib=shape.connections * costs.connection_mib / 1024,
    )


def _spread(values: list[float]) -> tuple[float, float]:
    """Median and 99th percentile, in milliseconds."""
    if not values:
        return (float("nan"), float("nan"))
    ordered = sorted(values)
    return (ordered[len(ordered) // 2] * 1e3, ordered[len(ordered) * 99 // 100] * 1e3)


def shapes(cores: int, most: int) -> Iterator[tuple[str, Shape]]:
    for workers in (size for size in (10, 100, 1_000) if size <= most):
        base = Shape(workers=workers, cores=cores)
        fast = replace(base, redis=True)
        yield "PostgreSQL", base
        yield "+ Redis", fast
        if workers >= 100:
            batched = replace(fast, window=0.05)
            yield "… + 50 ms windows", batched
            aimed = replace(batched, woken=2)
            yield "… + aimed wake-ups", aimed
            yield "… + sharded hints", replace(aimed, sharded=True)
        if workers >= 1_000:
            whole = replace(fast, window=0.05, woken=2, sharded=True, databases=8, databases_of_worker=2)
            yield "… + 8 partitions", whole


COLUMNS = (
    *("workers", "how", "runs/s of", "tokens/s", "trans./s", "claims/s", "hints/s", "WAL MB/s", "cores", "Redis"),
    *("API", "event ms", "claim ms", "conn.", "limited by"),
)


def row(how: str, result: Result) -> list[str]:
    r = result
    return [
        f"{r.shape.workers:,}",
        how,
        f"{r.claimed:.0f} of {r.offered:.0f}",
        f"{r.tokens:,.0f}",
        f"{r.transactions:,.0f}",
        f"{r.claims:,.0f}",
        f"{r.hints:,.0f}",
        f"{r.wal_mb:.1f}",
        f"{r.cores:.1f} of {r.shape.cores}",
        f"{r.redis_share:.0%}" if r.shape.redis else "",
        f"{r.api_share:.0%}" if r.shape.redis else "",
        f"{r.delay_ms[0]:.1f} / {r.delay_ms[1]:.0f}",
        f"{r.claim_ms[0]:.1f} / {r.claim_ms[1]:.0f}",
        f"{r.shape.connections:,}",
        ", ".join(r.limits) or "nothing yet",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", metavar="URL", help="measure the costs on this PostgreSQL and print them")
    parser.add_argument("--redis", metavar="URL", help="with --measure: and on this Redis")
    parser.add_argument("--rounds", type=int, default=3, help="with --measure: print the medians of so many (3)")
    parser.add_argument("--costs", type=Path, default=Path(__file__).with_name("costs.json"))
    parser.add_argument("--most", type=int, default=1_000, help="simulate no more workers than this (1000)")
    parser.add_argument("--cores", type=int, default=16, help="of the machine that PostgreSQL has (16)")
    parser.add_argument("--flush-ms", type=float, help="how long its disk takes to flush, instead of what was measured")
    parser.add_argument("--seconds", type=float, default=5.0, help="simulated time for each shape (5)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.measure:
        from benchmarks.costs import measure, medians

        rounds = [measure(given.measure, given.redis) for _ in range(given.rounds)]
        print(json.dumps(medians(rounds), indent=1))
        return
    costs = Costs.of(json.loads(given.costs.read_text()))
    if given.flush_ms is not None:
        costs = replace(costs, flush=given.flush_ms / 1e3)
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for how, shape in shapes(given.cores, given.most):
        print("| " + " | ".join(row(how, run(shape, costs, given.seconds, given.seed))) + " |", flush=True)


if __name__ == "__main__":
    main()
