"""The official JS SDK, in both versions that are in use, against a real server: node's own test runner does the work.

Each JavaScript test is one subtest here. ``make test`` installs what ``package.json`` names; by hand it is
``npm install --no-package-lock`` in this directory.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from support import shapes
from support.server_process import Server

HERE = Path(__file__).parent
VERSIONS = ("2.0.0", "1.15.0")
FILES = sorted(path.name for path in HERE.glob("*.test.mjs"))
SECONDS = 90

EXPECTED = {
    "basic-streaming": [r'^Current state: .*"answer":"Done: Hello, how can you help me\?"'],
    "multi-mode-streaming": [
        r'^State updates of sums:.*: \{"add_up":\{"total":15,"progress":50\}\}$',
        r'^State updates of the graph: \{"reply":',
        r'^Messages \(partial\): \[\{"content":"Done: Analyze this data"',
        r"^Debug info: task_result of step 3$",
        r"^Timestamp: \d{4}-\d\d-\d\dT",
    ],
    "create-and-join": [r"^Created run: [0-9a-f-]{36}$", r"^Status: (pending|running)$", r"^Final status: success$"],
    "batch": [
        r"(?s)^Created 3 runs in batch$.*^Result: Done: analyze_data_1$.*^Result: Done: generate_report_1$"
        r".*^Result: Done: analyze_data_2$.*^All batch runs completed$",
    ],
    "wait": [
        r'^Final result: .*"answer":"Done: Process this request"',
        r"(?s)^Run timed out$.*^The run that took too long is interrupted$",
    ],
    "join-and-cancel": [
        r"(?s)^Stream event: values$.*^Stream monitoring cancelled$.*^After cancel it is interrupted$",
        r'^Data: \{"ticks":2,"messages":\[\]\}$',
    ],
    "custom-events": [
        r"(?s)^Custom progress from read:$.*^Custom warning from read:$.*^Custom metric from sums:$",
        r"(?s)^Progress: 100$.*^Messages count: 1$",
    ],
    "retries": [r"(?s)^Retrying in 2000ms\.\.\.$.*^Debug: id, name, .*^Stream completed successfully$"],
    "manage-runs": [r"^Found 1 successful runs from last 24h$", r"^Left: error, success$"],
}


class Node:
    """Runs node with an SDK version chosen, against one server."""

    def __init__(self, program: str, url: str, gates: Path) -> None:
        self._program = program
        self._url = url
        self._env = {"TREADLE_URL": url, "GATES": str(gates)}

    def __call__(self, version: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LANG", "NODE_"))}
        return subprocess.run(
            [self._program, "--import=./support/choose-sdk.mjs", *arguments],
            cwd=HERE,
            env={**kept, **self._env, "SDK_VERSION": version},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def prints(self, version: str, example: str, *arguments: str) -> str:
        """What an example writes to stdout; it must end well."""
        finished = self(version, f"examples/{example}.mjs", self._url, *arguments)
        assert finished.returncode == 0, finished.stderr + finished.stdout
        return finished.stdout


@pytest.fixture(scope="module")
def node(shape: shapes.Shape, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    program = shutil.which("node")
    assert program, "the tests of the JS SDK need Node 20 or newer and npm"
    assert (HERE / "node_modules").is_dir(), "run `make test`, or `npm install --no-package-lock` in tests/js"
    gates = tmp_path_factory.mktemp("gates")
    config = HERE / "graphs" / "langgraph.json"
    with Server(config, tmp_path_factory.mktemp("js") / "data", env={"GATES": str(gates)}) as server:
        yield Node(program, server.url, gates)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_js_sdk(node: Node, version: str, subtests: pytest.Subtests) -> None:
    finished = node(version, "--test", "--test-reporter=junit", "--test-timeout=30000", *FILES)
    cases = list(ElementTree.fromstring(finished.stdout).iter("testcase")) if finished.stdout else []
    assert len(cases) > len(FILES), finished.stdout + finished.stderr
    for case in cases:
        with subtests.test(f"{version}: {case.get('name')}"):
            failure = case.find("failure")
            assert failure is None, failure.text
    assert finished.returncode == 0, finished.stderr


def test_every_example_is_tested() -> None:
    assert sorted(EXPECTED) == sorted({path.stem for path in (HERE / "examples").glob("*.mjs")} - {"address"})


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", EXPECTED)
def test_the_example_runs(node: Node, version: str, name: str) -> None:
    printed = node.prints(version, name)
    for pattern in EXPECTED[name]:
        assert re.search(pattern, printed, re.MULTILINE), f"no line like {pattern} in:\n{printed}"


@pytest.mark.parametrize("version", VERSIONS)
def test_failed_runs_are_deleted_once_they_are_old_enough(node: Node, version: str) -> None:
    printed = node.prints(version, "manage-runs", "0")
    assert re.search(r"(?s)^Deleted failed run: [0-9a-f-]{36}$.*^Left: success$", printed, re.MULTILINE), printed
