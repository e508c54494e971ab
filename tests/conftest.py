from __future__ import annotations

import ipaddress
import os
import socket
import sys
from typing import Any

import pytest

# Set before anything of langchain's is imported, and inherited by every process that a test starts.
os.environ.update(LANGSMITH_TRACING="false", LANGCHAIN_TRACING_V2="false")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _stay_on_this_machine(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuses every connection and every look-up of a name that would leave the machine."""
    if event == "socket.connect" and arguments[0].family in (socket.AF_INET, socket.AF_INET6):
        _check(str(arguments[1][0]))
    elif event == "socket.getaddrinfo" and arguments[0] is not None:
        host = arguments[0]
        _check(host.decode() if isinstance(host, bytes) else str(host))


def _check(host: str) -> None:
    try:
        local = ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        local = host in ("", "localhost")
    if not local:
        raise AssertionError(f"a test tried to reach {host}: tests stay on 127.0.0.1")


sys.addaudithook(_stay_on_this_machine)
