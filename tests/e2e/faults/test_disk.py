"""A disk that cannot be written for a while: clients get an error, and no run fails."""

from __future__ import annotations

import resource
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from e2e.faults.api import Api, attempts, check_log
from e2e.faults.conftest import Start
from support.gates import Gates
from support.server_process import until


@contextmanager
def unwritable(api: Api) -> Generator[None]:
    """The log of the database cannot grow: EFBIG from the kernel, which SQLite takes for a disk that fails. The far
    smaller files that the nodes write still can."""
    size = api.server.database.with_name("treadle.sqlite3-wal").stat().st_size
    resource.prlimit(api.server.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(api.server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def test_a_client_is_told_to_come_back_later_and_can_read_meanwhile(start: Start) -> None:
    api = start()
    thread_id = api.new_thread()
    with unwritable(api):
        refused = api.request("POST", "/threads", json={})
        assert refused.status_code == 503
        assert refused.json()["code"] == "unavailable"
        assert api.thread(thread_id)["status"] == "idle"
    assert api.new_thread()


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_a_run_goes_on_when_the_disk_takes_writes_again(start: Start, gates: Gates, durability: str) -> None:
    api = start(lease_seconds=60)
    gates.hold("k", "b")
    gates.hold("k", "c")
    thread_id = api.new_thread()
    run_id = api.create(thread_id, "steps", "k", durability=durability)["run_id"]
    gates.reached("k", "b")
    with unwritable(api):
        (gates.directory / "k.b.hold").unlink()
        until(lambda: api.request("POST", "/threads", json={}).status_code == 503)
    gates.release("k", "c")
    assert api.ended(thread_id, run_id) == "success"
    log = api.log(thread_id, run_id)
    check_log(log, status="success")
    assert attempts(log) == [1]
    assert api.values(thread_id)["trail"] == ["a", "b", "c"]
