"""``treadle webhooks`` against a server on a socket."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from support.server import Running, listening, running
from support.webhook_receiver import Receiver, in_turn

Command = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, webhook_allow_private=True) as server:
        yield server


@pytest.fixture
async def command(server: Running) -> AsyncIterator[Command]:
    async with listening(server.runtime.app) as url:

        async def command(*arguments: str) -> subprocess.CompletedProcess[str]:
            call = [sys.executable, "-m", "treadle.cli", "webhooks", *arguments, "--url", url]
            env = {**os.environ, "COLUMNS": "240", "NO_COLOR": "1"}
            return await asyncio.to_thread(
                subprocess.run, call, capture_output=True, text=True, timeout=60, env=env, check=False
            )

        yield command


async def test_list_show_and_redeliver(server: Running, command: Command) -> None:
    with Receiver(in_turn(410)) as receiver:
        assert (await command("ls")).stdout.strip() == "no deliveries"
        run = await server.run("chain", {"n": []}, webhook=receiver.url())
        (received,) = await receiver.gets()
        await server.ended(run)
        listed = await command("ls", "--status", "failed", "--run", run[-36:])
        assert all(text in listed.stdout for text in (received.id, "failed", run[-36:], receiver.url()))
        shown = json.loads((await command("show", received.id[:13])).stdout)
        assert (shown["log"][0]["status_code"], shown["payload"]["run_id"]) == (410, run[-36:])
        sent = await command("redeliver", received.id)
        assert (sent.returncode, sent.stdout.strip()) == (0, f"sending {received.id} again")
        _, again = await receiver.gets(2)
        assert again.id == received.id


async def test_what_is_not_there(server: Running, command: Command) -> None:
    unknown = await command("show", "00000000-0000-4000-8000-000000000000")
    assert (unknown.returncode, "the server returned 404" in unknown.stderr) == (1, True)
    beginning = await command("redeliver", "abc")
    assert (beginning.returncode, "no delivery abc" in beginning.stderr) == (1, True)
    status = await command("ls", "--status", "lost")
    assert (status.returncode, "pending, delivered, failed" in status.stderr) == (2, True)
