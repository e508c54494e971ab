"""The names of LangGraph that are not public but that a server cannot do without, each with its reason.

``tests/graph/test_internals.py`` fails with a clear message when a new LangGraph has moved one of them.
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
"""The task in whose name savers keep what no task wrote: the update and the answers of a command."""

AnyGraph = Pregel[Any, Any, Any, Any]
Saver = BaseCheckpointSaver[Any]


def bind_storage(
    config: RunnableConfig, *, saver: Saver, store: BaseStore | None, strict_resume: bool = False
) -> RunnableConfig:
    """``config`` through which a graph, and the sub-graphs it runs, use ``saver`` and ``store``.

    This is how a parent graph lends both to its sub-graphs. It wins over what the graph was compiled with, and costs no
    copy of the graph.
    """
    configurable = {**config.get("configurable", {}), CONFIG_KEY_CHECKPOINTER: saver}
    configurable[CONFIG_KEY_RUNTIME] = Runtime(store=store)
    if strict_resume:
        configurable[CONFIG_KEY_STRICT_RESUME] = True
    return {**config, "configurable": configurable}


def server_runtime(*, access: str, store: BaseStore | None, user: Any, context: Any) -> Any:
    """The ``langgraph_sdk.runtime.ServerRuntime`` a graph factory gets; only a run has ``execution_runtime``."""
    given: dict[str, Any] = {"access_context": access, "store": store, "user": user}
    if access == "threads.create_run":
        return _ExecutionRuntime(**given, context=context)
    return _ReadRuntime(**given)
