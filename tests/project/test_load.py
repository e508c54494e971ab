from __future__ import annotations

import asyncio
import json
import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.pregel import Pregel

from treadle.errors import ConfigError
from treadle.graph.graphs import LoadedGraph
from treadle.project.load import GraphImportError, load_config, load_graphs
from treadle.project.schema import AuthSection

GRAPH = """
from typing import TypedDict
from langgraph.graph import StateGraph

class State(TypedDict):
    n: int

builder = StateGraph(State)
builder.add_node("a", lambda state: {"n": 1})
builder.set_entry_point("a")
"""
SHAPE = '"./file.py:attribute", "package.module:attribute" or {"path": …, "description": …}'


@pytest.fixture(autouse=True)
def _own_interpreter_state() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    path, modules, environ = list(sys.path), set(sys.modules), dict(os.environ)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith(("treadle_graph_", "agent", "pkg", "other", "graphs_")):
            del sys.modules[name]
    os.environ.clear()
    os.environ.update(environ)


def project(tmp_path: Path, config: Any, **files: str) -> Path:
    """A project directory; a file ``pkg__inner__mod`` is written as ``pkg/inner/mod.py``."""
    for name, text in files.items():
        file = tmp_path / (name.replace("__", "/").replace("/init", "/__init__") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    file = tmp_path / "langgraph.json"
    file.write_text(config if isinstance(config, str) else json.dumps(config))
    return file


def load(tmp_path: Path, spec: Any, **files: str) -> LoadedGraph:
    file = project(tmp_path, {"dependencies": ["."], "graphs": {"g": spec}}, **files)
    return load_graphs(load_config(file))["g"]


# --- langgraph.json ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "key", "detail", "hint"),
    [
        ('{"graphs": {"g": ]}', None, "is not JSON: Expecting value at line 1, column 18", None),
        ("[]", None, "must hold an object, got a list", "a minimal one is"),
        ({}, "graphs", "is missing", SHAPE),
        ({"graphs": {}}, "graphs", "must not be {}", SHAPE),
        ({"graphs": ["a"]}, "graphs", "must be an object, got a list", SHAPE),
        ({"graphs": {"g": 3}}, "graphs.g", "must be text or an object, got a number", SHAPE),
        ({"graphs": {"g": {"description": "d"}}}, "graphs.g.path", "is missing", None),
        ({"graphs": {"g": "./x.py"}}, "graphs.g", "'./x.py' does not name an attribute", SHAPE),
        ({"graphs": {"g": "./x.py:"}}, "graphs.g", "'./x.py:' does not name an attribute", SHAPE),
        ({"graphs": {"g": "./x.py:a b"}}, "graphs.g", "'./x.py:a b' does not name an attribute", SHAPE),
        ({"graphs": {"g": "./x.py:a"}}, "graphs.g", "there is no file ", None),
        ({"graphs": {"g": "./langgraph.json:a"}}, "graphs.g", "is not a Python file", SHAPE),
        ({"graphs": {"g": "my-pkg:a"}}, "graphs.g", "'my-pkg' is neither a .py file nor a module", SHAPE),
        (
            {"graphs": {"g": "./a.ts:graph"}},
            "graphs.g",
            "'./a.ts:graph' is JavaScript; treadle imports Python only",
            SHAPE,
        ),
        (
            {"graphs": {"g": {"path": "m:a", "description": 1}}},
            "graphs.g.description",
            "must be text, got a number",
            None,
        ),
        ({"graphs": {"g": "m:a"}, "dependencies": "."}, "dependencies", "must be a list, got text", 'such as ["."]'),
        ({"graphs": {"g": "m:a"}, "dependencies": [1]}, "dependencies.0", "must be text, got a number", None),
        ({"graphs": {"g": "m:a"}, "dependencies": ["./no"]}, "dependencies.0", "there is no directory ", None),
        ({"graphs": {"g": "m:a"}, "env": ".env"}, "env", "there is no file ", "create it, or remove the key"),
        (
            {"graphs": {"g": "m:a"}, "env": 1},
            "env",
            "must be text or an object, got a number",
            "the path of a .env file or an object",
        ),
        (
            {"graphs": {"g": "m:a"}, "env": {"A": None}},
            "env.A",
            "must be true or false, an integer, a number or text, got null",
            None,
        ),
        ({"graphs": {"g": "m:a"}, "store": []}, "store", "must be an object, got a list", None),
    ],
)
def test_each_mistake_is_named_with_file_key_and_what_is_allowed(
    tmp_path: Path, config: Any, key: str | None, detail: str, hint: str | None
) -> None:
    file = project(tmp_path, config)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert (caught.value.file, caught.value.key) == (str(file), key)
    assert detail in caught.value.detail
    assert caught.value.hint == hint or (hint is not None and hint in str(caught.value.hint))


