from __future__ import annotations

import asyncio
import functools
import inspect
import ipaddress
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from support import shapes

# Set before anything of langchain's is imported, and inherited by every process that a test starts.
os.environ.update(LANGSMITH_TRACING="false", LANGCHAIN_TRACING_V2="false")

# A plugin, because its imports have to come after the line above.
pytest_plugins = ["support.fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    help = "run each test on this shape, or on all that it can run on; without it on those that shapes.CUT names"
    parser.addoption("--shape", choices=[*shapes.ALL, "all"], help=help)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    file = str(metafunc.definition.path.relative_to(shapes.TESTS))
    chosen = shapes.of(f"{file}::{metafunc.function.__name__}", metafunc.config.getoption("--shape"))
    used = {*metafunc.fixturenames} - {"shape"} | {*inspect.signature(metafunc.function).parameters}
    if chosen is not None and used & shapes.NEEDED:
        metafunc.parametrize("shape", chosen, indirect=True, scope="session")


LONGEST = (
    *("console", "e2e/faults/test_crash.py", "e2e/faults", "cli", "backends/tables", "e2e/test_limits.py"),
    *("e2e/test_lifecycle.py", "e2e/streams", "conformance", "transcripts/test_timing.py"),
)
"""Files and directories that take minutes. They go first: what is left in the end should be short, on every core."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        file = item.path.relative_to(shapes.TESTS)
        places = {str(file), *map(str, file.parents)}
        return next((number for number, place in enumerate(LONGEST) if place in places), len(LONGEST))

    items.sort(key=rank)


@pytest.fixture(scope="session", autouse=True)
def shape(request: pytest.FixtureRequest) -> shapes.Shape:
    """What servers of tests are made of from here on."""
    shapes.set_current(getattr(request, "param", "sqlite"))
    return shapes.current()


@pytest.fixture(autouse=True)
def _databases(shape: shapes.Shape) -> Iterator[None]:
    with shapes.databases_of_a_test():
        yield


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Fail an async test after two minutes."""
    test = pyfuncitem.obj
    if inspect.iscoroutinefunction(test):

        @functools.wraps(test)
        async def bounded(**arguments: Any) -> None:
            async with asyncio.timeout(120):
                await test(**arguments)

        pyfuncitem.obj = bounded


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
