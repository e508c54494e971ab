"""The load generator, a process of its own: ``python -m treadle.bench.load URL MEASURE`` prints what it found as JSON.

``figures`` by name, ``seconds`` that it took, ``load_cpu_seconds`` that it computed itself, and ``server_cpu_seconds``
where the server's process is known. An answer that is not what a whole run looks like ends it with an error.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import uvloop

from treadle.bench import events, process, readers, runs, threads
from treadle.bench.limits import raise_descriptors
from treadle.bench.plan import Measure, Plan
from treadle.bench.server import Server, Unexpected

MEASURES: dict[str, Measure] = {
    each.__name__: each
    for each in (
        runs.threaded_stream,
        runs.stateless_stream,
        runs.threaded_wait,
        runs.stateless_wait,
        runs.first_event,
        events.custom_one,
        events.custom_many,
        events.messages,
        threads.long_values,
        threads.late_run,
        readers.readers,
        readers.idle_streams,
    )
}


async def measure(name: str, server: Server, plan: Plan) -> dict[str, Any]:
    before = process.cpu_seconds(server.pid) if server.pid else None
    began_at, began_cpu = time.perf_counter(), time.process_time()
    found: dict[str, Any] = {"figures": await MEASURES[name](server, plan)}
    found["seconds"] = time.perf_counter() - began_at
    found["load_cpu_seconds"] = time.process_time() - began_cpu
    if before is not None and server.pid:
        found["server_cpu_seconds"] = (process.cpu_seconds(server.pid) or before) - before
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m treadle.bench.load")
    parser.add_argument("url")
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("--pid", type=int, help="the server's process, if it is on this machine")
    parser.add_argument("--threads-first", action="store_true", help="make each thread with a request of its own")
    for size in fields(Plan):
        kind = type(size.default)
        parser.add_argument(f"--{size.name.replace('_', '-')}", type=kind, default=size.default)
    given = vars(parser.parse_args(arguments))
    plan = Plan(**{size.name: given[size.name] for size in fields(Plan)})
    server = replace(Server.at(given["url"], pid=given["pid"]), creates=not given["threads_first"])
    raise_descriptors()
    try:
        print(json.dumps(uvloop.run(measure(given["measure"], server, plan))))
    except (Unexpected, OSError) as error:
        print(f"{given['measure']}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
