from __future__ import annotations

import pytest

from treadle.errors import ConfigError
from treadle.settings import Settings

DATABASE = "postgresql://127.0.0.1/treadle"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres@127.0.0.1:5432/test?options=-csearch_path%3Dmine",
        "postgres://one:5432,two:5433/test?target_session_attrs=read-write",
        "postgresql:///test?host=/var/run/postgresql",
        "postgresql://%2Fvar%2Frun/test",
        "postgresql://[::1]:5432/test",
        "postgresql://user:a:b%40c@127.0.0.1/test",
    ],
)
def test_the_urls_that_postgresql_takes_are_taken(url):
    assert Settings.load({"TREADLE_DATABASE_URL": url}).database_url == url


@pytest.mark.parametrize("url", ["redis://127.0.0.1:6379/0", "rediss://:pw@127.0.0.1/1", "unix:///run/redis.sock?db=1"])
def test_the_urls_that_redis_takes_are_taken(url):
    assert Settings.load({}, database_url=DATABASE, redis_url=url).redis_url == url


@pytest.mark.parametrize(
    "url",
    [
        "mysql://user:hunter2@127.0.0.1/test",
        "user:hunter2@127.0.0.1",
        "hunter2",
        "postgresql://user:hunter2@s@127.0.0.1/test",
        "postgresql://user:hunter2/s@127.0.0.1/test",
        "postgresql://user:1/hunter2@127.0.0.1/test",
        "postgresql://user:hunter2%zz@127.0.0.1/test",
        "postgresql://user@127.0.0.1:hunter2/test",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_showing_it(url):
    with pytest.raises(ConfigError, match=r"^database_url: ") as refused:
        Settings.load({}, database_url=url)
    assert "postgresql://" in (refused.value.hint or "")
    assert "hunter2" not in f"{refused.value} {refused.value.hint}"


def test_a_url_of_redis_names_the_kinds_that_are_allowed():
    with pytest.raises(ConfigError, match=r"^redis_url: ") as refused:
        Settings.load({}, database_url=DATABASE, redis_url="memcached://127.0.0.1")
    assert refused.value.hint == "must start with redis:// or rediss:// or unix://"


def test_redis_without_postgresql_is_refused():
    with pytest.raises(ConfigError, match="redis_url: Redis only speeds up PostgreSQL") as refused:
        Settings.load({}, redis_url="redis://127.0.0.1/0")
    assert "database_url" in (refused.value.hint or "")


@pytest.mark.parametrize("count", [-1, 2])
def test_a_process_has_one_worker_or_none(count):
    with pytest.raises(ConfigError, match=f"workers: is {count}") as refused:
        Settings.load({}, database_url=DATABASE, workers=count)
    assert "treadle worker" in (refused.value.hint or "")


def test_an_sqlite_file_needs_the_one_worker_it_can_have():
    with pytest.raises(ConfigError, match="workers: no other process can execute the runs of a SQLite file"):
        Settings.load({}, workers=0)


def test_no_url_is_shown():
    shown = repr(Settings.load({}, database_url="postgresql://u:hunter2@127.0.0.1/t", redis_url="redis://:hunter2@h/0"))
    assert "hunter2" not in shown
