"""What a rule of the user's sees of a request: the shapes of langgraph_sdk.auth.types; what it changed, put back."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import urlencode

from treadle.errors import UnprocessableError
from treadle.model import JSON

_MARKED = frozenset(["create", "create_run", "update", "search"])
"""Actions whose value has metadata, as an object, whether the request has any or not."""
_RUN_FIELDS = ("assistant_id", "metadata", "multitask_strategy", "if_not_exists", "after_seconds")
_CRON_FIELDS = ("schedule", "timezone", "end_time", "enabled", "on_run_completed", "metadata")
_NAMESPACES = {"search": "namespace_prefix", "list_namespaces": "prefix"}
_NESTED = ("kwargs", "payload")
_IDS = ("thread_id", "run_id", "cron_id", "assistant_id", "delivery_id")


class Asked:
    """A request to be judged: its path, its query, its body. ``content`` is the body as it is now, ``query`` the query
    string if that has changed, ``assumed`` what a request without a body is taken to say. ``identify`` gives the id of
    an assistant for its id or its graph's name. ``metadata`` names the field of the body that the rule sees as
    metadata."""

    def __init__(
        self,
        path: Mapping[str, str],
        query: Mapping[str, str],
        content: Any,
        identify: Callable[[str], str],
        metadata: str = "metadata",
    ) -> None:
        self.content = content
        self.query: bytes | None = None
        self.given = query
        self._path = path
        self._identify = identify
        self._metadata = metadata
        self.assumed: JSON = {}
        self._put: list[Callable[[JSON, str, Any], None]] = []

    @property
    def count(self) -> int:
        """How many values there are: one, or one for each item of a batch."""
        return len(cast("list[Any]", self.content)) if isinstance(self.content, list) else 1

    @property
    def thread_id(self) -> str | None:
        found = self._path.get("thread_id")
        return None if found is None else str(uuid_or_text(found))

    def own_id(self, resource: str) -> str | None:
        """The id that the body asks for, for something new."""
        found = self._item(0).get(f"{resource[:-1]}_id") if self.count else None
        return found if isinstance(found, str) else None

    def assistants(self) -> list[str]:
        """The ids of the assistants that the body names."""
        named = [item.get("assistant_id") for item in self._items()]
        return [self._identify(name) for name in named if isinstance(name, str)]

    def value(self, index: int, resource: str, action: str) -> JSON:
        """The value for a rule of ``resource`` and ``action``."""
        item = self._item(index) or self.assumed
        ids = {name: self._id(name, text) for name, text in self._path.items() if name in _IDS}
        if resource == "store":
            return _store(action, item or dict(self.given))
        if action == "create_run":
            # Only an item of a batch names its thread in the body.
            thread_id = item.get("thread_id") if isinstance(self.content, list) else None
            # The run of a path is not the one that is to be created.
            return _run(item) | {"thread_id": thread_id} | ids | {"run_id": None} | self._named(item)
        if resource == "crons" and action in ("create", "update"):
            return _cron(item) | {"thread_id": None} | ids
        return self._plain(item, action) | ids

    def change(self, index: int, action: str, before: JSON, after: JSON) -> None:
        """Puts what a rule changed into the request. What a request cannot hold (an id of the path) stays as it was."""
        if action == "read":  # its value only tells what is read; a body may have fields of the same names
            return
        changed = {key: value for key, value in after.items() if key not in before or before[key] != value}
        if self.content is None:
            if "namespace" in changed:
                self.query = self._renamed(changed["namespace"])
            return
        item = self._item(index)
        for key in before.keys() - after.keys():
            item.pop(key, None)
        for key, value in changed.items():
            if key in _NESTED and isinstance(value, dict):
                _update(item, before.get(key) or {}, cast("JSON", value))
            elif key == "namespace":
                item[_NAMESPACES.get(action, key)] = list(value or ())
            elif key not in self._path:
                item[self._metadata if key == "metadata" else key] = value

    def _renamed(self, namespace: Any) -> bytes:
        """The query with another namespace, whose labels are joined by periods there."""
        labels = [str(label) for label in namespace or ()]
        if any(not label or "." in label for label in labels):
            raise UnprocessableError("namespace: labels must be non-empty and without periods", field="namespace")
        pairs = [(name, text) for name, text in self.given.items() if name != "namespace"]
        return urlencode([("namespace", ".".join(labels)), *pairs]).encode()

    def _items(self) -> list[JSON]:
        given = self.content if isinstance(self.content, list) else [self.content]
        return [cast("JSON", item) for item in cast("list[Any]", given) if isinstance(item, dict)]

    def _item(self, index: int) -> JSON:
        if isinstance(self.content, list):
            return cast("list[JSON]", self.content)[index]
        return self.content if isinstance(self.content, dict) else {}

    def _id(self, name: str, text: str) -> Any:
        return uuid_or_text(self._identify(text) if name == "assistant_id" else text)

    def _named(self, item: JSON) -> JSON:
        return {"assistant_id": self._id("assistant_id", item["assistant_id"])} if "assistant_id" in item else {}

    def _plain(self, item: JSON, action: str) -> JSON:
        fields = item if self.content is not None else {key: text for key, text in self.given.items() if key in _SHOWN}
        value: JSON = dict(fields)
        if action in _MARKED:
            value["metadata"] = copy.deepcopy(value.get(self._metadata) or {})
        for name in ("thread_id", "assistant_id", "cron_id"):
            if isinstance(value.get(name), str):
                value[name] = self._id(name, value[name])
        return value


def snapshot(value: JSON) -> JSON:
    """What ``change`` compares with later. What lies deeper than this is the request's own, and changes in place."""
    copied = {key: dict(cast("JSON", value[key])) for key in _NESTED if key in value}
    return {**value, **copied, "metadata": copy.deepcopy(value.get("metadata"))}


def _update(item: JSON, before: JSON, after: JSON) -> None:
    for name in before.keys() - after.keys():
        item.pop(name, None)
    item.update({name: part for name, part in after.items() if name not in before or before[name] != part})


_SHOWN = ("action", "limit", "offset", "status", "thread_id", "run_id")


def uuid_or_text(text: str) -> Any:
    """A UUID where ``text`` is one: refusing what is none is the endpoint's part."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return text


def _run(item: JSON) -> JSON:
    """RunsCreate: what starts the run, and all else under ``kwargs``."""
    known = {name: item[name] for name in _RUN_FIELDS if item.get(name) is not None}
    return {
        "run_id": None,
        "status": "pending",
        "action": None,
        "prevent_insert_if_inflight": item.get("multitask_strategy") == "reject",
        **known,
        "metadata": copy.deepcopy(item.get("metadata") or {}),
        "kwargs": {name: value for name, value in item.items() if name not in _RUN_FIELDS},
    }


def _cron(item: JSON) -> JSON:
    """CronsCreate and CronsUpdate: when, and the request for runs under ``payload``."""
    known = {name: item[name] for name in _CRON_FIELDS if name in item}
    payload = {name: value for name, value in item.items() if name not in _CRON_FIELDS}
    return {"cron_id": None, **known, "metadata": copy.deepcopy(item.get("metadata") or {}), "payload": payload}


def _store(action: str, item: JSON) -> JSON:
    """The operation, with its namespace (or its prefix) as a tuple under ``namespace``."""
    name = _NAMESPACES.get(action, "namespace")
    given = item.get(name)
    if isinstance(given, str):
        given = [label for label in given.split(".") if label]
    absent = None if action == "list_namespaces" else ()
    rest = {key: value for key, value in item.items() if key != name}
    return {**rest, "namespace": tuple(given) if given else absent}
