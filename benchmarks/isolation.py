"""Run a benchmark in a network namespace that has only loopback, so that the measured servers cannot send anything."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from typing import NoReturn

_INSIDE = "TREADLE_BENCH_ISOLATED"
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP of Linux
_FLAGS = "16sh14x"


def is_isolated() -> bool:
    """Return whether this process has only loopback. If so, bring loopback up."""
    if _INSIDE not in os.environ or {name for _, name in socket.if_nameindex()} - {"lo", "tunl0", "sit0", "ip6tnl0"}:
        return False
    _bring_up(b"lo")
    return True


def unshare_flags() -> Sequence[str] | None:
    """Return the flags for ``unshare`` as root or in a user namespace, or None if neither is allowed here."""
    if shutil.which("unshare") is None:
        return None
    for flags in (["--net"], ["--net", "--map-root-user"]):
        if subprocess.run(["unshare", *flags, "true"], capture_output=True).returncode == 0:
            return flags
    return None


def enter(flags: Sequence[str], module: str, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by ``python -m module`` in a new network namespace."""
    command = ["unshare", *flags, sys.executable, "-m", module, *arguments]
    os.execvpe("unshare", command, {**os.environ, _INSIDE: "1"})


def _bring_up(name: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = fcntl.ioctl(any_socket, _GET_FLAGS, struct.pack(_FLAGS, name, 0))
        _, flags = struct.unpack(_FLAGS, request)
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack(_FLAGS, name, flags | _UP))
