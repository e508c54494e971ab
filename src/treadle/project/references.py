"""References to Python objects in langgraph.json, such as ``./file.py:name`` or ``package.module:name``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from treadle.errors import ConfigError

_JAVASCRIPT = (".js", ".ts", ".mjs", ".mts", ".cjs", ".cts", ".jsx", ".tsx")


@dataclass(frozen=True)
class Reference:
    """``attribute`` of a ``file``, or of a ``module`` where ``file`` is None.

    ``key`` of ``config_file`` holds the reference; ``shape`` describes valid references for error messages."""

    attribute: str
    module: str
    file: Path | None
    config_file: Path
    key: str
    shape: str

    @property
    def place(self) -> str:
        return str(self.file or self.module)

    def __str__(self) -> str:
        return f"{self.place}:{self.attribute}"

    def error(self, detail: str) -> ConfigError:
        return ConfigError(detail, file=str(self.config_file), key=self.key, hint=self.shape)


def parse_reference(text: str, *, config_file: Path, key: str, shape: str) -> Reference:
    """Parse ``text``, relative to the directory of ``config_file``. Imports nothing. Raises ConfigError."""
    module, _, attribute = text.rpartition(":")
    is_file = is_path(module)
    file = (config_file.parent / module).resolve() if is_file else None
    reference = Reference(attribute, module, file, config_file, key, shape)
    if text.endswith(_JAVASCRIPT) or module.endswith(_JAVASCRIPT):
        raise reference.error(f"{text!r} is JavaScript; treadle imports Python only")
    if not module or not attribute.isidentifier():
        raise reference.error(f"{text!r} does not name an attribute")
    if file is None and not all(part.isidentifier() for part in module.split(".")):
        raise reference.error(f"{module!r} is neither a .py file nor a module")
    if file is not None and not file.is_file():
        raise ConfigError(f"there is no file {file}", file=str(config_file), key=key)
    if file is not None and file.suffix != ".py":
        raise reference.error(f"{module!r} is not a Python file")
    return reference


def is_path(place: str) -> bool:
    """Whether ``place`` names a file rather than a module."""
    return "/" in place or "\\" in place or place.endswith(".py")
