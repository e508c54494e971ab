"""What the operating system lets a process have open."""

from __future__ import annotations

import resource
from contextlib import suppress


def raise_descriptors() -> None:
    """Lets this process, and those it starts, have as many descriptors as the system allows: a stream takes one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # macOS announces no limit and then refuses one so high
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
