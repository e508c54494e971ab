"""What is said of the layers holds: the linter knows every package, and so does ARCHITECTURE.md."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "treadle"
LINTER = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
LAYERS = next(contract["layers"] for contract in LINTER["contracts"] if contract["type"] == "layers")
OUTSIDE = {"bench", "client", "demo"}  # each has a contract of its own
LONGEST_FILE = 600  # 500 is the aim; here it stops


def parts() -> set[str]:
    """The packages and modules right below treadle."""
    found = {path.stem if path.suffix == ".py" else path.name for path in SOURCE.iterdir() if holds_python(path)}
    return found - {"__init__"}


def holds_python(path: Path) -> bool:
    return path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))


def files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_every_part_stands_in_a_layer():
    layered = {name.strip().removeprefix("treadle.") for layer in LAYERS for name in layer.split("|")}
    assert parts() - layered == OUTSIDE
    assert layered - parts() == set()


def test_the_architecture_page_draws_the_layers_that_are_checked():
    drawn = re.search(r"^    (cli > .*)$", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    assert drawn
    assert drawn[1] == " > ".join(layer.replace("treadle.", "") for layer in LAYERS)


def test_the_architecture_page_names_every_part():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert [part for part in sorted(parts()) if f"`treadle.{part}`" not in text] == []


def test_the_demo_is_a_users_project():
    ours = {name for path in (SOURCE / "demo").glob("*.py") for name in imports(path) if name.startswith("treadle")}
    assert {name for name in ours if not name.startswith("treadle.demo")} == set()


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_stay_readable(path):
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


def test_nothing_names_an_address_off_this_machine():
    """No call home: the only URLs in the code are examples on this machine."""
    found = {
        f"{path.relative_to(SOURCE)}: {url}"
        for path in files()
        for url in re.findall(r"https?://[^\s\"'`)>{]+", path.read_text())
        if not re.match(r"https?://(127\.0\.0\.1|localhost|HOST)\b", url)
    }
    assert found == set()