def test_a_missing_or_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no such file"):
        load_config(tmp_path / "langgraph.json")
    (tmp_path / "langgraph.json").write_bytes(b'{"\xff')
    with pytest.raises(ConfigError, match=r"is not UTF-8 text: .* at byte 2"):
        load_config(tmp_path)


def test_what_is_not_known_or_not_installed_is_a_warning(tmp_path: Path) -> None:
    config = {
        "dependencies": [".", "langgraph>=1", "no-such-package-here==1"],
        "graphs": {"g": "m:a"},
        "auth": {"path": "x"},
        "python_version": "3.11",
        "grahps": {},
    }
    read = load_config(project(tmp_path, config))
    assert read.warnings == [
        "langgraph.json: grahps: not a known key, ignored",
        "langgraph.json: dependencies: no-such-package-here==1 is not installed in this environment",
    ]
    assert read.content.auth == AuthSection(path="x")
    assert read.paths == [tmp_path.resolve()]


def test_the_environment_comes_from_a_file_or_an_object_and_what_is_set_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHS_SET", "outer")
    (tmp_path / ".env").write_text('# comment\nexport GRAPHS_A="a b"\nGRAPHS_SET=inner\n')
    config = {"graphs": {"g": "./agent.py:builder"}, "env": ".env"}
    file = project(tmp_path, config, agent=GRAPH)
    assert load_config(file).env == {"GRAPHS_A": "a b", "GRAPHS_SET": "inner"}
    load_graphs(load_config(file))
    assert (os.environ["GRAPHS_A"], os.environ["GRAPHS_SET"]) == ("a b", "outer")
    file.write_text(json.dumps({**config, "env": {"B": "b", "N": 1, "T": True}}))
    assert load_config(file).env == {"B": "b", "N": "1", "T": "true"}


# --- graphs -----------------------------------------------------------------------------------------------------------


def test_a_file_a_module_and_a_described_graph_load(tmp_path: Path) -> None:
    graphs = {
        "file": "./agent.py:builder",
        "module": "pkg_mod.inner:builder",
        "described": {"path": "agent.py:builder", "description": "counts"},
    }
    file = project(tmp_path, {"dependencies": ["."], "graphs": graphs}, agent=GRAPH, pkg_mod__inner=GRAPH)
    loaded = load_graphs(load_config(file))
    assert list(loaded) == ["file", "module", "described"]
    assert loaded["described"].description == "counts"
    assert all(isinstance(each.static, Pregel) for each in loaded.values())
    assert loaded.get("nope") is None


def test_relative_and_sibling_imports_work_as_in_an_installed_package(tmp_path: Path) -> None:
    files = {
        "src__agent_pkg__init": "",
        "src__agent_pkg__parts": GRAPH,
        "src__agent_pkg__graph": "from .parts import builder\nfrom agent_pkg.parts import State\nimport other_top",
        "other_top": "x = 1",
    }
    assert load(tmp_path, "./src/agent_pkg/graph.py:builder", **files).static is not None


