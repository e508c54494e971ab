"""The proxies of deploy/proxy with their recipes, on a port of 127.0.0.1.

Only addresses, paths and limits of the machine are changed.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.services import Service

RECIPES = Path(__file__).parents[2] / "deploy" / "proxy"

Address = tuple[str, int]


class Proxy(Service):
    """A proxy for two API processes."""

    program = ""

    def __init__(self, upstreams: Sequence[Address]) -> None:
        executable = shutil.which(self.program)
        if executable is None:
            pytest.skip(f"{self.program} is not on this machine")
        super().__init__()
        self._executable = executable
        self._upstreams = [f"{host}:{port}" for host, port in upstreams]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @abstractmethod
    def configuration(self) -> str: ...

    def _recipe(self, name: str, changes: dict[str, str]) -> str:
        text = (RECIPES / name).read_text()
        for old, new in changes.items():
            assert text.count(old) == 1, f"{name} has {text.count(old)} of {old!r}"
            text = text.replace(old, new)
        return text

    def _make_directory(self) -> Path:
        directory = Path(tempfile.mkdtemp(prefix=f"treadle-{self.program}-"))
        directory.chmod(0o755)  # nginx started by root switches to another user
        return directory

    def _write(self) -> str:
        """Write the configuration and return its path."""
        file = self.directory / "configuration"
        file.write_text(self.configuration())
        return str(file)

    def _stop(self) -> None:
        self.kill()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5):
                return True
        except OSError:
            return False


class Nginx(Proxy):
    program = "nginx"

    def configuration(self) -> str:
        changes = {
            "listen 80;": f"listen 127.0.0.1:{self.port};",
            "server api-1:2024 ": f"server {self._upstreams[0]} ",
            "server api-2:2024 ": f"server {self._upstreams[1]} ",
        }
        text = self._recipe("nginx.conf", changes)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "".join(f"    {kind}_temp_path {self.directory}/{kind};\n" for kind in kinds)
        return f"daemon off;\npid {self.directory}/pid;\n" + text.replace("http {\n", f"http {{\n{paths}", 1)

    def _command(self) -> list[str]:
        return [self._executable, "-p", str(self.directory), "-e", "stderr", "-c", self._write()]


class BufferingNginx(Nginx):
    """nginx with its default buffering."""

    def configuration(self) -> str:
        return super().configuration().replace("proxy_buffering off;", "proxy_buffering on;")


class HAProxy(Proxy):
    program = "haproxy"

    def configuration(self) -> str:
        changes = {
            "maxconn 20000": "maxconn 200",  # within the file descriptor limit of a developer's machine
            "bind :80": f"bind 127.0.0.1:{self.port}",
            "server api-1 api-1:2024": f"server api-1 {self._upstreams[0]}",
            "server api-2 api-2:2024": f"server api-2 {self._upstreams[1]}",
        }
        return self._recipe("haproxy.cfg", changes)

    def _command(self) -> list[str]:
        return [self._executable, "-db", "-f", self._write()]


class Caddy(Proxy):
    """Both upstreams share a port, because the recipe resolves all addresses of one name."""

    program = "caddy"

    def configuration(self) -> str:
        return self._recipe("Caddyfile", {})

    def _command(self) -> list[str]:
        host, _, port = self._upstreams[0].rpartition(":")
        # http:// keeps Caddy from requesting a certificate.
        places = {"SITE": f"http://127.0.0.1:{self.port}", "API_HOST": host, "API_PORT": port}
        homes = {name: str(self.directory) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        environment = [f"{name}={value}" for name, value in {**places, **homes, "PATH": os.environ["PATH"]}.items()]
        return ["env", "-i", *environment, self._executable, "run", "--adapter", "caddyfile", "--config", self._write()]


ALL: tuple[type[Proxy], ...] = (Nginx, HAProxy, Caddy)
