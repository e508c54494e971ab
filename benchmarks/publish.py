"""Shows a result where newcomers look: ``python -m benchmarks.publish benchmarks/results/RESULT.json``.

It becomes docs/benchmarks.json and .png, and the table of the README.
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
README = ROOT / "README.md"
_BEGIN, _END = "<!-- make bench -->\n", "<!-- end of make bench -->\n"


def publish(document: Mapping[str, Any]) -> None:
    RESULT.write_text(json.dumps(document, indent=2) + "\n")
    plot.draw(document, RESULT.with_suffix(".png"))
    README.write_text(with_table(README.read_text(), document))


def with_table(page: str, document: Mapping[str, Any]) -> str:
    """The page with the result between its marks. Raises ValueError if it has none."""
    made_on = ", ".join(report.made_on(document))
    shown = f"{_BEGIN}{document['table']}\n{made_on[0].upper()}{made_on[1:]}: `{document['command']}`\n{_END}"
    found, count = re.subn(f"{_BEGIN}.*?{_END}", lambda _: shown, page, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"the page must have {_BEGIN.strip()} and {_END.strip()} once")
    return found


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    publish(json.loads(Path(sys.argv[1]).read_text()))
