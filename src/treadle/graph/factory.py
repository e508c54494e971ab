"""Graph factories: functions that build a graph for each use, in all forms that the official server allows."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from inspect import Parameter
from typing import Any, Literal, cast, get_args, get_type_hints

from langchain_core.runnables import RunnableConfig
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from langgraph.store.base import BaseStore

from treadle.errors import ConfigError
from treadle.graph.internals import AnyGraph, server_runtime
from treadle.graph.stream import coerce_context

Access = Literal["threads.create_run", "threads.update", "threads.read", "assistants.read"]
"""The reason for opening a graph (langgraph_sdk.runtime). Only ``threads.create_run`` executes nodes."""

_Wants = Literal["config", "runtime"]


@dataclass(frozen=True)
class Use:
    """One use of a graph, with everything that a factory may receive."""

    access: Access
    config: RunnableConfig
    store: BaseStore | None
    context: Any
    user: Any


class Factory:
    """A callable that takes nothing, a RunnableConfig, a ServerRuntime or both, and returns a graph.

    It may return or await the graph, or be a generator or (async) context manager that is open while the graph is used.
    """

    def __init__(self, name: str, call: Callable[..., Any]) -> None:
        """Raises ConfigError for parameters that a graph factory cannot have."""
        self._name = name
        self._call = call
        self._hints = _hints(call)
        self._wants: list[tuple[Parameter, _Wants]] = [(each, self._wanted(each)) for each in _parameters(call)]

    @asynccontextmanager
    async def make(self, use: Use) -> AsyncGenerator[AnyGraph]:
        """Build the graph for one use, and close the factory's resources afterwards. Errors of the user's code
        propagate."""
        failure: BaseException | None = None
        async with _entered(self._called(use)) as made:
            try:
                yield compiled(self._name, made)
            except BaseException as error:
                failure = error
                raise
        if failure is not None:  # a context manager that suppresses errors must not turn a failed run into a success
            raise failure

    def _called(self, use: Use) -> Any:
        args = [
            self._argument(each, wanted, use) for each, wanted in self._wants if each.kind != Parameter.KEYWORD_ONLY
        ]
        kwargs = {
            each.name: self._argument(each, wanted, use)
            for each, wanted in self._wants
            if each.kind == Parameter.KEYWORD_ONLY
        }
        return self._call(*args, **kwargs)

    def _argument(self, parameter: Parameter, wanted: _Wants, use: Use) -> Any:
        if wanted == "config":
            return use.config
        context = use.context
        if schemas := get_args(self._hints.get(parameter.name)):
            context = coerce_context(schemas[0], context, make=True)
        return server_runtime(access=use.access, store=use.store, user=use.user, context=context)

    def _wanted(self, parameter: Parameter) -> _Wants:
        hint = str(self._hints.get(parameter.name, ""))
        if "Runtime" in hint or (not hint and parameter.name == "runtime"):
            return "runtime"
        if "RunnableConfig" in hint or "dict" in hint.lower() or not hint:
            return "config"
        raise ConfigError(
            f"the factory {self._name} takes {parameter.name}: {hint}, which the server does not provide",
            hint="a graph factory takes nothing, config: RunnableConfig, runtime: ServerRuntime, or both",
        )


def compiled(name: str, made: Any) -> AnyGraph:
    """Return a graph that can run on a server: compiled, and able to use the server's checkpointer."""
    if isinstance(made, StateGraph):
        return _compile(name, cast("Any", made))
    if not isinstance(made, Pregel):
        kind = cast("Any", type(made))
        raise ConfigError(
            f"{name} is a {kind.__module__}.{kind.__qualname__}, not a graph",
            hint="a compiled graph, a StateGraph, an @entrypoint function, or a function that returns one of these",
        )
    graph = cast("AnyGraph", made)
    # False means "never save", which would leave the thread without a state. The copy is made once.
    return graph.copy({"checkpointer": None}) if graph.checkpointer is False else graph


def _compile(name: str, graph: Any) -> AnyGraph:
    try:
        return graph.compile()
    except ValueError as error:
        raise ConfigError(f"{name} does not compile: {error}") from error


def _parameters(call: Callable[..., Any]) -> list[Parameter]:
    """The parameters to pass: those without a default, and those named or typed as a config or a runtime."""
    try:
        signature = inspect.signature(call)
    except (TypeError, ValueError):
        return []
    named = (
        each
        for each in signature.parameters.values()
        if each.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    )
    return [each for each in named if each.default is Parameter.empty or each.name in ("config", "runtime")]


def _hints(call: Callable[..., Any]) -> dict[str, Any]:
    target = call if inspect.isroutine(call) else getattr(call, "func", None) or cast("Any", type(call)).__call__
    try:
        return get_type_hints(target)
    except (NameError, TypeError, AttributeError):  # names that only exist for a type checker: use their text
        return dict(getattr(target, "__annotations__", {}))


@asynccontextmanager
async def _entered(made: Any) -> AsyncGenerator[Any]:
    """Enter, await or iterate a factory's return value until it is the graph itself."""
    if inspect.isawaitable(made):
        made = await made
    if inspect.isasyncgen(made):
        made = asynccontextmanager(lambda generator=made: generator)()
    elif inspect.isgenerator(made):
        made = contextmanager(lambda generator=made: generator)()
    if hasattr(made, "__aenter__"):
        async with made as graph:
            yield graph
    elif hasattr(made, "__enter__"):
        with made as graph:
            yield graph
    else:
        yield made
