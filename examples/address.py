"""The address of the server: the first argument, else TREADLE_URL, else the default of `treadle serve`."""

from __future__ import annotations

import os
import sys


def address() -> str:
    return sys.argv[1] if len(sys.argv) > 1 else os.environ.get("TREADLE_URL", "http://127.0.0.1:2024")
