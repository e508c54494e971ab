"""A local, deterministic stand-in for an embedding model: how often four words occur."""

from __future__ import annotations

import threading

WORDS = ("cat", "dog", "car", "tree")
ran_on: set[str] = set()


def embed(texts: list[str]) -> list[list[float]]:
    ran_on.add(threading.current_thread().name)
    return [[float(text.split().count(word)) for word in WORDS] for text in texts]


async def aembed(texts: list[str]) -> list[list[float]]:
    return embed(texts)


async def broken(texts: list[str]) -> list[list[float]]:
    raise RuntimeError("no model today")


async def short(texts: list[str]) -> list[list[float]]:
    return [[1.0] for _ in texts]
