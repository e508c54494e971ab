from __future__ import annotations

import socket
import subprocess
import sys

from cli.conftest import environment


def verdicts(output: str) -> dict[str, str]:
    rows = (line.split(maxsplit=1) for line in output.splitlines() if line.startswith(("ok", "warn", "fail")))
    return {rest.split("  ")[0].strip(): verdict for verdict, rest in rows}


def test_a_good_project_passes_and_nothing_is_left_behind(treadle, project):
    result = treadle("doctor", "--port=0")
    assert result.returncode == 0, result.stdout
    found = verdicts(result.stdout)
    assert set(found) >= {
        "python",
        "langgraph",
        "project",
        "data directory",
        "disk",
        "sqlite",
        "port",
        "tracing",
        "open files",
    }
    assert "fail" not in found.values()
    assert "agent, broken, asking, holding" in result.stdout
    assert not (project / ".treadle").exists()


def test_each_failure_is_found_and_ends_it_with_1(treadle, write):
    write("graph.py", "import nowhere_to_be_found\n")
    write("taken", "a file where the data directory should be")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = treadle("doctor", "--data=taken", f"--port={taken.getsockname()[1]}")
    assert result.returncode == 1
    found = verdicts(result.stdout)
    assert {name for name, verdict in found.items() if verdict == "fail"} >= {"project", "data directory", "port"}
    assert "nowhere_to_be_found" in result.stdout
    assert "Traceback" not in result.stderr


def test_tracing_that_is_on_is_a_warning(treadle):
    result = treadle("doctor", "--port=0", env={"LANGSMITH_TRACING": "true"})
    assert result.returncode == 0
    assert verdicts(result.stdout)["tracing"] == "warn"


def test_few_open_files_are_a_warning_that_says_what_to_raise(project):
    command = f"ulimit -n 1000 && exec {sys.executable} -m treadle.cli doctor --port=0"
    result = subprocess.run(
        ["sh", "-c", command], cwd=project, env=environment(), capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stdout
    assert verdicts(result.stdout)["open files"] == "warn"
    assert "limit: 1,000" in result.stdout
    assert "ulimit -Hn" in result.stdout