def test_a_src_layout_is_importable_without_installing_it(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    files = {"src__agent_src__init": "", "src__agent_src__graph": GRAPH}
    assert load(tmp_path, "agent_src.graph:builder", **files).static is not None


def test_files_of_one_name_and_names_that_python_uses_stay_apart(tmp_path: Path) -> None:
    graphs = {"one": "./a-b/graph.py:which", "two": "./c-d/graph.py:which", "types": "./types.py:which"}
    which = GRAPH + "\ndef which(): return builder\n"
    file = project(tmp_path, {"graphs": graphs}, **{"a-b__graph": which, "c-d__graph": which, "types": which})
    loaded = load_graphs(load_config(file))
    names = {each.factory._call.__module__ for each in loaded.values() if each.factory}  # pyright: ignore
    assert names == {"treadle_graph_a_b_graph", "treadle_graph_c_d_graph", "treadle_graph_types"}


def test_loading_again_reads_a_file_that_has_changed(tmp_path: Path) -> None:
    first = load(tmp_path, "./agent.py:builder", agent=GRAPH)
    again = load(tmp_path, "./agent.py:builder")
    (tmp_path / "agent.py").write_text(GRAPH.replace('"a"', '"renamed"'))
    os.utime(tmp_path / "agent.py", (1, 1))
    changed = load(tmp_path, "./agent.py:builder")
    assert [sorted(each.static.nodes) for each in (first, again, changed) if each.static] == [
        ["__start__", "a"],
        ["__start__", "a"],
        ["__start__", "renamed"],
    ]


def test_a_missing_attribute_lists_what_the_module_has(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"agent\.py has no 'graph'; it has builder") as caught:
        load(tmp_path, "./agent.py:graph", agent=GRAPH)
    assert caught.value.key == "graphs.g"
    with pytest.raises(ConfigError, match=r"has no 'graph'; it has no graph and no function"):
        load(tmp_path, "./agent_empty.py:graph", agent_empty="x = 1")
    with pytest.raises(ConfigError, match=r"has no 'graph'; it has make, other"):
        load(tmp_path, "./agent_made.py:graph", agent_made="def make(): ...\ndef other(): ...")


def test_a_thing_that_is_no_graph_is_refused_by_its_type(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"graph is a builtins\.int, not a graph") as caught:
        load(tmp_path, "./agent.py:graph", agent="graph = 3")
    assert "a compiled graph, a StateGraph" in str(caught.value.hint)
    with pytest.raises(ConfigError, match=r"State is a builtins\.type, not a graph"):
        load(tmp_path, "./agent_t.py:State", agent_t="class State: ...")
    with pytest.raises(ConfigError, match=r"builder does not compile: Graph must have an entrypoint"):
        load(tmp_path, "./agent_c.py:builder", agent_c=GRAPH.replace('builder.set_entry_point("a")', ""))


@pytest.mark.parametrize(
    ("source", "last"),
    [
        ("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("def f():\n    return 1 / 0\nf()", "ZeroDivisionError: division by zero"),
        ("def f(:\n", "SyntaxError: invalid syntax"),
        ("raise SystemExit(2)", "SystemExit: 2"),
    ],
)
def test_a_broken_import_shows_the_users_own_traceback(tmp_path: Path, source: str, last: str) -> None:
    with pytest.raises(GraphImportError) as caught:
        load(tmp_path, "./agent.py:graph", agent=source)
    error = caught.value
    assert error.key == "graphs.g"
    assert f"agent.py failed: {last}" in error.detail
    assert error.traceback.rstrip().endswith(last)
    assert f'File "{tmp_path / "agent.py"}", line' in error.traceback
    assert "treadle" not in error.traceback.replace(str(tmp_path), "")
    assert "importlib" not in error.traceback


def test_an_error_further_in_keeps_its_chain(tmp_path: Path) -> None:
    agent = "import pkg_deep.inner\n"
    inner = "try:\n    {}['k']\nexcept KeyError as e:\n    raise RuntimeError('deep') from e\n"
    with pytest.raises(GraphImportError) as caught:
        load(tmp_path, "./agent.py:graph", agent=agent, pkg_deep__inner=inner)
    assert "KeyError: 'k'" in caught.value.traceback
    assert "direct cause" in caught.value.traceback
    assert caught.value.traceback.count('agent.py", line 1') == 1


def test_a_package_that_fails_on_the_way_to_its_graph_is_not_hidden(tmp_path: Path) -> None:
    files = {"pkg_bad__init": "import no_such_dependency", "pkg_bad__graph": GRAPH}
    with pytest.raises(GraphImportError, match="no_such_dependency"):
        load(tmp_path, "./pkg_bad/graph.py:builder", **files)


# --- factories --------------------------------------------------------------------------------------------------------

FACTORIES = (
    GRAPH
    + """
import contextlib, functools
from dataclasses import dataclass
from typing import TYPE_CHECKING
from langchain_core.runnables import RunnableConfig
from langgraph_sdk.runtime import ServerRuntime

seen = []

@dataclass
class Ctx:
    model: str = "default"

def nothing(): return builder
async def coroutine(): return builder.compile()
def config(config: RunnableConfig): seen.append(config); return builder
def untyped(config): seen.append(config); return builder
def runtime(runtime: ServerRuntime): seen.append(runtime); return builder
async def typed(rt: ServerRuntime[Ctx]): seen.append(rt); return builder
def both(config: RunnableConfig, *, runtime: ServerRuntime[Ctx]): seen.append((config, runtime)); return builder
def defaults(config: RunnableConfig = None, other=3): seen.append(config); return builder
partial = functools.partial(lambda flag, config: seen.append(config) or builder, True)

class Callable:
    def __call__(self, config: "RunnableConfig"): seen.append(config); return builder
instance = Callable()

def generator():
    seen.append("open")
    try: yield builder
    finally: seen.append("closed")

async def async_generator():
    seen.append("open")
    try: yield builder
    finally: seen.append("closed")

manager = contextlib.contextmanager(generator)
async_manager = contextlib.asynccontextmanager(async_generator)

@contextlib.asynccontextmanager
async def swallows():
    with contextlib.suppress(RuntimeError):
        yield builder

def wrong(): return 3
def fails(): raise ValueError("no key")
def greedy(name: str): return builder
"""
)


def factory(tmp_path: Path, name: str) -> tuple[LoadedGraph, list[Any]]:
    loaded = load(tmp_path, f"./graphs_factories.py:{name}", graphs_factories=FACTORIES)
    assert loaded.static is None
    return loaded, sys.modules["graphs_factories"].seen


def use(loaded: LoadedGraph, fail: BaseException | None = None, **given: Any) -> Pregel[Any, Any, Any, Any]:
    async def main() -> Pregel[Any, Any, Any, Any]:
        opened = {"access": "threads.create_run", "config": {"tags": ["t"]}, "store": None, **given}
        async with loaded.open(**opened) as graph:
            if fail is not None:
                raise fail
            return graph

    return asyncio.run(main())


@pytest.mark.parametrize("name", ["nothing", "coroutine"])
def test_a_factory_may_take_nothing(tmp_path: Path, name: str) -> None:
    assert isinstance(use(factory(tmp_path, name)[0]), Pregel)


@pytest.mark.parametrize("name", ["config", "untyped", "defaults", "partial", "instance"])
def test_a_factory_may_take_the_config(tmp_path: Path, name: str) -> None:
    loaded, seen = factory(tmp_path, name)
    use(loaded)
    assert seen == [{"tags": ["t"]}]


def test_a_factory_may_take_the_runtime(tmp_path: Path) -> None:
    loaded, seen = factory(tmp_path, "runtime")
    store: Any = object()
    use(loaded, store=store, user="ann", context={"model": "m"})
    use(loaded, store=store, access="assistants.read")
    assert [each.access_context for each in seen] == ["threads.create_run", "assistants.read"]
    assert [each.store for each in seen] == [store, store]
    assert seen[0].user == "ann"
    assert seen[0].execution_runtime.context == {"model": "m"}
    assert seen[1].execution_runtime is None


def test_the_context_of_a_runtime_is_made_by_its_schema(tmp_path: Path) -> None:
    loaded, seen = factory(tmp_path, "typed")
    use(loaded, context={"model": "m", "unknown": 1})
    use(loaded)
    assert [each.context.model for each in seen] == ["m", "default"]


def test_a_factory_may_take_both(tmp_path: Path) -> None:
    loaded, seen = factory(tmp_path, "both")
    use(loaded)
    assert seen[0][0] == {"tags": ["t"]}
    assert seen[0][1].execution_runtime is not None


@pytest.mark.parametrize("name", ["generator", "async_generator", "manager", "async_manager"])
def test_what_a_factory_holds_open_is_closed_whatever_happens(tmp_path: Path, name: str) -> None:
    loaded, seen = factory(tmp_path, name)
    use(loaded)
    assert seen == ["open", "closed"]
    with pytest.raises(RuntimeError, match="mid-run"):
        use(loaded, RuntimeError("mid-run"))
    assert seen == ["open", "closed"] * 2


def test_a_context_manager_cannot_swallow_the_failure_of_a_run(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="mid-run"):
        use(factory(tmp_path, "swallows")[0], RuntimeError("mid-run"))


def test_a_factory_that_fails_or_makes_something_else_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no key"):
        use(factory(tmp_path, "fails")[0])
    with pytest.raises(ConfigError, match=r"graphs_factories\.py:wrong is a builtins\.int, not a graph"):
        use(factory(tmp_path, "wrong")[0])
    with pytest.raises(ConfigError, match=r"takes name: <class 'str'>, which the server does not provide") as caught:
        factory(tmp_path, "greedy")
    assert caught.value.hint == "a graph factory takes nothing, config: RunnableConfig, runtime: ServerRuntime, or both"
    assert caught.value.key == "graphs.g"
