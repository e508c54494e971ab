"""The console in a real browser against real servers: vitest and playwright-core do the work (``console/tests``).

Each file is one test here and each test of a file a subtest. ``make test`` installs and builds what they need. Where
the system lets us, all of it has the loopback for its only network.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from treadle.http.console import FILES

CONSOLE = Path(__file__).parents[2] / "console"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SECONDS = 240

CUT = """
import fcntl, os, socket, struct, sys
with socket.socket() as some:
    fcntl.ioctl(some, 0x8914, struct.pack("16sH14x", b"lo", 0x41))  # SIOCSIFFLAGS: up and running
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""In a network of its own: turns its loopback on and becomes the command."""

WITH_NODE = pytest.mark.skipif(
    not (CONSOLE / "node_modules").is_dir() or shutil.which("node") is None,
    reason="the console's tests need Node 20.19 or newer, and `make setup`",
)
WITH_BROWSER = pytest.mark.skipif(
    not Path(CHROMIUM).exists(), reason=f"the console's tests need {CHROMIUM}: `make system`"
)


@WITH_NODE
@WITH_BROWSER
@pytest.mark.parametrize("file", sorted(path.name for path in (CONSOLE / "tests").glob("*.test.ts")))
def test_the_console(file: str, tmp_path: Path, subtests: pytest.Subtests) -> None:
    assert (FILES / "index.html").exists(), "the console is not built: `make setup`"
    _passes(tmp_path, subtests, "--config=vitest.browser.ts", f"tests/{file}")


@WITH_NODE
def test_the_parts_that_need_no_browser(tmp_path: Path, subtests: pytest.Subtests) -> None:
    _passes(tmp_path, subtests)


def test_every_page_has_its_picture_in_light_and_dark_and_every_picture_is_shown() -> None:
    docs = CONSOLE.parent / "docs"
    drawn = {path.stem for path in (docs / "console").glob("*.png")}
    shown = set(re.findall(r'"console/([a-z-]+)\.png"', (docs / "console.md").read_text("utf-8")))
    pages = set(re.findall(r'take\(page, "([a-z]+)"\)', (CONSOLE / "tests/pictures/draw.ts").read_text("utf-8")))
    assert pages >= {"runs", "run", "threads", "thread", "assistants", "start", "server"}
    assert drawn == shown == {f"{page}-{theme}" for page in pages for theme in ("light", "dark")}


def _passes(directory: Path, subtests: pytest.Subtests, *arguments: str) -> None:
    report = directory / "report.xml"
    output, code = _vitest(report, *arguments)
    cases = list(ElementTree.parse(report).iter("testcase")) if report.exists() else []
    assert cases, output
    for case in cases:
        with subtests.test(str(case.get("name"))):
            failure = case.find("failure")
            assert failure is None, failure.text
    assert code == 0, output


@functools.cache
def _cut() -> tuple[str, ...]:
    """What makes a command one with no network but a loopback of its own; nothing where the system does not let us."""
    cut = ("unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", CUT)
    if (
        shutil.which("unshare") is None
        or subprocess.run([*cut, "true"], capture_output=True, timeout=30).returncode != 0
    ):
        return ()
    return cut


def _vitest(report: Path, *arguments: str) -> tuple[str, int]:
    """Runs vitest in a process group of its own: servers and browsers end with it, also when it takes too long."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TREADLE_", "LANG", "NODE_"))}
    vitest = ["node_modules/.bin/vitest", "run", *arguments]
    cut = _cut()
    process = subprocess.Popen(
        [*cut, *vitest, "--reporter=default", "--reporter=junit", f"--outputFile.junit={report}"],
        cwd=CONSOLE,
        env={
            **kept,
            "TREADLE_PYTHON": sys.executable,
            "CHROMIUM": CHROMIUM,
            "CONSOLE_CUT": "1" if cut else "",
            "NO_COLOR": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=SECONDS)
        return output, process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return f"{output}\nit took more than {SECONDS} s", -1
