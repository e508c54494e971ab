"""The private names of LangGraph that a server needs, each with its reason.

``tests/graph/test_internals.py`` fails with a clear message if a new LangGraph release has moved one of them.
"""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph._internal._constants import (
    CONFIG_KEY_CHECKPOINTER,
    CONFIG_KEY_RUNTIME,
    CONFIG_KEY_STRICT_RESUME,
)
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.pregel import Pregel
from langgraph.runtime import Runtime
from langgraph.store.base import BaseStore
from langgraph_sdk.runtime import (
    _ExecutionRuntime,  # pyright: ignore[reportPrivateUsage]
    _ReadRuntime,  # pyright: ignore[reportPrivateUsage]
)

INTERRUPT = "__interrupt__"
"""The key under which LangGraph reports interrupts in ``values`` and ``updates``."""

NULL_TASK_ID = "00000000-0000-0000-0000-000000000000"
"""The task id under which savers store writes that belong to no task: updates, and the resume values of a command."""

AnyGraph = Pregel[Any, Any, Any, Any]
Saver = BaseCheckpointSaver[Any]


def bind_storage(
    config: RunnableConfig, *, saver: Saver, store: BaseStore | None, strict_resume: bool = False
) -> RunnableConfig:
    """Return a ``config`` that makes a graph and its subgraphs use ``saver`` and ``store``.

    A parent graph passes both to its subgraphs in the same way. This overrides the graph's own, without copying the
    graph.
    """
    configurable = {**config.get("configurable", {}), CONFIG_KEY_CHECKPOINTER: saver}
    configurable[CONFIG_KEY_RUNTIME] = Runtime(store=store)
    if strict_resume:
        configurable[CONFIG_KEY_STRICT_RESUME] = True
    return {**config, "configurable": configurable}


def server_runtime(*, access: str, store: BaseStore | None, user: Any, context: Any) -> Any:
    """The ``langgraph_sdk.runtime.ServerRuntime`` that a graph factory gets; only a run has ``execution_runtime``."""
    given: dict[str, Any] = {"access_context": access, "store": store, "user": user}
    if access == "threads.create_run":
        return _ExecutionRuntime(**given, context=context)
    return _ReadRuntime(**given)
