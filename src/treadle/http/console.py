"""Serve the console: the page at ``/console`` and its files, as the front end's build left them in ``treadle/console``.

The files contain no user data and need no authentication. The page gets its data from the API, like any client.
"""

from __future__ import annotations

import secrets
from html import escape
from pathlib import Path, PurePath

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from treadle.errors import UnavailableError
from treadle.http.responses import error_response

FILES = Path(__file__).resolve().parent.parent / "console"
"""The output directory of ``npm run build`` in ``console/``."""

NOT_BUILT = (
    "The console is not part of this installation: it has not been built. Everything else works. From a checkout, "
    "`make setup` builds it where Node 20.19 or newer is; a released wheel has it built in."
)

_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
"""Fixed here, because the system's table of suffixes differs between machines."""

_HARDENED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def is_built(files: Path = FILES) -> bool:
    return (files / "index.html").is_file()


def routes(files: Path = FILES) -> list[Route]:
    """The routes of ``/console`` and below, which the OpenAPI document omits."""
    console = _Console(files)
    return [
        Route("/console", console.page),
        Route("/console/assets/{name}", console.asset),
        Route("/console/{place:path}", console.page),
    ]


class _Console:
    """Its endpoints are plain functions, which Starlette calls on a thread, because they read files."""

    def __init__(self, files: Path) -> None:
        self._files = files

    def page(self, request: Request) -> Response:
        """The page, for every path below ``/console``: its router interprets the path."""
        nonce = secrets.token_urlsafe(16)
        headers = {**_HARDENED, "cache-control": "no-store", "content-security-policy": policy(nonce)}
        try:
            page = (self._files / "index.html").read_text("utf-8")
        except FileNotFoundError:
            return _not_built(request, headers)
        page = page.replace('<base href="/console/"', f'<base href="{base(request)}"', 1)
        return HTMLResponse(page.replace(' nonce=""', f' nonce="{nonce}"', 1), headers=headers)

    def asset(self, request: Request) -> Response:
        """A file with a content hash in its name, so it never changes."""
        name = request.path_params["name"]
        file = self._files / "assets" / name
        kind = _TYPES.get(file.suffix)
        if kind is None or PurePath(name).name != name or not file.is_file():
            raise HTTPException(404)
        headers = {**_HARDENED, "cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
        smaller = file.with_name(f"{name}.gz")
        if _takes_gzip(request) and smaller.is_file():
            return FileResponse(smaller, media_type=kind, headers={**headers, "content-encoding": "gzip"})
        return FileResponse(file, media_type=kind, headers=headers)


def policy(nonce: str) -> str:
    """The content security policy: nothing from other hosts, no inline scripts, and inline styles only with the nonce,
    which React Aria uses for two small style elements."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' 'nonce-{nonce}'",
            "connect-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "base-uri 'self'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def base(request: Request) -> str:
    """The relative path from the requested page to ``/console/``.

    A relative path also works behind a proxy that strips a prefix. It is computed from the encoded path, in which a
    slash within an id does not count.
    """
    raw = request.scope.get("raw_path") or request.url.path.encode()
    depth = raw.count(b"/") - request.scope.get("root_path", "").count("/") - 1
    return "console/" if depth == 0 else "../" * (depth - 1) or "./"


def _not_built(request: Request, headers: dict[str, str]) -> Response:
    if "text/html" not in request.headers.get("accept", ""):
        return error_response(UnavailableError(NOT_BUILT))
    page = f"<!doctype html><html lang=en><title>treadle console</title><h1>No console here</h1><p>{escape(NOT_BUILT)}"
    return HTMLResponse(page, UnavailableError.status, headers)


def _takes_gzip(request: Request) -> bool:
    offered = request.headers.get("accept-encoding", "").replace(" ", "").lower().split(",")
    return "gzip" in offered
