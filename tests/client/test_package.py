"""What the package offers, and that the sync client is the async one."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import treadle
from treadle import client, errors
from treadle.client import events

ROOT = Path(__file__).parents[2]
SERVER_ONLY = {"LeaseLost", "DatabaseUnavailable"}


def test_all_is_exactly_what_is_public() -> None:
    public = set(client.__all__)
    public |= {name for name, value in vars(events).items() if inspect.isclass(value) and name.endswith("Event")}
    public |= {
        name for name, value in vars(errors).items() if inspect.isclass(value) and value.__module__ == errors.__name__
    }
    wire = {"Run", "Thread", "ThreadState", "Assistant", "RunStatus", "ThreadStatus", "CancelAction"}
    wire |= {"MultitaskStrategy", "Durability", "StreamMode", "FoundRun", "Page", "ServerState"}
    assert set(treadle.__all__) == (public | wire | {"StreamEvent"}) - SERVER_ONLY - {"BaseEvent"}
    assert treadle.__all__ == sorted(set(treadle.__all__))


@pytest.mark.parametrize("name", treadle.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(treadle, name) is not None
    assert name in dir(treadle)


def test_what_is_not_public_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Clinet'"):
        _ = treadle.Clinet  # type: ignore[attr-defined]


def test_importing_the_package_does_not_load_the_client() -> None:
    code = "import sys, treadle; treadle.NotFoundError; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_the_sync_client_is_generated_from_the_async_one() -> None:
    checked = subprocess.run(
        [sys.executable, "scripts/unasync.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_stale_sync_client_is_noticed() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import unasync
    finally:
        sys.path.remove(str(ROOT / "scripts"))
    source = "async def f(self):\n    async with AsyncBounds() as b:\n        return await anext(b)  # async\n"
    assert unasync.convert(source, "x.py").endswith(
        "def f(self):\n    with Bounds() as b:\n        return next(b)  # async\n"
    )


@pytest.mark.parametrize("group", ["runs", "threads", "assistants"])
def test_both_clients_offer_the_same_calls(group: str) -> None:
    def calls(owner: object) -> dict[str, list[str]]:
        methods = inspect.getmembers(getattr(owner, group), inspect.ismethod)
        return {name: list(inspect.signature(method).parameters) for name, method in methods if name[0] != "_"}

    assert calls(treadle.Client()) == calls(treadle.AsyncClient())
