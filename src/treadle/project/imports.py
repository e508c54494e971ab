"""Import the objects that langgraph.json refers to, and report failures of the user's own code."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from treadle.errors import ConfigError
from treadle.project.references import Reference

_LOADED_AT = "__treadle_mtime_ns__"
"""Set on each module imported here, so that a later load notices a changed file."""


class GraphImportError(ConfigError):
    """Importing failed in the user's own code. ``traceback`` leaves out the frames of the loader."""

    def __init__(self, detail: str, *, file: str, key: str, traceback: str) -> None:
        super().__init__(detail, file=file, key=key)
        self.traceback = traceback


def import_object(reference: Reference) -> Any:
    """Return the object that ``reference`` names. A file that changed since an earlier import is read again.

    Raises GraphImportError if the user's code fails, ConfigError if the module lacks the attribute."""
    module = _import_module(reference)
    try:
        return getattr(module, reference.attribute)
    except AttributeError:
        raise reference.error(f"{reference.place} has no {reference.attribute!r}; {_contents(module)}") from None


def _contents(module: ModuleType) -> str:
    """List the graphs of a module, or else the functions and classes that it defines, as suggestions."""
    public = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    graphs = [name for name, value in public.items() if isinstance(value, (Pregel, StateGraph))]
    own = [name for name, value in public.items() if getattr(value, "__module__", None) == module.__name__]
    names = sorted(graphs or own)
    return f"it has {', '.join(names)}" if names else "it has no graph and no function"


def _import_module(reference: Reference) -> ModuleType:
    try:
        if reference.file is None:
            return importlib.import_module(reference.module)
        return _import_file(reference.file, reference.config_file.parent)
    except (Exception, SystemExit) as error:  # the user's code runs here, and may raise anything
        last = traceback.format_exception_only(error)[-1].strip()
        raise GraphImportError(
            f"importing {reference.place} failed: {last}",
            file=str(reference.config_file),
            key=reference.key,
            traceback=_own_traceback(error),
        ) from error


def _import_file(file: Path, base: Path) -> ModuleType:
    """Import a file by the dotted name that its own package uses, or by a private name if that finds another file.

    With the package's name, relative imports work, and pickled objects find their class again."""
    name, root = _module_name(file, base)
    if str(root) not in sys.path:
        sys.path.append(str(root))
    _forget_if_changed(name, file)
    module = importlib.import_module(name) if _finds(name, file) else _import_privately(file, base)
    setattr(module, _LOADED_AT, file.stat().st_mtime_ns)
    return module


def _module_name(file: Path, base: Path) -> tuple[str, Path]:
    """Return ``(dotted name, directory for sys.path)``, counted from the root of the package or else from ``base``."""
    root = file.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    if root == file.parent and file.is_relative_to(base):
        root = base
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts), root


def _finds(name: str, file: Path) -> bool:
    """Whether importing ``name`` would load ``file``. Looking that up imports the parent packages of ``name``."""
    if not all(part.isidentifier() for part in name.split(".")):
        return False
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            return False
        raise  # the package exists, but one of its own imports is missing
    except ValueError:  # a module without a spec, such as __main__
        return False
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == file


def _import_privately(file: Path, base: Path) -> ModuleType:
    relative = file.relative_to(base) if file.is_relative_to(base) else file
    name = "treadle_graph_" + re.sub(r"\W", "_", str(relative.with_suffix("")))
    _forget_if_changed(name, file)
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]  # a later import must not get the half-initialised module
        raise
    return module


def _forget_if_changed(name: str, file: Path) -> None:
    loaded_at = getattr(sys.modules.get(name), _LOADED_AT, None)
    if loaded_at is not None and loaded_at != file.stat().st_mtime_ns:
        del sys.modules[name]


def _own_traceback(error: BaseException) -> str:
    """Format the traceback of ``error`` and its causes without the frames of this loader and of importlib."""
    report = traceback.TracebackException.from_exception(error)
    chain: Sequence[traceback.TracebackException | None] = [report]
    while chain:
        for each in (each for each in chain if each is not None):
            each.stack = traceback.StackSummary.from_list(
                [frame for frame in each.stack if not _is_loader(frame.filename)]
            )
        chain = [link for each in chain if each is not None for link in (each.__cause__, each.__context__)]
    return "".join(report.format())


def _is_loader(filename: str) -> bool:
    return filename == __file__ or filename == importlib.__file__ or filename.startswith("<frozen importlib")
