"""Hold nodes of e2e/faults/graphs.py at a gate, wait until they reach it, release them, and read which steps ran."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from support.server_process import until


class Effect(NamedTuple):
    """One execution of a node."""

    key: str
    place: str
    run_id: str
    thread_id: str
    attempt: int


class Gates:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    @property
    def env(self) -> dict[str, str]:
        return {"FAULTS_DIR": str(self.directory)}

    def hold(self, key: str, place: str) -> None:
        """From now on the node waits at its gate."""
        (self.directory / f"{key}.{place}.reached").unlink(missing_ok=True)
        (self.directory / f"{key}.{place}.hold").touch()

    def reached(self, key: str, place: str, seconds: float = 20.0) -> None:
        """Returns once the node waits at its gate, for the first time since ``hold``."""
        mark = self.directory / f"{key}.{place}.reached"
        try:
            until(mark.exists, seconds)
        except TimeoutError:
            raise TimeoutError(f"{place} of {key} was not reached within {seconds:g} s") from None

    def release(self, key: str, place: str) -> None:
        (self.directory / f"{key}.{place}.hold").unlink()

    def release_all(self) -> None:
        for gate in self.directory.glob("*.hold"):
            gate.unlink(missing_ok=True)

    def effects(self, key: str | None = None) -> list[Effect]:
        """What ran so far, in order. A line that a kill cut short is left out."""
        file = self.directory / "effects"
        lines = file.read_text().splitlines(keepends=True) if file.exists() else []
        found = [_effect(line) for line in lines if line.endswith("\n") and line.count("\t") == 4]
        return [each for each in found if key in (None, each.key)]

    def places(self, key: str) -> list[str]:
        return [each.place for each in self.effects(key)]


def _effect(line: str) -> Effect:
    key, place, run_id, thread_id, attempt = line.rstrip("\n").split("\t")
    return Effect(key, place, run_id, thread_id, int(attempt))
