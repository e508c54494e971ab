"""The directory of results and of the measured servers' data, and the console that all benchmarks print to."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

RESULTS = Path(__file__).parent / "results"

console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def each_round(count: int) -> Iterator[Path]:
    """Yield a directory for each round, which is removed afterwards, and print the round's number."""
    RESULTS.mkdir(exist_ok=True)
    for number in range(count):
        console.print(f"[dim]round {number + 1} of {count}")
        with tempfile.TemporaryDirectory(dir=RESULTS, prefix="run-") as directory:
            yield Path(directory)


def write(document: dict[str, Any], prefix: str = "") -> Path:
    """Write a result as JSON, and its table as Markdown if it has one. Return the path of the JSON file."""
    path = RESULTS / time.strftime(f"{prefix}%Y%m%d-%H%M%S.json")
    path.write_text(json.dumps(document, indent=2) + "\n")
    if table := document.get("table"):
        path.with_suffix(".md").write_text(table)
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
