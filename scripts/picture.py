"""Draws docs/demo.svg from a real showing of ``treadle demo``.

python scripts/picture.py
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from rich.console import Console

from treadle.cli import show

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "demo.svg"
FONT_OF_A_CDN = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main() -> int:
    console = Console(record=True, width=110, force_terminal=True, color_system="truecolor", highlight=False)
    if not show.present(console):
        return 1
    svg = console.export_svg(title="treadle demo", unique_id="demo")
    # A page that shows the picture must not fetch anything: any monospaced font will do.
    PICTURE.write_text(FONT_OF_A_CDN.sub("", svg).replace("Fira Code", "ui-monospace"))
    print(f"wrote {PICTURE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
