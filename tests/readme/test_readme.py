"""A newcomer follows README.md: its project is served, and every snippet runs against it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle.cli.server_process import ServerProcess

ROOT = Path(__file__).parents[2]
CONSOLE = ROOT / "console"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ADDRESS = "http://127.0.0.1:2024"

WITH_NODE = pytest.mark.skipif(
    not (CONSOLE / "node_modules").is_dir() or shutil.which("node") is None,
    reason="the JavaScript of the README needs Node 20.19 or newer, and `make setup`",
)
WITH_BROWSER = pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"React needs {CHROMIUM}: `make system`")


def blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


GRAPH, *PYTHON = blocks("python")


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a command that must succeed and return its output."""
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr + result.stdout
    return result.stdout


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the project that the README describes."""
    project = tmp_path_factory.mktemp("readme")
    (project / "agent.py").write_text(GRAPH)
    (config,) = blocks("json")
    (project / "langgraph.json").write_text(config)
    server = ServerProcess(["--port=0"], log=project / "server.log", cwd=project)
    try:
        yield server.start()
    finally:
        server.stop()


def at(url: str, code: str) -> str:
    """Return the code with the server's address in place of the README's."""
    assert ADDRESS in code
    return code.replace(ADDRESS, url)


def test_the_graph_is_short_and_its_config_is_json():
    (config,) = blocks("json")
    assert json.loads(config)["graphs"] == {"agent": "./agent.py:agent"}
    assert len(GRAPH.strip().splitlines()) <= 10


@pytest.mark.parametrize("code", PYTHON, ids=lambda code: code.strip().splitlines()[-1].strip()[:40])
def test_the_python_runs(code: str, url: str):
    printed = run(sys.executable, "-c", at(url, code))
    assert "You asked: What is a" in printed


@WITH_NODE
def test_the_javascript_runs(url: str):
    (code,) = blocks("js")
    printed = run("node", "--input-type=module", "-e", at(url, code), cwd=CONSOLE)
    assert "You asked: What is a treadle?" in printed


@WITH_NODE
@WITH_BROWSER
def test_the_react_component_shows_the_answer(url: str, tmp_path: Path):
    (code,) = blocks("tsx")
    component = tmp_path / "Chat.tsx"
    component.write_text(at(url, code))
    printed = run("node", Path(__file__).with_name("react.mjs"), component, url, cwd=CONSOLE)
    assert "You asked: What is a treadle?" in printed


def test_the_commands_exist():
    from treadle.cli import complete

    known = {
        command.name or command.callback.__name__ for command in complete().registered_commands if command.callback
    }
    used = {name for block in blocks("sh") for name in re.findall(r"^treadle (\w+)", block, re.MULTILINE)}
    assert used
    assert used <= known
