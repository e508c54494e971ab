from __future__ import annotations

import fcntl
import os
import re
import select
import subprocess
import sys
import termios
import time

import httpx
import pytest

from cli.conftest import environment
from treadle.http import console


def test_the_demo_shows_a_run_that_survives_its_server(treadle):
    result = treadle("demo")
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"kill -9 \d+", result.stdout)
    # Wherever the terminal's width breaks the line.
    address = re.search(r"http://127\.0\.0\.1:\d+/console", re.sub(r"\s+", "", result.stdout))
    assert (address is not None) == console.is_built()
    assert "attempt 2 resumed from the last checkpoint" in result.stdout
    assert result.stdout.count("✓") == 6
    assert "✗" not in result.stdout


@pytest.mark.skipif(not console.is_built(), reason="the console is not built")
@pytest.mark.parametrize("leave", [b"\x03", None], ids=["ctrl-c", "terminal-closed"])
def test_on_a_terminal_the_run_can_be_looked_at_in_the_console_until_ctrl_c(leave):
    controller, terminal = os.openpty()
    demo = subprocess.Popen(
        [sys.executable, "-m", "treadle.cli", "demo"],
        stdin=terminal,
        stdout=terminal,
        env=environment(TERM="dumb"),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(terminal)
    try:
        place = read_until(controller, rb"(http://127\.0\.0\.1:\d+)/console/threads/[\w-]+/runs/[\w-]+\s")
        assert httpx.get(place[0].decode().strip(), trust_env=False).status_code == 200
        if leave is None:
            os.close(controller)
        else:
            os.write(controller, leave)
        assert demo.wait(30) == 0
    finally:
        demo.terminate()
        demo.wait(30)
    with pytest.raises(httpx.ConnectError):
        httpx.get(place[1].decode(), trust_env=False)


def read_until(controller: int, pattern: bytes, seconds: float = 60) -> re.Match[bytes]:
    """What matches in the terminal's output, without what a terminal makes colours of."""
    shown = b""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select([controller], [], [], left)[0]:
            shown += os.read(controller, 65536)
            if found := re.search(pattern, re.sub(rb"\x1b\[[0-9;]*m", b"", shown)):
                return found
    raise TimeoutError(shown[-2000:].decode(errors="replace"))
