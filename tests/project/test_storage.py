"""What langgraph.json says of the store and of lifetimes is checked, each mistake by its key."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from support.keeping import keeping, project_with
from treadle.errors import ConfigError
from treadle.model import ThreadTTL
from treadle.project.load import GraphImportError, load_config, load_graphs
from treadle.project.storage import StorageConfig, storage_config

PROJECT = Path(__file__).parent / "with_store"


def read(directory: Path, **sections: Any) -> StorageConfig:
    config = load_config(project_with(directory, **sections))
    load_graphs(config)
    return storage_config(config)


def test_nothing_said_is_a_plain_store_and_threads_that_stay(tmp_path: Path) -> None:
    said = read(tmp_path)
    assert (said.index, said.store_ttl, said.thread_ttl) == (None, None, None)
    assert (said.store_sweep_seconds, said.thread_sweep_seconds) == (300, 300)


def test_lifetimes(tmp_path: Path) -> None:
    said = read(
        tmp_path,
        store={"ttl": {"default_ttl": 1.5, "refresh_on_read": False, "sweep_interval_minutes": 2}},
        checkpointer={"ttl": {"strategy": "keep_latest", "default_ttl": 43200, "sweep_interval_minutes": 60}},
    )
    assert said.store_ttl == {"default_ttl": 1.5, "refresh_on_read": False}
    assert said.thread_ttl == ThreadTTL(43200, "keep_latest")
    assert (said.store_sweep_seconds, said.thread_sweep_seconds) == (120, 3600)


@pytest.mark.parametrize("function", ["embed", "aembed"])
@pytest.mark.parametrize("spelling", ["./meaning.py:{}", "mind.meaning:{}"])
def test_an_embedding_function_of_a_file_or_a_module_sync_or_async(
    tmp_path: Path, spelling: str, function: str
) -> None:
    shutil.copy(PROJECT / "meaning.py", tmp_path)
    (tmp_path / "mind").mkdir()
    shutil.copy(PROJECT / "meaning.py", tmp_path / "mind")
    project = project_with(
        tmp_path, dependencies=["."], store={"index": {"embed": spelling.format(function), "dims": 4}}
    )

    async def main() -> None:
        async with asyncio.timeout(30), keeping(tmp_path / "data", project=project) as server:
            body = {"namespace": ["n"], "key": "k", "value": {"text": "cat"}}
            assert (await server.http.put("/store/items", json=body)).status_code == 204
            (item,) = (await server.post("/store/items/search", {"query": "dog"}))["items"]
            assert item["score"] == 0

    asyncio.run(main())


@pytest.mark.parametrize("function", ["broken", "short"])
def test_an_embedding_function_that_fails_is_a_500_and_stores_nothing(tmp_path: Path, function: str) -> None:
    shutil.copy(PROJECT / "meaning.py", tmp_path)
    project = project_with(tmp_path, store={"index": {"embed": f"./meaning.py:{function}", "dims": 4}})

    async def main() -> None:
        async with asyncio.timeout(30), keeping(tmp_path / "data", project=project) as server:
            body = {"namespace": ["n"], "key": "k", "value": {"text": "cat"}}
            answer = await server.http.put("/store/items", json=body)
            assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
            assert (await server.post("/store/items/search", {}))["items"] == []

    asyncio.run(main())


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"store": {"index": []}}, "store.index"),
        ({"store": {"index": {"embed": "./meaning.py:embed"}}}, "store.index.dims"),
        ({"store": {"index": {"embed": "./meaning.py:embed", "dims": 0}}}, "store.index.dims"),
        ({"store": {"index": {"embed": "./meaning.py:embed", "dims": True}}}, "store.index.dims"),
        ({"store": {"index": {"dims": 4}}}, "store.index.embed"),
        ({"store": {"index": {"embed": "meaning", "dims": 4}}}, "store.index.embed"),
        ({"store": {"index": {"embed": "./nothing.py:embed", "dims": 4}}}, "store.index.embed"),
        ({"store": {"index": {"embed": "./meaning.py:nothing", "dims": 4}}}, "store.index.embed"),
        ({"store": {"index": {"embed": "nosuchprovider:model", "dims": 4}}}, "store.index.embed"),
        ({"store": {"index": {"embed": "./meaning.py:embed", "dims": 4, "fields": "$"}}}, "store.index.fields"),
        ({"store": {"ttl": 5}}, "store.ttl"),
        ({"store": {"ttl": {"default_ttl": 0}}}, "store.ttl.default_ttl"),
        ({"store": {"ttl": {"default_ttl": "5"}}}, "store.ttl.default_ttl"),
        ({"store": {"ttl": {"refresh_on_read": 1}}}, "store.ttl.refresh_on_read"),
        ({"store": {"ttl": {"sweep_interval_minutes": -1}}}, "store.ttl.sweep_interval_minutes"),
        ({"checkpointer": {"ttl": {"strategy": "forget"}}}, "checkpointer.ttl.strategy"),
        ({"checkpointer": {"ttl": {"default_ttl": True}}}, "checkpointer.ttl.default_ttl"),
    ],
)
def test_mistakes_name_their_key(tmp_path: Path, sections: dict[str, Any], key: str) -> None:
    shutil.copy(PROJECT / "meaning.py", tmp_path)
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, **sections)
    assert caught.value.key == key


def test_an_embedding_file_that_cannot_be_imported_shows_the_users_traceback(tmp_path: Path) -> None:
    (tmp_path / "odd_meaning.py").write_text("raise RuntimeError('no model')\n")
    with pytest.raises(GraphImportError, match="no model") as caught:
        read(tmp_path, store={"index": {"embed": "./odd_meaning.py:embed", "dims": 4}})
    assert "odd_meaning.py" in caught.value.traceback
