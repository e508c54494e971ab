"""Publish a benchmark result: ``python -m benchmarks.publish FILE``.

Writes docs/benchmarks.json and .png, the full table in docs/performance.md, and five rows of it in the README.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import plot, report

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "docs" / "benchmarks.json"
PAGE = ROOT / "docs" / "performance.md"
README = ROOT / "README.md"
HIGHLIGHTS = (
    "first event, one run after another",
    "threaded streams, 16 in flight",
    "messages-tuple events, one run",
    "one run, 500 readers: delivered",
    "memory when idle",
)
"""The rows of the README, by title."""

_BEGIN, _END = "<!-- make bench -->\n", "<!-- end of make bench -->\n"


def publish(document: Mapping[str, Any]) -> None:
    RESULT.write_text(json.dumps(document, indent=2) + "\n")
    plot.draw(document, RESULT.with_suffix(".png"))
    PAGE.write_text(with_table(PAGE.read_text(), document))
    README.write_text(with_highlights(README.read_text(), document))


def with_table(page: str, document: Mapping[str, Any]) -> str:
    """Return the page with the full table between its markers. Raise ValueError if it has no markers."""
    return _between_markers(page, document, document["table"])


def with_highlights(page: str, document: Mapping[str, Any]) -> str:
    """Return the page with the rows of HIGHLIGHTS between its markers. Raise ValueError if it has no markers."""
    head, rows = document["table"].splitlines(keepends=True)[:2], document["table"].splitlines(keepends=True)[2:]
    format_figure = [row for row in rows if row.split(" | ")[0].removeprefix("| ") in HIGHLIGHTS]
    return _between_markers(page, document, "".join([*head, *format_figure]))


def _between_markers(page: str, document: Mapping[str, Any], table: str) -> str:
    origin = ", ".join(report.origin(document))
    text = f"{_BEGIN}{table}\n{origin[0].upper()}{origin[1:]}: `{document['command']}`\n{_END}"
    updated, count = re.subn(f"{_BEGIN}.*?{_END}", lambda _: text, page, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"the page must have {_BEGIN.strip()} and {_END.strip()} once")
    return updated


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    publish(json.loads(Path(sys.argv[1]).read_text()))
