"""``python -m benchmarks``: measures, prints one table, writes benchmarks/results/<timestamp>.json and .md."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import isolation, langgraph_dev, report
from benchmarks.publish import publish
from benchmarks.rounds import Bench, list_figures
from benchmarks.rows import results
from benchmarks.server import serving
from treadle.bench.limits import raise_descriptors
from treadle.bench.take import MeasureFailed
from treadle.cli.process import ServerDied

RESULTS = Path(__file__).parent / "results"

console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def main() -> int:
    given = _arguments()
    if given.against and not given.trust:
        _isolate()
    RESULTS.mkdir(exist_ok=True)
    raise_descriptors()  # the servers inherit it
    load_before = os.getloadavg()[0]
    began_at = time.monotonic()
    # On the disk of the checkout: a temporary directory may be in memory, where a commit costs nothing.
    with tempfile.TemporaryDirectory(dir=RESULTS, prefix="run-") as scratch:
        bench = Bench(given.seconds, _told, given.only or ())
        beside = _against(bench, Path(scratch)) if given.against else {}
        rounds = _rounds(bench, Path(scratch), given.rounds)
    found = results(rounds)
    other = langgraph_dev.NAME if given.against else None
    console.print(report.table(found, other))
    console.print(f"[dim]{report.busiest(bench.taken)}")
    beside["seconds"] = round(time.monotonic() - began_at)
    document = report.document(found, rounds, bench.taken, load_before, **beside)
    path = _write(document)
    if given.publish:
        publish(document)
    console.print(f"[dim]{path}; {beside['seconds']} s; load of the machine before: {load_before:.1f}")
    missed = [text for result in found for text, met in result.verdicts() if met is False]
    return 1 if given.check and missed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--against", choices=["langgraph-dev"], help="measure this server too, in turn with treadle")
    parser.add_argument("--rounds", type=int, default=3, help="each figure is the median of them (default 3)")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each rate is taken in a round (default 2)")
    parser.add_argument("--only", action="append", help="only figures with this text in their names, such as custom")
    parser.add_argument("--publish", action="store_true", help="show the result in the README, with a picture")
    parser.add_argument("--check", action="store_true", help="exit code 1 if a target is missed")
    parser.add_argument(
        "--trust", action="store_true", help="let the other server have the network, where it cannot be cut off"
    )
    return parser.parse_args()


def _isolate() -> None:
    """Goes on in a network of its own, or ends: what the other server would send is not for us to decide."""
    if not langgraph_dev.PROGRAM.exists():
        sys.exit(f"{langgraph_dev.PROGRAM} is missing: `make bench AGAINST=langgraph-dev` installs it")
    if isolation.inside():
        return
    flags = isolation.possible()
    if flags is None:
        sys.exit("no network of its own for langgraph dev here (unshare --net); --trust measures it all the same")
    sys.stdout.flush()
    isolation.enter(flags, "benchmarks", sys.argv[1:])


def _against(bench: Bench, scratch: Path) -> dict[str, Any]:
    """Finds the other server's best setting for this run, and has it measured with that."""
    trials = langgraph_dev.trials(scratch, lambda trial: _told(f"{langgraph_dev.NAME} {trial}"))
    best = trials[0].jobs
    console.print(f"{langgraph_dev.NAME} is best with --n-jobs-per-worker {best}")
    bench.other = partial(langgraph_dev.serving, jobs=best)
    return {
        "other": langgraph_dev.NAME,
        "other_jobs": best,
        "other_trials": [trial._asdict() for trial in trials],
        "other_versions": langgraph_dev.versions(),
        "isolated": isolation.inside(),
    }


def _rounds(bench: Bench, scratch: Path, count: int) -> list[dict[str, float]]:
    with_nothing = scratch / "warm-up"
    with_nothing.mkdir()
    with serving(with_nothing):  # what a first start compiles is not a start-up
        pass
    if bench.wants("lists"):
        _told("lists")
    lists = dict(list_figures(scratch)) if bench.wants("lists") else {}
    rounds: list[dict[str, float]] = []
    for number in range(count):
        console.print(f"[dim]round {number + 1} of {count}")
        directory = scratch / str(number)
        directory.mkdir()
        rounds.append(dict(bench.round(directory, first=number == 0)))
    rounds[0].update(lists)
    return rounds


def _told(text: str) -> None:
    console.print(f"[dim]  {text}")


def _write(document: dict[str, Any]) -> Path:
    path = RESULTS / time.strftime("%Y%m%d-%H%M%S.json")
    path.write_text(json.dumps(document, indent=2) + "\n")
    path.with_suffix(".md").write_text(document["table"])
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ServerDied as died:
        sys.exit(f"{died}\n{died.log}")
    except (MeasureFailed, langgraph_dev.Died) as failed:
        sys.exit(str(failed))
