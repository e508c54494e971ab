"""Report errors on stderr: the problem, a hint, and a traceback if the user's code raised."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console
from rich.text import Text

from treadle.errors import APIError, ConfigError, ConnectionFailed, TreadleError


def fail(message: str, *, hint: str | None = None, details: str | None = None, code: int = 1) -> NoReturn:
    """Print the error to stderr and exit with ``code``."""
    console = Console(stderr=True, highlight=False)
    if details:
        console.print(Text(details.rstrip()), soft_wrap=True)
        console.print()
    console.print(Text.assemble(("error: ", "bold red"), message), soft_wrap=True)
    if hint:
        console.print(Text.assemble(("hint: ", "bold cyan"), hint), soft_wrap=True)
    sys.exit(code)


@contextmanager
def errors() -> Generator[None]:
    """Report treadle's errors as messages. Any other exception is a bug and shows its traceback."""
    try:
        yield
    except ConfigError as error:
        fail(str(error), hint=error.hint, details=users_traceback(error))
    except ConnectionFailed as error:
        fail(error.detail, hint="the connection to the server was lost and could not be restored in time")
    except APIError as error:
        fail(f"the server returned {error.status}: {error.detail}")
    except TreadleError as error:
        fail(error.detail)
    except KeyboardInterrupt:
        sys.exit(130)


def users_traceback(error: ConfigError) -> str | None:
    """The traceback of the user's code if importing it failed (GraphImportError)."""
    return getattr(error, "traceback", None)
