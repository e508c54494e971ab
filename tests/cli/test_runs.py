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


def test_runs_are_listed_by_status_assistant_and_tag(treadle):
    _, url = treadle.serve()
    env = {"TREADLE_URL": url}
    assert treadle("run", "agent", "--input", '{"topic": "wool"}', "--url", url).returncode == 0
    assert treadle("run", "broken", "--input", "{}", "--url", url).returncode == 1
    assert len(treadle("runs", "ls", env=env).stdout.splitlines()) == 3
    both = treadle("runs", "ls", "--status", "error", "--status", "success", env=env).stdout
    assert len(both.splitlines()) == 3
    failed = treadle("runs", "ls", "--assistant", "broken", env=env).stdout
    assert re.search(r"error .* s\s+1\s+broken", failed)
    assert "agent" not in failed
    assert treadle("runs", "ls", "--tag", "none", env=env).stdout.strip() == "no runs"


def test_a_failed_run_is_retried_and_one_that_succeeded_is_not(treadle):
    _, url = treadle.serve()
    env = {"TREADLE_URL": url}
    assert treadle("run", "broken", "--input", "{}", "--url", url).returncode == 1
    failed = treadle("runs", "ls", env=env).stdout.splitlines()[1].split()[0]
    retried = treadle("runs", "retry", failed, env=env)
    assert retried.returncode == 0, retried.stderr
    again = re.search(r"retried as (\S+)", retried.stdout)
    assert again
    treadle("runs", "tail", again[1], env=env)
    assert json.loads(treadle("runs", "show", again[1], env=env).stdout)["metadata"]["retry_of"] == failed
    assert treadle("run", "agent", "--input", '{"topic": "wool"}', "--url", url).returncode == 0
    good = treadle("runs", "ls", "--status", "success", env=env).stdout.splitlines()[1].split()[0]
    refused = treadle("runs", "retry", good, env=env)
    assert refused.returncode == 1
    assert "409" in refused.stderr
