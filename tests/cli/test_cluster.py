"""Servers and workers as processes of their own over one PostgreSQL database."""

from __future__ import annotations

import json
import re
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from support.databases import drop_schema, fresh_schema, redis_url
from support.server_process import until
from support.services import PostgresServer
from treadle import Client

SOON = ("--lease-seconds=2", "--poll-seconds=0.2", "--drain-seconds=0.2")
SECRET = "hunter2"


@pytest.fixture
def database(treadle):
    """Closed after all that a test starts on it."""
    url = fresh_schema()
    yield {"TREADLE_DATABASE_URL": url}
    for started in treadle.started:
        started.close()
    drop_schema(url)


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def dead_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"postgresql://weaver:{SECRET}@127.0.0.1:{probe.getsockname()[1]}/nothing"


def begun(url: str, graph: str) -> tuple[str, str]:
    """The thread and id of a new run."""
    with Client(url) as client:
        thread_id = client.threads.create().thread_id
        return thread_id, client.runs.create(thread_id, graph, input={"topic": "wool"}).run_id


def status(url: str, run: tuple[str, str]) -> str:
    with Client(url) as client:
        return client.runs.get(*run).status


def joined(url: str, run: tuple[str, str]) -> str:
    """Its status once it has ended."""
    with Client(url) as client:
        client.runs.join(*run)
    return status(url, run)


def test_a_worker_executes_what_a_server_without_one_accepts(treadle, database):
    server, url = treadle.serve("--workers=0", *SOON, env=database)
    assert "treadle_worker_slots 0.0" in get(f"{url}/metrics")
    run = begun(url, "agent")
    assert status(url, run) == "pending"
    worker, said = treadle.work("--concurrency=3", *SOON, env=database)
    assert re.fullmatch(r"\S+-\d+-[0-9a-f]{8}, 3 runs at once of agent, broken, asking, holding", said)
    assert joined(url, run) == "success"
    assert worker.end() == 0
    assert worker.stdout == [f"treadle worker is ready: {said}"]
    assert server.end() == 0


def test_servers_that_execute_runs_share_a_database_too(treadle, database):
    env = {**database, "TREADLE_REDIS_URL": redis_url()}
    (_, one), (_, two) = treadle.serve(*SOON, env=env), treadle.serve(*SOON, env=env)
    assert joined(two, begun(one, "agent")) == "success"


def test_a_worker_answers_for_its_health_where_it_is_given_a_port(treadle, database):
    worker, said = treadle.work("--port=0", "--concurrency=5", *SOON, env=database)
    url = said.rpartition("; ")[2]
    assert json.loads(get(f"{url}/ok"))["ok"] is True
    shown = get(f"{url}/metrics")
    assert "treadle_workers 1.0" in shown
    assert "treadle_worker_slots 5.0" in shown
    for path, status in (("/threads", 404), ("/metrics?format=xml", 422)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(f"{url}{path}")
        assert refused.value.code == status
        refused.value.close()
    assert worker.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["drained", "killed"])
def test_a_run_of_a_worker_that_goes_goes_on_in_another(treadle, database, project, number):
    _, url = treadle.serve("--workers=0", "--lease-seconds=5", env=database)
    first, _ = treadle.work(*SOON, "--lease-seconds=5", "--cancel-seconds=0.2", env=database)
    run = begun(url, "holding")
    until(lambda: status(url, run) == "running")
    drains = number == signal.SIGTERM
    assert first.end(number) == (0 if drains else -number)
    assert not drains or status(url, run) == "pending"
    (project / "gate").touch()
    treadle.work(*SOON, env=database)
    assert joined(url, run) == "success"


def test_a_worker_over_sqlite_is_refused(treadle):
    result = treadle("worker")
    assert result.returncode == 1
    assert "database_url" in result.stderr
    assert "a SQLite file belongs to one process" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_workers_port_in_use_is_named(treadle):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = treadle("worker", f"--port={port}", env={"TREADLE_DATABASE_URL": dead_url()})
    assert result.returncode == 1
    assert f"port {port} on 127.0.0.1 is in use" in result.stderr


def test_a_worker_has_no_flags_of_those_who_serve(treadle):
    shown = treadle("worker", "--help", env={"COLUMNS": "200"}).stdout
    assert "--database-url" in shown
    assert "--concurrency" in shown
    assert not re.search(r"--(workers|data|webhook-\S+|max-body-bytes) ", shown)


