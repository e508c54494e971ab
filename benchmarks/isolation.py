"""A network of its own, with nothing but loopback: whatever a measured server might want to send, nothing can leave."""

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


def inside() -> bool:
    """Whether this process has only loopback; brings that up."""
    if _INSIDE not in os.environ or {name for _, name in socket.if_nameindex()} - {"lo", "tunl0", "sit0", "ip6tnl0"}:
        return False
    _bring_up(b"lo")
    return True


def possible() -> Sequence[str] | None:
    """The flags with which ``unshare`` makes such a network here: as root, or in a namespace of users; else None."""
    if shutil.which("unshare") is None:
        return None
    for flags in (["--net"], ["--net", "--map-root-user"]):
        if subprocess.run(["unshare", *flags, "true"], capture_output=True).returncode == 0:
            return flags
    return None


def enter(flags: Sequence[str], module: str, arguments: Sequence[str]) -> NoReturn:
    """Becomes ``python -m module`` in a network of its own."""
    command = ["unshare", *flags, sys.executable, "-m", module, *arguments]
    os.execvpe("unshare", command, {**os.environ, _INSIDE: "1"})


def _bring_up(name: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        found = fcntl.ioctl(any_socket, _GET_FLAGS, struct.pack(_FLAGS, name, 0))
        _, flags = struct.unpack(_FLAGS, found)
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack(_FLAGS, name, flags | _UP))
