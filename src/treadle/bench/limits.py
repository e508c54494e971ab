"""What the operating system lets a process have open."""

from __future__ import annotations

from contextlib import suppress


def raise_descriptors() -> None:
    """Lets this process, and those it starts, have as many descriptors as the system allows: a stream takes one."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
