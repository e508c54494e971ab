"""The console: the page at ``/console`` and its files, as the front end's build left them in ``treadle/console``.

The files tell nothing of anybody, so they are open to all. What the page shows it asks the API for, like any client.
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
"""Where ``npm run build`` in ``console/`` writes."""

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
"""Told by us: what the system's own table says of a suffix differs from machine to machine."""

_HARDENED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def is_built(files: Path = FILES) -> bool:
    return (files / "index.html").is_file()


def routes(files: Path = FILES) -> list[Route]:
    """``/console`` and what lies below it: for browsers, and no part of the API that the OpenAPI document describes."""
    console = _Console(files)
    return [
        Route("/console", console.page),
        Route("/console/assets/{name}", console.asset),
        Route("/console/{place:path}", console.page),
    ]


class _Console:
    """Its endpoints are plain functions, which Starlette calls on a thread: they read files."""

    def __init__(self, files: Path) -> None:
        self._files = files

    def page(self, request: Request) -> Response:
        """The one page, at whatever place: the router in it knows the places."""
        nonce = secrets.token_urlsafe(16)
        headers = {**_HARDENED, "cache-control": "no-store", "content-security-policy": policy(nonce)}
        try:
            page = (self._files / "index.html").read_text("utf-8")
        except FileNotFoundError:
            return _not_built(request, headers)
        page = page.replace('<base href="/console/"', f'<base href="{base(request)}"', 1)
        return HTMLResponse(page.replace(' nonce=""', f' nonce="{nonce}"', 1), headers=headers)

    def asset(self, request: Request) -> Response:
        """A file whose name holds a hash of its content, so that it never changes."""
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
    """The content security policy: nothing from elsewhere, no script in the page, no style but with the nonce (which
    React Aria puts on the two small style elements that it makes)."""
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
    """The way from the page that was asked for to ``/console/``. It is relative, so that it is right behind a proxy
    that takes a prefix off, too; and counted in the path as it was sent, where a slash in an id is no slash."""
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
