"""Parsers for the files in deploy/: documents, containers, commands, instructions."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
MANIFESTS = sorted(path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml")


def documents(path: Path) -> list[Any]:
    return [each for each in yaml.safe_load_all(path.read_text()) if each is not None]


@cache
def compose() -> dict[str, Any]:
    return documents(COMPOSE)[0]


@cache
def manifests() -> list[Any]:
    return [each for path in MANIFESTS for each in documents(path)]


def of_kind(kind: str) -> list[Any]:
    return [each for each in manifests() if each["kind"] == kind]


@dataclass(frozen=True)
class Container:
    """One treadle container, of Compose or Kubernetes. ``stops_after`` is the grace period in seconds."""

    name: str
    command: list[str]
    environment: dict[str, str]
    stops_after: float | None = None
    probes: list[Any] = field(default_factory=list[Any])
    ports: list[int] = field(default_factory=list[int])

    @property
    def option(self) -> dict[str, str]:
        """Return the command's options and their values."""
        return dict(zip(self.command[1::2], self.command[2::2], strict=True))


def containers() -> list[Container]:
    return [*_of_compose(), *_of_manifests()]


def _of_compose() -> Iterator[Container]:
    for name, service in compose()["services"].items():
        if "build" in service:
            grace = float(service["stop_grace_period"].removesuffix("s"))
            ports = [int(port) for port in service.get("expose", [])]
            yield Container(f"compose {name}", service["command"], service["environment"], grace, ports=ports)


def _of_manifests() -> Iterator[Container]:
    config = of_kind("ConfigMap")[0]["data"]
    for each in (*of_kind("Deployment"), *of_kind("Job")):
        pod = each["spec"]["template"]["spec"]
        container = pod["containers"][0]
        yield Container(
            f"kubernetes {each['metadata']['name']}",
            container["args"],
            config,
            pod.get("terminationGracePeriodSeconds"),
            [container[name] for name in container if name.endswith("Probe")],
            [port["containerPort"] for port in container.get("ports", [])],
        )


Instruction = tuple[str, str]


@cache
def stages() -> list[list[Instruction]]:
    """Return the Dockerfile's instructions, one list per FROM, without those before the first."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    instructions = [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line)]
    result: list[list[Instruction]] = []
    for word, rest in instructions:
        if word == "FROM":
            result.append([])
        if result:
            result[-1].append((word, rest))
    return result


def stage(name: str) -> list[Instruction]:
    """Return the stage with this name."""
    return next(each for each in stages() if each[0][1].endswith(f" AS {name}"))


def image_environment() -> dict[str, str]:
    """Return the ENV variables of the final image."""
    pairs = [pair for word, rest in stages()[-1] if word == "ENV" for pair in shlex.split(rest)]
    return dict(pair.split("=", 1) for pair in pairs)


def last(word: str) -> str:
    return [rest for name, rest in stages()[-1] if name == word][-1]


def health_check() -> list[str]:
    """Return the command of the health check."""
    return json.loads(last("HEALTHCHECK").partition("CMD ")[2])
