"""Measure treadle, print one table and write the result as JSON and Markdown: ``python -m benchmarks``.

The files are in benchmarks/results/, named by their time.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import isolation, langgraph_dev, lists, report
from benchmarks.comparison import compare
from benchmarks.output import RESULTS, console, each_round, write
from benchmarks.publish import publish
from benchmarks.rounds import Bench
from benchmarks.server import start_server
from treadle.bench.cases import MeasureFailed
from treadle.bench.process import raise_descriptor_limit
from treadle.cli.server_process import ServerDied


def main() -> int:
    options = _options()
    if options.against and not options.trust:
        _isolate()
    RESULTS.mkdir(exist_ok=True)
    raise_descriptor_limit()  # the servers inherit it
    load_before = os.getloadavg()[0]
    begin = time.monotonic()
    bench = Bench(options.seconds, _log, options.only or ())
    # Not in the temporary directory of the system, which may be in memory: a commit would cost nothing there.
    with tempfile.TemporaryDirectory(dir=RESULTS, prefix="run-") as scratch:
        extra = _find_best(bench, Path(scratch)) if options.against else {}
        list_figures = _warm_up(bench, Path(scratch))
    rounds = [dict(bench.round(path, first=not n)) for n, path in enumerate(each_round(options.rounds))]
    rounds[0].update(list_figures)
    results = compare(rounds)
    other = extra.get("other")
    title = f"treadle against bare LangGraph{f' and {other}' if other else ''}"
    console.print(report.table(results, title, report.headings(other)))
    console.print(f"[dim]{report.busiest(bench.measurements)}")
    extra["seconds"] = round(time.monotonic() - begin)
    document = report.document(results, rounds, bench.measurements, load_before, **extra)
    path = write(document)
    if options.publish:
        publish(document)
    console.print(f"[dim]{path}; {extra['seconds']} s; load average of the machine before: {load_before:.1f}")
    return report.exit_code(results, options.check)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--against", choices=["langgraph-dev"], help="measure this server too, in turn with treadle")
    parser.add_argument("--rounds", type=int, default=3, help="each figure is the median of this many (default 3)")
    parser.add_argument("--seconds", type=float, default=2.0, help="duration of each measurement of a rate (default 2)")
    parser.add_argument("--only", action="append", help="only figures with this text in their names, such as custom")
    parser.add_argument("--publish", action="store_true", help="update the README, docs/performance.md and the picture")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    parser.add_argument(
        "--trust", action="store_true", help="measure the other server even if its network cannot be cut off"
    )
    return parser.parse_args()


def _isolate() -> None:
    """Continue in a network namespace with loopback only, or exit: the other server must not send anything."""
    if not langgraph_dev.PROGRAM.exists():
        sys.exit(f"{langgraph_dev.PROGRAM} is missing: `make bench AGAINST=langgraph-dev` installs it")
    if isolation.is_isolated():
        return
    flags = isolation.unshare_flags()
    if flags is None:
        sys.exit("cannot isolate langgraph dev from the network (unshare --net); --trust measures it nevertheless")
    sys.stdout.flush()
    isolation.enter(flags, "benchmarks", sys.argv[1:])


def _find_best(bench: Bench, scratch: Path) -> dict[str, Any]:
    """Find the best setting of the other server on this machine, and let ``bench`` measure the server with it."""
    trials = langgraph_dev.trials(scratch, lambda trial: _log(f"{langgraph_dev.NAME} {trial}"))
    best = trials[0].jobs
    console.print(f"{langgraph_dev.NAME} is best with --n-jobs-per-worker {best}")
    bench.other = partial(langgraph_dev.start_server, jobs=best)
    return {
        "other": langgraph_dev.NAME,
        "other_jobs": best,
        "other_trials": [trial._asdict() for trial in trials],
        "other_versions": langgraph_dev.versions(),
        "isolated": isolation.is_isolated(),
    }


def _warm_up(bench: Bench, scratch: Path) -> dict[str, float]:
    """Start a server once, so that no measured start compiles bytecode. Return the figures of lists, if wanted."""
    directory = scratch / "warm-up"
    directory.mkdir()
    with start_server(directory):
        pass
    if not bench.wants("lists"):
        return {}
    _log("lists")
    return dict(lists.figures(scratch))


def _log(text: str) -> None:
    console.print(f"[dim]  {text}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ServerDied as died:
        sys.exit(f"{died}\n{died.log}")
    except (MeasureFailed, langgraph_dev.Died) as failed:
        sys.exit(str(failed))
