from __future__ import annotations

import json
import re


def test_the_runs_of_a_server_are_listed_shown_followed_and_cancelled(treadle, project):
    _, url = treadle.serve()
    env = {"TREADLE_URL": url}
    assert treadle("runs", "ls", env=env).stdout.strip() == "no runs"
    assert treadle("run", "agent", "--input", '{"topic": "wool"}', "--url", url).returncode == 0
    following = treadle.start("run", "holding", "--input", "{}", "--url", url)
    held = following.wait_for("run ").split()[-1]

    listed = treadle("runs", "ls", env=env).stdout
    assert re.search(rf"{held}\s+running.*holding", listed)
    assert re.search(r"success.*agent", listed)
    assert held not in treadle("runs", "ls", "--status", "success", env=env).stdout

    shown = json.loads(treadle("runs", "show", held, env=env).stdout)
    assert shown["run_id"] == held
    assert shown["status"] == "running"

    cancelled = treadle("runs", "cancel", held, "--no-wait", env=env)
    assert cancelled.returncode == 0, cancelled.stderr
    (project / "gate").touch()
    tailed = treadle("runs", "tail", held, env=env)
    assert tailed.returncode == 0, tailed.stderr
    assert held in tailed.stdout
    assert "interrupted" in tailed.stdout
    assert following.wait() == 1


def test_an_unknown_run_is_told(treadle):
    _, url = treadle.serve()
    result = treadle("runs", "show", "0123", "--url", url)
    assert result.returncode == 1
    assert "no run 0123" in result.stderr


def test_an_unknown_status_lists_those_there_are(treadle):
    result = treadle("runs", "ls", "--status", "lost")
    assert result.returncode == 2
    assert "pending, running, error, success, timeout, interrupted" in result.stderr


def test_a_rollback_removes_the_run(treadle, project):
    _, url = treadle.serve()
    following = treadle.start("run", "holding", "--input", "{}", "--url", url)
    held = following.wait_for("run ").split()[-1]
    env = {"TREADLE_URL": url}
    assert treadle("runs", "cancel", held, "--rollback", "--no-wait", env=env).returncode == 0
    (project / "gate").touch()
    assert following.wait() == 1
    assert "rolled back" in "".join(following.stdout)
    assert treadle("runs", "show", held, env=env).returncode == 1
    assert treadle("runs", "ls", env=env).stdout.strip() == "no runs"
