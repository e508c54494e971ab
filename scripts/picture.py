"""Draw docs/demo.svg from a real run of ``treadle demo``.

python scripts/picture.py
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from rich.console import Console

from treadle.cli import demonstration

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "demo.svg"
CDN_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main() -> int:
    console = Console(record=True, width=110, force_terminal=True, color_system="truecolor", highlight=False)
    if not demonstration.present(console):
        return 1
    svg = console.export_svg(title="treadle demo", unique_id="demo")
    # Pages that show the picture must not fetch a font, so use the reader's monospaced one.
    PICTURE.write_text(CDN_FONT.sub("", svg).replace("Fira Code", "ui-monospace"))
    print(f"wrote {PICTURE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
