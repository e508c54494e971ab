"""The load generator, in its own process: ``python -m treadle.bench.load URL MEASURE`` prints a result as JSON.

The result holds ``figures`` by name, ``seconds`` (the duration), ``load_cpu_seconds`` (CPU time of this process) and,
if the server's process is known, ``server_cpu_seconds``. A response that is not a complete run ends it with an error.
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
from treadle.bench.plan import Measure, Plan
from treadle.bench.server import BadResponse, Server

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
    began_at, cpu_at_start = time.perf_counter(), time.process_time()
    result: dict[str, Any] = {"figures": await MEASURES[name](server, plan)}
    result["seconds"] = time.perf_counter() - began_at
    result["load_cpu_seconds"] = time.process_time() - cpu_at_start
    if before is not None and server.pid:
        result["server_cpu_seconds"] = (process.cpu_seconds(server.pid) or before) - before
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m treadle.bench.load")
    parser.add_argument("url")
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("--pid", type=int, help="the server's process, if it is on this machine")
    parser.add_argument("--threads-first", action="store_true", help="create each thread with a separate request")
    for size in fields(Plan):
        kind = type(size.default)
        parser.add_argument(f"--{size.name.replace('_', '-')}", type=kind, default=size.default)
    options = vars(parser.parse_args(arguments))
    plan = Plan(**{size.name: options[size.name] for size in fields(Plan)})
    server = replace(Server.at(options["url"], pid=options["pid"]), creates=not options["threads_first"])
    process.raise_descriptor_limit()
    try:
        print(json.dumps(uvloop.run(measure(options["measure"], server, plan))))
    except (BadResponse, OSError) as error:
        print(f"{options['measure']}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
