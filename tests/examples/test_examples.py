"""Every example runs as its README says, against a real server in its own process."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from types import ModuleType

import pytest
import typer.main

from client.live import EXAMPLES, live_server
from treadle import Client
from treadle.cli import complete
from treadle.settings import Settings

ROOT = EXAMPLES.parent

NOT_EXAMPLES = {"graphs", "address"}
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem not in NOT_EXAMPLES)

EXPECTED = {
    "basic_streaming": [r"^Current state: .*'mean': 3\.0", r"^The run ended: success$"],
    "multi_mode_streaming": [
        r"^Run \S+ started, attempt 1, tags \['analysis'\]$",
        r"^\[graph\] state has \[.*'mean'.*\]$",
        r"^\[sums\] mean wrote \['mean'\]$",
        r"^\[graph\] clean wrote \['data', 'progress'\]$",
        r"message so far: The mean is 3\.00 and the spread is 1\.41\.$",
        r"^\[graph\] debug: step \d+: task_result$",
    ],
    "create_join_get": [r"^Status: (pending|running)$", r"^Mean: 4\.0$", r"^Final status: success$"],
    "batch": [
        r"^Created 3 runs in one call$",
        r"(?s)^data_analysis: 2\.0$.*^reporting: Report on sales: all well\.$.*^data_analysis: 5\.0$",
        r"^All batch runs completed$",
    ],
    "wait_with_timeout": [
        r"^Final result: \{.*'count': 2.*\}$",
        r"^Run timed out: run \S+ did not end in time$",
        r"^and was cancelled: interrupted$",
    ],
    "join_stream_abort": [
        r"^\d\d:\d\d:\d\d values \{.*'count': 2.*\}$",
        r"^Stream monitoring stopped; the run is running$",
        r"^After cancel it is interrupted$",
    ],
    "custom_events": [
        r"^Custom progress from clean: \{'percent': 25\}$",
        r"^Warning from clean: only 5 numbers$",
        r"^Custom metric from sums: \{'name': 'spread', 'value': 1\.414\}$",
        r"^Progress: 100 messages: 1$",
    ],
    "retry_loop": [
        r"(?s)^Attempt 1 ended as error$.*^Attempt 2 ended as error$.*^Stream completed successfully$",
        r"^Error: attempt 1: the service did not answer$",
        r"^Debug: \('attempt_3',\) task_result$",
    ],
    "manage_runs": [r"^Found 2 successful runs since ", r"^Found 0 failed runs to delete$"],
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with live_server(tmp_path_factory.mktemp("data")) as server:
        yield server.url


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and TypedDicts resolve their annotations here
    sys.path.insert(0, str(EXAMPLES))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(EXAMPLES))
    return module


def test_every_example_is_tested_and_in_the_table() -> None:
    assert sorted(EXPECTED) == NAMES
    table = (EXAMPLES / "README.md").read_text()
    assert sorted(re.findall(r"^\| \[(\w+)\.py\]", table, re.MULTILINE)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_example_runs(url: str, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    load(name).main(url)
    printed = capfd.readouterr().out
    for pattern in EXPECTED[name]:
        assert re.search(pattern, printed, re.MULTILINE), f"no line like {pattern} in:\n{printed}"


def test_failed_runs_are_deleted_once_they_are_old_enough(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    manage = load("manage_runs")
    with Client(url) as client:
        thread_id = client.threads.create().thread_id
        client.runs.wait(thread_id, "flaky", input={"succeeds_at": 2}, raise_error=False)
        (failed,) = client.runs.list(thread_id, status="error")
        manage.delete_failed(client, thread_id, older_than=timedelta(0))
        assert client.runs.list(thread_id) == []
    assert f"Deleted failed run: {failed.run_id}" in capfd.readouterr().out


def run(*arguments: str, **environment: str) -> str:
    """Run Python in the root of the repository; it must succeed. Return its output."""
    env = {name: value for name, value in os.environ.items() if name != "TREADLE_URL"} | environment
    command = [sys.executable, *arguments]
    result = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_an_example_takes_the_address_from_the_command_line(url: str) -> None:
    assert "The run ended: success" in run(str(EXAMPLES / "basic_streaming.py"), url)


def readme_commands() -> list[list[str]]:
    return [line.split() for line in re.findall(r"^ {4}(\S.*)$", (EXAMPLES / "README.md").read_text(), re.MULTILINE)]


def test_the_readmes_server_listens_where_the_examples_call() -> None:
    (program, command, *flags), _ = readme_commands()
    assert (program, command) == ("treadle", "serve")
    serve = typer.main.get_command(complete()).commands["serve"]  # type: ignore[attr-defined]
    parameters = serve.make_context("serve", flags).params
    assert ROOT / parameters["config"] == EXAMPLES / "langgraph.json"
    settings = Settings()
    host, port = parameters["host"] or settings.host, parameters["port"] or settings.port
    printed = run("-c", f"import sys; sys.path.insert(0, {str(EXAMPLES)!r}); import address; print(address.address())")
    assert printed.strip() == f"http://{host}:{port}"
    assert printed.strip() in (EXAMPLES / "README.md").read_text()


def test_the_readmes_example_runs(url: str) -> None:
    _, (program, *arguments) = readme_commands()
    assert program == "python"
    assert "The run ended: success" in run(*arguments, TREADLE_URL=url)
