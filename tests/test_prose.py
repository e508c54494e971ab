"""The prose check finds banned words, odd subjects and citations of missing files."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "prose.py"


@pytest.fixture(scope="module")
def prose() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prose_check", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def piece(prose: ModuleType, text: str):
    return prose.Piece("docs/page.md:1", text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Who waits is told what happened.", 2),
        ("The waiter receives the event.", 0),
        ("Whose run is it? It belongs to the user.", 0),
        ("It returns; whatever is left is dropped.", 1),
        ("Somewhat slower.", 0),
    ],
)
def test_odd_subjects_are_counted_outside_of_questions(prose: ModuleType, text: str, count: int):
    assert len(list(prose.odd_sentences(piece(prose, text)))) == count


def test_a_banned_word_is_reported_with_its_place(prose: ModuleType):
    problems = list(prose.banned_words(piece(prose, "The page is drawn Anew by nobody.")))
    assert problems == ["docs/page.md:1: banned word 'Anew'", "docs/page.md:1: banned word 'nobody'"]


def test_an_exception_names_file_and_word(prose: ModuleType, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(prose.RULES, "allowed", ["docs/page.md: anew"])
    assert list(prose.banned_words(piece(prose, "drawn anew"))) == []


def test_a_cited_file_must_exist(prose: ModuleType):
    names = prose.citable()
    cited = piece(prose, "See docs/http.md, http/sse.py, langgraph.json, https://example.com/gone.md and gone/page.md.")
    assert list(prose.missing_files(cited, names)) == ["docs/page.md:1: cites gone/page.md, which does not exist"]


def test_docstrings_comments_and_pages_are_read_without_code(prose: ModuleType):
    source = '"""Module."""\n\ndef f():\n    """Function."""\n    return "# text"  # reason\n'
    assert [text for _, text in prose.docstrings(source)] == ["Module.", "Function."]
    assert list(prose.comments(source)) == [(5, "reason")]
    assert list(prose.markdown("a\n```sh\nwho\n```\nb")) == [(1, "a"), (5, "b")]
