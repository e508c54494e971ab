from __future__ import annotations

import json
import re
import shlex
import signal
import socket


def test_a_run_is_streamed_and_exits_with_0(treadle):
    result = treadle("run", "agent", "--input", '{"topic": "wool"}')
    assert result.returncode == 0, result.stderr
    assert "weaving wool" in result.stdout
    assert '{"threads": 3}' in result.stdout
    assert "success" in result.stdout


def test_the_modes_asked_for_are_shown(treadle):
    result = treadle("run", "agent", "--input", '{"topic": "silk"}', "--mode", "values", "--mode", "tasks")
    assert result.returncode == 0, result.stderr
    assert '"topic": "silk"' in result.stdout
    assert "tasks" in result.stdout
    assert '{"threads": 3}' not in result.stdout


def test_the_input_may_be_a_file_or_stdin(treadle, write):
    write("input.json", '{"topic": "linen"}')
    assert "weaving linen" in treadle("run", "agent", "--input", "@input.json").stdout
    assert "weaving hemp" in treadle("run", "agent", "--input", "-", stdin='{"topic": "hemp"}').stdout


def test_a_failing_node_exits_with_1_and_says_what_it_raised(treadle):
    result = treadle("run", "broken", "--input", "{}")
    assert result.returncode == 1
    assert "ValueError: the warp broke" in result.stdout


def test_an_interrupt_prints_what_is_asked_and_the_command_that_answers_it(treadle):
    asked = treadle("run", "asking", "--input", "{}")
    assert asked.returncode == 0, asked.stderr
    assert '"question": "which colour?"' in asked.stdout
    command = re.search(r"^  treadle (run .*--resume) JSON$", asked.stdout, re.MULTILINE)
    assert command, asked.stdout
    answered = treadle(*shlex.split(command[1]), json.dumps("blue"))
    assert answered.returncode == 0, answered.stderr
    assert "they said blue" in answered.stdout


def test_a_missing_graph_lists_those_there_are(treadle):
    result = treadle("run", "nothing", "--input", "{}")
    assert result.returncode == 1
    assert "nothing" in result.stderr
    assert all(name in result.stderr for name in ("agent", "broken", "asking", "holding"))
    assert "Traceback" not in result.stderr


def test_a_broken_import_shows_the_users_traceback(treadle, write):
    write("graph.py", "import nowhere_to_be_found\n")
    result = treadle("run", "agent", "--input", "{}")
    assert result.returncode == 1
    assert "No module named 'nowhere_to_be_found'" in result.stderr
    assert "treadle/cli" not in result.stderr


def test_bad_arguments_are_named(treadle):
    for arguments, says in (
        (("--input", "{topic}"), "--input is not JSON"),
        (("--input", "@nowhere.json"), "nowhere.json"),
        (("--input", "{}", "--mode", "colours"), "--mode colours: unknown stream mode"),
        (("--input", "{}", "--resume", "1"), "cannot be combined"),
    ):
        result = treadle("run", "agent", *arguments)
        assert result.returncode == 2
        assert says in result.stderr


def test_a_server_that_is_not_there_is_told_at_once(treadle):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    for arguments in (("run", "agent", "--input", "{}"), ("runs", "ls"), ("runs", "show", "0")):
        result = treadle(*arguments, "--url", f"http://127.0.0.1:{port}")
        assert result.returncode == 1
        assert f"no server responds at http://127.0.0.1:{port}" in result.stderr
        assert "Traceback" not in result.stderr


def test_a_running_server_can_be_used(treadle):
    _, url = treadle.serve()
    result = treadle("run", "agent", "--input", '{"topic": "wool"}', "--url", url)
    assert result.returncode == 0, result.stderr
    assert "weaving wool" in result.stdout


def test_ctrl_c_cancels_the_run_and_ends_its_server(treadle):
    held = treadle.start("run", "holding", "--input", "{}", "--data=kept")
    run_id = held.wait_for("run ").split()[-1]
    assert held.end(signal.SIGINT) == 130
    assert "cancelled" in "".join(held.stderr)
    _, url = treadle.serve("--data=kept")
    assert treadle("runs", "show", run_id, "--url", url).stdout.count('"interrupted"') == 1
