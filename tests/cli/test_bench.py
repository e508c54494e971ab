"""``treadle bench``: against a server, against none, against one that serves something else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.server import MeasuredServer, start_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeasuredServer]:
    with start_server(tmp_path_factory.mktemp("bench")) as server:
        yield server


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "treadle.cli", "bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=90)


def test_a_table_and_a_file(server: MeasuredServer, tmp_path: Path):
    file = tmp_path / "found.json"
    only = ("--only=first_event", "--only=custom_one", "--seconds=0.3", "--rounds=2")
    done = bench(server.url, *only, f"--pid={server.pid}", f"--json={file}")
    assert done.returncode == 0, done.stderr
    assert "custom events, one run" in done.stdout
    assert "of a core" in done.stdout
    found = json.loads(file.read_text())
    assert found["url"] == server.url
    assert set(found["figures"]) == {"first_event", "first_bytes", "custom_one"}
    assert [taken["name"] for taken in found["taken"]] == ["first_event", "custom_one"] * 2


def test_a_server_that_is_not_there():
    done = bench("http://127.0.0.1:1")
    assert done.returncode == 1
    assert "no server of this API answers at http://127.0.0.1:1" in done.stderr
    assert "treadle serve --config" in done.stderr


def test_a_measure_that_does_not_exist(server: MeasuredServer):
    done = bench(server.url, "--only=nothing")
    assert done.returncode == 2
    assert "threaded_stream_16" in done.stderr


def test_no_url():
    done = bench()
    assert done.returncode == 2
    assert "bench --project DIR" in done.stderr


def test_the_graphs_can_be_written_to_a_directory(tmp_path: Path):
    done = bench(f"--project={tmp_path / 'graphs'}")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "graphs").iterdir()} == {"graphs.py", "langgraph.json"}
