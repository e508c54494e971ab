"""The files in deploy/ agree with the program and with each other."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main

from deploy import files
from deploy.files import DEPLOY, Container
from treadle.cli import complete
from treadle.http.app import operations
from treadle.settings import Settings, table

ROOT = DEPLOY.parent
CONTAINERS = files.containers()
DEFAULTS = Settings()
NAMES = {env for _, env, *_ in table()}
METRICS = set(re.findall(r"`(treadle_\w+)`", (ROOT / "docs" / "metrics.md").read_text()))
PAGES = [*DEPLOY.rglob("*.md"), *(ROOT / "docs" / f"{name}.md" for name in ("deploying", "operations", "scale"))]
TEXTS = sorted(path for path in DEPLOY.rglob("*") if path.is_file()) + PAGES[-3:]

each_container = pytest.mark.parametrize("container", CONTAINERS, ids=lambda container: container.name)


def parse(command: list[str]) -> None:
    """Raise click's exception if the program does not accept the command."""
    program = typer.main.get_command(complete())
    name, *arguments = command
    program.commands[name].make_context(name, list(arguments))  # type: ignore[attr-defined]


def test_every_part_is_deployed():
    assert {each.command[0] for each in CONTAINERS if each.name.startswith("compose")} == {"serve", "worker", "migrate"}
    assert {each.command[0] for each in CONTAINERS if each.name.startswith("kub")} == {"serve", "worker", "migrate"}
    assert set(files.compose()["services"]) == {"postgres", "redis", "migrate", "api", "worker", "proxy"}


@each_container
def test_the_program_accepts_the_command(container: Container):
    parse(container.command)


@each_container
def test_every_variable_is_a_setting(container: Container):
    given = {**files.image_environment(), **container.environment}
    assert {name for name in given if name.startswith("TREADLE_")} - NAMES == set()


@each_container
def test_the_settings_are_valid_together(container: Container):
    environment = {**files.image_environment(), **container.environment}
    environment["TREADLE_DATABASE_URL"] = "postgresql://treadle:secret@postgres:5432/treadle"
    flags = {name.removeprefix("--"): value for name, value in container.option.items()}
    given = {f"TREADLE_{name.upper().replace('-', '_')}": value for name, value in flags.items()}
    settings = Settings.load({**environment, **given})
    assert settings.host == "0.0.0.0"
    assert settings.workers == (0 if container.command[0] == "serve" else DEFAULTS.workers)


@each_container
def test_processes_listen_on_the_port_of_the_health_check(container: Container):
    if container.command[0] == "migrate":
        return
    port = files.image_environment()["TREADLE_PORT"]
    assert container.option["--port"] == port
    assert container.option["--host"] == "0.0.0.0"
    assert set(container.ports) <= {int(port)}
    assert files.last("EXPOSE") == port


@each_container
def test_there_is_time_to_drain(container: Container):
    if container.command[0] == "migrate":
        return
    drain = float(container.environment["TREADLE_DRAIN_SECONDS"])
    assert container.stops_after is not None
    # 20 seconds for the rest of the shutdown, including 5 seconds of preStop.
    assert container.stops_after >= drain + DEFAULTS.cancel_seconds + 20


