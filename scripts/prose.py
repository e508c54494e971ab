"""Check the prose of docstrings, comments and pages: banned words, odd subjects, and citations of missing files.

    python scripts/prose.py            exits with 1 and lists each problem
    python scripts/prose.py --list     also lists the sentences that count towards the rate

The rate counts relative pronouns as odd subjects (``_ODD``) outside of questions, per 1,000 words. The
banned words, the limit of the rate and the exceptions are in scripts/prose.toml.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
RULES = tomllib.loads((ROOT / "scripts/prose.toml").read_text())

_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
_ODD = re.compile(r"\b(who|whoever|whom|whose|what|whatever)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[^.!?:;]+[.!?:;]?")
_BANNED = re.compile(r"\b(" + "|".join(RULES["banned"]) + r")\b", re.IGNORECASE)
# A path in the repository, as prose cites one: docs/http.md, src/treadle/sse.py.
_CITED = re.compile(r"(?<![\w/.*<-])((?:[\w-]+/)*[\w-]+\.(?:md|py|toml|sql|json|sh))(?![\w*])")
_GENERATED = "_sync"


class Piece(NamedTuple):
    """A docstring, a comment or a line of a page, with its ``path:line``."""

    place: str
    text: str


def docstrings(text: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            doc = ast.get_docstring(node)
            if doc:
                yield getattr(node, "lineno", 1), doc


def comments(text: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# ")


def markdown(text: str) -> Iterator[tuple[int, str]]:
    """The lines outside of code blocks."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def pieces(files: Iterable[Path], extract: Callable[[str], Iterator[tuple[int, str]]]) -> list[Piece]:
    return [
        Piece(f"{path.relative_to(ROOT)}:{number}", text)
        for path in files
        for number, text in extract(path.read_text(encoding="utf-8"))
    ]


def python_files(*folders: str) -> list[Path]:
    paths = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [path for path in paths if _GENERATED not in path.parts and "node_modules" not in path.parts]


def pages() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def odd_sentences(piece: Piece) -> Iterator[str]:
    """The sentences of ``piece`` with an odd subject, once per occurrence."""
    for sentence in _SENTENCE.findall(piece.text):
        if not sentence.rstrip().endswith("?"):
            for _ in _ODD.findall(sentence):
                yield f"{piece.place}: {' '.join(sentence.split())[:140]}"


def banned_words(piece: Piece) -> Iterator[str]:
    for match in _BANNED.finditer(piece.text):
        if f"{piece.place.partition(':')[0]}: {match[0].lower()}" not in RULES["allowed"]:
            yield f"{piece.place}: banned word {match[0]!r}"


def missing_files(piece: Piece, names: set[str]) -> Iterator[str]:
    """Citations of files that are neither in the repository nor among the users' own file names."""
    for cited in _CITED.findall(piece.text):
        if cited not in names and cited.rpartition("/")[2] not in RULES["users_files"]:
            yield f"{piece.place}: cites {cited}, which does not exist"


def citable() -> set[str]:
    """Every file of the repository by each suffix of its path: runs.py, routes/runs.py, http/routes/runs.py, …"""
    folders = ("src", "tests", "docs", "scripts", "benchmarks", "examples", "deploy", "console/src", "console/tests")
    files = [path for path in (*ROOT.iterdir(), *(ROOT / "console").iterdir()) if path.is_file()]
    files += [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    parts = [path.relative_to(ROOT).parts for path in files]
    return {"/".join(each[start:]) for each in parts for start in range(len(each))}


def rate_problems(measured: dict[str, list[Piece]]) -> Iterator[str]:
    """Print the rate of each kind of text, and yield the kinds that exceed the limit."""
    for name, texts in measured.items():
        words = sum(len(_WORD.findall(piece.text)) for piece in texts)
        odd = [sentence for piece in texts for sentence in odd_sentences(piece)]
        rate = 1000 * len(odd) / max(words, 1)
        print(f"{name:<11} {words:>7,} words  {len(odd):>4} odd subjects  {rate:5.2f} per 1,000")
        if "--list" in sys.argv or rate > RULES["limit"]:
            print(*(f"  {sentence}" for sentence in odd), sep="\n")
        if rate > RULES["limit"]:
            yield f"{name}: more than {RULES['limit']} odd subjects per 1,000 words, listed above"


def main() -> int:
    source = python_files("src")
    other = python_files("tests", "scripts", "benchmarks", "examples")
    measured = {
        "docstrings": pieces(source, docstrings),
        "comments": pieces(source, comments),
        "pages": pieces(pages(), markdown),
    }
    problems = list(rate_problems(measured))
    names = citable()
    for piece in (
        *(piece for texts in measured.values() for piece in texts),
        *pieces(other, docstrings),
        *pieces(other, comments),
    ):
        problems += [*banned_words(piece), *missing_files(piece, names)]
    print(*problems, sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
