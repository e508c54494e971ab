from __future__ import annotations

import json
import resource
import socket
import urllib.request

import pytest

from treadle.settings import table

OK = 10


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=OK) as answer:
        return answer.read()


def test_one_line_on_stdout_says_where_it_listens_and_sigterm_ends_it_with_0(treadle):
    server, url = treadle.serve()
    assert b'"ok":true' in get(f"{url}/ok").replace(b" ", b"")
    assert server.end() == 0
    assert server.stdout == [f"treadle is ready at {url}"]


def test_it_may_open_as_many_files_as_the_system_allows(treadle):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 600), hard))
    try:
        server, _ = treadle.serve()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)


def test_what_graphs_print_does_not_reach_stdout(treadle, write, project):
    write("graph.py", "print('loaded')\n" + (project / "graph.py").read_text())
    server, url = treadle.serve()
    assert server.end() == 0
    assert server.stdout == [f"treadle is ready at {url}"]
    assert "loaded" in server.stderr


def test_json_logs_have_one_object_per_line_also_for_the_lines_of_libraries(treadle, write, project):
    write("graph.py", "import logging\nlogging.warning('from a library')\n" + (project / "graph.py").read_text())
    server, url = treadle.serve("--log-format=json")
    assert treadle("run", "agent", "--input", '{"topic": "wool"}', "--url", url).returncode == 0
    assert server.end() == 0
    lines = [json.loads(line) for line in server.stderr if not line.startswith("a node prints")]
    events = [line["event"] for line in lines]
    assert {"from a library", "a run starts", "a run ends"} <= set(events)
    assert {line["level"] for line in lines} <= {"info", "warning"}


def test_a_port_in_use_is_named_with_what_to_do(treadle):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = treadle("serve", f"--port={port}")
    assert result.returncode == 1
    assert f"port {port} on 127.0.0.1 is in use; choose another with --port, or 0 for a free one" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_address_of_another_machine_is_refused(treadle):
    result = treadle("serve", "--host=192.0.2.1", "--port=0")
    assert result.returncode == 1
    assert "cannot listen on 192.0.2.1:0" in result.stderr


def test_a_data_directory_serves_one_server(treadle):
    treadle.serve()
    result = treadle("serve", "--port=0")
    assert result.returncode == 3
    assert ".treadle" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("{", ["langgraph.json", "not JSON", "line 1"]),
        ("[]", ["langgraph.json", "must hold an object"]),
        ("{}", ["langgraph.json", "graphs", "is missing", "./file.py:attribute"]),
        ('{"graphs": {"agent": 5}}', ["graphs.agent", "must be text or an object"]),
        ('{"graphs": {"agent": "./graph.py"}}', ["graphs.agent", "does not name an attribute"]),
        ('{"graphs": {"agent": "./nowhere.py:agent"}}', ["graphs.agent", "nowhere.py"]),
        ('{"graphs": {"agent": "./graph.py:nothing"}}', ["graphs.agent", "nothing", "asking"]),
        ('{"graphs": {"agent": "./graph.py:agent"}, "dependencies": ["./gone"]}', ["dependencies.0", "gone"]),
    ],
)
def test_an_error_in_langgraph_json_names_the_file_the_key_and_what_is_allowed(treadle, write, config, says):
    write("langgraph.json", config)
    result = treadle("serve", "--port=0")
    assert result.returncode == 1
    assert result.stdout == ""
    assert all(text in result.stderr for text in says), result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_langgraph_json_is_told_with_an_example(treadle):
    result = treadle("serve", "--port=0", "--config=elsewhere.json")
    assert result.returncode == 1
    assert "elsewhere.json: there is no such file" in result.stderr
    assert '"graphs"' in result.stderr


def test_a_broken_import_shows_the_users_traceback_and_no_frame_of_ours(treadle, write):
    write("shuttle.py", "def throw():\n    return 1 / 0\n")
    write("graph.py", "import shuttle\nagent = shuttle.throw()\n")
    write("langgraph.json", '{"graphs": {"agent": "./graph.py:agent"}}')
    result = treadle("serve", "--port=0")
    assert result.returncode == 1
    assert "ZeroDivisionError: division by zero" in result.stderr
    assert 'graph.py", line 2' in result.stderr
    assert 'shuttle.py", line 2, in throw' in result.stderr
    assert "treadle/cli" not in result.stderr
    assert "treadle/graph" not in result.stderr
    assert "error: " in result.stderr


def test_a_syntax_error_shows_the_line(treadle, write):
    write("graph.py", "agent = (\n")
    write("langgraph.json", '{"graphs": {"agent": "./graph.py:agent"}}')
    result = treadle("serve", "--port=0")
    assert result.returncode == 1
    assert "SyntaxError" in result.stderr
    assert 'graph.py", line 1' in result.stderr


def test_a_setting_out_of_range_is_named(treadle):
    result = treadle("serve", "--log-level=loud")
    assert result.returncode == 1
    assert "log_level" in result.stderr
    assert "one of debug, info, warning, error" in result.stderr
    result = treadle("serve", env={"TREADLE_PORT": "many"})
    assert result.returncode == 1
    assert "TREADLE_PORT" in result.stderr


@pytest.mark.parametrize("command", ["serve", "dev"])
def test_every_setting_is_a_flag_but_a_secret_is_not(treadle, command):
    shown = treadle(command, "--help", env={"COLUMNS": "200"}).stdout
    found = {name for name, *_ in table() if f"--{name.replace('_', '-')} " in shown}
    assert found == {name for name, *_ in table()} - {"webhook_secret"}


def test_the_version(treadle):
    assert treadle("--version").stdout.startswith("treadle 0.")


def test_an_unknown_command_is_a_usage_error(treadle):
    result = treadle("weave")
    assert result.returncode == 2
    assert "weave" in result.stderr
