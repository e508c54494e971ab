"""``treadle webhooks`` against a server on a socket."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from support.server import Running, listening, serve_for
from support.webhook_receiver import Receiver, in_turn

Command = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]


def serve(tmp_path: Path, use: Callable[[Running, Command], Awaitable[None]]) -> None:
    async def with_socket(server: Running) -> None:
        async with listening(server.runtime.app) as url:

            async def command(*arguments: str) -> subprocess.CompletedProcess[str]:
                call = [sys.executable, "-m", "treadle.cli", "webhooks", *arguments, "--url", url]
                env = {**os.environ, "COLUMNS": "240", "NO_COLOR": "1"}
                return await asyncio.to_thread(
                    subprocess.run, call, capture_output=True, text=True, timeout=60, env=env, check=False
                )

            await use(server, command)

    serve_for(tmp_path / "data", with_socket, webhook_allow_private=True)


def test_list_show_and_redeliver(tmp_path: Path) -> None:
    async def use(server: Running, command: Command) -> None:
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

    serve(tmp_path, use)


def test_what_is_not_there(tmp_path: Path) -> None:
    async def use(server: Running, command: Command) -> None:
        unknown = await command("show", "00000000-0000-4000-8000-000000000000")
        assert (unknown.returncode, "the server returned 404" in unknown.stderr) == (1, True)
        beginning = await command("redeliver", "abc")
        assert (beginning.returncode, "no delivery abc" in beginning.stderr) == (1, True)
        status = await command("ls", "--status", "lost")
        assert (status.returncode, "pending, delivered, failed" in status.stderr) == (2, True)

    serve(tmp_path, use)
