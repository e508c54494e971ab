"""The proxies of deploy/proxy with the configuration that stands there, on a port of 127.0.0.1.

Only what a machine dictates is changed: addresses, and where files may be written.
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

from services import Service

RECIPES = Path(__file__).parents[2] / "deploy" / "proxy"

Address = tuple[str, int]


class Proxy(Service):
    """In front of two API processes."""

    program = ""

    def __init__(self, upstreams: Sequence[Address]) -> None:
        found = shutil.which(self.program)
        if found is None:
            pytest.skip(f"{self.program} is not on this machine")
        super().__init__()
        self._found = found
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
        directory.chmod(0o755)  # nginx started by root works as somebody else
        return directory

    def _write(self) -> str:
        """The path of the configuration as a file, written anew."""
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
        return [self._found, "-p", str(self.directory), "-e", "stderr", "-c", self._write()]


class BufferingNginx(Nginx):
    """As nginx is when nobody thought of streams."""

    def configuration(self) -> str:
        return super().configuration().replace("proxy_buffering off;", "proxy_buffering on;")


class HAProxy(Proxy):
    program = "haproxy"

    def configuration(self) -> str:
        changes = {
            "maxconn 20000": "maxconn 200",  # what the limits of a developer's machine allow
            "bind :80": f"bind 127.0.0.1:{self.port}",
            "server api-1 api-1:2024": f"server api-1 {self._upstreams[0]}",
            "server api-2 api-2:2024": f"server api-2 {self._upstreams[1]}",
        }
        return self._recipe("haproxy.cfg", changes)

    def _command(self) -> list[str]:
        return [self._found, "-db", "-f", self._write()]


class Caddy(Proxy):
    """Both upstreams have one port: the recipe asks for every address of one name."""

    program = "caddy"

    def configuration(self) -> str:
        return self._recipe("Caddyfile", {})

    def _command(self) -> list[str]:
        host, _, port = self._upstreams[0].rpartition(":")
        # A site with an address of its own would be given a certificate; http:// says that this one has none.
        places = {"SITE": f"http://127.0.0.1:{self.port}", "API_HOST": host, "API_PORT": port}
        homes = {name: str(self.directory) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        given = [f"{name}={value}" for name, value in {**places, **homes, "PATH": os.environ["PATH"]}.items()]
        return ["env", "-i", *given, self._found, "run", "--adapter", "caddyfile", "--config", self._write()]


ALL: tuple[type[Proxy], ...] = (Nginx, HAProxy, Caddy)
