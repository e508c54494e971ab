"""Translate requests to the values of auth handlers (langgraph_sdk.auth.types), and apply the handlers' changes."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import urlencode

from treadle.errors import UnprocessableError
from treadle.model import JSON

_MARKED = frozenset(["create", "create_run", "update", "search"])
"""Actions whose value always has a ``metadata`` object, even if the request has none."""
_RUN_FIELDS = ("assistant_id", "metadata", "multitask_strategy", "if_not_exists", "after_seconds")
_CRON_FIELDS = ("schedule", "timezone", "end_time", "enabled", "on_run_completed", "metadata")
_NAMESPACES = {"search": "namespace_prefix", "list_namespaces": "prefix"}
_NESTED = ("kwargs", "payload")
_QUERY_FIELDS = ("action", "limit", "offset", "status", "thread_id", "run_id")
_IDS = ("thread_id", "run_id", "cron_id", "assistant_id", "delivery_id")


class AuthRequest:
    """A request that auth handlers judge and may change.

    ``content`` is its JSON body, which handlers change in place; ``query`` is its new query string if a handler changed
    that. ``assumed`` replaces the body of a request without one. ``identify`` maps a graph's name to the id of its
    assistant. ``metadata`` is the body field that handlers see as ``metadata``."""

    def __init__(
        self,
        path: Mapping[str, str],
        query_params: Mapping[str, str],
        content: Any,
        identify: Callable[[str], str],
        metadata: str = "metadata",
    ) -> None:
        self.content = content
        self.query: bytes | None = None
        self.query_params = query_params
        self._path = path
        self._identify = identify
        self._metadata = metadata
        self.assumed: JSON = {}

    @property
    def count(self) -> int:
        """The number of values: one, or one for each item of a batch."""
        return len(cast("list[Any]", self.content)) if isinstance(self.content, list) else 1

    @property
    def thread_id(self) -> str | None:
        thread_id = self._path.get("thread_id")
        return None if thread_id is None else str(uuid_or_text(thread_id))

    def new_id(self, resource: str) -> str | None:
        """The id that the body requests for a new ``resource``."""
        new_id = self._item(0).get(f"{resource[:-1]}_id") if self.count else None
        return new_id if isinstance(new_id, str) else None

    def assistant_ids(self) -> list[str]:
        """The ids of the assistants that the body names."""
        references = [item.get("assistant_id") for item in self._items()]
        return [self._identify(reference) for reference in references if isinstance(reference, str)]

    def value(self, index: int, resource: str, action: str) -> JSON:
        """Return the value for the handler of ``resource`` and ``action``."""
        item = self._item(index) or self.assumed
        ids = {name: self._id(name, text) for name, text in self._path.items() if name in _IDS}
        if resource == "store":
            return _store(action, item or dict(self.query_params))
        if action == "create_run":
            # Only items of a batch name their thread in the body.
            thread_id = item.get("thread_id") if isinstance(self.content, list) else None
            # A run in the path is the one being retried, not the one being created.
            return _run(item) | {"thread_id": thread_id} | ids | {"run_id": None} | self._assistant(item)
        if resource == "crons" and action in ("create", "update"):
            return _cron(item) | {"thread_id": None} | ids
        return self._plain(item, action) | ids

    def apply(self, index: int, action: str, before: JSON, after: JSON) -> None:
        """Apply a handler's changes to the request, except for ids in the path."""
        if action == "read":  # the value describes the resource, and the body may have unrelated fields of these names
            return
        changed = {key: value for key, value in after.items() if key not in before or before[key] != value}
        if self.content is None:
            if "namespace" in changed:
                self.query = self._query_with(changed["namespace"])
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

    def _query_with(self, namespace: Any) -> bytes:
        """The query string with another namespace, its labels joined by periods."""
        labels = [str(label) for label in namespace or ()]
        if any(not label or "." in label for label in labels):
            raise UnprocessableError("namespace: labels must be non-empty and without periods", field="namespace")
        pairs = [(name, text) for name, text in self.query_params.items() if name != "namespace"]
        return urlencode([("namespace", ".".join(labels)), *pairs]).encode()

    def _items(self) -> list[JSON]:
        items = self.content if isinstance(self.content, list) else [self.content]
        return [cast("JSON", item) for item in cast("list[Any]", items) if isinstance(item, dict)]

    def _item(self, index: int) -> JSON:
        if isinstance(self.content, list):
            return cast("list[JSON]", self.content)[index]
        return self.content if isinstance(self.content, dict) else {}

    def _id(self, name: str, text: str) -> Any:
        return uuid_or_text(self._identify(text) if name == "assistant_id" else text)

    def _assistant(self, item: JSON) -> JSON:
        return {"assistant_id": self._id("assistant_id", item["assistant_id"])} if "assistant_id" in item else {}

    def _plain(self, item: JSON, action: str) -> JSON:
        value: JSON = dict(item)
        if self.content is None:
            value = {key: text for key, text in self.query_params.items() if key in _QUERY_FIELDS}
        if action in _MARKED:
            value["metadata"] = copy.deepcopy(value.get(self._metadata) or {})
        for name in ("thread_id", "assistant_id", "cron_id"):
            if isinstance(value.get(name), str):
                value[name] = self._id(name, value[name])
        return value


def snapshot(value: JSON) -> JSON:
    """Copy ``value`` for ``apply`` to compare with later. Deeper objects belong to the request and change in place."""
    copied = {key: dict(cast("JSON", value[key])) for key in _NESTED if key in value}
    return {**value, **copied, "metadata": copy.deepcopy(value.get("metadata"))}


def _update(item: JSON, before: JSON, after: JSON) -> None:
    for name in before.keys() - after.keys():
        item.pop(name, None)
    item.update({name: part for name, part in after.items() if name not in before or before[name] != part})


def uuid_or_text(text: str) -> Any:
    """Return ``text`` as a UUID, or unchanged if it is not one: the endpoint reports that."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return text


def _run(item: JSON) -> JSON:
    """A RunsCreate: the fields of the run, and all others under ``kwargs``."""
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
    """A CronsCreate or CronsUpdate: the fields of the cron, and those of its runs under ``payload``."""
    known = {name: item[name] for name in _CRON_FIELDS if name in item}
    payload = {name: value for name, value in item.items() if name not in _CRON_FIELDS}
    return {"cron_id": None, **known, "metadata": copy.deepcopy(item.get("metadata") or {}), "payload": payload}


def _store(action: str, item: JSON) -> JSON:
    """A store operation with its namespace or prefix as a tuple under ``namespace``."""
    name = _NAMESPACES.get(action, "namespace")
    namespace = item.get(name)
    if isinstance(namespace, str):
        namespace = [label for label in namespace.split(".") if label]
    absent = None if action == "list_namespaces" else ()
    rest = {key: value for key, value in item.items() if key != name}
    return {**rest, "namespace": tuple(namespace) if namespace else absent}
