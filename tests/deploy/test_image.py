"""The Dockerfile's steps without Docker: build and install the files it copies, and run its commands as its user."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from deploy import files
from deploy.files import DEPLOY
from support.databases import fresh_schema
from support.server_process import until
from support.services import free_port
from treadle.http import console

ROOT = DEPLOY.parent


@dataclass(frozen=True)
class Image:
    """The content of the final stage, in ``root``."""

    root: Path

    def environment(self, port: int) -> dict[str, str]:
        """Return the image's environment, changed to listen on loopback and write inside ``root`` only."""
        path = f"{self.root}/opt/treadle/bin:/usr/bin:/bin"
        here = {"TREADLE_HOST": "127.0.0.1", "TREADLE_PORT": str(port), "TREADLE_DATA": f"{self.root}/data"}
        return {**files.image_environment(), "PATH": path, "HOME": f"{self.root}/app", **here}

    def command(self, arguments: list[str]) -> list[str]:
        user, _, group = files.last("USER").partition(":")
        drop = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"]
        program = shutil.which(arguments[0], path=f"{self.root}/opt/treadle/bin")
        assert program is not None, f"the image has no {arguments[0]}"
        return [*(drop if os.geteuid() == 0 else []), program, *arguments[1:]]

    def run(self, arguments: list[str], *, port: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(arguments),
            cwd=self.root / "app",
            env={**self.environment(port), **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def is_healthy(self, port: int) -> bool:
        return self.run(files.health_check(), port=port).returncode == 0


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    root = Path(tempfile.mkdtemp(prefix="treadle-image-"))
    root.chmod(0o755)  # the image's user needs access
    try:
        yield _build(root)
    finally:
        shutil.rmtree(root)


def _build(root: Path) -> Image:
    _copy(root / "src")
    venv = root / "opt" / "treadle"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True, timeout=60)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", root, root / "src"], check=True, timeout=180)
    [wheel] = root.glob("treadle-*.whl")
    install = ["--python", str(venv / "bin" / "python"), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*pip, *install], check=True, timeout=60)
    # Use this environment's dependencies instead of downloading them.
    [packages] = (venv / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    shutil.copytree(ROOT / "examples", root / "app", ignore=shutil.ignore_patterns("__pycache__", ".treadle"))
    (root / "data").mkdir()
    if os.geteuid() == 0:
        os.chown(root / "data", *map(int, files.last("USER").split(":")))
    return Image(root)


def _copy(target: Path) -> None:
    """Copy only the files that the build stage copies from the repository."""
    target.mkdir()
    for word, rest in files.stage("build"):
        if word == "COPY" and not rest.startswith("--from"):
            for source in (ROOT / name for name in rest.split()[:-1]):
                if source.is_dir():
                    shutil.copytree(source, target / source.name, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(source, target)


def test_dockerignore_includes_the_copied_files():
    allowed = set((DEPLOY / "Dockerfile.dockerignore").read_text().split("\n"))
    copied = [rest.split() for stage in files.stages()[:-1] for word, rest in stage if word == "COPY"]
    names = {name.partition("/")[0] for words in copied if not words[0].startswith("--") for name in words[:-1]}
    assert {f"!{name}" for name in names} <= allowed


def test_the_image_runs_the_wheel(image: Image):
    found = image.run(["python", "-c", "import treadle; print(treadle.__file__)"])
    assert found.stdout.startswith(str(image.root)), found


@pytest.mark.skipif(not console.is_built(), reason="the console is not built")
def test_the_console_is_in_the_wheel(image: Image):
    found = image.run(["python", "-c", "from treadle.http import console; print(console.is_built(), console.FILES)"])
    assert found.stdout.startswith(f"True {image.root}"), found


def test_the_image_serves_is_healthy_and_stops(image: Image):
    port = free_port()
    assert not image.is_healthy(port)
    with Running(image, ["treadle", "serve"], port) as process:
        until(lambda: image.is_healthy(port), 60, every=0.2)
        created = httpx.post(f"http://127.0.0.1:{port}/threads", json={}, trust_env=False)
        assert created.status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert not image.is_healthy(port)


def test_the_image_migrates_and_executes_runs(image: Image):
    url = fresh_schema(migrated=False)
    port = free_port()
    unmigrated = {"TREADLE_DATABASE_URL": url, "TREADLE_MIGRATE": "false", "TREADLE_DATABASE_WAIT_SECONDS": "0"}
    assert image.run(["treadle", "worker"], **unmigrated).returncode == 1
    made = image.run(["treadle", "migrate"], TREADLE_DATABASE_URL=url)
    assert made.returncode == 0, made.stderr
    again = image.run(["treadle", "migrate", "--check"], TREADLE_DATABASE_URL=url)
    assert again.returncode == 0, again.stderr
    given = {"TREADLE_DATABASE_URL": url, "TREADLE_MIGRATE": "false"}
    with Running(image, ["treadle", "worker", "--port", str(port)], port, **given) as process:
        until(lambda: image.is_healthy(port), 60, every=0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


class Running:
    """The process of a container; killed if a test leaves it running."""

    def __init__(self, image: Image, arguments: list[str], port: int, **environment: str) -> None:
        self._image = image
        self._arguments = arguments
        self._environment = {**image.environment(port), **environment}

    def __enter__(self) -> subprocess.Popen[bytes]:
        with (self._image.root / "log").open("a") as log:
            self._process = subprocess.Popen(
                self._image.command(self._arguments),
                cwd=self._image.root / "app",
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        return self._process

    def __exit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        self._process.kill()
        self._process.wait(10)
        if kind is not None:
            print((self._image.root / "log").read_text()[-8000:], file=sys.stderr)
