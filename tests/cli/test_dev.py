from __future__ import annotations

import json
import socket
import urllib.request

WEAVER = """
from typing import TypedDict
from langgraph.graph import START, StateGraph

class State(TypedDict):
    topic: str

agent = StateGraph(State).add_node("{node}", lambda state: state).add_edge(START, "{node}").compile()
"""
CONFIG = '{"graphs": {"agent": "./graph.py:agent"}}'


def nodes(url: str) -> list[str]:
    with urllib.request.urlopen(f"{url}/assistants/agent/graph", timeout=10) as answer:
        return [node["id"] for node in json.load(answer)["nodes"]]


def test_a_change_restarts_the_server_at_the_same_address(treadle, write):
    write("langgraph.json", CONFIG)
    write("graph.py", WEAVER.format(node="before"))
    dev = treadle.start("dev", "--port=0")
    url = dev.ready()
    assert "before" in nodes(url)
    write("graph.py", WEAVER.format(node="after"))
    assert "graph.py" in dev.wait_for("changed:")
    assert dev.ready() == url
    assert "after" in nodes(url)
    assert dev.end() == 0


def test_a_broken_import_shows_the_traceback_and_waits_for_the_next_change(treadle, write):
    write("langgraph.json", CONFIG)
    write("graph.py", "agent = 1 / 0\n")
    dev = treadle.start("dev", "--port=0")
    dev.wait_for('graph.py", line 1')
    dev.wait_for("ZeroDivisionError")
    dev.wait_for("waiting for a change")
    assert dev.process.poll() is None
    write("graph.py", WEAVER.format(node="mended"))
    assert "mended" in nodes(dev.ready())
    assert dev.end() == 0


def test_a_port_in_use_ends_it_at_once(treadle):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = treadle("dev", f"--port={port}")
    assert result.returncode == 1
    assert f"port {port} on 127.0.0.1 is in use" in result.stderr


def test_data_that_another_server_has_ends_it_at_once(treadle):
    treadle.serve()
    result = treadle("dev", "--port=0")
    assert result.returncode == 1
    assert ".treadle" in result.stderr


def test_files_that_are_not_the_projects_do_not_restart_it(treadle, write, project):
    dev = treadle.start("dev", "--port=0")
    dev.ready()
    write("notes.txt", "nothing to do with it")
    (project / ".treadle" / "scratch.py").write_text("written by the server, say")
    write("graph.py", (project / "graph.py").read_text() + "\n# a real change\n")
    changed = dev.wait_for("changed:")
    assert "graph.py" in changed
    assert "notes.txt" not in changed
    assert "scratch" not in changed
