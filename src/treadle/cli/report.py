"""How errors are told: what is wrong, what to do about it, and the traceback where it was the user's code."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console
from rich.text import Text

from treadle.errors import APIError, ConfigError, ConnectionFailed, TreadleError


def fail(message: str, *, hint: str | None = None, details: str | None = None, code: int = 1) -> NoReturn:
    """Prints the error to stderr and exits with ``code``."""
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
    """Turns treadle's errors into messages. Anything else is a bug of treadle's, and shows as one."""
    try:
        yield
    except ConfigError as error:
        fail(str(error), hint=error.hint, details=users_traceback(error))
    except ConnectionFailed as error:
        fail(error.detail, hint="the server went away and did not come back in time")
    except APIError as error:
        fail(f"the server answered {error.status}: {error.detail}")
    except TreadleError as error:
        fail(error.detail)
    except KeyboardInterrupt:
        sys.exit(130)


def users_traceback(error: ConfigError) -> str | None:
    """The traceback of the user's own code, where that is what failed (a GraphImportError)."""
    return getattr(error, "traceback", None)