def test_compose_waits_for_dependencies():
    services = files.compose()["services"]
    for name in ("api", "worker"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert services[name]["environment"]["TREADLE_MIGRATE"] == "false"
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            healthy = how["condition"] != "service_healthy" or needed in ("api", "worker")
            assert healthy or "healthcheck" in services[needed]


def test_services_restart_and_have_two_replicas():
    services = files.compose()["services"]
    assert {services[name]["deploy"]["replicas"] for name in ("api", "worker")} == {2}
    assert {services[name]["restart"] for name in services if name != "migrate"} == {"unless-stopped"}
    assert all(volume.partition(":")[0] in files.compose()["volumes"] for volume in services["postgres"]["volumes"])


def test_only_the_proxy_is_published_and_on_loopback():
    published = {name: service["ports"] for name, service in files.compose()["services"].items() if "ports" in service}
    assert published == {"proxy": ["${LISTEN:-127.0.0.1:8080}:80"]}


def test_the_proxy_of_compose_reaches_the_api():
    proxy = files.compose()["services"]["proxy"]
    assert proxy["environment"]["API_HOST"] in files.compose()["services"]
    assert proxy["environment"]["API_PORT"] == files.image_environment()["TREADLE_PORT"]
    sources = [DEPLOY / volume.split(":")[0] for volume in proxy["volumes"] if volume.startswith(".")]
    assert sources
    assert [source for source in sources if not source.exists()] == []


def test_no_file_contains_a_secret():
    url = files.compose()["services"]["api"]["environment"]["TREADLE_DATABASE_URL"]
    assert "${POSTGRES_PASSWORD:?" in url
    assert "TREADLE_DATABASE_URL" not in files.of_kind("ConfigMap")[0]["data"]


def test_probes_use_existing_routes():
    routes = {operation.path for operation in operations()}
    probes = [probe["httpGet"] for container in CONTAINERS for probe in container.probes]
    assert len(probes) == 6
    assert {probe["path"] for probe in probes} <= routes
    assert {probe["port"] for probe in probes} == {"http"}


def test_services_budgets_and_scalers_select_existing_pods():
    pods = {each["spec"]["template"]["metadata"]["labels"]["component"] for each in files.of_kind("Deployment")}
    budgets = {each["spec"]["selector"]["matchLabels"]["component"] for each in files.of_kind("PodDisruptionBudget")}
    names = {each["metadata"]["name"] for each in files.of_kind("Deployment")}
    assert budgets == pods == {"api", "worker"}
    assert {each["spec"]["selector"]["component"] for each in files.of_kind("Service")} == {"api"}
    assert {each["spec"]["scaleTargetRef"]["name"] for each in files.of_kind("ScaledObject")} <= names
    [service], [ingress] = files.of_kind("Service"), files.of_kind("Ingress")
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": service["metadata"]["name"], "port": {"name": service["spec"]["ports"][0]["name"]}}


def test_workers_scale_by_their_concurrency():
    [scaler] = files.of_kind("ScaledObject")
    concurrency = files.of_kind("ConfigMap")[0]["data"]["TREADLE_CONCURRENCY"]
    assert scaler["spec"]["triggers"][0]["metadata"]["threshold"] == concurrency


def test_every_alert_has_a_summary():
    [group] = files.documents(DEPLOY / "alerts.yaml")[0]["groups"]
    assert len({rule["alert"] for rule in group["rules"]}) == len(group["rules"]) >= 8
    for rule in group["rules"]:
        assert set(rule) == {"alert", "expr", "for", "annotations"}
        assert list(rule["annotations"]) == ["summary"]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_existing_metrics_and_settings_are_named(path: Path):
    text = path.read_text()
    known = METRICS | {"treadle_schema", "treadle_costs"}
    assert set(re.findall(r"\btreadle_[a-z_]+", text)) - known == set()
    assert {name for name in re.findall(r"\bTREADLE_[A-Z_]+", text) if not name.endswith("_")} - NAMES == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_program_accepts_every_command_of_the_pages(path: Path):
    for line in re.findall(r"^ *treadle (?:serve|worker|migrate)\b.*$", path.read_text(), re.MULTILINE):
        words = line.partition("#")[0].replace("…", "localhost/x").split()
        parse(words[1:])


def test_nothing_runs_as_root():
    user = files.last("USER")
    assert user.split(":")[0].isdigit()
    assert int(user.split(":")[0]) > 0
    for each in (*files.of_kind("Deployment"), *files.of_kind("Job")):
        pod = each["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["containers"][0]["securityContext"]["allowPrivilegeEscalation"] is False


@pytest.mark.parametrize("name", ["nginx.conf", "haproxy.cfg"])
def test_proxies_allow_silence_longer_than_a_heartbeat(name: str):
    text = (DEPLOY / "proxy" / name).read_text()
    limits = [
        float(seconds) for seconds in re.findall(r"(?:proxy_read_timeout|timeout (?:server|client)) (\d+)s", text)
    ]
    assert limits
    assert min(limits) >= 3 * DEFAULTS.heartbeat_seconds


def test_nginx_accepts_bodies_as_large_as_the_server_does():
    text = (DEPLOY / "proxy" / "nginx.conf").read_text()
    assert re.findall(r"client_max_body_size (\d+)m", text) == [str(DEFAULTS.max_body_bytes // 1024**2)]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on this machine")
def test_kustomize_builds_the_manifests():
    result = subprocess.run(
        ["kubectl", "kustomize", DEPLOY / "kubernetes"], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.count("\nkind: ") == len(files.manifests()) - len(files.of_kind("ScaledObject"))
    assert "image: registry.example.com/treadle-project:1" in result.stdout