def test_migrate_says_from_where_to_where(treadle, empty_database):
    env = {"TREADLE_DATABASE_URL": empty_database}
    behind = treadle("migrate", "--check", env=env)
    assert behind.returncode == 1
    assert "the database has schema 0" in behind.stderr
    assert re.fullmatch(r"upgraded schema 0 to [1-9]\d*\n", treadle("migrate", env=env).stdout)
    assert re.fullmatch(r"schema [1-9]\d* is current\n", treadle("migrate", env=env).stdout)
    current = treadle("migrate", "--check", env=env)
    assert current.returncode == 0
    assert "is current" in current.stdout


def test_migrate_needs_a_database(treadle):
    result = treadle("migrate")
    assert result.returncode == 1
    assert "database_url: is not set" in result.stderr


def test_who_may_not_migrate_refuses_a_database_that_is_behind(treadle, empty_database):
    env = {"TREADLE_DATABASE_URL": empty_database}
    result = treadle("worker", "--no-migrate", env=env)
    assert result.returncode == 1
    assert "the database has schema 0" in result.stderr
    assert "treadle migrate" in result.stderr


@pytest.mark.parametrize("command", ["worker", "migrate"])
def test_an_unreachable_database_is_reported_without_its_password(treadle, command):
    result = treadle(
        command, "--database-wait-seconds=1", env={"TREADLE_DATABASE_URL": dead_url(), "TREADLE_PORT": "0"}
    )
    assert result.returncode == 1
    assert "does not respond yet" in result.stderr
    assert "error: the database cannot be reached" in result.stderr
    assert "Traceback" not in result.stderr
    assert SECRET not in result.stderr


def test_a_start_waits_for_a_database_that_comes_later(treadle):
    with PostgresServer(fsync=False) as postgres:
        url = postgres.url
        postgres.stop()
        server = treadle.start("serve", "--port=0", env={"TREADLE_DATABASE_URL": url})
        server.wait_for("does not respond yet")
        postgres.start()
        assert server.ready()
        assert server.end() == 0


def test_no_process_shows_a_password(treadle, database):
    env = {"TREADLE_DATABASE_URL": database["TREADLE_DATABASE_URL"].replace("postgres@", f"postgres:{SECRET}@")}
    server, url = treadle.serve("--log-level=debug", env=env)
    assert SECRET not in get(f"{url}/info")
    worker, _ = treadle.work("--log-level=debug", env=env)
    ends = [server.end(), worker.end()]
    assert ends == [0, 0]
    said = [*server.stdout, *server.stderr, *worker.stdout, *worker.stderr]
    assert not [line for line in said if SECRET in line]


def test_dev_hands_the_url_on_by_the_environment(treadle, database):
    url = database["TREADLE_DATABASE_URL"]
    dev = treadle.start("dev", "--port=0", f"--database-url={url}")
    dev.ready()
    (child,) = children(dev.process.pid)
    assert url not in Path(f"/proc/{child}/cmdline").read_text()
    assert f"TREADLE_DATABASE_URL={url}" in Path(f"/proc/{child}/environ").read_text()
    assert dev.end() == 0


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def test_run_keeps_to_a_file_of_its_own_whatever_the_environment_says(treadle):
    env = {"TREADLE_DATABASE_URL": dead_url(), "TREADLE_REDIS_URL": "redis://127.0.0.1:1/0", "TREADLE_WORKERS": "0"}
    result = treadle("run", "agent", "--input", '{"topic": "wool"}', env=env)
    assert result.returncode == 0, result.stderr
    assert "weaving wool" in result.stdout


def test_the_doctor_looks_at_the_database_and_at_redis(treadle, empty_database):
    env = {"TREADLE_DATABASE_URL": empty_database, "TREADLE_REDIS_URL": redis_url()}
    well = treadle("doctor", "--port=0", env=env)
    assert well.returncode == 0, well.stdout
    assert re.search(r"ok +database +reachable", well.stdout)
    assert re.search(r"ok +schema +0; the next server or worker to start upgrades it to \d+", well.stdout)
    assert re.search(r"ok +redis +reachable", well.stdout)
    assert "sqlite" not in well.stdout
    behind = treadle("doctor", "--port=0", "--no-migrate", env=env)
    assert behind.returncode == 1
    assert re.search(r"fail +schema +0, but this release needs \d+: run `treadle migrate`", behind.stdout)


def test_the_doctor_finds_what_does_not_answer(treadle, database):
    gone = treadle("doctor", "--port=0", env={"TREADLE_DATABASE_URL": dead_url()})
    assert gone.returncode == 1
    assert re.search(r"fail +database +the database cannot be reached", gone.stdout)
    assert SECRET not in gone.stdout
    without = treadle("doctor", "--port=0", env={**database, "TREADLE_REDIS_URL": "redis://127.0.0.1:1/0"})
    assert without.returncode == 0
    assert re.search(r"warn +redis .*runs work without Redis", without.stdout)
