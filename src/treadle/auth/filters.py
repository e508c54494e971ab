"""The filters of authorization rules (``langgraph_sdk.auth.types.FilterType``). Pure functions.

A filter is an object of conditions on metadata that must all be met. ``{"owner": "ann"}`` and ``{"owner": {"$eq":
"ann"}}`` require equality. ``{"team": {"$contains": "ann"}}`` requires a list that contains the value, or all values of
a list.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from treadle.model import JSON

OPERATORS = ("$eq", "$contains")


def validate_filter(given: Any) -> JSON:
    """Return the filter, or raise ValueError. An invalid filter must not let anything through."""
    if not isinstance(given, dict):
        raise ValueError(f"a filter must be an object, is {type(given).__name__}")
    filter = cast("dict[Any, Any]", given)
    for key, wanted in filter.items():
        if not isinstance(key, str):
            raise ValueError(f"a filter's keys must be text, {key!r} is {type(key).__name__}")
        if isinstance(wanted, dict) and not _is_condition(cast("JSON", wanted)):
            raise ValueError(f"filter {key!r}: an object there has one or more of {', '.join(OPERATORS)}")
    return cast("JSON", filter)


def permits(filters: Iterable[JSON], metadata: JSON) -> bool:
    """Whether ``metadata`` passes every filter."""
    return all(_holds(wanted, metadata, key) for filter in filters for key, wanted in filter.items())


def equalities(filter: JSON) -> JSON:
    """The keys for which a filter requires equality, with their values."""
    plain = {key: wanted for key, wanted in filter.items() if not isinstance(wanted, dict)}
    spelled = {key: wanted["$eq"] for key, wanted in filter.items() if isinstance(wanted, dict) and "$eq" in wanted}
    return plain | spelled


def required_metadata(filters: Iterable[JSON]) -> JSON:
    """Metadata that every match must contain. A necessary condition only, but one that an index can use."""
    part: JSON = {}
    for filter in filters:
        for key, wanted in filter.items():
            part.setdefault(key, _part(wanted))
    return part


def _part(wanted: Any) -> Any:
    if not isinstance(wanted, dict):
        return wanted
    conditions = cast("JSON", wanted)
    if "$eq" in conditions:
        return conditions["$eq"]
    sought = conditions["$contains"]
    return list(cast("Iterable[Any]", sought)) if isinstance(sought, (list, tuple, set)) else [sought]


def _is_condition(wanted: JSON) -> bool:
    return bool(wanted) and wanted.keys() <= set(OPERATORS)


def _holds(wanted: Any, metadata: JSON, key: str) -> bool:
    if key not in metadata:
        return False
    have = metadata[key]
    if not isinstance(wanted, dict):
        return _same(have, wanted)
    conditions = cast("JSON", wanted)
    return _is_condition(conditions) and all(_compare(name, have, value) for name, value in conditions.items())


def _compare(operator: str, have: Any, value: Any) -> bool:
    if operator == "$eq":
        return _same(have, value)
    if not isinstance(have, list):
        return False
    held = cast("list[Any]", have)
    sought = cast("list[Any]", list(value)) if isinstance(value, (list, tuple, set)) else [value]
    return all(any(_same(each, one) for each in held) for one in sought)


def _same(have: Any, wanted: Any) -> bool:
    return isinstance(have, bool) == isinstance(wanted, bool) and have == wanted
