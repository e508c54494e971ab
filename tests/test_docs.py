"""The docs name every setting, route, command, error and metric, and their links and diagrams match the code."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle import errors
from treadle.http.app import operations
from treadle.model import RUN_ARROWS, RUN_STATUSES, STREAM_MODES
from treadle.settings import table

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(
    [*ROOT.glob("*.md"), *DOCS.glob("*.md"), ROOT / "examples" / "README.md", ROOT / "console" / "README.md"]
)


def read(name: str) -> str:
    return (ROOT / name).read_text()


def test_the_generated_pages_are_current():
    result = subprocess.run(
        [sys.executable, ROOT / "scripts" / "docs.py", "--check"], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr


def test_every_setting_is_named():
    page = read("docs/settings.md")
    assert [name for name, env, *_ in table() if f"`{name}`" not in page or f"`{env}`" not in page] == []


def test_every_error_code_and_class_is_named():
    page = read("docs/errors.md")
    assert [cls.code for cls in errors.STATUS_ERRORS.values() if f"`{cls.code}`" not in page] == []
    classes = [name for name, value in vars(errors).items() if isinstance(value, type) and name.endswith("Error")]
    assert [name for name in classes if name not in page] == []


def test_every_route_is_named():
    page = read("docs/http.md")
    assert [o.path for o in operations() if f"| {o.method} | `{o.path}` |" not in page] == []


def test_every_stream_mode_is_named():
    assert [mode for mode in STREAM_MODES if f"`{mode}`" not in read("README.md")] == []


def commands() -> Iterator[str]:
    from treadle.cli import complete
    from treadle.cli.runs import runs
    from treadle.cli.webhooks import webhooks

    yield from (str(c.name or c.callback.__name__) for c in complete().registered_commands if c.callback)
    yield from (f"runs {c.name or c.callback.__name__}" for c in runs.registered_commands if c.callback)
    yield from (f"webhooks {c.name or c.callback.__name__}" for c in webhooks.registered_commands if c.callback)


def test_every_command_is_named():
    names = list(commands())
    assert {"serve", "dev", "run", "doctor", "demo", "runs ls", "runs tail"} <= set(names)
    assert [name for name in names if f"treadle {name}" not in read("docs/cli.md")] == []


def test_every_dependency_has_its_reason():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    needed = project["dependencies"] + [name for extra in project["optional-dependencies"].values() for name in extra]
    names = {re.match(r"[\w-]+", requirement)[0] for requirement in needed} - {"treadle"}  # type: ignore[index]
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", read("docs/why.md"))] == []


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"(?:`|^)make ([a-z]+)", page.read_text(), re.MULTILINE)}
    assert named - targets == set()
    assert {"setup", "demo", "dev", "test", "check", "fix", "bench"} <= targets


def test_the_drawn_arrows_are_those_of_the_code():
    page = read("docs/run-lifecycle.md")
    drawn = {pair for pair in re.findall(r"^    (\S+) --> (\S+)$", page, re.MULTILINE) if "[*]" not in pair}
    listed = set(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", page, re.MULTILINE))
    allowed = {(source, target) for source, targets in RUN_ARROWS.items() for target in targets}
    assert drawn == allowed
    assert listed == allowed


def test_the_drawn_ends_are_the_terminal_statuses():
    ends = set(re.findall(r"^    (\w+) --> \[\*\]$", read("docs/run-lifecycle.md"), re.MULTILINE))
    assert ends == {status for status in RUN_STATUSES if not RUN_ARROWS[status]}


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub derives them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(link: str, page: Path) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    return not target.exists() or bool(anchor and target.suffix == ".md" and anchor not in anchors(target))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_and_their_anchors_exist(page: Path):
    links = re.findall(r"\]\((?!https?://)([^)]+)\)", page.read_text())
    assert [link for link in links if broken(link, page)] == []


def missing_pages(text: str, place: Path) -> list[str]:
    """Return the cited Markdown files that exist neither in the repository nor beside the citing file."""
    cited = re.findall(r"(?<![\w/.*{-])((?:\.\./|[\w-]+/)*[\w-]+\.md)\b", re.sub(r"https?://\S+", "", text))
    return [name for name in cited if not any((base / name).exists() for base in (ROOT, DOCS, place.parent))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_cites_only_pages_that_exist(page: Path):
    assert missing_pages(page.read_text(), page) == []


def test_the_guide_for_contributors_names_files_that_exist():
    named = re.findall(r"`((?:[\w.-]+/)*[\w-]+(?:\.py|\.tsx?|\.md|/))`", read("docs/contributing.md"))
    assert len(named) >= 40
    bases = (ROOT, ROOT / "src" / "treadle")
    assert [name for name in named if not any((base / name).exists() for base in bases)] == []
