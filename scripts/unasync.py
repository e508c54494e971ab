"""Generate the sync client from the async one: src/treadle/client/_async -> _sync.

    python scripts/unasync.py            writes the files that differ
    python scripts/unasync.py --check    prints the differences and fails if there are any

Names are replaced token by token; in strings and comments, only the phrases in WORDS are replaced.
"""

from __future__ import annotations

import difflib
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src/treadle/client/_async"
TARGET = ROOT / "src/treadle/client/_sync"

NAMES = {
    "StopAsyncIteration": "StopIteration",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "aclose": "close",
    "aiter_bytes": "iter_bytes",
    "anext": "next",
    "aread": "read",
    "async_drain": "drain",
}
"""Names that need more than dropping ``Async``, which is enough for httpx.AsyncClient and AsyncClient."""

WORDS = {
    "The async client": "The sync client",
    "``aclose()``": "``close()``",
    "``async with``": "``with``",
    "; so does cancelling the task": "",
}
"""Phrases replaced in strings and comments."""

HEADER = "# Generated from _async/{name} by scripts/unasync.py: change that file, not this one.\n"


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    stale = {path: text for path, text in generated().items() if _current(path) != text}
    obsolete = sorted(set(TARGET.glob("*.py")) - set(generated_paths()))
    for path, text in stale.items():
        _report(path, text) if arguments else _write(path, text)
    for path in obsolete:
        print(f"{path.relative_to(ROOT)} has no source")
        if not arguments:
            path.unlink()
    return 1 if arguments and (stale or obsolete) else 0


def generated_paths() -> list[Path]:
    return [TARGET / source.name for source in sorted(SOURCE.glob("*.py"))]


def generated() -> dict[Path, str]:
    """Return the current text of each sync file."""
    return {path: _tidy(path, convert(_read(SOURCE / path.name), path.name)) for path in generated_paths()}


def convert(source: str, name: str) -> str:
    """Return the sync version of a module, before formatting."""
    text = "".join(_tokens(source))
    # A generator's return type is the only generic type with a different number of arguments.
    text = re.sub(r"\bGenerator\[(.*), None\]:", r"Generator[\1, None, None]:", text)
    text = re.sub(r"\bAwaitable\[None\]", "None", text)
    text = re.sub(r"(from collections\.abc import .*?)\bAwaitable, ", r"\1", text)
    return HEADER.format(name=name) + text


def _tokens(source: str) -> list[str]:
    """Return the source as replaced tokens and the text between them, without ``async`` and ``await``."""
    lines = source.splitlines(keepends=True)
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line))
    parts: list[str] = []
    end = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        start = offsets[token.start[0] - 1] + token.start[1] if token.start[0] <= len(lines) else len(source)
        if start < end:
            continue
        parts.append(source[end:start])
        stop = offsets[token.end[0] - 1] + token.end[1] if token.end[0] <= len(lines) else len(source)
        end = stop
        if token.type == tokenize.NAME and token.string in ("async", "await"):
            end += 1  # also drop the space after it
            continue
        parts.append(_replace(token.type, source[start:stop]))
    return [*parts, source[end:]]


def _replace(kind: int, text: str) -> str:
    if kind == tokenize.NAME:
        return NAMES.get(text) or re.sub(r"^Async(?=[A-Z])", "", text)
    if kind in (tokenize.STRING, tokenize.COMMENT):
        for old, new in WORDS.items():
            text = text.replace(old, new)
    return text


def _tidy(path: Path, text: str) -> str:
    """Format the text: shorter names change line breaks and the order of imports."""
    sort = ["ruff", "check", "--quiet", "--select", "I,F401", "--fix", "--stdin-filename", str(path), "-"]
    layout = ["ruff", "format", "--quiet", "--stdin-filename", str(path), "-"]
    for command in (sort, layout):
        command = [sys.executable, "-m", *command]
        text = subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return text


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _current(path: Path) -> str | None:
    return _read(path) if path.exists() else None


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"wrote {path.relative_to(ROOT)}")


def _report(path: Path, text: str) -> None:
    name = str(path.relative_to(ROOT))
    old = (_current(path) or "").splitlines(keepends=True)
    sys.stdout.writelines(difflib.unified_diff(old, text.splitlines(keepends=True), name, f"{name} (generated)"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
